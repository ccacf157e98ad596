"""The node's session with a broker, without one: what goes when, and what it believes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.wire.cose import Role
from edge.wire.device_keys import DeviceKey
from edge.wire.item_keys import KeyTable
from edge.wire.mac0 import Authenticator as GatewayAuthenticator
from edge.wire.mac0 import DeviceVerifier
from edge.wire.message import RecordMessage, decode
from edge.wire.receipt import NumberRange, Receipt
from edge.wire.receipt import encode as encode_receipt
from edge.wire.status import decode as decode_status
from firmware.telemetry.cbor import Writer
from firmware.telemetry.flash_ring import FlashRing
from firmware.telemetry.mac import UP, Authenticator
from firmware.telemetry.mqtt import PINGREQ, PUBLISH, PacketReader, PacketWriter, read_publish
from firmware.telemetry.record import ALARM, LIVE, RecordWriter
from firmware.telemetry.uplink import Uplink, UplinkSettings

VEHICLE = "LNEVGATE000000001"
KEY = DeviceKey(bytes(range(32)))
TOPIC = f"nev/v1/{VEHICLE}"
CONNACK, SUBACK = b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x01"


class Bench:
    """An uplink over a ring, and the broker's side of it."""

    def __init__(self, folder: Path, *, segments: int = 16) -> None:
        seeded: Callable[[int], bytes] = random.Random(1).randbytes  # noqa: S311 - to be repeated
        self.now_ms = 0
        self.authenticator = Authenticator(KEY.secret, VEHICLE)
        self.ring = FlashRing(str(folder), b"vehicle1", KEY.key_id, seeded, 2048, segments)
        self.writer = RecordWriter(VEHICLE, self.ring.stream, seeded(16), ((4, 0),))
        self.uplink = Uplink(
            self.ring,
            self.writer,
            self.authenticator,
            UplinkSettings("node", "user", "word", keep_alive_s=60),
            lambda: 255,
        )
        self.sent: list[tuple[str, int, bytes]] = []

    def record(self, count: int = 1, kind: int = LIVE) -> None:
        for _ in range(count):
            out = Writer(1024)
            message = self.writer.record(kind, self.ring.next_number, 0, 0, 0, [self.ring.next_number])
            self.authenticator.wrap(message, UP, out)
            self.ring.append(out.written())
            self.uplink.committed(self.ring.last, kind)

    def packets(self) -> list[bytes]:
        """All that it wants to send now."""
        found = []
        while self.uplink.compose(self.now_ms):
            found.append(bytes(self.uplink.out.written()))
            assert len(found) < 100
        return found

    def messages(self, skip: int = 0) -> list[tuple[str, int, bytes]]:
        """What it publishes now, but for so many packets before: the topic's end, packet id, payload."""
        found = []
        for packet in self.packets()[skip:]:
            kind, flags, body = parsed(packet)
            assert kind == PUBLISH, packet
            topic, packet_id, payload = read_publish(flags, body)
            assert topic.startswith(TOPIC.encode() + b"/")
            found.append((topic.decode().removeprefix(TOPIC + "/"), packet_id, bytes(payload)))
        return found

    def tell(self, octets: bytes) -> None:
        """Let it receive bytes, in two pieces."""
        for piece in (octets[:3], octets[3:]):
            self.uplink.reader.room()[: len(piece)] = piece
            self.uplink.received(len(piece), self.now_ms)

    def acknowledge(self, *packet_ids: int) -> None:
        for packet_id in packet_ids:
            self.tell(b"\x40\x02" + packet_id.to_bytes(2, "big"))

    def settle(self) -> list[str]:
        """Send and acknowledge until nothing is left; the topics' ends."""
        topics = []
        while messages := self.messages():
            topics += [topic for topic, _, _ in messages]
            self.acknowledge(*(packet_id for _, packet_id, _ in messages))
        return topics

    def connect(self) -> list[bytes]:
        self.uplink.opened(self.now_ms)
        packets = self.packets()
        self.tell(CONNACK)
        packets += self.packets()
        self.tell(SUBACK)
        return packets

    def receipt(self, receipt: Receipt, key: DeviceKey = KEY) -> None:
        payload = GatewayAuthenticator(key, vehicle=VEHICLE, role=Role.DOWN).authenticate(
            encode_receipt(receipt)
        )
        self.publish("/down/receipt", payload)

    def publish(self, topic: str, payload: bytes) -> None:
        packet = PacketWriter(4096)
        packet.publish(7, TOPIC + topic, payload)
        self.tell(bytes(packet.written()))

    def read(self, payload: bytes) -> RecordMessage:
        verified = DeviceVerifier({VEHICLE: [KEY]}).verify(payload, vehicle=VEHICLE)
        return decode(verified.payload, KeyTable({}))


