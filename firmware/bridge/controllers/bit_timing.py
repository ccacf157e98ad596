"""Bit timing of CAN (ISO 11898-1, 11.3.1): what a controller's clock allows exactly, or a refusal."""

from . import TimingRefused

NEAREST = 875
"""Sample point that is come near to where none is asked for, in thousandths (CiA 301, table 1)."""


class Limits:
    """What a controller's registers hold, in time quanta.

    Attributes:
        prescaler: the largest.
        before: the least and the most between synchronisation segment and sample point.
        behind: the least and the most from there to the bit's end.
        jump: the largest resynchronisation jump width.
        balanced: whether `before` must be `behind` at least.
    """

    def __init__(
        self,
        prescaler: int,
        before: tuple[int, int],
        behind: tuple[int, int],
        jump: int,
        balanced: bool = False,
    ) -> None:
        self.prescaler = prescaler
        self.before = before
        self.behind = behind
        self.jump = jump
        self.balanced = balanced


class BitTiming:
    """A bit in time quanta.

    Attributes:
        prescaler: the clock's periods in a quantum.
        before: quanta between synchronisation segment (always one) and sample point.
        behind: quanta from the sample point to the bit's end.
        jump: the resynchronisation jump width.
        sample_point: in thousandths, rounded.
    """

    def __init__(self, prescaler: int, before: int, behind: int, jump: int) -> None:
        self.prescaler = prescaler
        self.before = before
        self.behind = behind
        self.jump = jump
        quanta = 1 + before + behind
        self.sample_point = (2000 * (1 + before) + quanta) // (2 * quanta)


def solve(clock_hz: int, bitrate: int, sample_point: int | None, limits: Limits) -> BitTiming:
    """Find the timing that has exactly this bit rate, with as many quanta as can be had.

    Args:
        clock_hz: what the prescaler divides.
        bitrate: bit/s.
        sample_point: in thousandths of a bit, which it must come to within one; None for the nearest to 875.
        limits: of the controller.

    Raises:
        TimingRefused: There is none; the text names the nearest sample points that there are.
    """
    wanted = NEAREST if sample_point is None else sample_point
    best = None
    best_off = 0
    possible = []
    for prescaler in range(1, limits.prescaler + 1):
        if bitrate < 1 or clock_hz % (prescaler * bitrate):
            continue
        quanta = clock_hz // (prescaler * bitrate)
        for behind in range(limits.behind[0], limits.behind[1] + 1):
            before = quanta - 1 - behind
            if (
                before < limits.before[0]
                or before > limits.before[1]
                or (limits.balanced and before < behind)
            ):
                continue
            timing = BitTiming(prescaler, before, behind, max(1, min(limits.jump, behind - 1)))
            if timing.sample_point not in possible:
                possible.append(timing.sample_point)
            off = abs((1 + before) * 1000 - wanted * quanta)
            if sample_point is not None and off >= quanta:
                continue
            # Compared as fractions: their denominators differ.
            if best is None or off * (1 + best.before + best.behind) < best_off * quanta:
                best = timing
                best_off = off
    if best is None:
        if not possible:
            raise TimingRefused(f"{bitrate} bit/s cannot be had exactly from {clock_hz} Hz")
        nearest = sorted(possible, key=lambda point: abs(point - wanted))[:6]
        points = ", ".join(str(point) for point in sorted(nearest))
        raise TimingRefused(
            f"{bitrate} bit/s from {clock_hz} Hz cannot be sampled at {wanted} thousandths, but at {points}"
        )
    return best
