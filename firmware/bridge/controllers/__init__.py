"""CAN controllers that listen: what each driver here has to do, and how it fails.

A controller is any object with:

    name: str              for HELLO
    fd: bool               frames of CAN FD may come: its ring needs cells of 72 bytes
    counted: bool          each frame that it lost is counted; else only flagged that some were
    hardware_stamps: bool  times are its own, not those of an interrupt
    bitrate, data_bitrate: int   bit/s; 0 for no data phase
    sample_point: int      thousandths of a bit, as configured
    start(ring)            resets and configures it, enters listen-only, reads that back
    take() -> int          moves all frames that it holds into the ring, tells how many
    mode() -> int          `MODE_*` of `bridge.health`, as read back now
    look(health)           fills a `bridge.health.BusHealth`; each second
    restart()              as start, with the same ring: numbers and counters go on
    stop()                 leaves the bus and is silent
    on_frames(callback)    from now on `callback()`, without arguments, is called in the hard interrupt when
                           frames wait; None ends that

**Nothing here can send.** `start` and `restart` raise `NotListenOnly` unless the controller reads back as
listen-only with nothing to send, and leave it silent then. `mode` never says listen-only of a controller
that is not; what cannot be told for sure is told as the worst that it may be. `start`, `restart`, `stop`,
`mode` and `look` are for the main loop alone and may take memory. `take` takes none, and may be called by
both: where the interrupt finds the main loop at the controller it leaves the frames to it.

`controller.on_frames(controller.take)` is the usual way. A port without interrupts polls `take`; so may
every main loop, each turn, which also brings what an interrupt had to leave.
"""


class NotListenOnly(OSError):  # noqa: N818 - named for what is the matter, as the standard library does
    """The controller does not read back as listen-only; it has been told to be silent."""


class TimingRefused(ValueError):  # noqa: N818 - the same
    """The controller cannot have this bit rate or this sample point exactly."""