def parsed(packet: bytes) -> tuple[int, int, bytes]:
    reader = PacketReader(8192)
    reader.room()[: len(packet)] = packet
    reader.received(len(packet))
    found = reader.packet()
    assert found is not None
    kind, flags, body = found
    return kind, flags, bytes(body)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_session_begins_with_its_will_and_a_subscription(bench: Bench) -> None:
    connect, subscribe = bench.connect()
    assert connect[0] == 0x10
    assert b"MQTT\x04\xee\x00\x3c\x00\x04node" in connect
    assert connect.endswith(b"\x00\x04user\x00\x04word")
    assert f"{TOPIC}/down/receipt".encode() in subscribe
    start = connect.index(b"/status") + len(b"/status") + 2
    will = connect[start : connect.index(b"\x00\x04user")]
    verifier = DeviceVerifier({VEHICLE: [KEY]})
    assert not decode_status(verifier.verify(will, vehicle=VEHICLE, role=Role.STATUS).payload).online
    ((topic, _, payload),) = bench.messages()
    assert topic == "status"
    assert decode_status(verifier.verify(payload, vehicle=VEHICLE, role=Role.STATUS).payload).online


def test_beside_a_gateway_it_leaves_the_status_alone(bench: Bench) -> None:
    bench.uplink._settings.tells_status = False
    connect, _ = bench.connect()
    assert b"MQTT\x04\xc2" in connect
    assert b"/status" not in connect
    assert bench.messages() == []


def test_live_goes_before_what_waits_and_each_as_it_was_committed(bench: Bench) -> None:
    bench.record(3)
    bench.connect()
    bench.record()
    assert bench.settle() == ["status", "up/live", "up/backlog", "up/backlog", "up/backlog"]
    bench.record(kind=ALARM)
    ((topic, _, payload),) = bench.messages()
    assert topic == "up/alarm"
    held = bytearray(2048)
    assert payload == bytes(held[: bench.ring.read(5, held)])
    assert bench.read(payload).records[0].number == 5


def test_no_more_is_under_way_than_the_broker_may_hold(bench: Bench) -> None:
    bench.record(20)
    bench.connect()
    assert len(bench.messages()) == 4
    assert bench.messages() == []


def test_what_no_receipt_settles_comes_again_with_the_next_connection(bench: Bench) -> None:
    bench.connect()
    bench.record()
    ((_, _, _), (_, _, first)) = bench.messages()
    bench.uplink.closed(bench.now_ms)
    bench.connect()
    ((_, _, _), (topic, _, again)) = bench.messages()
    assert (topic, again) == ("up/backlog", first)


def test_a_receipt_settles_and_missing_ones_go_again(bench: Bench) -> None:
    bench.connect()
    bench.record(6)
    bench.settle()
    bench.receipt(Receipt(bench.ring.stream, 6, server_time_ns=9))
    assert (bench.ring.waiting, bench.uplink.server_time_ns) == (0, 9)
    assert [packet[0] for packet in bench.packets()] == [0x40]
    bench.now_ms += 10_000
    bench.receipt(Receipt(bench.ring.stream, 2, (NumberRange(3, 4),), 9, None, 6))
    numbers = [
        bench.read(payload).records[0].number
        for topic, _, payload in bench.messages(skip=1)
        if topic == "up/backlog"
    ]
    assert numbers == [3, 4]
    assert bench.ring.waiting == 2


def test_what_an_earlier_program_kept_goes_however_long_it_is(tmp_path: Path) -> None:
    ring = FlashRing(str(tmp_path), b"vehicle1", KEY.key_id, lambda count: b"s" * count, 8192)
    ring.append(bytes(6000))
    bench = Bench(tmp_path)
    bench.connect()
    assert [len(payload) for topic, _, payload in bench.messages() if topic == "up/backlog"] == [6000]
    assert bench.ring.losses == []


def test_an_old_receipt_tells_no_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.record(3)
    bench = Bench(tmp_path)
    bench.connect()
    bench.receipt(Receipt(bench.ring.stream, 3, server_time_ns=9))
    assert bench.uplink.server_time_ns == 0
    bench.record()
    bench.receipt(Receipt(bench.ring.stream, 4, server_time_ns=10))
    assert bench.uplink.server_time_ns == 10


def test_a_platform_that_is_silent_for_days_costs_no_memory(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segments=2)
    bench.connect()
    for _ in range(300):
        bench.record()
        bench.settle()
    assert len(bench.uplink._sent_live) < 100


@pytest.mark.parametrize("key", [DeviceKey(bytes(32)), None])
def test_receipts_that_are_not_its_own_settle_nothing(bench: Bench, key: DeviceKey | None) -> None:
    bench.connect()
    bench.record(2)
    bench.settle()
    if key is None:
        bench.publish("/down/receipt", b"\xd2 signed, for the gateway")
        bench.receipt(Receipt(b"x" * 16, 2))
        bench.publish("/down/command", b"\xd1")
    else:
        bench.receipt(Receipt(bench.ring.stream, 2), key)
    assert bench.ring.waiting == 2
    assert bench.uplink.counts["receipts refused"] == (key is not None)


