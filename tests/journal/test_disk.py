"""A disk that is full, read-only, slow or gone: what is committed stays, the rest is told, it recovers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edge.account import Hop
from edge.clock import SystemClock
from edge.journal.block import BlockKind
from edge.journal.upkeep.bounds import Bounds, space_at
from edge.journal.upkeep.limits import BoundsSettings
from edge.journal.writer import WriterThread
from edge.records import Record
from edge.uplink.outgoing import Kind
from tests.journal.faulty_disk import Fault, FaultyDisk, faulty
from tests.journal.journal_rig import PLATFORM, Rig

WRITE_NS = 500_000_000
HANDED_BACK = "journal not writable, handed back"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultyDisk]:
    with faulty(tmp_path) as made:
        yield made


@pytest.fixture
def rig(tmp_path: Path, disk: FaultyDisk) -> Iterator[Rig]:
    made = Rig(tmp_path / "journal").start()
    yield made
    disk.fault = Fault.NONE
    made.stop()


def hop(rig: Rig, unit: str) -> Hop:
    (found,) = [one for one in rig.open.journal.hops() if one.unit == unit]
    return found


def numbers(rig: Rig) -> list[int]:
    with rig.open.reader() as reader:
        return [one.record.number for one in reader.records(1, 1 << 40)]


@pytest.mark.parametrize("fault", [Fault.FULL, Fault.READ_ONLY, Fault.GONE])
def test_records_are_handed_back_while_the_disk_refuses_and_none_committed_is_lost(
    rig: Rig, disk: FaultyDisk, fault: Fault
) -> None:
    back: list[Record] = []
    reasons: list[str] = []

    def handed_back(records: Sequence[Record], why: str) -> None:
        back.extend(records)
        reasons.append(why)

    rig.open.journal.on_failure = handed_back
    rig.records(5)
    disk.fault = fault
    for _ in range(3):
        rig.record()
        rig.frames(200)
    assert [one.number for one in back] == [6]
    assert rig.record() is None
    assert rig.open.journal.failure
    assert {Fault.FULL: "full", Fault.READ_ONLY: "ReadOnly", Fault.GONE: "gone"}[fault] in reasons[0]
    rig.after(60)
    rig.open.journal.pump()
    assert rig.open.journal.failure, "a retry that fails changes nothing"
    disk.fault = Fault.NONE
    rig.after(60)
    rig.open.journal.pump()
    assert not rig.open.journal.failure
    rig.records(3)
    assert numbers(rig) == [1, 2, 3, 4, 5, 6, 7, 8]
    records, frames = hop(rig, "records"), hop(rig, "frames")
    assert records.balanced
    assert frames.balanced
    assert records.set_aside == {HANDED_BACK: 1}
    assert frames.set_aside == {"journal not writable": 600}
    assert rig.verify(contents=True).holds


def test_acknowledgements_of_a_bad_time_are_written_when_it_is_over(rig: Rig, disk: FaultyDisk) -> None:
    rig.records(3)
    forwarder = rig.forwarder()
    forwarder.flush()
    held = []
    for kind in Kind:
        position = 0
        while (item := forwarder.next(kind, position)) is not None:
            position = item[0]
            held.append(position)
    assert rig.rows("SELECT count(*) FROM message")[0][0] == len(held) > 0
    disk.fault = Fault.READ_ONLY
    for position in held:
        forwarder.acknowledge(position)
    rig.open.journal.commit()
    disk.fault = Fault.NONE
    rig.after(60)
    rig.open.journal.pump()
    assert rig.rows("SELECT count(*) FROM message") == [(0,)]
    forwarder.own_thread = True
    forwarder.close()


def test_a_slow_disk_delays_and_loses_nothing(rig: Rig, disk: FaultyDisk) -> None:
    """Every write takes half a second of the gateway's clock; data go on coming meanwhile."""
    start_ns = rig.clock.boot_ns()
    made = 0

    def slow() -> None:
        rig.clock.advance_to(rig.clock.boot_ns() + WRITE_NS)

    disk.on_write = slow
    while rig.clock.boot_ns() - start_ns < 600 * 1_000_000_000:
        while made < (rig.clock.boot_ns() - start_ns) // 1_000_000_000:
            made += 1
            assert rig.open.journal.add_record(
                Record(0, start_ns + made * 1_000_000_000, rig.clock.timebase(), {"vehicle.speed": 1}, "mask")
            )
        rig.open.journal.pump()
        rig.after(0.25)
    disk.on_write = lambda: None
    rig.open.journal.commit()
    assert made > 500
    assert numbers(rig) == list(range(1, made + 1))
    assert hop(rig, "records").set_aside == {}
    assert hop(rig, "records").facts["transactions"] < made / 2, "a slow disk is given larger transactions"


