"""Reassembles J1939 transport sessions (SAE J1939-21, 5.10), so that a message is judged as its PGN."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from edge.database.layout import PDU1_FORMATS, pgn_of
from edge.frames import UInt32s
from edge.policy.transport import CONTROL, DUPLICATE, NS_PER_MS, Reassembled, Reassembler, Segment, Session

CONNECTION_MANAGEMENT: Final = 0xEC00
DATA_TRANSFER: Final = 0xEB00
EXTENDED_CONNECTION_MANAGEMENT: Final = 0xC800
EXTENDED_DATA_TRANSFER: Final = 0xC700
TRANSPORT_PGNS: Final = (
    CONNECTION_MANAGEMENT,
    DATA_TRANSFER,
    EXTENDED_CONNECTION_MANAGEMENT,
    EXTENDED_DATA_TRANSFER,
)

REQUEST_TO_SEND: Final = 16
CLEAR_TO_SEND: Final = 17
END_OF_MESSAGE: Final = 19
BROADCAST_ANNOUNCE: Final = 32
ABORT: Final = 255

GLOBAL_ADDRESS: Final = 255
PACKET_BYTES: Final = 7
SMALLEST: Final = 9
"""Bytes of a message that fits no frame; at most there are 1785, as a byte counts the packets."""

FRAME_BYTES: Final = 8

T1_NS: Final = 750 * NS_PER_MS
"""Longest time between the packets of a broadcast (J1939-21, 5.10.2.4)."""

T2_NS: Final = 1250 * NS_PER_MS
"""Longest time between the frames of a connection, T2 and T3 (the same clause)."""

Key = tuple[int, int, int]


def is_transport(arbitration_id: UInt32s) -> npt.NDArray[np.bool_]:
    """Which 29-bit ids are of transport: TP.CM, TP.DT, ETP.CM, ETP.DT (bool, one an id)."""
    group = arbitration_id >> 8 & 0x3FF00
    found: npt.NDArray[np.bool_] = np.isin(group, np.array(TRANSPORT_PGNS, np.uint32))
    return found


class J1939Transport(Reassembler[Key]):
    """Sessions by bus, source address and destination address.

    The door only listens: it asks for nothing again. A broadcast with a lost packet is lost; in a connection
    the receiver asks for lost packets, which then come again.
    """

    def push(self, segment: Segment) -> Reassembled | None:
        """See `Reassembler.push`."""
        group = pgn_of(segment.arbitration_id)
        if group == CONNECTION_MANAGEMENT:
            self._manage(segment)
            return None
        if group == DATA_TRANSFER:
            return self._transfer(segment)
        self._refuse("extended transport is not reassembled")
        return None

    def _manage(self, segment: Segment) -> None:
        data = segment.data
        source = segment.arbitration_id & 0xFF
        destination = segment.arbitration_id >> 8 & 0xFF
        if len(data) < FRAME_BYTES:
            self._refuse("malformed")
        elif data[0] in {REQUEST_TO_SEND, BROADCAST_ANNOUNCE}:
            self._announce(segment, source, destination)
        else:
            self.set_aside[CONTROL] += 1
            if data[0] in {CLEAR_TO_SEND, END_OF_MESSAGE}:
                self._answer(data[0], (segment.bus, destination, source), segment.t_ns)
            elif data[0] == ABORT:
                self._abort(segment, source, destination)

    def _announce(self, segment: Segment, source: int, destination: int) -> None:
        data = segment.data
        size = int.from_bytes(data[1:3], "little")
        group = _group_meant(data)
        broadcast = data[0] == BROADCAST_ANNOUNCE
        if (
            size < SMALLEST
            or data[3] != -(-size // PACKET_BYTES)
            or broadcast != (destination == GLOBAL_ADDRESS)
            or group in TRANSPORT_PGNS
        ):
            self._refuse("malformed")
            return
        priority = segment.arbitration_id >> 26
        addressed = destination << 8 if group >> 8 & 0xFF < PDU1_FORMATS else 0
        self._open(
            (segment.bus, source, destination),
            Session(
                arbitration_id=priority << 26 | group << 8 | addressed | source,
                size=size,
                timeout_ns=T1_NS if broadcast else T2_NS,
                last_ns=segment.t_ns,
                payload=bytearray(data[3] * PACKET_BYTES),
                received=set(),
            ),
        )

    def _answer(self, control: int, key: Key, t_ns: int) -> None:
        session = self._live(key, t_ns)
        if session is None:
            return
        if control == END_OF_MESSAGE:
            self._lose(key, "a packet was missed")
        else:
            session.last_ns = t_ns

    def _abort(self, segment: Segment, source: int, destination: int) -> None:
        group = _group_meant(segment.data)
        for key in ((segment.bus, source, destination), (segment.bus, destination, source)):
            session = self._sessions.get(key)
            if session is not None and pgn_of(session.arbitration_id) == group:
                self._lose(key, "aborted")

    def _transfer(self, segment: Segment) -> Reassembled | None:
        destination = segment.arbitration_id >> 8 & 0xFF
        key = (segment.bus, segment.arbitration_id & 0xFF, destination)
        session = self._live(key, segment.t_ns)
        if session is None:
            self._refuse("no session")
            return None
        packets = len(session.payload) // PACKET_BYTES
        number = int.from_bytes(segment.data[:1], "little")
        chunk = segment.data[1:FRAME_BYTES]
        needed = min(PACKET_BYTES, session.size - (number - 1) * PACKET_BYTES)
        if not 1 <= number <= packets or len(chunk) < needed:
            self._lose(key, "malformed packet")
            self._refuse("malformed")
            return None
        broadcast = destination == GLOBAL_ADDRESS
        if broadcast and number > len(session.received) + 1:
            self._lose(key, "a packet was missed")
            self._refuse("out of sequence")
            return None
        session.last_ns = segment.t_ns
        if number in session.received:
            self.set_aside[DUPLICATE] += 1
            return None
        start = (number - 1) * PACKET_BYTES
        session.payload[start : start + len(chunk)] = chunk
        session.received.add(number)
        session.segments += 1
        if len(session.received) < packets:
            return None
        if broadcast:
            del self._sessions[key]
        return self._complete(session)


def _group_meant(management: bytes) -> int:
    """The parameter group of the message that a frame of connection management is about: its last bytes."""
    return pgn_of(int.from_bytes(management[5:], "little") << 8)
