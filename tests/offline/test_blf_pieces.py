"""A BLF log decoded in pieces is the log decoded whole, also where it is damaged."""

from __future__ import annotations

import io
import random
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast
from unittest import mock

import can
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.formats.base import Span
from edge.bus.recording import Format, open_recording, recognised
from edge.offline.bulk import BulkDecode
from edge.offline.engines import HereEngine
from edge.offline.inputs import find_inputs
from edge.offline.storage import UrlStorage, storage_of
from edge.offline.target import Target
from tests.offline.test_pieces import decoded, job, read, straight


def blf(messages: int, *, container: int, level: int, seed: int = 1) -> bytes:
    """A BLF log in containers of so many unpacked bytes, objects cut by them."""
    source = random.Random(seed)  # noqa: S311 - to be repeated, not secret
    file = io.BytesIO()
    writer = can.BLFWriter(cast("str", file), max_container_size=container, compression_level=level)
    for number in range(messages):
        fd = source.random() < 0.2
        writer.on_message_received(
            can.Message(
                timestamp=1_700_000_000 + number * 0.001,
                arbitration_id=source.choice((256, 257, 258, 291)),
                is_extended_id=False,
                is_error_frame=not fd and source.random() < 0.05,
                is_fd=fd,
                data=source.randbytes(64 if fd else 8),
                channel=source.randrange(3),
            )
        )
    with mock.patch.object(file, "close"):
        writer.stop()
    return file.getvalue()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A log, mostly with some of its bytes changed, cut out or put in."""
    content = bytearray(
        blf(
            draw(st.integers(0, 60)),
            container=draw(st.sampled_from((100, 200, 300, 1000))),
            level=draw(st.sampled_from((0, 6))),
        )
    )
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(144, max(144, len(content))))
        match draw(st.integers(0, 2)):
            case 0:
                content[place : place + 1] = draw(st.binary(min_size=1, max_size=4))
            case 1:
                del content[place : place + draw(st.integers(1, 200))]
            case _:
                content[place:place] = draw(st.sampled_from((b"LOBJ", b"\0" * 9, b"x" * 40)))
    return bytes(content)


@settings(max_examples=60, deadline=None)
@given(content=damaged(), cuts=st.sets(st.integers(1, 6000), max_size=5))
def test_spans_hold_the_containers_of_the_whole(content: bytes, cuts: set[int]) -> None:
    begins = [0, *(cut for cut in sorted(cuts) if cut < len(content))]
    spans = [Span(begin, end) for begin, end in zip(begins, [*begins[1:], None], strict=True)]
    with TemporaryDirectory() as folder:
        path = Path(folder, "drive.blf")
        path.write_bytes(content)
        whole, counts = read(path, [Span()])
        pieces, piece_counts = read(path, spans)
    assert len(whole) == len(pieces)
    assert all(one.equals(other) for one, other in zip(whole, pieces, strict=True))
    assert counts == piece_counts


@settings(max_examples=25, deadline=None)
@given(content=damaged(), size=st.integers(100, 2000), ending=st.sampled_from((".csv", ".parquet")))
def test_pieces_give_the_table_and_summary_of_the_whole(content: bytes, size: int, ending: str) -> None:
    wanted = job(ending)
    with TemporaryDirectory() as folder:
        path = Path(folder, "drive.blf")
        path.write_bytes(content)
        whole = straight(path, wanted, Path(folder, f"whole{ending}"))
        outcome = decoded(path, wanted, size, Path(folder, f"pieces{ending}"))
        assert Path(folder, f"whole{ending}").read_bytes() == Path(folder, f"pieces{ending}").read_bytes()
    assert outcome.summary is not None
    assert repr(outcome.summary.as_plain()) == repr(whole.as_plain())


@pytest.mark.parametrize("level", [0, 6])
def test_pieces_of_a_whole_log_are_not_done_twice(tmp_path: Path, level: int) -> None:
    """Objects are cut by containers of this size, and what is guessed of them is right."""
    path = tmp_path / "drive.blf"
    path.write_bytes(blf(3000, container=5000, level=level))
    size = path.stat().st_size
    spans = [Span(begin, begin + 10_000) for begin in range(0, size, 10_000)]
    spans[-1] = Span(spans[-1].begin)
    assert len(spans) > 3
    carried: str | None = None
    for span in spans:
        with open_recording(path, span=span) as source:
            while source.read(0.0) is not None:
                pass
            assert carried is None or source.carried_in == carried
            carried = source.carried_out


@pytest.mark.parametrize(("margin", "again"), [(60_000, False), (1000, True)])
def test_pieces_by_url_hold_what_they_need(tmp_path: Path, margin: int, *, again: bool) -> None:
    """Where containers reach further over the ends of pieces than is copied, all of the log is."""
    pytest.importorskip("fsspec")
    content = blf(900, container=20_000, level=0)
    folder = f"memory://blf/{tmp_path.name}"
    storage_of(folder).write(f"{folder}/drive.blf", content)
    (tmp_path / "drive.blf").write_bytes(content)
    wanted = job(".csv")
    straight(tmp_path / "drive.blf", wanted, tmp_path / "whole.csv")
    spans: list[Span] = []
    at_hand = UrlStorage.at_hand

    def watched(self: UrlStorage, location: str, span: Span) -> AbstractContextManager[Path]:
        spans.append(span)
        return at_hand(self, location, span)

    def with_little_margin(head: bytes, name: str) -> Format | None:
        known = recognised(head, name)
        return known and replace(known, margin_bytes=margin)

    with (
        mock.patch.object(UrlStorage, "at_hand", watched),
        mock.patch("edge.offline.storage.recognised", with_little_margin),
    ):
        run = BulkDecode(
            find_inputs([f"{folder}/drive.blf"]).recordings,
            wanted,
            Target(str(tmp_path / "far.csv"), False, wanted.ending, wanted.fingerprint()),
            HereEngine(),
            tell=pytest.fail,
            advance=lambda _: None,
            piece_bytes=8192,
        )
        assert [outcome.failure for outcome in run.run()] == [""]
    assert (tmp_path / "far.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert (Span() in spans) == again
    assert len(spans) > 5
