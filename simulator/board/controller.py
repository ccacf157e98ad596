"""A CAN controller that is played: frames come by a schedule, and are lost if its memory is full."""

try:
    from simulator.board import traffic
except ImportError:
    import traffic

try:
    from firmware.bridge import pack
    from firmware.bridge.ring import TICKS
except ImportError:
    from bridge import pack
    from bridge.ring import TICKS

LISTEN_ONLY = 1
OFF = 0
RECORD = 20
_HALF = TICKS >> 1
_STATE_STOPPED = 4


class PlayedController:
    """What `firmware/bridge/controllers` asks of a controller, without any hardware.

    Attributes:
        offered: frames that came over the bus while it listened.
        overrun: those of them that found its memory full.
        missed: frames that came while it did not listen.
        fault: 0 for none, else the mode that it reads back as until it is started anew.
        dead: whether it answers nothing at all.
        starts: how often it was started.
    """

    def __init__(
        self,
        clock: object,
        bus: int,
        rate: int,
        depth: int,
        style: int,
        last: int,
        listed: bytes | None = None,
    ) -> None:
        """Play a bus.

        Args:
            clock: has `ticks_us()`.
            bus: its number.
            rate: frames per second; 0 for silence.
            depth: frames that the controller holds.
            style: of `traffic`.
            last: how many frames there are in all.
            listed: what is played instead of `traffic`, `RECORD` bytes a frame: microseconds since the frame
                before u24, 0, kind u8, 3 bytes of 0, id u32, 8 bytes of data; at its own pace.
        """
        self.name = "played"
        self.fd = False
        self.counted = True
        self.hardware_stamps = True
        self.bitrate = 500_000
        self.data_bitrate = 0
        self.sample_point = 875
        self.offered = 0
        self.overrun = 0
        self.missed = 0
        self.fault = 0
        self.dead = False
        self.starts = 0
        self.frame = 0
        self._clock = clock
        self._bus = bus
        self._depth = depth
        self._style = style
        self._last = last if listed is None else min(last, len(listed) // RECORD)
        self._listed = listed
        self._playing = False
        self._data = bytearray(8)
        self._ring = None
        self._before = 0
        self._mode = OFF
        self._next = 0
        self._part = 0
        self.play(rate)

    def play(self, rate: int) -> None:
        """Play so many frames per second from now on; of a list 0 holds it, and any other goes on."""
        self.rate = rate
        self._next = self._clock.ticks_us() & TICKS
        self._part = 0
        self._period_us = 1_000_000 // rate if rate else 0
        self._rest = 1_000_000 % rate if rate else 0
        self._playing = rate > 0

    def lose(self, frames: int) -> None:
        """Lose the next frames as if the memory had been full."""
        for _ in range(frames):
            if self.frame < self._last:
                self._step()
                self.offered += 1
                self.overrun += 1

    def start(self, ring: object) -> None:
        """Begin to listen."""
        self._ring = ring
        self._before = self.overrun
        self.restart()

    def restart(self) -> None:
        """Begin to listen anew."""
        self.starts += 1
        if self.dead:
            raise OSError("does not answer")
        self.fault = 0
        # What came meanwhile was heard by nobody.
        while self._due():
            self._step()
            self.missed += 1
        self._mode = LISTEN_ONLY

    def stop(self) -> None:
        """Leave the bus."""
        self._mode = OFF

    def mode(self) -> int:
        """Tell the mode."""
        if self.dead:
            raise OSError("does not answer")
        return self.fault or self._mode

    def look(self, health: object) -> None:
        """Tell how it stands."""
        health.mode = self.mode()
        health.state = 0 if self._mode == LISTEN_ONLY else _STATE_STOPPED
        health.overrun_counted = self.overrun - self._before

    def on_frames(self, callback: object) -> None:
        """Take no interest: there are no interrupts here."""

    def take(self) -> int:
        """Move what has come into the ring."""
        taken = 0
        if self._mode != LISTEN_ONLY or self.dead:
            return 0
        ring = self._ring
        while self._due():
            self.offered += 1
            if taken == self._depth:
                self.overrun += 1
            elif self._listed is not None:
                self._put_listed(ring)
                taken += 1
            else:
                kind = traffic.frame(self._style, self._bus, self.frame, self._data)
                can_id = traffic.identifier(kind, self._bus, self.frame)
                pack.put(ring.state, ring.cells, self._next, kind, can_id, self._data, 0)
                taken += 1
            self._step()
        return taken

    def _put_listed(self, ring: object) -> None:
        listed = self._listed
        at = self.frame * RECORD
        can_id = listed[at + 8] | listed[at + 9] << 8 | listed[at + 10] << 16 | listed[at + 11] << 24
        pack.put(ring.state, ring.cells, self._next, listed[at + 4], can_id, listed, at + 12)

    def _due(self) -> bool:
        if not self._playing or self.frame >= self._last:
            return False
        return (self._clock.ticks_us() - self._next) & TICKS <= _HALF

    def _step(self) -> None:
        self.frame += 1
        if self._listed is not None:
            at = self.frame * RECORD
            if self.frame < self._last:
                delta = self._listed[at] | self._listed[at + 1] << 8 | self._listed[at + 2] << 16
                self._next = (self._next + delta) & TICKS
            return
        self._next = (self._next + self._period_us) & TICKS
        self._part += self._rest
        if self._part >= self.rate:
            self._part -= self.rate
            self._next = (self._next + 1) & TICKS
