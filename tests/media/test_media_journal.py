"""Stills and clips in the journal: sealed in files beside it, bounded, erased, verified."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.clock import NS_PER_S
from edge.errors import JournalError
from edge.journal.block import BlockKind
from edge.journal.damage.integrity import Scrub
from edge.journal.damage.salvage import open_or_salvage
from edge.journal.media_block import LARGEST_BYTES
from edge.journal.media_files import MediaFiles
from edge.journal.upkeep.bounds import Bounds, endless
from edge.journal.upkeep.erase import erase
from edge.journal.upkeep.erasure import ErasureRequest
from edge.journal.upkeep.limits import BoundsSettings, Limit
from edge.journal.upkeep.removal import DiskSpace
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.vision.media import Media
from tests.journal.journal_rig import DAY_NS, PLATFORM, Rig
from tests.media.made import still

QUERY = "SELECT number FROM block WHERE kind = 5 AND size > 0 ORDER BY number"


def files(rig: Rig) -> list[Path]:
    folder = rig.folder / "media"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def keep(rig: Rig, *media: Media) -> None:
    for one in media:
        rig.open.journal.add_media(one, "mask")
    assert rig.open.journal.commit()


def kept(rig: Rig) -> list[Media]:
    with rig.open.reader() as reader:
        found = [reader.media(block) for block in reader.blocks() if block.header.kind is BlockKind.MEDIA]
    return [one for one in found if one is not None]


def unit(rig: Rig) -> dict[str, int]:
    (hop,) = [one for one in rig.open.journal.hops() if one.unit == "media"]
    assert hop.balanced
    return {"entered": hop.entered, "left": hop.left, **hop.set_aside}


def tend(rig: Rig, *limits: Limit, space: DiskSpace | None = None, total: int = 1 << 40) -> Bounds:
    bounds = Bounds(
        BoundsSettings(limits, total_bytes=total, least_bytes=0, period_s=0.0),
        destinations=(PLATFORM,),
        clock=rig.clock,
        boot=rig.open.boot,
        space=endless if space is None else lambda: space,
    )
    rig.open.journal.run_with_connection(lambda connection: bounds.step(connection) and None)
    rig.open.journal.run_with_connection(
        lambda connection: MediaFiles(rig.folder / "media").remove_gone(connection)
    )
    return bounds


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "journal", checkpoint_blocks=4)
    made.start()
    made.after(2)
    yield made
    made.stop()


def test_what_is_kept_comes_back_whole_and_verifies(rig: Rig) -> None:
    clip = replace(still(2, size=300_000), from_ns=5, to_ns=NS_PER_S, frames=30, cause="crash@5")
    small = still(3, size=500)
    keep(rig, still(), clip, small)
    assert kept(rig) == [still(), clip, small]
    assert len(files(rig)) == 2
    assert all(clip.content[100:200] not in one.read_bytes() for one in files(rig))
    rig.stop()
    rig.start()
    assert kept(rig) == [still(), clip, small]
    rig.open.journal.seal()
    rig.open.journal.commit()
    assert rig.verify(contents=True).holds


def test_an_alarm_is_committed_before_a_clip_that_waits(rig: Rig) -> None:
    rig.open.journal.add_media(still())
    rig.record(alarm=True)
    rig.open.journal.pump()
    assert [kind for kind, *_ in rig.kept()][-1] == BlockKind.RECORDS
    assert not files(rig)
    rig.after(2)
    rig.open.journal.pump()
    assert len(files(rig)) == 1
    assert rig.open.journal.idle()


def test_what_may_not_be_kept_or_is_too_much_is_counted(tmp_path: Path) -> None:
    label: dict[Purpose, str] = {Purpose.EVENT: "consent 3"}
    rig = Rig(tmp_path / "journal", ground=lambda *asked: label.get(asked[2][0]))
    rig.start()
    keep(rig, still(), still(2, purpose=Purpose.EVENT), replace(still(3), content=b"x" * (LARGEST_BYTES + 1)))
    keep(rig, replace(still(4, purpose=Purpose.EVENT), content=b"x" * (LARGEST_BYTES + 1)))
    for seed in range(3):
        rig.open.journal.add_media(replace(still(seed), content=bytes(15 << 20)))
    assert kept(rig) == [still(2, purpose=Purpose.EVENT)]
    assert rig.open.journal.commit()
    assert unit(rig) == {
        "entered": 7,
        "left": 1,
        "not kept for this purpose": 4,
        "cannot be written as a block": 1,
        "journal too slow": 1,
    }
    rig.stop()


def test_a_file_without_a_block_goes_and_a_block_without_its_file_is_named(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    keep(rig, still(), still(2))
    rig.stop()
    one, other = files(rig)
    (one.parent / ("ab" * 32)).write_bytes(b"orphan")
    (one.parent / "cd.part").write_bytes(b"half")
    rig.start()
    assert files(rig) == [one, other]
    other.write_bytes(other.read_bytes()[:-1] + b"?")
    one.unlink()
    report = rig.verify()
    assert sorted(fault.what for fault in report.faults) == [
        "its file is missing",
        "its sealed content was changed",
    ]
    scrub = Scrub(rig.clock, period_s=0.0, files=MediaFiles(one.parent))
    rig.open.journal.run_with_connection(scrub.step)
    assert sorted(scrub.damaged.values()) == ["its file is missing", "its file was changed"]
    with rig.open.reader() as reader, pytest.raises(JournalError, match=r"file is missing|was changed"):
        list(map(reader.media, reader.blocks()))
    rig.stop()
    caplog.set_level(logging.ERROR)
    rig.start()
    assert "1 stills or clips of the journal have lost their files" in caplog.text


class KilledError(Exception):
    """In place of the process's end."""


