"""A recording decoded in pieces is the recording decoded whole, to the byte."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.bus.formats.base import Span
from edge.bus.recording import open_recording
from edge.frames import FrameBatch
from edge.offline.bulk import BulkDecode
from edge.offline.decoding import ANY_BUS, decode_recording
from edge.offline.engines import HereEngine
from edge.offline.inputs import find_inputs
from edge.offline.job import DecodeJob, prepared
from edge.offline.summary import Summary
from edge.offline.tables import open_table
from edge.offline.target import RecordingOutcome, Target
from tests.offline.recordings import CLASSES, DBC

CANDUMP = (
    b"(1700000000.000001) can0 100#0102030405060708",
    b"(1700000000.000002) can1 101#0000C07F00000000",
    b"(1700000000.000003) can0 102#01FFFF",
    b"(1700000000.000004) pt 102#02FFFF0000000000\r",
    b"(1700000000.000005) can0 100#FF",
    b"(1700000000.000006) can0 123#R2",
    b"no frame",
    b"",
)
GVRET = (
    b"Time Stamp,ID,Extended,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8",
    b"Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8",
    b"1000,00000100,false,Rx,0,8,01,02,03,04,05,06,07,08",
    b"1001,00000102,false,Tx,1,3,00,02,03",
    b"1002,00000100,false,0,8,01,02,03,04,05,06,07,08",
    b"1003,00000101,false,1,2,01,02",
    b"nonsense",
)
CRTD = (
    b"10.000001 1R11 100 01 02 03 04 05 06 07 08",
    b"10.000002 R11 102 01 02 03",
    b"10.000003 CXX comment",
    b"10.000004 2T29 00000100 01",
    b"10.00 R11",
)
LINES = {"log": CANDUMP, "csv": GVRET, "crtd": CRTD}


@contextmanager
def blocks_of(size: int, line: int | None = None) -> Iterator[None]:
    """Let readers take so many bytes at once, and give a line up that is longer than `line`."""
    with (
        mock.patch("edge.bus.formats.lines.BLOCK_BYTES", size),
        mock.patch("edge.bus.formats.lines.LINE_MAX_BYTES", line or size // 2),
    ):
        yield


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file of one of the formats: true to it at its beginning, then anything."""
    ending = draw(st.sampled_from(sorted(LINES)))
    known = LINES[ending]
    line = st.one_of(
        st.sampled_from(known), st.binary(max_size=40), st.integers(1, 400).map(lambda n: b"x" * n)
    )
    lines = [known[0 if ending != "csv" else draw(st.integers(0, 1))], *draw(st.lists(line, max_size=40))]
    return ending, b"\n".join(lines) + draw(st.sampled_from((b"", b"\n")))


def read(path: Path, spans: Sequence[Span]) -> tuple[list[FrameBatch], Counter[str]]:
    """Batches and counts of `spans`, each told what the one before carried."""
    batches: list[FrameBatch] = []
    counts: Counter[str] = Counter()
    carried: str | None = None
    for span in spans:
        with open_recording(path, span=Span(span.begin, span.end, carried)) as source:
            while (batch := source.read(0.0)) is not None:
                batches.append(batch)
            hop = source.hop()
            carried = source.carried_out
        counts += Counter({"entered": hop.entered, "left": hop.left, **hop.set_aside, **hop.facts})
    return batches, counts


@settings(max_examples=75, deadline=None)
@given(
    file=files(),
    size=st.integers(40, 200),
    line=st.integers(10, 300),
    cuts=st.sets(st.integers(1, 60), max_size=5),
)
def test_spans_hold_the_blocks_of_the_whole(
    file: tuple[str, bytes], size: int, line: int, cuts: set[int]
) -> None:
    ending, content = file
    begins = [0, *(cut * size for cut in sorted(cuts) if cut * size < len(content))]
    spans = [Span(begin, end) for begin, end in zip(begins, [*begins[1:], None], strict=True)]
    with TemporaryDirectory() as folder, blocks_of(size, line):
        path = Path(folder, f"drive.{ending}")
        path.write_bytes(content)
        whole, counts = read(path, [Span()])
        pieces, piece_counts = read(path, spans)
    assert len(whole) == len(pieces)
    assert all(one.equals(other) for one, other in zip(whole, pieces, strict=True))
    assert counts == piece_counts


