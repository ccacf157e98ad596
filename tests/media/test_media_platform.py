"""The platform puts stills and clips together, checks them by hash, says what is missing, and shows them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from edge.cli.platform_query import command
from edge.uplink.outgoing import Kind
from edge.wire.loss import LossCause
from edge.wire.media_message import (
    MediaAbout,
    MediaChunk,
    MediaEnded,
    encode_chunk,
    encode_ended,
    media_stream,
)
from edge.wire.receipt import NumberRange, Receipt
from simulator.platform.media_rows import KeptMedia, MediaState
from simulator.platform.reader import StoreReader
from tests.media.test_media_message import ABOUT
from tests.simulator.platform_rig import VEHICLE, Rig

CONTENT = Random(7).randbytes(10_000)  # noqa: S311 - a test repeats its seed
WHOLE = replace(ABOUT, vehicle=VEHICLE, size=len(CONTENT), digest=hashlib.sha256(CONTENT).digest(), from_ns=0)
NAME = media_stream(WHOLE.stream, WHOLE.block)


class Site:
    """A platform that is sent chunks."""

    def __init__(self, path: Path) -> None:
        self.rig = Rig(path)

    def send(self, first: int, last: int, about: MediaAbout = WHOLE, content: bytes = CONTENT) -> None:
        """Send the bytes `first` to `last`, counted from 1."""
        self.put(encode_chunk(MediaChunk(about, first - 1, content[first - 1 : last])))

    def end(self, cause: LossCause) -> None:
        self.put(encode_ended(MediaEnded(VEHICLE, WHOLE.stream, WHOLE.block, cause)))

    def put(self, content: bytes) -> None:
        self.rig.send(self.rig.vehicle.sign(content), self.rig.vehicle.topics.up(Kind.MEDIA))

    def receipt(self) -> Receipt:
        (found,) = self.rig.receipts()
        assert found.stream == NAME
        return found

    def kept(self) -> tuple[KeptMedia, bytes | None]:
        with StoreReader(self.rig.path) as reader:
            (found,) = reader.media(vehicle=VEHICLE)
            return found, reader.media_content(found)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "platform.db")


def test_chunks_in_any_order_become_the_still_and_doubles_are_dropped(site: Site) -> None:
    site.send(7_001, 10_000)
    site.send(1, 2_000)
    assert site.receipt() == Receipt(
        NAME, 2_000, (NumberRange(2_001, 7_000),), site.rig.now_ns, highest=10_000
    )
    site.send(1, 2_000)
    site.send(1_500, 5_000)
    kept, content = site.kept()
    assert content is None
    assert site.receipt().watermark == 5_000
    kept, content = site.kept()
    assert (kept.state, kept.missing()) == (MediaState.ARRIVING, [(5_001, 7_000)])
    site.send(5_001, 7_500)
    assert site.receipt() == Receipt(NAME, 10_000, server_time_ns=site.rig.now_ns)
    site.send(1, 2_000)
    assert site.receipt().watermark == 10_000
    kept, content = site.kept()
    assert (kept.state, kept.doubles, content) == (MediaState.COMPLETE, 2, CONTENT)
    assert site.rig.messages == {"stored": 4, "double": 2}
    assert kept.about == WHOLE


def test_what_was_not_committed_is_forgotten(site: Site) -> None:
    site.send(1, 5_000)
    site.rig.store.rollback()
    site.send(5_001, 10_000)
    assert site.receipt().watermark == 0
    assert site.kept()[0].missing() == [(1, 5_000)]


def test_what_is_not_what_its_hash_says_is_not_kept(site: Site) -> None:
    site.send(1, 10_000, content=bytes(10_000))
    assert site.receipt().watermark == 10_000
    kept, content = site.kept()
    assert (kept.state, content) == (MediaState.DAMAGED, None)
    assert [alert.text for alert in site.rig.alerts] == [
        "the media of block 7 are not what their hash says; they are not kept"
    ]


@pytest.mark.parametrize("about", [replace(WHOLE, camera="rear"), replace(WHOLE, digest=b"e" * 32)])
def test_chunks_that_contradict_each_other_are_refused(site: Site, about: MediaAbout) -> None:
    site.send(1, 5_000)
    site.send(5_001, 10_000, about)
    assert site.rig.messages == {"stored": 1, "impossible content": 1}


def test_another_vehicles_or_a_foreign_signature_is_refused(site: Site) -> None:
    site.send(1, 100, replace(WHOLE, vehicle="LNEVGATE000000002"))
    site.rig.send(b"no signature", site.rig.vehicle.topics.up(Kind.MEDIA))
    site.put(b"\xa1\x01\x01")
    site.rig.send(site.rig.vehicle.numbers(1, 2), site.rig.vehicle.topics.up(Kind.MEDIA))
    assert site.rig.messages == {"stored": 0, "wrong vehicle": 1, "unsigned": 1, "malformed": 2}


@pytest.mark.parametrize(
    ("cause", "state"),
    [
        (LossCause.ERASED, MediaState.ERASED),
        (LossCause.WITHHELD, MediaState.WITHHELD),
        (LossCause.LOST, MediaState.LOST),
    ],
)
def test_what_ends_in_the_vehicle_is_let_go_of(site: Site, cause: LossCause, state: MediaState) -> None:
    site.end(cause)
    site.send(1, 5_000)
    site.rig.receipts()
    site.end(cause)
    assert site.receipt().watermark == 10_000
    kept, content = site.kept()
    assert (kept.state, kept.missing(), content) == (state, [], None)
    with StoreReader(site.rig.path) as reader, reader._guarded():
        assert reader._connection.execute("SELECT count(*) FROM media_chunk").fetchone() == (0,)
    assert site.rig.messages == {"stored": 2, "end of media of which nothing came": 1}


def test_a_complete_still_outlasts_a_late_end_unless_it_was_erased(site: Site) -> None:
    site.send(1, 10_000)
    site.end(LossCause.LOST)
    site.rig.receipts()
    assert site.kept()[1] == CONTENT
    site.end(LossCause.ERASED)
    site.rig.receipts()
    assert site.kept()[1] is None


def test_a_receipt_of_many_gaps_acknowledges_nothing_that_is_not_here(site: Site) -> None:
    for first in range(1, 10_000, 35):
        site.send(first, first)
    receipt = site.receipt()
    assert len(receipt.missing) == 256
    assert receipt.highest == 256 * 35 + 1
    assert receipt.watermark == 1


def test_they_are_listed_and_written_out(site: Site, tmp_path: Path) -> None:
    site.send(1, 10_000)
    other = replace(WHOLE, block=9, camera="rear")
    site.send(2_001, 3_000, other)
    site.rig.receipts()
    out = tmp_path / "out"
    done = CliRunner().invoke(command, [str(site.rig.path), "media", "--json", "--out", str(out)])
    assert done.exit_code == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["camera"], row["state"], row["received"], row["missing"]) for row in rows] == [
        ("front", "complete", 10_000, []),
        ("rear", "arriving", 1_000, ["1-2000", "3001-10000"]),
    ]
    (written,) = out.iterdir()
    assert written.read_bytes() == CONTENT
    assert written.suffix == ".jpg"
    table = CliRunner().invoke(command, [str(site.rig.path), "media"])
    assert "crash@81" in table.stdout
