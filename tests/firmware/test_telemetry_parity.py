"""What the node writes is, byte for byte, what the gateway's own codecs write; what they write, it reads."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clock import Timebase, TimeQuality
from edge.errors import WireError
from edge.records import Element, Missing, Record, Value
from edge.wire.cose import Role
from edge.wire.device_keys import DeviceKey
from edge.wire.item_keys import INDEX_MAX, KEY_MAX, KeyTable
from edge.wire.loss import LossCause, LossRange
from edge.wire.mac0 import Authenticator as GatewayAuthenticator
from edge.wire.mac0 import DeviceVerifier
from edge.wire.message import MessageKind, RecordMessage, decode, encode
from edge.wire.receipt import NumberRange, Receipt
from edge.wire.receipt import encode as encode_receipt
from edge.wire.strict_cbor import INT64_MAX, INT64_MIN, CborValue, read_cbor, write_cbor
from edge.wire.time_corrections import TimeCorrection, TimeCorrections
from edge.wire.time_corrections import encode as encode_corrections
from firmware.telemetry import cbor
from firmware.telemetry.mac import DOWN, UP, Authenticator, key_from_file
from firmware.telemetry.receipt import read_receipt
from firmware.telemetry.record import ABNORMAL, INVALID, RecordWriter

VEHICLE = "LNEVGATE000000001"
STREAM, BOOT, BEFORE = bytes(range(16)), b"b" * 16, b"p" * 16
NO_KEYS = KeyTable({})
NO_TIME = Timebase()
KEY = DeviceKey(bytes(range(32)))
INT64 = st.integers(INT64_MIN, INT64_MAX)
ELEMENTS = st.one_of(INT64, st.integers(-300, 5000), st.sampled_from(list(Missing)))
WIRE_KEYS = st.tuples(
    st.one_of(st.integers(0, 200), st.integers(0, KEY_MAX)), st.one_of(st.just(0), st.integers(0, INDEX_MAX))
)
NODE_WORDS = {Missing.INVALID: INVALID, Missing.ABNORMAL: ABNORMAL}
VALUES = st.dictionaries(WIRE_KEYS, st.one_of(st.none(), ELEMENTS), max_size=12)
ARRAYS = st.dictionaries(
    WIRE_KEYS, st.lists(st.one_of(INT64, st.integers(3600, 3700), ELEMENTS), max_size=40), max_size=4
)


def item_id(key: tuple[int, int]) -> str:
    return f"#{key[0]}[{key[1]}]" if key[1] else f"#{key[0]}"


def as_node(value: Value | None) -> object:
    if isinstance(value, tuple):
        return tuple(as_node(element) for element in value)
    return NODE_WORDS[value] if isinstance(value, Missing) else value


def both(
    values: dict[tuple[int, int], Value | None],
    *,
    number: int = 1,
    t_ns: int = 0,
    timebase: Timebase = NO_TIME,
    mask: str = "",
    predecessor: bytes | None = None,
    kind: MessageKind = MessageKind.LIVE,
    alarm: bool = False,
) -> tuple[bytes, RecordMessage]:
    """What the node writes, and what the gateway would have written."""
    present = {item_id(key): value for key, value in values.items() if value is not None}
    record = Record(number, t_ns, timebase, present, mask, alarm)
    message = RecordMessage(
        kind, VEHICLE, STREAM, BOOT, (record,), predecessor=predecessor if number == 1 else None
    )
    writer = RecordWriter(VEHICLE, STREAM, BOOT, list(values), mask, predecessor, elements=200)
    written = writer.record(
        int(kind),
        number,
        t_ns,
        timebase.wall_offset_ns,
        int(timebase.quality),
        [as_node(value) for value in values.values()],
        alarm,
    )
    return bytes(written), message


@given(
    VALUES,
    st.integers(1, INT64_MAX),
    INT64,
    INT64,
    st.sampled_from(TimeQuality),
    st.text(max_size=20),
    st.booleans(),
    st.sampled_from(MessageKind),
)
@settings(max_examples=60, deadline=None)
def test_a_record_is_byte_for_byte_the_gateways(
    values: dict[tuple[int, int], Element | None],
    number: int,
    t_ns: int,
    offset_ns: int,
    quality: TimeQuality,
    mask: str,
    alarm: bool,
    kind: MessageKind,
) -> None:
    written, message = both(
        dict(values),
        number=number,
        t_ns=t_ns,
        timebase=Timebase(offset_ns, quality),
        mask=mask,
        predecessor=BEFORE,
        kind=kind,
        alarm=alarm,
    )
    assert written == encode(message, NO_KEYS, compress=False)


@given(ARRAYS)
@settings(max_examples=60, deadline=None)
def test_arrays_read_back_as_they_were(arrays: dict[tuple[int, int], list[Element]]) -> None:
    written, message = both({key: tuple(elements) for key, elements in arrays.items()})
    assert decode(written, NO_KEYS) == message


def test_the_predecessor_is_named_once() -> None:
    writer = RecordWriter(VEHICLE, STREAM, BOOT, [(4, 0)], predecessor=BEFORE)
    named = [decode(bytes(writer.record(0, n, 0, 0, 0, [1])), NO_KEYS).predecessor for n in (1, 2)]
    assert named == [BEFORE, None]
    assert decode(bytes(writer.losses([(1, 5)])), NO_KEYS).predecessor == BEFORE
    assert decode(bytes(writer.losses([(2, 5)])), NO_KEYS).predecessor is None


def test_range_entries_and_corrections_are_the_gateways() -> None:
    writer = RecordWriter(VEHICLE, STREAM, BOOT, [(4, 0)])
    losses = tuple(
        LossRange(first, first + more, LossCause.LOST) for first, more in ((3, 0), (70_000, 5_000))
    )
    expected = RecordMessage(MessageKind.BACKLOG, VEHICLE, STREAM, BOOT, losses=losses)
    assert bytes(writer.losses([(one.first, one.last) for one in losses])) == encode(expected, NO_KEYS)
    correction = TimeCorrection(BOOT, 0, 10**12, Timebase(1_750_000_000 * 10**9, TimeQuality.NTP))
    corrections = encode_corrections(TimeCorrections(VEHICLE, STREAM, (correction,)))
    assert bytes(writer.correction(0, 10**12, 1_750_000_000 * 10**9, 2)) == corrections


@given(st.binary(max_size=300), st.sampled_from([Role.UP, Role.DOWN, Role.STATUS]))
@settings(max_examples=20, deadline=None)
def test_codes_are_byte_for_byte_the_gateways(payload: bytes, role: Role) -> None:
    out = cbor.Writer(600)
    node = Authenticator(KEY.secret, VEHICLE)
    node.wrap(payload, str(role), out)
    wrapped = bytes(out.written())
    assert wrapped == GatewayAuthenticator(KEY, vehicle=VEHICLE, role=role).authenticate(payload)
    assert DeviceVerifier({VEHICLE: [KEY]}).verify(wrapped, vehicle=VEHICLE, role=role).payload == payload
    assert bytes(node.open(memoryview(wrapped), str(role))) == payload


def test_the_node_opens_nothing_but_its_own() -> None:
    node = Authenticator(KEY.secret, VEHICLE)
    message = GatewayAuthenticator(KEY, vehicle=VEHICLE, role=Role.DOWN).authenticate(b"receipt")
    assert bytes(node.open(message, DOWN)) == b"receipt"
    foreign = [
        GatewayAuthenticator(DeviceKey(bytes(32)), vehicle=VEHICLE, role=Role.DOWN).authenticate(b"receipt"),
        GatewayAuthenticator(KEY, vehicle="ANOTHER", role=Role.DOWN).authenticate(b"receipt"),
        GatewayAuthenticator(KEY, vehicle=VEHICLE, role=Role.UP).authenticate(b"receipt"),
        message + b"\0",
        b"",
        *(message[:place] for place in range(len(message))),
        *(
            message[:place] + bytes([message[place] ^ 1]) + message[place + 1 :]
            for place in range(len(message))
        ),
    ]
    for one in foreign:
        with pytest.raises(ValueError, match=r"key|code|COSE|short|item|form"):
            node.open(one, DOWN)
    with pytest.raises(ValueError, match="code"):
        node.open(message, UP)


def test_a_key_file_of_the_gateways_is_read() -> None:
    assert key_from_file(KEY.to_text()) == key_from_file(KEY.secret) == KEY.secret
    for wrong in (b"", b"short", KEY.to_text()[:-60], b"-----BEGIN NEVGATE DEVICE KEY-----\nAAAA\n"):
        with pytest.raises(ValueError, match="device key"):
            key_from_file(wrong)


RECEIPTS = st.builds(
    lambda watermark, steps, more, time_ns: (watermark, steps, more, time_ns),
    st.integers(0, 1 << 40),
    st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 1000)), max_size=8),
    st.integers(1, 50),
    st.integers(0, INT64_MAX),
)


@given(RECEIPTS)
@settings(max_examples=60, deadline=None)
def test_receipts_are_read(drawn: tuple[int, list[tuple[int, int]], int, int]) -> None:
    watermark, steps, more, time_ns = drawn
    missing, end = [], watermark
    for place, (gap, length) in enumerate(steps):
        first = end + (1 if place == 0 else 1 + gap)
        end = first + length
        missing.append(NumberRange(first, end))
    receipt = Receipt(STREAM, watermark, tuple(missing), time_ns, None, end + more if missing else 0)
    assert read_receipt(encode_receipt(receipt)) == (
        STREAM,
        watermark,
        tuple((gap.first, gap.last) for gap in missing),
        receipt.highest,
        time_ns,
    )


def small_cbor() -> st.SearchStrategy[CborValue]:
    leaves = st.one_of(INT64, st.binary(max_size=30), st.text(max_size=10))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(st.integers(0, 300), inner, max_size=4).map(
                lambda pairs: dict(sorted(pairs.items()))
            ),
        ),
        max_leaves=8,
    )


@given(small_cbor())
@settings(max_examples=60, deadline=None)
def test_cbor_is_read_as_the_gateway_reads_it(value: CborValue) -> None:
    assert cbor.read(write_cbor(value)) == value


@given(st.binary(max_size=24))
@settings(max_examples=150, deadline=None)
def test_both_readers_of_cbor_refuse_the_same(data: bytes) -> None:
    try:
        expected = read_cbor(data)
    except WireError:
        with pytest.raises(ValueError, match=r"\w"):
            cbor.read(data)
    else:
        assert cbor.read(data) == expected
