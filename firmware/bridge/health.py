"""What a controller tells of itself and its bus, each second, for STATUS.

Numbers are those of `vlink_messages`; a test compares them.
"""

MODE_OFF = 0
MODE_LISTEN_ONLY = 1
MODE_NORMAL = 2
MODE_LOOPBACK = 3

BUS_ACTIVE = 0
BUS_WARNING = 1
BUS_PASSIVE = 2
BUS_OFF = 3
BUS_STOPPED = 4


class BusHealth:
    """Health of one bus; made once, filled again and again by `Controller.look`.

    Attributes:
        state: `BUS_*`.
        tec: transmit error counter.
        rec: receive error counter.
        bus_errors: errors on the bus since boot, as far as the controller tells; at least so many.
        overrun_counted: frames lost in the controller since boot, where it counts each; else 0.
        overrun_flags: how often since boot it told that some were lost; at least one frame each.
        mode: `MODE_*`, as read back.
    """

    def __init__(self) -> None:
        self.state = BUS_STOPPED
        self.tec = 0
        self.rec = 0
        self.bus_errors = 0
        self.overrun_counted = 0
        self.overrun_flags = 0
        self.mode = MODE_OFF
