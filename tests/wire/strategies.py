"""Hypothesis strategies of the wire's values, with every state that a record can be in."""

from __future__ import annotations

from hypothesis import strategies as st

from edge.clock import Timebase, TimeQuality
from edge.records import Missing, Record, Value
from edge.wire.checkpoint import Checkpoint
from edge.wire.item_keys import KeyTable
from edge.wire.loss import Exactness, Interval, LossCause, LossRange
from edge.wire.message import MessageKind, RecordMessage
from edge.wire.receipt import NumberRange, Receipt
from edge.wire.status import Status

INT64_MAX = 2**63 - 1
KEYS = KeyTable(
    {f"item{n}": (n * n, 0) for n in range(12)}
    | {f"motor[{n}].speed": (7, n) for n in range(1, 4)}
    | {"pack[1].cells": (2**32 - 1, 1), "pack[2].cells": (2**32 - 1, 65_535)}
)
IDS = [
    *(f"item{n}" for n in range(12)),
    "motor[2].speed",
    "motor[3].speed",
    "pack[1].cells",
    "pack[2].cells",
    "#812[3]",
]

int64s = st.integers(-(2**63), INT64_MAX) | st.integers(-40, 40)
elements = int64s | st.sampled_from(Missing)
values: st.SearchStrategy[Value] = elements | st.lists(elements, max_size=5).map(tuple)
names = st.text(max_size=12)
ids16 = st.binary(min_size=16, max_size=16)
timebases = st.builds(Timebase, int64s, st.sampled_from(TimeQuality))


@st.composite
def records(draw: st.DrawFn) -> tuple[Record, ...]:
    count = draw(st.integers(0, 8))
    numbers = sorted(
        draw(st.sets(st.integers(1, INT64_MAX) | st.integers(1, 30), min_size=count, max_size=count))
    )
    entries: st.SearchStrategy[dict[str, Value]] = st.dictionaries(st.sampled_from(IDS), values, max_size=6)
    steady: st.SearchStrategy[dict[str, Value]] = st.fixed_dictionaries(dict.fromkeys(IDS[:4], int64s))
    cells: st.SearchStrategy[dict[str, Value]] = st.fixed_dictionaries(
        {"pack[1].cells": st.tuples(elements, elements, int64s)}
    )
    form = draw(st.sampled_from([entries, steady, cells]))
    return tuple(
        Record(number, draw(int64s), draw(timebases), draw(form), draw(names), draw(st.booleans()))
        for number in numbers
    )


@st.composite
def loss_ranges(draw: st.DrawFn) -> LossRange:
    first, last = sorted((draw(st.integers(1, INT64_MAX)), draw(st.integers(1, INT64_MAX))))
    exactness = draw(st.sampled_from(Exactness))
    interval = None
    if exactness is Exactness.INTERVAL:
        from_ns, to_ns = sorted((draw(int64s), draw(int64s)))
        interval = Interval(draw(ids16), from_ns, to_ns)
    return LossRange(first, last, draw(st.sampled_from(LossCause)), exactness, interval)


messages = st.builds(
    RecordMessage,
    st.sampled_from(MessageKind),
    st.text(min_size=1, max_size=20),
    ids16,
    ids16,
    records(),
    st.lists(loss_ranges(), max_size=3).map(tuple),
    st.none() | ids16,
)


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    watermark = draw(st.integers(0, 2**40))
    missing: list[NumberRange] = []
    place = watermark
    for gap in draw(st.lists(st.integers(1, 50), max_size=4)):
        first = place + 1 if not missing else place + draw(st.integers(2, 9))
        missing.append(NumberRange(first, first + gap - 1))
        place = missing[-1].last
    highest = place + draw(st.integers(1, 9)) if missing else watermark
    digest = draw(st.none() | st.binary(min_size=32, max_size=32))
    return Receipt(draw(ids16), watermark, tuple(missing), draw(st.integers(0, INT64_MAX)), digest, highest)


statuses = st.builds(
    Status,
    st.booleans(),
    ids16,
    st.text(min_size=1, max_size=20),
    st.integers(0, INT64_MAX),
    st.none() | int64s,
)


@st.composite
def checkpoints(draw: st.DrawFn) -> Checkpoint:
    first = draw(st.just(1) | st.integers(1, INT64_MAX))
    hashes = st.binary(min_size=32, max_size=32)
    return Checkpoint(
        draw(st.text(min_size=1, max_size=20)),
        draw(ids16),
        first,
        draw(st.integers(first, INT64_MAX)),
        draw(hashes),
        draw(hashes),
        None if first == 1 else draw(hashes),
        draw(ids16),
        draw(int64s),
        draw(int64s),
        draw(st.sampled_from(TimeQuality)),
        draw(st.integers(0, INT64_MAX)),
    )
