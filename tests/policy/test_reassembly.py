"""Reassembly of ISO-TP and J1939 messages, segment by segment: what makes a message, and what ends one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from edge.policy.isotp_transport import IsotpTransport
from edge.policy.j1939_transport import J1939Transport, is_transport
from edge.policy.transport import Reassembled, Segment, Session

MS = 1_000_000
CONTROL = "transport control frame"
DUPLICATE = "duplicate segment"
LOST = "segment not reassembled"
MERGED = "merged into a reassembled message"
REPLACED = "messages lost: a new message began before the last was whole"

AnyReassembler = IsotpTransport | J1939Transport


def pushed(transport: AnyReassembler, segments: Iterable[Segment]) -> list[bytes]:
    """The payloads of the messages that segments complete."""
    return [one.payload for one in map(transport.push, segments) if one is not None]


class ReassemblerContract:
    """What each of the two must do; a message of it has three segments."""

    SIZE = 20
    LONGEST_MS: float

    @pytest.fixture
    def transport(self) -> AnyReassembler:
        raise NotImplementedError

    @abstractmethod
    def message(self, number: int, *times_ms: float) -> list[Segment]:
        """The segments of a message of 20 bytes, in a session of its own for each number."""

    def test_a_message_comes_out_with_its_last_segment(self, transport: AnyReassembler) -> None:
        found = [transport.push(one) for one in self.message(3)]
        assert found[:-1] == [None] * (len(found) - 1)
        assert isinstance(found[-1], Reassembled)
        assert found[-1].payload == bytes(range(self.SIZE))
        assert dict(transport.set_aside) == {MERGED: len(found) - 1}
        assert dict(transport.facts) == {"messages reassembled": 1}
        assert transport.waiting(0) == (0, 0)

    def test_the_next_message_of_a_session_harms_none(self, transport: AnyReassembler) -> None:
        segments = self.message(3)
        assert len(pushed(transport, segments * 3)) == 3
        assert dict(transport.set_aside) == {MERGED: 3 * (len(segments) - 1)}
        assert dict(transport.facts) == {"messages reassembled": 3}

    def test_a_message_that_begins_ends_the_one_before(self, transport: AnyReassembler) -> None:
        first, second, *rest = self.message(3)
        assert len(pushed(transport, [first, second, first, second, *rest])) == 1
        assert dict(transport.set_aside) == {LOST: 2, MERGED: 1 + len(rest)}
        assert transport.facts[REPLACED] == 1

    def test_the_segments_of_a_message_may_come_as_late_as_its_standard_says(
        self, transport: AnyReassembler
    ) -> None:
        times = [place * self.LONGEST_MS for place in range(len(self.message(3)))]
        segments = self.message(3, *times)
        assert len(pushed(transport, segments)) == 1
        late = self.message(3, *times[:-1], times[-1] + 1e-6)
        assert not pushed(transport, late)
        assert transport.set_aside[LOST] == len(late)
        assert transport.facts["messages lost: timed out"] == 1
        assert transport.facts["segments refused: no session"] == 1

    def test_what_waits_is_over_when_no_segment_may_come_any_more(self, transport: AnyReassembler) -> None:
        for number, time_ms in ((1, 0), (2, 100)):
            pushed(transport, self.message(number, *[time_ms] * 3)[:2])
        until = round(self.LONGEST_MS * MS)
        assert transport.waiting(until) == (4, 0)
        assert transport.waiting(until + 1) == (2, 2)
        assert transport.waiting(until + 100 * MS + 1) == (0, 4)
        assert not transport.set_aside

    def test_what_was_given_up_is_lost(self, transport: AnyReassembler) -> None:
        for number in (1, 2):
            pushed(transport, self.message(number)[:2])
        transport.forget()
        assert dict(transport.set_aside) == {LOST: 4}
        assert dict(transport.facts) == {"messages lost: the policy changed before it was whole": 2}
        assert not pushed(transport, self.message(1)[2:])

    def test_the_message_begun_first_makes_room_for_one_too_many(self, transport: AnyReassembler) -> None:
        for number in range(1024):
            transport.push(self.message(number)[0])
        assert not transport.set_aside
        transport.push(self.message(1024)[0])
        assert dict(transport.set_aside) == {LOST: 1}
        assert dict(transport.facts) == {"messages lost: too many messages at once": 1}
        assert not pushed(transport, self.message(0)[1:])
        for number in (1, 1023, 1024):
            assert pushed(transport, self.message(number)[1:]) == [bytes(range(self.SIZE))]

    def test_messages_come_side_by_side(self, transport: AnyReassembler) -> None:
        sessions = [self.message(number) for number in range(5)]
        assert len(pushed(transport, (one for turn in zip(*sessions, strict=True) for one in turn))) == 5


def isotp(*data: int | bytes, t_ms: float = 0, bus: int = 0, extended: bool = False) -> Segment:
    """A segment on id 0x700."""
    content = b"".join(bytes([one]) if isinstance(one, int) else one for one in data)
    return Segment(bus, round(t_ms * MS), 0x700, extended, content)


class TestIsotp(ReassemblerContract):
    LONGEST_MS = 1000

    @pytest.fixture
    def transport(self) -> IsotpTransport:
        return IsotpTransport()

    def message(self, number: int, *times_ms: float) -> list[Segment]:
        data = (
            bytes([0x10, self.SIZE, *range(6)]),
            bytes([0x21, *range(6, 13)]),
            bytes([0x22, *range(13, 20)]),
        )
        return [
            Segment(0, round(t_ms * MS), number, extended=False, data=one)
            for one, t_ms in zip(data, times_ms or (0, 0, 0), strict=True)
        ]

    @pytest.mark.parametrize(
        ("data", "payload"),
        [
            pytest.param(b"\x01\x3e", b"\x3e", id="of one byte"),
            pytest.param(b"\x02\x3e\x00\xaa\xaa\xaa\xaa\xaa", b"\x3e\x00", id="padded"),
            pytest.param(b"\x071234567", b"1234567", id="full"),
            pytest.param(b"\x071234567\xaa\xaa\xaa\xaa", b"1234567", id="of CAN FD, with a short length"),
            pytest.param(b"\x00\x0812345678\xaa\xaa", b"12345678", id="of CAN FD"),
            pytest.param(b"\x00\x3e" + bytes(range(62)), bytes(range(62)), id="of CAN FD, full"),
        ],
    )
    def test_a_single_frame_is_a_message(
        self, transport: IsotpTransport, data: bytes, payload: bytes
    ) -> None:
        assert transport.push(isotp(data)) == Reassembled(0x700, payload)
        assert not transport.set_aside
        assert not transport.facts

    @pytest.mark.parametrize(
        ("data", "cause"),
        [
            pytest.param(b"", "malformed", id="nothing"),
            pytest.param(b"\x00", "malformed", id="no length"),
            pytest.param(b"\x00\x0512345\xaa", "malformed", id="a long length in a frame of CAN"),
            pytest.param(b"\x00\x00" + bytes(10), "malformed", id="a long length of nothing"),
            pytest.param(b"\x03\x3e\x00", "malformed", id="shorter than it says"),
            pytest.param(b"\x00\x0b" + bytes(10), "malformed", id="shorter than it says, of CAN FD"),
            pytest.param(b"\x08" + bytes(11), "malformed", id="a short length of too much"),
            pytest.param(
                b"\x10\x14" + bytes(5), "malformed or too long", id="a first frame that is not full"
            ),
            pytest.param(b"\x10", "malformed or too long", id="a first frame without a length"),
            pytest.param(b"\x10\x06" + bytes(6), "malformed or too long", id="a first frame that is whole"),
            pytest.param(b"\x10\x00\x00\x00\x10\x00ab", "malformed or too long", id="a length of 32 bits"),
            pytest.param(b"\x40" + bytes(7), "reserved", id="a reserved kind"),
            pytest.param(b"\x21" + bytes(7), "no session", id="a consecutive frame of nothing"),
        ],
    )
    def test_what_is_no_segment_is_refused(self, transport: IsotpTransport, data: bytes, cause: str) -> None:
        assert transport.push(isotp(data)) is None
        assert dict(transport.set_aside) == {LOST: 1}
        assert dict(transport.facts) == {f"segments refused: {cause}": 1}
        assert transport.waiting(0) == (0, 0)

    def test_flow_control_is_counted_as_that(self, transport: IsotpTransport) -> None:
        for _ in range(2):
            assert transport.push(isotp(b"\x30\x00\x00")) is None
        assert dict(transport.set_aside) == {CONTROL: 2}
        assert not transport.facts

    @pytest.mark.parametrize("size", [7, 256, 4095])
    def test_messages_of_any_size(self, transport: IsotpTransport, size: int) -> None:
        payload = bytes(place % 251 for place in range(size))
        segments = [isotp(0x10 | size >> 8, size & 0xFF, payload[:6])]
        segments += [
            isotp(0x20 | (place // 7 + 1) % 16, payload[6 + place : 13 + place])
            for place in range(0, size - 6, 7)
        ]
        assert pushed(transport, segments) == [payload]

    def test_segments_of_can_fd_are_longer(self, transport: IsotpTransport) -> None:
        payload = bytes(range(200))
        segments = [isotp(0x10, 200, payload[:62])]
        segments += [isotp(0x21 + place, payload[62 + 63 * place : 125 + 63 * place]) for place in range(3)]
        assert pushed(transport, segments) == [payload]

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param(isotp(0x23, bytes(7)), id="one was left out"),
            pytest.param(isotp(0x21, bytes(7)), id="one came twice"),
            pytest.param(isotp(0x22, bytes(6)), id="one is too short"),
        ],
    )
    def test_a_segment_out_of_sequence_ends_the_message(
        self, transport: IsotpTransport, wrong: Segment
    ) -> None:
        pushed(transport, [isotp(0x10, 30, bytes(6)), isotp(0x21, bytes(7)), wrong])
        assert dict(transport.set_aside) == {LOST: 3}
        assert dict(transport.facts) == {
            "messages lost: out of sequence": 1,
            "segments refused: out of sequence": 1,
        }
        assert not pushed(transport, [isotp(0x22, bytes(7)), isotp(0x23, bytes(7)), isotp(0x24, bytes(7))])

    def test_the_last_segment_has_what_is_left(self, transport: IsotpTransport) -> None:
        opening = isotp(0x10, 9, b"abcdef")
        assert not pushed(transport, [opening, isotp(0x21, b"gh")])
        assert pushed(transport, [opening, isotp(0x21, b"ghi")]) == [b"abcdefghi"]

    def test_a_message_that_is_whole_is_over(self, transport: IsotpTransport) -> None:
        pushed(transport, self.message(0x700))
        for number in range(16):
            assert not pushed(transport, [isotp(0x20 | number, bytes(7))])
        assert transport.facts["segments refused: no session"] == 16

    def test_a_first_frame_that_is_none_ends_the_message_before(self, transport: IsotpTransport) -> None:
        first, *rest = self.message(0x700)
        assert not pushed(transport, [first, isotp(0x10, 0, bytes(6)), *rest])
        assert dict(transport.set_aside) == {LOST: 4}
        assert transport.facts[REPLACED] == 1

    def test_ids_are_told_apart_by_their_bus_and_length(self, transport: IsotpTransport) -> None:
        for bus, extended in ((0, False), (0, True), (1, False)):
            transport.push(isotp(0x10, 9, b"abcdef", bus=bus, extended=extended))
        for bus, extended in ((0, False), (0, True), (1, False)):
            assert pushed(transport, [isotp(0x21, b"ghi", bus=bus, extended=extended)]) == [b"abcdefghi"]


RTS, CTS, DONE, ANNOUNCE, ABORT = 16, 17, 19, 32, 255
EVERYBODY = 255


def manage(
    control: int,
    *,
    size: int = 14,
    packets: int | None = None,
    group: int = 0xFEE3,
    source: int = 1,
    destination: int = 21,
    priority: int = 7,
    t_ms: float = 0,
) -> Segment:
    """A frame of connection management."""
    count = -(-size // 7) if packets is None else packets
    data = bytes([control, *size.to_bytes(2, "little"), count, 0xFF]) + group.to_bytes(3, "little")
    identifier = priority << 26 | 0xEC << 16 | destination << 8 | source
    return Segment(0, round(t_ms * MS), identifier, extended=True, data=data)


def packet(number: int, data: bytes, source: int, destination: int, *, t_ms: float = 0) -> Segment:
    """A frame of data transfer."""
    identifier = 7 << 26 | 0xEB << 16 | destination << 8 | source
    return Segment(0, round(t_ms * MS), identifier, extended=True, data=bytes([number]) + data)


class J1939Contract(ReassemblerContract):
    """Messages of two packets, to everybody or to one."""

    SIZE = 14
    OPENING: int

    @pytest.fixture
    def transport(self) -> J1939Transport:
        return J1939Transport()

    @abstractmethod
    def ends(self, number: int) -> tuple[int, int]:
        """Source and destination."""

    def message(self, number: int, *times_ms: float) -> list[Segment]:
        source, destination = self.ends(number % 200)
        begun_ms, *later_ms = times_ms or (0, 0, 0)
        opening = manage(self.OPENING, size=14, source=source, destination=destination, t_ms=begun_ms)
        packets = [
            packet(place + 1, bytes(range(7 * place, 7 * place + 7)), source, destination, t_ms=t_ms)
            for place, t_ms in enumerate(later_ms)
        ]
        return [replace(one, bus=number // 200) for one in (opening, *packets)]

    def opening(self, **parts: int) -> Segment:
        source, destination = self.ends(2)
        return manage(self.OPENING, **{"source": source, "destination": destination, **parts})

    def packet(self, number: int, data: bytes = b"1234567", t_ms: float = 0) -> Segment:
        return packet(number, data, *self.ends(2), t_ms=t_ms)

    @pytest.mark.parametrize("size", [9, 14, 15, 1785])
    def test_messages_of_any_size(self, transport: J1939Transport, size: int) -> None:
        payload = bytes(place % 251 for place in range(size))
        pieces = [payload[place : place + 7] for place in range(0, size, 7)]
        packets = [self.packet(number, piece) for number, piece in enumerate(pieces, start=1)]
        assert pushed(transport, [self.opening(size=size), *packets]) == [payload]

    def test_what_pads_the_last_packet_is_no_part_of_the_message(self, transport: J1939Transport) -> None:
        packets = [self.packet(1, b"abcdefg"), self.packet(2, b"hi\xff\xff\xff\xff\xff")]
        assert pushed(transport, [self.opening(size=9), *packets]) == [b"abcdefghi"]

    @pytest.mark.parametrize(
        "parts",
        [
            pytest.param({"size": 8}, id="fits one frame"),
            pytest.param({"size": 1786, "packets": 255}, id="too long"),
            pytest.param({"size": 14, "packets": 3}, id="more packets than it needs"),
            pytest.param({"size": 15, "packets": 2}, id="fewer packets than it needs"),
            *(
                pytest.param({"group": group}, id=f"transport within transport, {group:x}")
                for group in (0xEC00, 0xEB00, 0xC800, 0xC700, 0xEC01)
            ),
        ],
    )
    def test_an_announcement_that_cannot_be_is_refused(
        self, transport: J1939Transport, parts: Mapping[str, int]
    ) -> None:
        transport.push(self.opening(**parts))
        assert dict(transport.set_aside) == {LOST: 1}
        assert dict(transport.facts) == {"segments refused: malformed": 1}
        assert transport.waiting(0) == (0, 0)

    @pytest.mark.parametrize(
        ("number", "data"),
        [
            pytest.param(0, b"1234567", id="numbered 0"),
            pytest.param(3, b"1234567", id="numbered past the last"),
            pytest.param(1, b"123456", id="short"),
            pytest.param(2, b"h", id="short at the end"),
        ],
    )
    def test_a_packet_that_cannot_be_ends_the_message(
        self, transport: J1939Transport, number: int, data: bytes
    ) -> None:
        pushed(transport, [self.opening(size=9), self.packet(number, data)])
        assert dict(transport.set_aside) == {LOST: 2}
        assert dict(transport.facts) == {
            "messages lost: malformed packet": 1,
            "segments refused: malformed": 1,
        }
        assert not pushed(transport, [self.packet(1), self.packet(2)])

    def test_a_packet_of_no_bytes_ends_the_message(self, transport: J1939Transport) -> None:
        pushed(transport, [self.opening(), replace(self.packet(1), data=b"")])
        assert dict(transport.set_aside) == {LOST: 2}

    def test_a_packet_that_comes_again_is_a_duplicate(self, transport: J1939Transport) -> None:
        packets = [self.packet(1, b"abcdefg"), self.packet(1), self.packet(1), self.packet(2)]
        assert pushed(transport, [self.opening(size=14), *packets]) == [b"abcdefg1234567"]
        assert dict(transport.set_aside) == {MERGED: 2, DUPLICATE: 2}

    def test_a_message_has_the_id_that_a_frame_of_its_group_would_have(
        self, transport: J1939Transport
    ) -> None:
        source, destination = self.ends(2)
        for group, identifier in (
            (0xFEE3, 3 << 26 | 0xFEE3 << 8 | source),
            (0x1F004, 3 << 26 | 0x1F004 << 8 | source),
            (0xF000, 3 << 26 | 0xF000 << 8 | source),
            (0xEF00, 3 << 26 | 0xEF00 << 8 | destination << 8 | source),
            (0x1EF00, 3 << 26 | 0x1EF00 << 8 | destination << 8 | source),
            (0xEF55, 3 << 26 | 0xEF00 << 8 | destination << 8 | source),
        ):
            transport.push(self.opening(size=14, group=group, priority=3))
            transport.push(self.packet(1))
            found = transport.push(self.packet(2))
            assert found is not None
            assert found.arbitration_id == identifier

    def test_sessions_are_told_apart_by_bus_and_both_ends(self, transport: J1939Transport) -> None:
        source, destination = self.ends(2)
        transport.push(self.opening())
        for other in (
            replace(self.packet(1), bus=1),
            packet(1, b"1234567", source + 1, destination),
            packet(1, b"1234567", source, destination ^ 1),
        ):
            transport.push(other)
        assert transport.facts == {"segments refused: no session": 3}

    @pytest.mark.parametrize("back", [False, True])
    def test_whoever_aborts_ends_the_message(self, transport: J1939Transport, back: bool) -> None:
        ends = self.ends(2)
        source, destination = reversed(ends) if back else ends
        transport.push(self.opening(group=0xFEE3))
        transport.push(manage(ABORT, group=0xFEE2, source=source, destination=destination))
        assert dict(transport.set_aside) == {CONTROL: 1}
        transport.push(manage(ABORT, group=0xFEE3, source=source, destination=destination))
        assert dict(transport.set_aside) == {CONTROL: 2, LOST: 1}
        assert dict(transport.facts) == {"messages lost: aborted": 1}

    def test_an_abort_of_an_addressed_group_names_it_without_its_address(
        self, transport: J1939Transport
    ) -> None:
        source, destination = self.ends(2)
        transport.push(self.opening(group=0xEF00))
        transport.push(manage(ABORT, group=0xEF00, source=source, destination=destination))
        assert dict(transport.facts) == {"messages lost: aborted": 1}


class TestBroadcasts(J1939Contract):
    LONGEST_MS = 750
    OPENING = ANNOUNCE

    def ends(self, number: int) -> tuple[int, int]:
        return number, EVERYBODY

    def test_a_packet_before_its_turn_ends_the_message(self, transport: J1939Transport) -> None:
        assert not pushed(transport, [self.opening(size=20), self.packet(1), self.packet(3), self.packet(2)])
        assert dict(transport.set_aside) == {LOST: 4}
        assert dict(transport.facts) == {
            "messages lost: a packet was missed": 1,
            "segments refused: out of sequence": 1,
            "segments refused: no session": 1,
        }

    def test_a_message_that_is_whole_is_over(self, transport: J1939Transport) -> None:
        assert len(pushed(transport, [*self.message(2), self.packet(1)])) == 1
        assert dict(transport.facts) == {"messages reassembled": 1, "segments refused: no session": 1}

    def test_one_to_a_single_receiver_is_none(self, transport: J1939Transport) -> None:
        transport.push(self.opening(destination=7))
        assert dict(transport.facts) == {"segments refused: malformed": 1}


class TestConnections(J1939Contract):
    LONGEST_MS = 1250
    OPENING = RTS

    def ends(self, number: int) -> tuple[int, int]:
        return number, number + 20

    def answer(self, control: int, t_ms: float = 0) -> Segment:
        """What the receiver says."""
        destination, source = self.ends(2)
        return manage(control, source=source, destination=destination, t_ms=t_ms)

    def test_packets_come_again_in_any_order(self, transport: J1939Transport) -> None:
        packets = [self.packet(3), self.packet(1), self.answer(CTS), self.packet(2)]
        assert len(pushed(transport, [self.opening(size=20), *packets])) == 1
        assert dict(transport.set_aside) == {MERGED: 3, CONTROL: 1}

    def test_what_comes_again_after_the_last_is_a_duplicate(self, transport: J1939Transport) -> None:
        assert len(pushed(transport, [*self.message(2), self.packet(2), self.answer(DONE)])) == 1
        assert dict(transport.set_aside) == {MERGED: 2, DUPLICATE: 1, CONTROL: 1}
        assert dict(transport.facts) == {"messages reassembled": 1}

    def test_its_receiver_keeps_it_open(self, transport: J1939Transport) -> None:
        segments = [
            self.opening(size=9),
            *(self.answer(CTS, t_ms) for t_ms in (1000, 2000, 3000)),
            self.packet(1, t_ms=4000),
            self.packet(2, t_ms=5000),
        ]
        assert len(pushed(transport, segments)) == 1
        assert dict(transport.set_aside) == {CONTROL: 3, MERGED: 2}

    def test_an_answer_that_comes_too_late_does_not(self, transport: J1939Transport) -> None:
        segments = [self.opening(size=9), self.answer(CTS, 1251), self.packet(1, t_ms=1252)]
        assert not pushed(transport, segments)
        assert dict(transport.facts) == {"messages lost: timed out": 1, "segments refused: no session": 1}

    def test_its_sender_does_not_keep_it_open(self, transport: J1939Transport) -> None:
        source, destination = self.ends(2)
        segments = [
            self.opening(size=9),
            manage(CTS, source=source, destination=destination, t_ms=1000),
            self.packet(1, t_ms=2000),
        ]
        assert not pushed(transport, segments)
        assert transport.facts["messages lost: timed out"] == 1

    def test_one_whose_receiver_has_all_of_it_is_over(self, transport: J1939Transport) -> None:
        pushed(transport, [self.opening(), self.packet(1), self.answer(DONE), self.packet(2)])
        assert dict(transport.set_aside) == {LOST: 3, CONTROL: 1}
        assert dict(transport.facts) == {
            "messages lost: a packet was missed": 1,
            "segments refused: no session": 1,
        }

    def test_other_control_changes_nothing(self, transport: J1939Transport) -> None:
        segments = [self.opening(size=9), self.answer(20, 1000), self.packet(1, t_ms=2000)]
        assert not pushed(transport, segments)
        assert dict(transport.set_aside) == {CONTROL: 1, LOST: 2}
        assert transport.facts["messages lost: timed out"] == 1

    def test_one_to_everybody_is_none(self, transport: J1939Transport) -> None:
        transport.push(self.opening(destination=EVERYBODY))
        assert dict(transport.facts) == {"segments refused: malformed": 1}


@pytest.mark.parametrize("control", [RTS, CTS, DONE, ANNOUNCE, ABORT])
def test_connection_management_has_eight_bytes(control: int) -> None:
    transport = J1939Transport()
    whole = manage(control, destination=EVERYBODY if control == ANNOUNCE else 7)
    transport.push(replace(whole, data=whole.data[:7]))
    assert dict(transport.facts) == {"segments refused: malformed": 1}
    assert dict(transport.set_aside) == {LOST: 1}


@pytest.mark.parametrize("group", [0xC800, 0xC700])
def test_extended_transport_is_lost_under_its_name(group: int) -> None:
    transport = J1939Transport()
    transport.push(Segment(0, 0, 7 << 26 | group << 8 | 0x0701, extended=True, data=bytes(8)))
    assert dict(transport.set_aside) == {LOST: 1}
    assert dict(transport.facts) == {"segments refused: extended transport is not reassembled": 1}


def test_which_ids_are_of_transport() -> None:
    groups = [0xEC, 0xEB, 0xC8, 0xC7]
    ids = {7 << 26 | group << 16 | ends for group in groups for ends in (0, 0xFF, 0xFF00, 0xFFFF)}
    others = {one ^ 1 << bit for one in ids for bit in range(16, 26)}
    others = {one for one in others if one >> 16 & 0x3FF not in groups}
    assert is_transport(np.array(sorted(ids), np.uint32)).all()
    assert not is_transport(np.array(sorted(others), np.uint32)).any()


def test_a_message_does_not_show_its_payload_in_a_log() -> None:
    segment = isotp(b"\x06secret")
    message = IsotpTransport().push(segment)
    assert message == Reassembled(0x700, b"secret")
    session = Session(0x700, 6, 3, 1, bytearray(b"secret"), set())
    assert not session.late(1)
    assert not [one for one in (segment, message, session) if "secret" in repr(one)]
