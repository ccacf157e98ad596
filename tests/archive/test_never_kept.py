"""What passed the door for another purpose than to keep raw frames has no value in an export, not even 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.archive.joining import JoinedFrames
from edge.archive.signals import Rules
from edge.archive.wall_time import Stamps
from edge.database.load import load_database
from edge.frames import Frame, FrameBatch
from edge.journal.block import BlockKind
from edge.policy.classed import ClassedDatabase
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.policy.door import Door
from tests.gateway.rig import MADE_UP, alarm, motion

OPERATION, POSITION = DataClass.OPERATION, DataClass.POSITION
CLASSES = '[operation]\nsignals = ["Alarms.*", "Motion.Speed"]\n[position]\nsignals = ["Motion.Gear"]\n'


@pytest.fixture
def databases(tmp_path: Path) -> dict[str, list[ClassedDatabase]]:
    """One bus whose message Motion has signals of two classes."""
    (tmp_path / "classes.toml").write_text(CLASSES)
    return {"pt": [load_classes(tmp_path / "classes.toml", load_database(MADE_UP))]}


def kept(
    databases: dict[str, list[ClassedDatabase]], frames: list[Frame], *classes: DataClass
) -> JoinedFrames:
    """Frames that passed with both classes, of which a journal kept some."""
    door = Door(databases, frozenset({OPERATION, POSITION}))
    parts = door.split(door.admit(FrameBatch.from_frames(frames, buses=["pt"])))
    batch = parts[OPERATION].batch
    times = Stamps(batch.t_ns, np.ones(len(batch), np.int8))
    return JoinedFrames(
        batch, times, bytes(16), BlockKind.FRAMES, (1,), frozenset(), at_hand=frozenset(classes)
    )


def test_a_class_that_passed_and_was_not_kept_is_absent(
    databases: dict[str, list[ClassedDatabase]],
) -> None:
    rules = Rules(databases)
    joined = kept(databases, [motion(1, 50), alarm(2, up=False)], OPERATION)
    assert rules.absent(joined) == {POSITION}
    gate = rules.gate(joined.batch.mask, rules.absent(joined))
    assert gate is not None
    named = {
        f"{ref.message}.{ref.signal}": values.rows.tolist()
        for ref, values in rules.plan(gate.collect).decode(joined.batch).columns.items()
    }
    assert named["Motion.Speed"] == [0]
    assert "Motion.Gear" not in named


def test_a_class_that_is_there_is_not_absent(databases: dict[str, list[ClassedDatabase]]) -> None:
    assert Rules(databases).absent(kept(databases, [motion(1, 50)], OPERATION, POSITION)) == frozenset()


def test_a_class_without_a_share_in_the_frames_is_not_absent(
    databases: dict[str, list[ClassedDatabase]],
) -> None:
    assert Rules(databases).absent(kept(databases, [alarm(1, up=True)], OPERATION)) == frozenset()
