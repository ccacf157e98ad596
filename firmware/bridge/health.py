"""What a controller tells of itself and its bus, each second, for STATUS."""


class BusHealth:
    """Health of one bus; made once, filled again and again by `Controller.look`.

    Attributes:
        state: `BUS_*` of `vlink_messages`.
        tec: transmit error counter.
        rec: receive error counter.
        bus_errors: errors on the bus since boot, as far as the controller tells; at least so many.
        overrun_counted: frames lost in the controller since boot, where it counts each; else 0.
        overrun_flags: how often since boot it told that some were lost; at least one frame each.
        mode: `MODE_*`, as read back.
    """

    def __init__(self) -> None:
        self.state = 4
        self.tec = 0
        self.rec = 0
        self.bus_errors = 0
        self.overrun_counted = 0
        self.overrun_flags = 0
        self.mode = 0