def test_where_no_receipt_comes_the_oldest_is_sent_ever_more_rarely(bench: Bench) -> None:
    bench.connect()
    bench.record(3)
    bench.settle()
    waits = []
    for _ in range(4):
        begin = bench.now_ms
        while not (messages := [one for one in bench.packets() if one != PINGREQ]):
            bench.now_ms += 1000
            bench.tell(b"\xd0\x00")
        waits.append((bench.now_ms - begin) // 1000)
        _, flags, body = parsed(messages[0])
        _, packet_id, payload = read_publish(flags, body)
        assert bench.read(bytes(payload)).records[0].number == 1
        bench.acknowledge(packet_id)
    assert waits == [60, 120, 240, 480]


def test_what_the_ring_gave_up_is_told_until_a_receipt_knows(tmp_path: Path) -> None:
    bench = Bench(tmp_path, segments=2)
    bench.record(60)
    (lost,) = bench.ring.losses
    bench.connect()
    told = [bench.read(payload) for topic, _, payload in bench.messages() if topic == "up/backlog"]
    assert [(loss.first, loss.last) for loss in told[0].losses] == [lost]
    bench.uplink.closed(bench.now_ms)
    bench.connect()
    assert bench.read(bench.messages()[1][2]).losses == told[0].losses
    bench.receipt(Receipt(bench.ring.stream, lost[1]))
    assert bench.ring.losses == []


def test_delays_grow_and_a_session_begins_them_anew(bench: Bench) -> None:
    waits = []
    for _ in range(12):
        bench.uplink.closed(bench.now_ms)
        waits.append(bench.uplink.next_try_ms - bench.now_ms)
    assert waits[:4] == [1000, 2000, 4000, 8000]
    assert max(waits) == 300_000
    bench.connect()
    bench.uplink.closed(bench.now_ms)
    assert bench.uplink.next_try_ms == bench.now_ms + 1000


def test_a_silent_broker_is_left_and_a_quiet_one_is_asked(bench: Bench) -> None:
    bench.connect()
    bench.settle()
    bench.now_ms += 60_000
    assert bench.packets() == [PINGREQ]
    bench.tell(b"\xd0\x00")
    bench.now_ms += 60_000
    assert not bench.uplink.overdue(bench.now_ms)
    bench.packets()
    bench.now_ms += 60_000
    assert bench.uplink.overdue(bench.now_ms)
    bench.record()
    bench.tell(b"\xd0\x00")
    assert bench.messages()
    bench.now_ms += 19_000
    assert not bench.uplink.overdue(bench.now_ms)
    bench.now_ms += 2_000
    assert bench.uplink.overdue(bench.now_ms)


@pytest.mark.parametrize("answer", [b"\x20\x02\x00\x05", b"\x20\x01\x00", b"\xff\xff\xff\xff\xff"])
def test_a_broker_that_refuses_ends_the_connection(bench: Bench, answer: bytes) -> None:
    bench.uplink.opened(0)
    bench.packets()
    with pytest.raises(ValueError, match=r"broker|MQTT"):
        bench.tell(answer)


@pytest.mark.parametrize("answers", [[SUBACK], [CONNACK, CONNACK], [CONNACK, SUBACK, SUBACK]])
def test_answers_to_nothing_end_the_connection(bench: Bench, answers: list[bytes]) -> None:
    bench.uplink.opened(0)
    bench.packets()
    for answer in answers[:-1]:
        bench.tell(answer)
    with pytest.raises(ValueError, match="broker refuses"):
        bench.tell(answers[-1])


def test_a_packet_id_under_way_is_not_given_again(bench: Bench) -> None:
    bench.connect()
    bench.settle()
    bench.record(3)
    bench.uplink._packet_id = 0xFFFD
    under_way = [packet_id for _, packet_id, _ in bench.messages()]
    assert under_way == [0xFFFE, 0xFFFF, 1]
    bench.acknowledge(0xFFFF, 0x1234)
    bench.uplink._packet_id = 0xFFFD
    bench.record()
    assert [packet_id for _, packet_id, _ in bench.messages()] == [0xFFFF]


@given(st.lists(st.tuples(st.integers(0, 15), st.binary(max_size=200)), max_size=8), st.data())
@settings(max_examples=80, deadline=None)
def test_packets_are_cut_wherever_bytes_arrive(packets: list[tuple[int, bytes]], data: st.DataObject) -> None:
    octets = b"".join(bytes([kind << 4]) + length(len(body)) + body for kind, body in packets)
    reader = PacketReader(100)
    found = []
    while octets:
        room = reader.room()
        count = data.draw(st.integers(1, min(len(octets), len(room))))
        room[:count] = octets[:count]
        octets = octets[count:]
        reader.received(count)
        while packet := reader.packet():
            found.append((packet[0], bytes(packet[2])))
    fitting = [(kind, body) for kind, body in packets if 1 + len(length(len(body))) + len(body) <= 100]
    assert found == fitting
    assert reader.skipped == len(packets) - len(fitting)


def length(size: int) -> bytes:
    return bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])


@given(st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_no_bytes_bring_a_reader_down(octets: bytes) -> None:
    reader = PacketReader(64)
    reader.room()[: len(octets)] = octets
    reader.received(len(octets))
    try:
        while (packet := reader.packet()) is not None:
            read_publish(packet[1], packet[2])
    except ValueError:
        pass