def job(ending: str, *, policy: bool = False) -> DecodeJob:
    return DecodeJob(
        databases=((ANY_BUS, "car.dbc", DBC.encode()),),
        classes=(("car.classes.toml", CLASSES.encode()),) if policy else None,
        collect=("cabin",) if policy else (),
        ending=ending,
    )


def decoded(path: Path, wanted: DecodeJob, piece_bytes: int, out: Path) -> RecordingOutcome:
    run = BulkDecode(
        find_inputs([str(path)]).recordings,
        wanted,
        Target(str(out), False, wanted.ending, wanted.fingerprint()),
        HereEngine(),
        tell=pytest.fail,
        advance=lambda _: None,
        piece_bytes=piece_bytes,
    )
    (outcome,) = run.run()
    assert outcome.failure == ""
    return outcome


def straight(path: Path, wanted: DecodeJob, out: Path) -> Summary:
    """One reader, one decoder, one table."""
    with open_recording(path) as source:
        return decode_recording(source, prepared(wanted).decoder(open_table(out)))


@settings(max_examples=30, deadline=None)
@given(
    file=files(),
    size=st.integers(40, 200),
    several=st.integers(1, 6),
    ending=st.sampled_from((".csv", ".jsonl", ".parquet")),
    policy=st.booleans(),
)
@example(
    file=(
        "log",
        (
            b"(1700000000.000001) can0 100#0102030405060708\n(1700000000.000001) can0 100#0102030405060708\n"
            b"(1700000000.000006) can0 123#R2\n(1700000000.000001) can0 100#0102030405060708"
        ),
    ),
    size=40,
    several=1,
    ending=".csv",
    policy=True,
)
@example(
    file=("csv", b"\n".join((GVRET[0], GVRET[2], GVRET[0]))), size=40, several=1, ending=".csv", policy=False
)
def test_pieces_give_the_table_and_summary_of_the_whole(
    file: tuple[str, bytes], size: int, several: int, ending: str, policy: bool
) -> None:
    format_ending, content = file
    wanted = job(ending, policy=policy)
    with TemporaryDirectory() as folder, blocks_of(size):
        path = Path(folder, f"drive.{format_ending}")
        path.write_bytes(content)
        whole = straight(path, wanted, Path(folder, f"whole{ending}"))
        outcome = decoded(path, wanted, several * size, Path(folder, f"pieces{ending}"))
        assert Path(folder, f"whole{ending}").read_bytes() == Path(folder, f"pieces{ending}").read_bytes()
        assert not Path(folder, f"pieces{ending}.parts").exists()
    assert outcome.summary is not None
    assert repr(outcome.summary.as_plain()) == repr(whole.as_plain())
    assert sum(size for _, size, _ in outcome.pieces) == len(content)


def test_a_summary_survives_json() -> None:
    wanted = job("")
    with TemporaryDirectory() as folder:
        path = Path(folder, "drive.log")
        path.write_bytes(b"\n".join(CANDUMP) + b"\n")
        with open_recording(path) as source:
            summary = decode_recording(source, prepared(wanted).decoder(None))
    again = Summary.from_plain(json.loads(json.dumps(summary.as_plain())))
    assert again.signals.keys() == summary.signals.keys()
    assert repr(again.as_plain()) == repr(summary.as_plain())


def test_more_buses_than_a_batch_can_name_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "drive.log"
    path.write_bytes(
        b"".join(b"(1700000000.%06d) bus%d 100#0102030405060708\n" % (n, n % 300) for n in range(900))
    )
    wanted = job(".csv")
    with blocks_of(1024):
        whole = straight(path, wanted, tmp_path / "whole.csv")
        outcome = decoded(path, wanted, 4096, tmp_path / "pieces.csv")
    assert (tmp_path / "whole.csv").read_bytes() == (tmp_path / "pieces.csv").read_bytes()
    assert outcome.summary is not None
    assert outcome.summary.frames == whole.frames == 768
    assert outcome.account is not None
    assert outcome.account["set_aside"] == {"more than 256 buses": 132}


def test_messages_in_transport_keep_their_recording_whole() -> None:
    ready = prepared(job("", policy=True))
    assert ready.divisible
    speaking = replace(ready.job, classes=(("car.classes.toml", f"j1939 = true\n{CLASSES}".encode()),))
    assert not prepared(speaking).divisible
