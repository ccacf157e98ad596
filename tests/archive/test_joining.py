"""Raw frames come out of a journal as they went in: whole, in order of arrival, what is missing named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.archive.contents import event_window
from edge.archive.joining import FrameReader, JoinedFrames
from edge.archive.selection import Selection
from edge.clock import NS_PER_S, TimeQuality
from edge.errors import JournalError
from edge.frames import Frame, FrameBatch, concatenate
from edge.journal.block import BlockKind
from edge.journal.chain import Draft
from edge.journal.event_notes import EventNotes
from edge.policy.classes import DataClass
from edge.vehicle.outcome import EventEnded, EventStarted
from edge.wire.strict_cbor import CborValue, write_cbor
from tests.archive.kept import KeptRig, archive, batch, drawn_second, keep_frames
from tests.journal.journal_rig import EPOCH_NS, Rig, timebase_at


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = KeptRig(tmp_path / "journal").start()
    yield made
    made.stop()


def joined(rig: Rig, selection: Selection = Selection()) -> list[JoinedFrames]:  # noqa: B008 - frozen
    with archive(rig.folder) as opened:
        return list(FrameReader(opened, selection))


def all_of(found: list[JoinedFrames]) -> FrameBatch:
    return concatenate([one.batch for one in found])


def test_two_classes_are_one_again_in_order_of_arrival(rig: Rig) -> None:
    kept = [keep_frames(rig, drawn_second(rig)) for _ in range(4)]
    found = joined(rig)
    assert [len(one.numbers) for one in found] == [2, 2, 2, 2]
    assert all_of(found).equals(concatenate(kept))
    assert not any(one.missing for one in found)


def test_a_class_that_is_not_asked_for_is_named(rig: Rig) -> None:
    kept = keep_frames(rig, drawn_second(rig))
    (found,) = joined(rig, Selection(classes=frozenset({"position"})))
    assert found.batch.equals(kept.take(kept.arbitration_id % 2 == 1))
    assert found.missing == {DataClass.OPERATION}


def test_a_class_that_was_erased_is_named_and_the_other_stays(rig: Rig) -> None:
    kept = keep_frames(rig, drawn_second(rig))
    rig.open.keys.destroy("position")
    with archive(rig.folder) as opened:
        reader = FrameReader(opened, Selection())
        (found,) = list(reader)
    assert found.batch.equals(kept.take(kept.arbitration_id % 2 == 0))
    assert found.missing == {DataClass.POSITION}
    assert reader.unreadable == {"key destroyed": 1}


def test_two_periods_are_not_taken_for_one(rig: Rig) -> None:
    odd = [Frame(place, 0x101, bytes(8), "pt") for place in (0, 1_000)]
    even = [Frame(NS_PER_S + place, 0x100, bytes(8), "pt") for place in (0, 1_000)]
    kept = [keep_frames(rig, odd), keep_frames(rig, even)]
    found = joined(rig)
    assert [(len(one.batch), one.numbers) for one in found] == [(2, (1,)), (2, (2,))]
    assert all_of(found).equals(concatenate(kept))


def test_a_range_of_time_is_cut_to_the_frame(rig: Rig) -> None:
    kept = concatenate([keep_frames(rig, drawn_second(rig)) for _ in range(3)])
    middle, end = int(np.sort(kept.t_ns)[70]), int(np.sort(kept.t_ns)[130])
    expected = kept.take((kept.t_ns >= middle) & (kept.t_ns < end))
    by_wall = joined(rig, Selection(from_ns=EPOCH_NS + middle, to_ns=EPOCH_NS + end))
    assert all_of(by_wall).equals(expected)
    by_boot = joined(rig, Selection(span=(middle, end - 1)))
    assert all_of(by_boot).equals(expected)
    assert by_wall[0].stamps.time_ns[0] == EPOCH_NS + by_wall[0].batch.t_ns[0]


def test_a_later_fix_gives_earlier_frames_their_time(rig: Rig) -> None:
    rig.clock.set_timebase(timebase_at(0, TimeQuality.NONE))
    kept = keep_frames(rig, drawn_second(rig))
    middle_ns = int(np.sort(kept.t_ns)[30])
    note: dict[int, CborValue] = {
        1: 0,
        2: [0, 0],
        3: [EPOCH_NS, int(TimeQuality.GNSS)],
        4: [middle_ns, 2**60],
    }
    rig.open.journal.add_note(
        Draft(BlockKind.TIME, "", write_cbor(note), rig.boot, 0, 0, timebase_at(0, TimeQuality.NONE), count=1)
    )
    rig.open.journal.commit()
    (found,) = joined(rig)
    known = found.batch.t_ns >= middle_ns
    assert 0 < known.sum() < len(known)
    assert (found.stamps.quality == np.where(known, TimeQuality.GNSS, TimeQuality.NONE)).all()
    assert (found.stamps.time_ns - found.batch.t_ns == np.where(known, EPOCH_NS, 0)).all()
    assert joined(rig, Selection(from_ns=EPOCH_NS))[0].batch.equals(found.batch.take(known))


def test_another_boot_is_left_out(rig: Rig) -> None:
    keep_frames(rig, drawn_second(rig))
    rig.stop()
    rig.boot = b"second boot_____"
    rig.start()
    kept = keep_frames(rig, drawn_second(rig))
    found = joined(rig, Selection(boot=rig.boot.hex()[:6]))
    assert all_of(found).equals(kept)


def test_frames_are_read_while_the_gateway_writes_them(rig: Rig) -> None:
    kept = [keep_frames(rig, drawn_second(rig)) for _ in range(2)]
    with archive(rig.folder) as opened:
        reading = iter(FrameReader(opened, Selection()))
        first = next(reading)
        keep_frames(rig, drawn_second(rig))
        found = [first, *reading]
    assert all_of(found).equals(concatenate(kept))


def test_an_event_is_found_by_its_name_and_its_frames_by_its_window(rig: Rig) -> None:
    notes = EventNotes(rig.boot)
    before = keep_frames(rig, drawn_second(rig))
    start_ns = rig.clock.boot_ns()
    began = EventStarted("braking@7", "braking", 7, start_ns, start_ns + 9, "speed", True, False, start_ns)
    rig.open.journal.add_note(notes.note(began, rig.clock.timebase()))
    event = batch(drawn_second(rig), rig.clock.timebase())
    rig.open.journal.add_event_frames(event, locked=False)
    end_ns = rig.clock.boot_ns()
    ended = EventEnded("braking@7", "braking", start_ns, end_ns, "over", 60, 0)
    rig.open.journal.add_note(notes.note(ended, rig.clock.timebase()))
    rig.open.journal.commit()
    with archive(rig.folder) as opened:
        window = event_window(opened, "braking@7")
        assert (window.boot, window.from_ns, window.to_ns) == (rig.boot, start_ns, end_ns)
        with pytest.raises(JournalError, match="no event 'braking@8'") as refused:
            event_window(opened, "braking@8")
    assert "braking@7" in refused.value.todo
    span = (window.from_ns, window.to_ns)
    found = joined(rig, Selection(kinds=frozenset({BlockKind.EVENT_FRAMES}), span=span))
    assert all_of(found).equals(event.take((event.t_ns >= span[0]) & (event.t_ns <= span[1])))
    assert all_of(joined(rig, Selection(kinds=frozenset({BlockKind.FRAMES})))).equals(before)
