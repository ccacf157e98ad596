"""Reassembles diagnostic messages (ISO 15765-2, normal addressing), judged by what they ask for."""

from __future__ import annotations

from typing import Final

from edge.policy.transport import CONTROL, NS_PER_MS, Reassembled, Reassembler, Segment, Session

SINGLE: Final = 0
FIRST: Final = 1
CONSECUTIVE: Final = 2
FLOW_CONTROL: Final = 3

CLASSIC_BYTES: Final = 8
SIZE_BITS: Final = 0xFFF
"""The size in the first two bytes of a first frame; a longer message has 0 there, and is refused to bound
memory."""

N_CR_NS: Final = 1000 * NS_PER_MS
"""Longest time to the next consecutive frame (ISO 15765-2, 9.7)."""

Key = tuple[int, bool, int]


class IsotpTransport(Reassembler[Key]):
    """Sessions by bus, extended flag and id."""

    def push(self, segment: Segment) -> Reassembled | None:
        """See `Reassembler.push`; a single frame is whole by itself."""
        if not segment.data:
            self._refuse("malformed")
            return None
        kind = segment.data[0] >> 4
        if kind == SINGLE:
            return self._single(segment)
        if kind == FIRST:
            self._first(segment)
        elif kind == CONSECUTIVE:
            return self._consecutive(segment)
        elif kind == FLOW_CONTROL:
            self.set_aside[CONTROL] += 1
        else:
            self._refuse("reserved")
        return None

    def _single(self, segment: Segment) -> Reassembled | None:
        data = segment.data
        size, start = data[0], 1
        if size == 0 and len(data) > CLASSIC_BYTES:
            size, start = data[1], 2
        if not 0 < size <= len(data) - start or (start == 1 and size >= CLASSIC_BYTES):
            self._refuse("malformed")
            return None
        return Reassembled(segment.arbitration_id, data[start : start + size])

    def _first(self, segment: Segment) -> None:
        data = segment.data
        size = int.from_bytes(data[:2], "big") & SIZE_BITS
        if len(data) < CLASSIC_BYTES or size <= len(data) - 2:
            self._lose(_key(segment), "a new message began before the last was whole")
            self._refuse("malformed or too long")
            return
        self._open(
            _key(segment),
            Session(
                arbitration_id=segment.arbitration_id,
                size=size,
                timeout_ns=N_CR_NS,
                last_ns=segment.t_ns,
                payload=bytearray(data[2:]),
                received=set(),
            ),
        )

    def _consecutive(self, segment: Segment) -> Reassembled | None:
        key = _key(segment)
        session = self._live(key, segment.t_ns)
        if session is None:
            self._refuse("no session")
            return None
        chunk = segment.data[1:]
        needed = min(CLASSIC_BYTES - 1, session.size - len(session.payload))
        if segment.data[0] & 0xF != session.segments & 0xF or len(chunk) < needed:
            self._lose(key, "out of sequence")
            self._refuse("out of sequence")
            return None
        session.payload += chunk
        session.segments += 1
        session.last_ns = segment.t_ns
        if len(session.payload) < session.size:
            return None
        del self._sessions[key]
        return self._complete(session)


def _key(segment: Segment) -> Key:
    return segment.bus, segment.extended, segment.arbitration_id
