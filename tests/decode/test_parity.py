"""Every value of every message of every real database equals cantools', to the bit and in type."""

from __future__ import annotations

import os
import random
import struct
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import cantools.database.can
import pytest
from cantools.database.errors import DecodeError

from edge.database.layout import bit_numbers, lay_out
from edge.database.load import load_database
from edge.database.model import Database, Message, Signal, SignalRef
from edge.decode.latest import LatestValues
from edge.decode.plan import DecodePlan
from edge.frames import Frame, FrameBatch, FrameFlag

PAYLOADS = int(os.environ.get("NEVGATE_PARITY_PAYLOADS", "24"))
MOST_SECONDS = 60 if PAYLOADS <= 24 else 86_400
SEED = 20_261_122


def database_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in {".dbc", ".kcd", ".arxml", ".sym"})


def same(ours: object, theirs: object) -> bool:
    """Equal in type and to the bit, so that -0.0, NaN payloads and 1 against 1.0 are told apart."""
    if isinstance(theirs, float):
        return isinstance(ours, float) and struct.pack("<d", ours) == struct.pack("<d", theirs)
    return type(ours) is int and ours == theirs


def put(payload: bytearray, signal: Signal, raw: int) -> None:
    for place, bit in enumerate(signal.bits):
        if bit // 8 < len(payload):
            payload[bit // 8] = payload[bit // 8] & ~(1 << bit % 8) | (raw >> place & 1) << bit % 8


def random_payloads(message: Message, count: int, source: random.Random) -> Iterator[bytes]:
    yield bytes(message.length)
    yield b"\xff" * message.length
    multiplexers = sorted(
        (one for one in message.signals if one.multiplex_values), key=lambda one: len(one.conditions)
    )
    # Each known value of each multiplexer at least once, then most payloads with known values.
    forced = [(one, value) for one in multiplexers for value in sorted(one.multiplex_values)]
    for number in range(max(count - 2, len(forced))):
        payload = bytearray(source.randbytes(message.length))
        for one in multiplexers:
            if source.random() < 0.9:
                put(payload, one, source.choice(sorted(one.multiplex_values)))
        if number < len(forced):
            one, value = forced[number]
            for condition in one.conditions:
                put(payload, message.signal(condition.multiplexer), min(condition.values))
            put(payload, one, value)
        yield bytes(payload)


class Oracle:
    """What cantools says; where it raises for the whole message, what it says signal by signal."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.alone: dict[str, cantools.database.can.Message] = {}

    def values(self, payload: bytes) -> tuple[Mapping[str, object], str]:
        try:
            decoded = self.message.codec.decode(payload, decode_choices=False, allow_truncated=True)
        except DecodeError:
            return self.by_signal(payload)
        assert isinstance(decoded, dict)
        return decoded, "whole"

    def by_signal(self, payload: bytes) -> tuple[Mapping[str, object], str]:
        found: dict[str, object] = {}
        for signal in sorted(self.message.signals, key=lambda one: len(one.conditions)):
            present = all(
                condition.multiplexer in found
                and self.raw(condition.multiplexer, payload) in condition.values
                for condition in signal.conditions
            )
            if present and max(signal.bits) < 8 * len(payload):
                found[signal.name] = self.single(signal.name, payload, scaling=True)
        return found, "by signal"

    def raw(self, name: str, payload: bytes) -> object:
        return self.single(name, payload, scaling=False)

    def single(self, name: str, payload: bytes, *, scaling: bool) -> object:
        if name not in self.alone:
            signal = self.message.codec.get_signal_by_name(name)
            bits = bit_numbers(
                signal.start, signal.length, little_endian=signal.byte_order == "little_endian"
            )
            bare = cantools.database.can.Signal(
                name,
                signal.start,
                signal.length,
                signal.byte_order,
                signal.is_signed,
                conversion=signal.conversion,
            )
            length = max(self.message.length, max(bits) // 8 + 1)
            self.alone[name] = cantools.database.can.Message(0, name, length, [bare], is_fd=True)
        decoded = self.alone[name].decode(
            payload, decode_choices=False, scaling=scaling, allow_truncated=True
        )
        assert isinstance(decoded, dict)
        return decoded[name]


def frame_of(message: Message, payload: bytes, t_ns: int) -> Frame:
    flags = FrameFlag.EXTENDED if message.extended else FrameFlag(0)
    return Frame(t_ns, message.arbitration_id, payload, "bus", flags)


def only(database: Database, message: Message) -> Database:
    return Database(database.path, database.sha256, (message,))


def test_every_value_equals_cantools(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = random.Random(SEED)  # noqa: S311 - to be repeated, not secret
    counts: Counter[str] = Counter()
    differences: list[str] = []
    start = time.monotonic()
    for path in database_files(shared_data):
        database = load_database(path)
        counts["databases"] += 1
        for message in database.messages:
            if message.contained:
                continue
            if time.monotonic() - start > MOST_SECONDS:
                counts["messages left out for time"] += 1
                continue
            counts["messages"] += 1
            compare(database, message, source, counts, differences)
    with capsys.disabled():
        print(f"\nparity: {dict(counts)}, differences {len(differences)}")  # noqa: T201 - figures to quote
    assert not differences, differences[:5]
    assert counts["values"] > 10_000


def compare(
    database: Database,
    message: Message,
    source: random.Random,
    counts: Counter[str],
    differences: list[str],
) -> None:
    payloads = list(random_payloads(message, PAYLOADS, source))
    shorter = [payload[: source.randrange(message.length + 1)] for payload in payloads[:4]]
    longer = [payload + source.randbytes(3) for payload in payloads[2:4] if len(payload) <= 5]
    payloads += shorter + longer
    oracle = Oracle(message)
    plan = DecodePlan({"bus": [only(database, message)]})
    frames = [frame_of(message, payload, place) for place, payload in enumerate(payloads)]
    decoded = plan.decode(FrameBatch.from_frames(frames))
    ours: list[dict[str, object]] = [{} for _ in payloads]
    for ref, column in decoded.columns.items():
        for row, value in zip(column.rows.tolist(), column.values.tolist(), strict=True):
            ours[row][ref.signal] = value
    unknown = 0
    for payload, mine in zip(payloads, ours, strict=True):
        theirs, how = oracle.values(payload)
        if how == "by signal":
            counts["payloads compared signal by signal"] += 1
            unknown += 1
        counts["payloads"] += 1
        counts["values"] += len(theirs)
        if mine.keys() != theirs.keys():
            differences.append(f"{message.name} {payload.hex()}: {sorted(mine.keys() ^ theirs.keys())}")
            continue
        differences.extend(
            f"{message.name}.{name} {payload.hex()}: {mine[name]!r} is not {value!r}"
            for name, value in theirs.items()
            if not same(mine[name], value)
        )
    assert decoded.frames_unknown_multiplexer <= unknown


def test_the_live_path_gives_the_same_values(shared_data: Path) -> None:
    source = random.Random(SEED)  # noqa: S311 - to be repeated, not secret
    compared = 0
    for path in database_files(shared_data / "databases"):
        database = load_database(path)
        for message in database.messages[:40]:
            if message.contained:
                continue
            oracle = Oracle(message)
            latest = LatestValues(DecodePlan({"bus": [only(database, message)]}))
            expected: dict[SignalRef, object] = {}
            for place, payload in enumerate(random_payloads(message, 4, source)):
                latest.update(FrameBatch.from_frames([frame_of(message, payload, place)]))
                found = oracle.values(payload)[0]
                expected |= {SignalRef("bus", message.name, name): value for name, value in found.items()}
            values = latest.snapshot().values
            assert set(values) == set(expected)
            for ref, value in expected.items():
                assert same(values[ref], value), (ref, values[ref], value)
                compared += 1
    assert compared > 2_500


def test_every_half_float_equals_cantools() -> None:
    signal = cantools.database.can.Signal(
        "half",
        0,
        16,
        conversion=cantools.database.conversion.BaseConversion.factory(is_float=True),
    )
    codec = cantools.database.can.Message(1, "halves", 2, [signal])
    messages, _ = lay_out([codec], lines={}, assume_j1939=False, where="")
    plan = DecodePlan({"bus": [Database(Path("x.dbc"), "", messages)]})
    frames = [Frame(0, 1, struct.pack("<H", raw), "bus") for raw in range(1 << 16)]
    column = plan.decode(FrameBatch.from_frames(frames)).columns[SignalRef("bus", "halves", "half")]
    for frame, value in zip(frames, column.values.tolist(), strict=True):
        theirs = codec.decode(frame.data)
        assert isinstance(theirs, dict)
        assert same(value, theirs["half"]), frame.data.hex()
