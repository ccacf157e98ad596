"""Events of a gateway with a journal: their frames and their notes, locked as their trigger says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.frames import Frame, FrameBatch
from edge.journal.block import BlockKind
from edge.journal_road import JournalRoad
from edge.wire.strict_cbor import read_cbor
from tests.gateway.rig import MS, Rig, S, alarm, motion, source
from tests.gateway.test_journal_road import journal

FAST = """
[[event]]
name = "fast"
all_of = ["pt.Motion.Speed > 100"]
pre_s = 2
post_s = 3
"""
COLLISION = """
[collision]
airbag = ["pt.Alarms.Thermal"]
"""
THERMAL = 0xFF


def traffic(at_s: int, *, seconds: int) -> list[Frame]:
    """A frame every 100 ms; it is fast, or the airbag goes off, for a second from `at_s` on."""
    frames = []
    for tenth in range(seconds * 10):
        there = at_s * 10 <= tenth < at_s * 10 + 10
        frames.append(motion(tenth * 100 * MS, 150 if there else 50))
        frames.append(Frame(tenth * 100 * MS + MS, alarm(0, up=False).arbitration_id, flags(there), "pt"))
    return frames


def flags(up: bool) -> bytes:
    return bytes([THERMAL if up else 0, *bytes(7)])


def batches(frames: list[Frame]) -> list[list[Frame]]:
    return [frames[begin : begin + 20] for begin in range(0, len(frames), 20)]


@pytest.mark.parametrize(
    ("lines", "locked", "window_s"),
    [(FAST, False, (18, 24)), (COLLISION, True, (15, 25))],
    ids=["own", "collision"],
)
def test_the_frames_of_an_event_are_kept_as_they_were(
    tmp_path: Path, lines: str, locked: bool, window_s: tuple[int, int]
) -> None:
    rig = Rig(tmp_path, uplink=f"{journal(tmp_path)}{lines}")
    frames = traffic(20, seconds=40)
    rig.gateway.run(source(batches(frames)), stop=rig.stop)
    assert isinstance(rig.gateway.road, JournalRoad)
    opened = rig.gateway.road._opened
    opened.journal.commit()
    rows = opened.journal.run_with_connection(
        lambda connection: connection.execute(
            "SELECT number, kind, locked FROM block WHERE kind IN (?, ?) ORDER BY number",
            (int(BlockKind.EVENT), int(BlockKind.EVENT_FRAMES)),
        ).fetchall()
    )
    assert {bool(each[2]) for each in rows} == {locked}
    kept: list[FrameBatch] = []
    notes = []
    with opened.reader() as reader:
        for number, kind, _ in rows:
            assert isinstance(number, int)
            block = reader.block(number)
            assert block is not None
            if kind == BlockKind.EVENT_FRAMES:
                found = reader.frames(block)
                assert found is not None
                kept.append(found.batch)
            else:
                plain = reader.plaintext(block)
                assert plain is not None
                notes.append(read_cbor(plain[1]))
    times = np.concatenate([batch.t_ns for batch in kept])
    inside = [one for one in frames if int(times.min()) <= one.t_ns <= int(times.max())]
    came = [batch.frame(place) for batch in kept for place in range(len(batch))]
    assert [(one.t_ns, one.arbitration_id, one.data) for one in came] == [
        (one.t_ns, one.arbitration_id, rig.gateway.door.admit(FrameBatch.from_frames([one])).frame(0).data)
        for one in inside
    ]
    assert abs(int(times.min()) - window_s[0] * S) <= S
    assert abs(int(times.max()) - window_s[1] * S) <= S
    begun, ended = notes
    assert isinstance(begun, dict)
    assert isinstance(ended, dict)
    assert begun[1] == ended[1]
    assert ended[9] == len(came)
    assert rig.gateway.finish(30)
    assert rig.gateway.account().balanced
