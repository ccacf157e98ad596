"""`LinkEstimate`: what answers show of a link: how fast it is, and how long its way is without load."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from edge.clock import NS_PER_S

_SAMPLES = 8
_WINDOW_NS = 30 * NS_PER_S
SMALL_BYTES = 2_048
_AHEAD = 1.5
_STALE = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """One PUBACK, with what was measured meanwhile.

    Attributes:
        packet_bytes: of the message that it answers.
        sent_ns: when that was handed to the link.
        answered_ns: when the answer came.
        delivered_bytes: bytes of all messages that were answered from `since_ns` on, this one included.
        since_ns: when the last answer before `sent_ns` had come; `sent_ns` if nothing was in flight then.
        unladen: whether nothing else was in flight when it was sent.
        paced: whether it was sent as fast as the estimate allowed, so that a low rate says something.
    """

    packet_bytes: int
    sent_ns: int
    answered_ns: int
    delivered_bytes: int
    since_ns: int
    unladen: bool
    paced: bool

    @property
    def took_ns(self) -> int:
        """From sending to answer."""
        return max(1, self.answered_ns - self.sent_ns)

    @property
    def delivery_bytes_per_s(self) -> float:
        """What the link has carried at least."""
        return self.delivered_bytes * NS_PER_S / max(1, self.answered_ns - self.since_ns)


@dataclass(frozen=True, slots=True)
class _Unladen:
    """How long a message took with nothing else in flight, and the rate as it was known then."""

    packet_bytes: int
    took_ns: int
    bytes_per_s: float

    @property
    def small(self) -> bool:
        return self.packet_bytes <= SMALL_BYTES


class LinkEstimate:
    """Rate and unladen round trip of one connection.

    The rate is the upper quartile of the last eight samples. A sample is what was delivered over the time
    that it took, or what a message's bytes make of the time by which its answer was later than that of a
    message without bytes, but no more than half above what was delivered: both are lower bounds of what an
    even link can do, and one that was lucky on an uneven link does no harm that the next ones cannot mend.

    The round trip is the least that a small message took with nothing else in flight, within the last 30 to
    60 s, less the time of its own bytes; where the rate is taken for too low, so is the round trip, and both
    make less go out.
    """

    def __init__(self) -> None:
        self._samples: deque[float] = deque(maxlen=_SAMPLES)
        self._rate = 0.0
        self._earlier: _Unladen | None = None
        self._lately: _Unladen | None = None
        self._window_ends_ns = 0

    @property
    def bytes_per_s(self) -> float:
        """The rate, from above 0; 0 if it is not known."""
        return self._rate

    @property
    def round_trip_ns(self) -> int:
        """What an answer takes for a message of no bytes on an idle link, at most the truth."""
        least = self._least()
        if least is None:
            return 0
        rate = max(least.bytes_per_s, self._rate)
        return max(0, least.took_ns - (round(least.packet_bytes * NS_PER_S / rate) if rate else 0))

    @property
    def stale(self) -> bool:
        """Whether the link has become so much faster that the round trip is to be measured again."""
        least = self._least()
        return least is not None and 0 < _STALE * least.bytes_per_s <= self._rate

    @property
    def unsure(self) -> bool:
        """Whether no small message has shown the round trip, so that it may be taken for far too short."""
        least = self._least()
        return least is None or not least.small

    @property
    def path_bytes(self) -> float:
        """What fills the link without waiting anywhere: rate times round trip."""
        return self.bytes_per_s * self.round_trip_ns / NS_PER_S

    def transmission_ns(self, count: float) -> int:
        """How long `count` bytes take to leave; 0 if the rate is not known."""
        rate = self.bytes_per_s
        return round(count * NS_PER_S / rate) if rate else 0

    def take(self, answer: Answer) -> None:
        """Learn from an answer."""
        if answer.unladen:
            self._measure(answer)
        rate = self.bytes_per_s
        if not rate and not answer.paced:
            return
        carried = answer.delivery_bytes_per_s
        sample = max(carried, min(self._slope(answer), _AHEAD * carried))
        if answer.paced or sample >= rate:
            self._add(sample)

    def slowed(self, answer: Answer) -> None:
        """Learn from an answer that came far too late: what was known of the rate is no longer true."""
        self._samples.clear()
        self._add(answer.delivery_bytes_per_s)

    def _add(self, sample: float) -> None:
        self._samples.append(sample)
        self._rate = sorted(self._samples, reverse=True)[len(self._samples) // 4]

    def _measure(self, answer: Answer) -> None:
        if self.stale:
            self._earlier = self._lately = None
        if answer.answered_ns >= self._window_ends_ns:
            if self._lately is not None and (self._lately.small or self.unsure):
                self._earlier = self._lately
            self._lately = None
            self._window_ends_ns = answer.answered_ns + _WINDOW_NS
        unladen = _Unladen(answer.packet_bytes, answer.took_ns, self._rate)
        self._lately = unladen if self._lately is None else min(self._lately, unladen, key=_rank)

    def _slope(self, answer: Answer) -> float:
        return answer.packet_bytes * NS_PER_S / max(1, answer.took_ns - self.round_trip_ns)

    def _least(self) -> _Unladen | None:
        known = [each for each in (self._earlier, self._lately) if each is not None]
        return min(known, key=_rank, default=None)


def _rank(unladen: _Unladen) -> tuple[bool, int]:
    return not unladen.small, unladen.took_ns
