"""The accelerator gives the values, summaries and tables that the NumPy path gives, to the bit."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.database.load import parse_database
from edge.database.model import SignalRef
from edge.decode.field import half_floats
from edge.decode.message import Column
from edge.decode.plan import Decoded, DecodePlan
from edge.decode.program import FIELD
from edge.frames import Frame, FrameBatch
from edge.offline.summary import Summary
from edge.offline.tables import open_table
from tests.accelerator.with_and_without import both, native, needs_accelerator

pytestmark = needs_accelerator

DATA_BYTES = 24
SCALES = ("1", "2", "-3", "0.1", "0.5", "-0.25", "1e-9", "3.7e8", "1e300", "4294967296", "0")
OFFSETS = ("0", "-40", "10", "0.3", "-1e-7", "1e18", "9007199254740993", "-0.0")
FLOATS = tuple(
    struct.pack("<d", one) for one in (float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1e308)
)
SINGLES = tuple(bytes.fromhex(one) for one in ("0000c07f", "0000a07f", "0000807f", "00000080", "01000000"))
chunks = st.one_of(
    st.sampled_from(FLOATS),
    st.sampled_from(SINGLES).map(lambda one: one * 2),
    st.sampled_from((bytes(8), b"\xff" * 8, b"\x80" + bytes(7), bytes(7) + b"\x80")),
    st.binary(min_size=8, max_size=8),
)


@st.composite
def signal_line(draw: st.DrawFn, name: str) -> tuple[str, str]:
    little = draw(st.booleans())
    is_float = draw(st.sampled_from((0, 0, 0, 1, 2)))
    length = (draw(st.integers(1, 64)), 32, 64)[is_float]
    low = draw(st.integers(0, 8 * DATA_BYTES - length))
    start = low if little else low // 8 * 8 + 7 - low % 8
    sign = "-" if is_float else draw(st.sampled_from("+-"))
    scale, offset = draw(st.sampled_from(SCALES)), draw(st.sampled_from(OFFSETS))
    text = f' SG_ {name} : {start}|{length}@{int(little)}{sign} ({scale},{offset}) [0|0] "" A\n'
    return text, f"SIG_VALTYPE_ 256 {name} : {is_float};\n" if is_float else ""


@st.composite
def databases(draw: st.DrawFn) -> str:
    lines = [draw(signal_line(f"S{number}")) for number in range(draw(st.integers(1, 6)))]
    body = "".join(line for line, _ in lines) + "\n" + "".join(more for _, more in lines)
    return f'VERSION ""\nBS_:\nBU_:\nBO_ 256 M: {DATA_BYTES} A\n{body}'


def bits(values: npt.NDArray[Any]) -> object:
    return (values.dtype, values.tolist() if values.dtype.kind == "O" else values.tobytes())


def columns_of(decoded: Decoded) -> dict[SignalRef, tuple[object, object]]:
    return {ref: (bits(column.rows), bits(column.values)) for ref, column in decoded.columns.items()}


@settings(max_examples=40, deadline=None)
@given(text=databases(), payloads=st.lists(st.lists(chunks, min_size=3, max_size=3), min_size=1, max_size=8))
def test_values_of_any_signals(text: str, payloads: list[list[bytes]]) -> None:
    database = parse_database(text.encode(), Path("a.dbc"))
    frames = [Frame(place, 256, b"".join(parts)) for place, parts in enumerate(payloads)]
    batch = FrameBatch.from_frames(frames)
    plan = DecodePlan({"can0": [database]})
    mine, numpys = both(lambda: columns_of(plan.decode(batch)))
    assert mine == numpys
    assert mine


def test_half_floats_and_more_frames_than_are_decoded_at_once() -> None:
    text = (
        'VERSION ""\nBS_:\nBU_:\nBO_ 256 M: 8 A\n SG_ Low : 0|16@1- (1,0) [0|0] "" A\n'
        ' SG_ High : 55|24@0- (0.1,-40) [0|0] "" A\n'
    )
    plan = DecodePlan({"can0": [parse_database(text.encode(), Path("a.dbc"))]})
    frames = [Frame(n, 256, struct.pack("<Q", n * 0x9E3779B97F4A7C15 % (1 << 64))) for n in range(5000)]
    mine, numpys = both(lambda: columns_of(plan.decode(FrameBatch.from_frames(frames))))
    assert mine == numpys
    table = np.zeros(1, FIELD)
    table["operation"], table["right"] = 6, 48
    out = np.empty(1 << 16, np.uint64)
    words = np.arange(1 << 16, dtype="<u8") << np.uint64(0)
    table["left"] = 48
    order, work = np.arange(1 << 16), np.array([(0, 1, 0, 1 << 16, 0)], np.int64)
    native().decode(table.view(np.uint8), half_floats(), words.view(np.uint8), 8, order, work, out)
    assert out.tobytes() == half_floats().tobytes()


@pytest.mark.parametrize(
    ("field", "work", "order"),
    [
        ({"first_byte": 1}, (0, 1, 0, 1, 0), 0),
        ({"first_byte": -1}, (0, 1, 0, 1, 0), 0),
        ({"left": 64}, (0, 1, 0, 1, 0), 0),
        ({"right": 64}, (0, 1, 0, 1, 0), 0),
        ({"operation": 7}, (0, 1, 0, 1, 0), 0),
        ({}, (0, 2, 0, 1, 0), 0),
        ({}, (-1, 1, 0, 1, 0), 0),
        ({}, (1, 0, 0, 1, 0), 0),
        ({}, (0, 1, 1, 1, 0), 0),
        ({}, (0, 1, -1, 1, 0), 0),
        ({}, (0, 1, 0, 2, 0), 0),
        ({}, (0, 1, 0, -1, 0), 0),
        ({}, (0, 1, 0, 1, 1), 0),
        ({}, (0, 1, 0, 1, -1), 0),
        ({}, (0, 1, 0, 1, 0), 2),
        ({}, (0, 1, 0, 1, 0), -1),
    ],
)
def test_what_lies_outside_is_refused(
    field: dict[str, int], work: tuple[int, int, int, int, int], order: int
) -> None:
    table = np.zeros(1, FIELD)
    for name, value in field.items():
        table[name] = value
    data, out = np.zeros((2, 8), np.uint8), np.zeros(1, np.uint64)
    rows = np.array([order], np.int64)
    with pytest.raises(ValueError, match="outside"):
        native().decode(table.view(np.uint8), half_floats(), data, 8, rows, np.array([work], np.int64), out)


def test_buffers_of_the_wrong_size_are_refused() -> None:
    table, data, out = np.zeros(1, FIELD).view(np.uint8), np.zeros(16, np.uint8), np.zeros(1, np.uint64)
    rows, work = np.zeros(1, np.int64), np.array([(0, 1, 0, 1, 0)], np.int64)
    for arguments in (
        (table[:31], half_floats(), data, 8, rows, work, out),
        (table, half_floats()[:9], data, 8, rows, work, out),
        (table, half_floats(), data, 7, rows, work, out),
        (table, half_floats(), data[:15], 8, rows, work, out),
        (table, half_floats(), data, 8, rows.astype(np.int32), work, out),
        (table, half_floats(), data, 8, rows, work.reshape(-1)[:4], out),
    ):
        with pytest.raises(ValueError, match=r"size|aligned"):
            native().decode(*arguments)
    with pytest.raises(ValueError, match="unequal"):
        native().in_order([rows], [], rows, rows, np.zeros(1, np.int32), rows)
    with pytest.raises(ValueError, match="outside"):
        native().in_order([rows + 1], [rows], rows, rows, np.zeros(1, np.int32), rows.astype(np.float64))
    with pytest.raises(ValueError, match="as long as"):
        native().in_order([rows], [rows], rows, np.zeros(2, np.int64), np.zeros(1, np.int32), out.view("d"))
    with pytest.raises(ValueError, match="as many"):
        native().text_rows([rows], [np.zeros(2)], rows, b"", (b",",), b"\n", False)


numbers = st.one_of(
    st.lists(st.floats(), min_size=1, max_size=6).map(lambda some: np.array(some, np.float64)),
    st.lists(st.sampled_from((0.0, -0.0, float("nan"))), min_size=1, max_size=6).map(
        lambda some: np.array(some, np.float64)
    ),
    st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=6).map(
        lambda some: np.array(some, np.int64)
    ),
    st.lists(st.integers(0, (1 << 64) - 1), min_size=1, max_size=6).map(
        lambda some: np.array(some, np.uint64)
    ),
    st.lists(st.integers(-(1 << 70), 1 << 70), min_size=1, max_size=3).map(
        lambda some: np.array([*some, 1 << 70], object)
    ),
)


@st.composite
def tables(draw: st.DrawFn) -> dict[SignalRef, Column]:
    columns = {}
    for number, values in enumerate(draw(st.lists(numbers, min_size=1, max_size=5))):
        rows = sorted(draw(st.permutations(range(8)))[: len(values)])
        names = ('M"essage, one', "Message")[number % 2], f"Signal ü{number}"
        columns[SignalRef("can0", *names)] = Column(np.array(rows, np.int64), values)
    return columns


@settings(max_examples=30, deadline=None)
@given(columns=tables(), ending=st.sampled_from((".csv", ".jsonl", ".parquet")))
def test_tables_and_summaries(
    columns: dict[SignalRef, Column], ending: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"table{ending}"
    t_ns = np.array([-5, 0, 7, 7, 8, 1 << 62, 9, 1], np.int64)

    def written() -> tuple[bytes, str]:
        writer = open_table(path)
        writer.write(t_ns, columns)
        writer.write(t_ns, {})
        writer.close("none", {SignalRef("can0", "M", "withheld")})
        summary = Summary()
        summary.add(columns)
        summary.add(columns)
        return path.read_bytes(), repr(summary.signals)

    mine, numpys = both(written)
    assert mine == numpys