def test_a_crash_between_file_and_row_leaves_nothing_behind(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(rig, still())

    def die(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("edge.journal.committer.Committer._transact", die)
        rig.open.journal.add_media(still(2))
        with pytest.raises(KilledError):
            rig.open.journal.commit()
    assert len(files(rig)) == 2
    rig.open._stack.close()
    rig.opened = None
    rig.start()
    assert len(files(rig)) == 1
    assert kept(rig) == [still()]
    assert rig.verify(contents=True).holds


def test_on_a_full_disk_a_still_is_counted_and_the_rest_goes_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        rig.open.journal.add_media(still())
        rig.record()
        assert rig.open.journal.commit()
    keep(rig, still(2))
    assert unit(rig) == {"entered": 2, "left": 1, "no room for its file": 1}
    assert kept(rig) == [still(2)]
    assert len(files(rig)) == 1
    assert rig.open.journal.committed_number == 1
    assert rig.verify(contents=True).holds


def test_bounds_remove_block_and_file_and_the_chain_still_verifies(rig: Rig) -> None:
    keep(rig, *(still(seed) for seed in range(4)))
    rig.frames()
    tend(rig, Limit(frozenset({BlockKind.MEDIA}), bytes=45_000))
    assert kept(rig) == [still(2), still(3)]
    assert len(files(rig)) == 2
    used = sum(one.stat().st_size for one in files(rig))
    tend(rig, space=DiskSpace(0, used * 10))
    assert kept(rig) == [still(3)]
    assert rig.rows("SELECT count(*) FROM block WHERE kind = 1 AND size > 0") == [(1,)]
    rig.after(15 * DAY_NS / NS_PER_S)
    tend(rig, Limit(frozenset(BlockKind), frozenset({"exterior"}), days=14, strict=True))
    assert not kept(rig)
    assert not files(rig)
    assert rig.verify(contents=True).holds


def test_media_count_towards_what_the_journal_may_hold(rig: Rig) -> None:
    keep(rig, *(still(seed, size=200_000) for seed in range(4)))
    tend(rig, total=650_000)
    assert kept(rig) == [still(2, size=200_000), still(3, size=200_000)]


def test_erasure_destroys_the_key_and_removes_the_file(rig: Rig) -> None:
    keep(rig, still(), still(2, data_class=DataClass.CABIN))
    before = {one: one.read_bytes() for one in files(rig)}
    done = erase(rig.open, ErasureRequest(DataClass.CABIN, reason="asked"), rig.inside())
    assert done.blocks == 1
    assert kept(rig) == [still()]
    (left,) = files(rig)
    gone = next(content for one, content in before.items() if one != left)
    assert gone not in left.read_bytes()
    assert rig.verify(contents=True).holds


def test_a_withdrawn_consent_takes_what_rests_on_it_alone(tmp_path: Path) -> None:
    rig = Rig(
        tmp_path / "journal",
        ground=lambda *asked: "consent 3" if asked[2][0] is Purpose.EVENT else "",
    )
    rig.start()
    keep(rig, still(), still(2, purpose=Purpose.EVENT))
    erase(rig.open, ErasureRequest(DataClass.EXTERIOR, consents=frozenset({3})), rig.inside())
    keep(rig, still(4, purpose=Purpose.EVENT))
    assert kept(rig) == [still()]
    assert unit(rig)["not kept for this purpose"] == 1
    rig.stop()


def test_the_media_of_a_damaged_journal_move_aside_with_it(rig: Rig) -> None:
    keep(rig, still())
    rig.stop()
    (rig.folder / "journal.db").write_bytes(b"no database" * 1000)
    rig.opened, told = open_or_salvage(rig.folder, rig.provider, rig.settings, rig.inside())
    keep(rig, still(2))
    assert kept(rig) == [still(2)]
    assert len(list((rig.folder / told[0].kept_in / "media").iterdir())) == 1
    assert len(files(rig)) == 1


def test_a_journal_in_memory_keeps_media_in_its_rows(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "journal", vfs="unix")
    rig.folder.mkdir()
    rig.start()
    keep(rig, still())
    assert kept(rig) == [still()]
    assert not files(rig)
    assert rig.rows("SELECT length(ciphertext) > 20000 FROM block") == [(1,)]
    rig.stop()
