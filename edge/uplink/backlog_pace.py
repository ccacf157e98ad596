"""`BacklogPace`: how much backlog may be unacknowledged; nothing urgent is to wait behind more than 4 KB."""

from __future__ import annotations

from dataclasses import dataclass

from edge.clock import NS_PER_S
from edge.uplink.link_estimate import SMALL_BYTES, Answer, LinkEstimate

LARGEST_PAYLOAD = 65_536

_HEADER_BYTES = 64
_UNNOTICED_NS = 5_000_000
_WINDOW_NS = 4_000_000
_LATE_NS = 50_000_000
_FASTER, _SLOWER = 1.05, 0.9
_ONE_SUFFICES = 0.4
_NARROW_NS = 400_000_000
_PROBE_PAYLOAD = 1_024
_PROBE_PERIOD_NS = 10 * NS_PER_S
_PROBE_AGAIN_NS = NS_PER_S


@dataclass(frozen=True, slots=True)
class _Departure:
    packet_bytes: int
    sent_ns: int
    delivered_before: int
    since_ns: int
    unladen: bool
    paced: bool
    late_ns: int | None


class BacklogPace:
    """Lets go of backlog (and of event messages, which may be as large) what the link carries away at once.

    A connection begins with one unacknowledged message of `smallest_payload` bytes, or as many bytes of
    smaller ones. Where answers show that this leaves more than some 30 % of the link idle, and that the link
    takes no more than 0.4 s for it (from some 83 kbit/s on), more may be under way, each sent when by the
    measured rate the one before has left the sender, so that about one waits there at any time. Where the
    link carries more than `smallest_payload` in 4 ms or in an eighth of the round trip, a message may have so
    much, up to 64 KB.

    An answer to any message, live ones included, that comes later than 1.5 times what all bytes in flight and
    the way should have taken, and 50 ms, puts everything back to one message of `smallest_payload` bytes.
    While such an answer is missing, nothing more goes.

    What a live message waits for behind backlog is thus at most the transmission of `smallest_payload` bytes
    (or 5 ms, where that is longer) and half a round trip, while the link is no slower than measured; on a
    link where one message suffices the half round trip does not come to it. When the rate drops suddenly,
    what was in flight then, one and a half round trips' worth at the old rate and 4 KB at most, goes at the
    new rate: nothing at the sender can call it back. Nor does it matter where it waits, in this process, in
    the kernel or in a modem, since what is counted is what has not been answered.

    Every 10 s (every second until it succeeds) a message of 1 KB goes with no other of its kind in flight, to
    measure the way anew. A message that is larger than is allowed now, made when the link was faster, goes
    alone.

    Args:
        smallest_payload: payload bytes that are allowed on any link.
        fixed: keep to one message of `smallest_payload` bytes, whatever the answers show.
    """

    def __init__(self, smallest_payload: int, *, fixed: bool = False) -> None:
        self._smallest = smallest_payload
        self._fixed = fixed
        self.begin()

    def begin(self) -> None:
        """A connection begins: nothing is in flight, and nothing is known of the link."""
        self._estimate = LinkEstimate()
        self._departures: dict[int, _Departure] = {}
        self._bytes = 0
        self._paced_bytes = 0
        self._delivered = 0
        self._last_answer_ns = 0
        self._one = True
        self._gain = 1.0
        self._busy_ns_per_byte = 0.0
        self._free_ns = 0
        self._resume_ns: int | None = None
        self._probe_ns: int | None = None
        self._probing = False

    @property
    def largest_payload(self) -> int:
        """Payload bytes that a message of backlog may have now."""
        if self._probing:
            return min(self._smallest, _PROBE_PAYLOAD)
        return self._present_payload()

    @property
    def one_at_a_time(self) -> bool:
        """Whether only one message of backlog, or as many bytes of small ones, may be unacknowledged now."""
        if self._one:
            return True
        one = self._smallest + _HEADER_BYTES
        narrow = self._busy_ns_per_byte * one > _NARROW_NS
        suffices = self._estimate.path_bytes <= _ONE_SUFFICES * one
        return narrow or (suffices and self._carried_payload() <= self._smallest)

    def open(self, now_ns: int) -> bool:
        """Whether there is room that is worth asking for a message: for half of the largest at least."""
        due = self._probe_ns is not None and now_ns >= self._probe_ns
        self._probing = due and not self._fixed
        return self.admits(self._largest_packet() // 2, now_ns)

    def admits(self, packet_bytes: int, now_ns: int) -> bool:
        """Whether a packet of `packet_bytes` may go now; any may while none that is paced is in flight.

        Behind what goes first on a connection, the status as a rule, nothing goes until the first answer has
        come: the two might be carried as one, and the answer would say nothing of the way.
        """
        self._resume_ns = None
        if not self._delivered and self._departures:
            return False
        if not self._paced_bytes:
            return True
        if self._probing:
            return False
        largest = self._largest_packet()
        if self.one_at_a_time:
            return self._paced_bytes + packet_bytes <= largest
        if self._bytes + packet_bytes > self._room():
            return False
        return not self._overdue(now_ns) and self._left(largest, now_ns)

    def _overdue(self, now_ns: int) -> bool:
        oldest = next(iter(self._departures.values()))
        return oldest.late_ns is not None and now_ns > oldest.late_ns

    def _left(self, largest: int, now_ns: int) -> bool:
        """Whether what was sent has left the sender by now; if not, it is remembered when it will have."""
        resume_ns = self._free_ns - max(0, _UNNOTICED_NS - self._estimate.transmission_ns(largest))
        if now_ns < resume_ns:
            self._resume_ns = resume_ns
        return now_ns >= resume_ns

    def resume_ns(self) -> int | None:
        """When a message that was not let go will be, if nothing is answered before; None if never."""
        return self._resume_ns

    def sent(self, token: int, packet_bytes: int, now_ns: int, *, paced: bool) -> None:
        """A message was handed to the link.

        Args:
            token: names it.
            packet_bytes: its bytes on the link.
            now_ns: the time.
            paced: whether it is one that `admits` is asked about.
        """
        unladen = not self._departures
        if unladen:
            self._last_answer_ns = now_ns
        if self._probe_ns is None or (unladen and packet_bytes <= SMALL_BYTES) or (self._probing and paced):
            self._probe_ns = now_ns + _PROBE_PERIOD_NS
            self._probing = False
        self._bytes += packet_bytes
        self._paced_bytes += packet_bytes if paced else 0
        transmission_ns = self._estimate.transmission_ns(packet_bytes / self._gain)
        self._free_ns = max(now_ns, self._free_ns) + transmission_ns
        self._departures[token] = _Departure(
            packet_bytes,
            now_ns,
            self._delivered,
            self._last_answer_ns,
            unladen,
            paced,
            self._late_ns(now_ns),
        )

    def answered(self, token: int, now_ns: int) -> None:
        """The broker has answered a message, with whatever code."""
        departure = self._departures.pop(token, None)
        if departure is None:
            return
        self._bytes -= departure.packet_bytes
        self._paced_bytes -= departure.packet_bytes if departure.paced else 0
        self._delivered += departure.packet_bytes
        self._last_answer_ns = now_ns
        answer = Answer(
            departure.packet_bytes,
            departure.sent_ns,
            now_ns,
            self._delivered - departure.delivered_before,
            departure.since_ns,
            departure.unladen,
            departure.paced,
        )
        if departure.late_ns is not None and now_ns > departure.late_ns:
            self._estimate.slowed(answer)
            self._one = True
            return
        self._estimate.take(answer)
        self._one = self._fixed
        if self._estimate.stale:
            self._probe_ns = now_ns
        elif self._estimate.unsure and self._probe_ns is not None:
            self._probe_ns = min(self._probe_ns, now_ns + _PROBE_AGAIN_NS)
        if departure.paced:
            self._steer(answer)

    def _steer(self, answer: Answer) -> None:
        """Send a little faster than measured while nothing waits, a little slower while something does."""
        if answer.packet_bytes > SMALL_BYTES:
            longer_ns = answer.took_ns - self._estimate.round_trip_ns
            self._busy_ns_per_byte = longer_ns / answer.packet_bytes
        own_ns = self._estimate.round_trip_ns + self._estimate.transmission_ns(answer.packet_bytes)
        waits_ns = self._estimate.transmission_ns(self._largest_packet()) // 8
        self._gain = _SLOWER if answer.took_ns - own_ns > waits_ns else _FASTER

    def _late_ns(self, now_ns: int) -> int | None:
        if not self._estimate.bytes_per_s:
            return None
        expected_ns = self._estimate.round_trip_ns + self._estimate.transmission_ns(self._bytes)
        return now_ns + expected_ns * 3 // 2 + _LATE_NS

    def _carried_payload(self) -> int:
        """What the link carries in so short a time that it may well be one message."""
        window_ns = max(self._estimate.round_trip_ns // 8, _WINDOW_NS)
        return min(int(self._estimate.bytes_per_s * window_ns / NS_PER_S), LARGEST_PAYLOAD)

    def _room(self) -> float:
        """Bytes in flight that keep a live message no longer than one small message and half a round trip."""
        unnoticed = self._estimate.bytes_per_s * _UNNOTICED_NS / NS_PER_S
        path = self._estimate.path_bytes
        one = max(self._smallest, self._carried_payload()) + _HEADER_BYTES
        return path + min(path / 2 + max(unnoticed, self._smallest + _HEADER_BYTES), 2 * one)

    def _present_payload(self) -> int:
        if self.one_at_a_time:
            return self._smallest
        half = int(self._room() / 2) - _HEADER_BYTES
        return min(half, max(self._smallest, self._carried_payload()))

    def _largest_packet(self) -> int:
        return self._present_payload() + _HEADER_BYTES