def test_the_disk_stands_still_and_only_what_does_not_fit_the_queue_is_dropped(
    tmp_path: Path, disk: FaultyDisk
) -> None:
    rig = Rig(tmp_path / "still").start()
    rig.open.journal.attach(threading.Event())
    waiting, go_on = threading.Event(), threading.Event()

    def stand_still() -> None:
        waiting.set()
        assert go_on.wait(30)

    writer = WriterThread(rig.open.journal, SystemClock())
    writer.start()
    disk.on_write = stand_still
    try:
        rig.record(alarm=True)
        rig.open.journal.edit([], urgent=True)
        assert waiting.wait(30), "the writer is at the disk"
        taken = 0
        while not hop_set_aside(rig).get("journal too slow"):
            add_frames(rig, 20_000)
            taken += 1
            assert taken < 200
        for _ in range(20):
            assert rig.record() is not None
    finally:
        go_on.set()
        writer.stop()
    assert numbers(rig) == list(range(1, 22))
    frames = hop(rig, "frames")
    assert frames.balanced
    assert frames.set_aside == {"journal too slow": 20_000}
    assert frames.left > 5 * 17_000, "five seconds of a full load wait"
    rig.stop()


def hop_set_aside(rig: Rig) -> dict[str, int]:
    return {cause: n for one in rig.open.journal.hops() for cause, n in one.set_aside.items()}


def add_frames(rig: Rig, count: int) -> None:
    rig.open.journal.add_frames(rig.batch(count))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = os.geteuid() == 0 and not subprocess.call(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(folder)],
        stderr=subprocess.DEVNULL,
    )
    if not made:
        pytest.skip("mounting a small file system takes root's rights")
    yield folder
    subprocess.check_call(["umount", "-l", str(folder)])


def bounds_on(rig: Rig, folder: Path, settings: BoundsSettings) -> Bounds:
    return Bounds(
        settings,
        destinations=[PLATFORM],
        clock=rig.clock,
        boot=rig.boot,
        space=space_at(folder),
        folder=rig.folder,
    )


def fill(folder: Path) -> Path:
    """Write until nothing more can be written."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def test_a_small_real_disk_is_filled_and_the_journal_goes_on_in_its_room(small_disk: Path) -> None:
    rig = Rig(small_disk / "journal").start()
    settings = BoundsSettings(
        free_bytes=1_500_000, free_share=1.0, least_bytes=500_000, spare_bytes=200_000, reserve_bytes=0
    )
    bounds = bounds_on(rig, small_disk, settings)
    rig.rows("PRAGMA wal_autocheckpoint = 100")
    rig.open.journal.make_room = bounds.make_room
    rig.open.journal.chores.append(bounds.step)
    rig.records(20)
    for _ in range(500):
        rig.frames(1_000)
        rig.after(10)
        rig.open.journal.pump()
    assert hop(rig, "frames").left == 500_000
    assert hop(rig, "frames").set_aside == {}
    assert numbers(rig) == list(range(1, 21))
    assert len([one for one in rig.kept() if one[0] == BlockKind.FRAMES]) > 20
    assert {cause for one in bounds.hops() for cause in one.set_aside} == {"the disk is short of space"}
    assert rig.verify(contents=True).holds
    rig.stop()


def test_a_disk_that_others_fill_takes_new_data_in_the_place_of_the_old(small_disk: Path) -> None:
    rig = Rig(small_disk / "journal").start()
    bounds = bounds_on(
        rig, small_disk, BoundsSettings(reserve_bytes=800_000, free_bytes=0, spare_bytes=300_000)
    )
    rig.rows("PRAGMA wal_autocheckpoint = 50")
    rig.open.journal.make_room = bounds.make_room
    rig.open.journal.chores.append(bounds.step)
    rig.open.journal.pump()
    for _ in range(60):
        rig.frames(1_000)
    fill(small_disk)
    for _ in range(200):
        rig.frames(1_000)
        rig.after(1)
        rig.open.journal.pump()
    rig.records(5)
    assert not rig.open.journal.failure
    assert numbers(rig) == [1, 2, 3, 4, 5]
    frames = hop(rig, "frames")
    assert (frames.left, frames.set_aside) == (260_000, {})
    (removed,) = [one for one in bounds.hops() if one.unit == "frames"]
    assert removed.set_aside["the disk is short of space"] > 10_000
    assert rig.verify(contents=True).holds
    rig.stop()


def test_others_fill_the_disk_and_free_it_again(small_disk: Path) -> None:
    rig = Rig(small_disk / "journal").start()
    rig.records(5)
    filler = fill(small_disk)
    for _ in range(50):
        rig.frames(1_000)
    assert rig.open.journal.failure == "disk full"
    filler.unlink()
    rig.after(20)
    rig.open.journal.pump()
    rig.records(5)
    assert numbers(rig) == list(range(1, 11))
    assert hop(rig, "frames").balanced
    assert hop(rig, "frames").set_aside["journal not writable"] > 0
    assert rig.verify(contents=True).holds
    rig.stop()
