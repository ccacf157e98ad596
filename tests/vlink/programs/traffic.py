"""The same traffic on MicroPython and CPython: what comes from a controller, and what a ring makes of it."""

try:
    from firmware.bridge import ring as ring_module
except ImportError:
    from bridge import ring as ring_module  # type: ignore[import-not-found, no-redef]

KINDS = (8, 8, 8, 8, 8, 8, 0, 3, 0x18, 0x18, 0x28, 0x3F, 0x88, 0x0F)
FD_KINDS = (0x4F, 0x59, 0xC8, 0xFF, 0x6C, 0x47)
STEPS = (0, 1, 222, 222, 222, 222, 222, 222, 222, 222, 65535, 65536, 90000)
LEAPS = (1 << 27, 1 << 28, 5 << 25)
DATA = bytes((0, 1, 2, 255, 0, 0, 7, 8)) * 20


class Traffic:
    """Frames by a generator of numbers that stay small integers on any port."""

    def __init__(self, seed: int, fd: bool, t_us: int) -> None:
        self.seed = seed
        self.fd = fd
        self.t_us = t_us
        self.kind = 0
        self.can_id = 0
        self.at = 0

    def draw(self, below: int) -> int:
        """Draw a number."""
        self.seed = (self.seed * 109 + 12345) & 0xFFFFF
        return (self.seed >> 4) % below

    def next(self) -> None:
        """Go on to the next frame."""
        self.t_us += STEPS[self.draw(13)]
        if self.draw(1000) == 0:
            self.t_us += LEAPS[self.draw(3)]
        self.kind = FD_KINDS[self.draw(6)] if self.fd and self.draw(2) else KINDS[self.draw(14)]
        self.can_id = self.draw(2048) if not self.kind & 0x10 else self.draw(32768) << 14 | self.draw(16384)
        self.at = self.draw(60)


def run(
    traffic: Traffic, frames: int, packer: object, ring: object, packet: bytearray, line: bytearray
) -> list[bytes]:
    """Send frames through a ring, drained now and then, and hand out the packets.

    Args:
        traffic: what comes.
        frames: how many of it.
        packer: `put`, `fill` and `seal`.
        ring: made at the traffic's time.
        packet: for `fill`.
        line: for `seal`.
    """
    put, fill, seal = packer.put, packer.fill, packer.seal  # type: ignore[attr-defined]
    state, cells = ring.state, ring.cells  # type: ignore[attr-defined]
    room = len(packet) - 4
    sequence = 0
    lines = []
    for n in range(frames):
        traffic.next()
        ticks = traffic.t_us & ring_module.TICKS
        ring.follow(ticks)  # type: ignore[attr-defined]
        put(state, cells, ticks, traffic.kind, traffic.can_id, DATA, traffic.at)
        if traffic.draw(60) == 0 or n == frames - 1:
            while True:
                end = fill(state, cells, packet, room)
                if not end:
                    break
                lines.append(bytes(line[: seal(packet, end, line, 2, sequence)]))
                sequence = (sequence + 1) & 0xFFFF
                if n < frames - 1 and traffic.draw(4) == 0:
                    break
    return lines
