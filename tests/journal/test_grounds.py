"""Each block is sealed under what its data rest on, and what rests on nothing is in no block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.account import Hop
from edge.errors import JournalError
from edge.journal.block import BlockKind
from edge.journal.chain import Draft
from edge.journal.journal import Committed
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.records import Record
from tests.journal.journal_rig import Rig

POSITION, OPERATION = DataClass.POSITION, DataClass.OPERATION
NOT_KEPT = "not kept for this purpose"
Asked = tuple[str, DataClass, tuple[Purpose, ...]]


class Policy:
    """Answers by class and purposes, mask by mask; what it has no answer for is kept by law."""

    def __init__(self) -> None:
        self.answers: dict[tuple[DataClass, Purpose], str | None] = {}
        self.of_mask: dict[tuple[str, DataClass], str | None] = {}
        self.asked: list[Asked] = []

    def __call__(self, mask: str, data_class: DataClass, purposes: tuple[Purpose, ...]) -> str | None:
        self.asked.append((mask, data_class, purposes))
        if (mask, data_class) in self.of_mask:
            return self.of_mask[mask, data_class]
        return self.answers.get((data_class, purposes[0]), "")


@pytest.fixture
def policy() -> Policy:
    return Policy()


@pytest.fixture
def rig(tmp_path: Path, policy: Policy) -> Iterator[Rig]:
    made = Rig(tmp_path / "journal", ground=policy).start()
    yield made
    made.stop()


def labels(rig: Rig) -> dict[tuple[str, str], set[str]]:
    """The labels of the keys of all blocks, by kind and class."""
    purposes = {entry.key_id: entry.purpose for entry in rig.open.keys.listing()}
    found: dict[tuple[str, str], set[str]] = {}
    with rig.open.reader() as reader:
        for block in reader.blocks():
            header = block.header
            found.setdefault((header.kind.name, header.data_class), set()).add(purposes[header.key_id])
    return found


def read(rig: Rig) -> dict[int, set[str]]:
    with rig.open.reader() as reader:
        return {one.record.number: set(one.record.values) for one in reader.records(1, 1 << 40)}


def hop(rig: Rig, unit: str) -> Hop:
    (found,) = [one for one in rig.open.journal.hops() if one.unit == unit]
    return found


def add(rig: Rig, mask: str) -> None:
    rig.after(1)
    values = {"vehicle.speed": 3, "gnss.valid": 5}
    record = Record(0, rig.clock.boot_ns(), rig.clock.timebase(), values, mask)
    assert rig.open.journal.add_record(record)


def test_each_kind_is_asked_for_its_own_purpose_and_sealed_under_its_label(rig: Rig, policy: Policy) -> None:
    policy.answers = {
        (POSITION, Purpose.RECORDING): "consent 1",
        (POSITION, Purpose.EVENT): "consent 2",
        (POSITION, Purpose.REGULATED): "consent 3,7",
    }
    rig.records(2)
    rig.frames(arb_id=0x101)
    rig.frames(arb_id=0x101, locked=True)
    assert {key: found for key, found in labels(rig).items() if key[1]} == {
        ("RECORDS", "operation"): {""},
        ("RECORDS", "position"): {"consent 3,7"},
        ("FRAMES", "position"): {"consent 1"},
        ("EVENT_FRAMES", "position"): {"consent 2"},
    }
    assert {purposes for _, _, purposes in policy.asked} == {
        (Purpose.RECORDING,),
        (Purpose.EVENT,),
        (Purpose.REGULATED, Purpose.SERVICE),
    }
    assert {mask for mask, _, _ in policy.asked} == {"mask"}


def test_items_that_may_not_be_kept_are_in_no_block_and_nobody_hears_of_them(
    rig: Rig, policy: Policy
) -> None:
    told: list[Committed] = []
    rig.open.journal.on_commit.append(told.append)
    policy.answers = {(POSITION, Purpose.REGULATED): None}
    rig.records(3)
    assert read(rig) == {number: {"vehicle.speed"} for number in (1, 2, 3)}
    assert ("RECORDS", "position") not in labels(rig)
    assert {name for one in told for record in one.records for name in record.values} == {"vehicle.speed"}


def test_a_record_of_which_nothing_may_be_kept_keeps_its_number(rig: Rig, policy: Policy) -> None:
    policy.answers = {(POSITION, Purpose.REGULATED): None, (OPERATION, Purpose.REGULATED): None}
    rig.records(2)
    policy.answers = {}
    rig.records(1)
    assert read(rig) == {1: set(), 2: set(), 3: {"vehicle.speed", "gnss.valid"}}
    assert hop(rig, "records").balanced
    assert hop(rig, "records").left == 3


def test_records_of_several_masks_in_one_transaction_are_sealed_apart(rig: Rig, policy: Policy) -> None:
    policy.of_mask = {("b", POSITION): "consent 4", ("c", POSITION): None}
    for mask in "aabbcca":
        add(rig, mask)
    assert rig.open.journal.commit()
    with rig.open.reader() as reader:
        blocks = [one.header for one in reader.blocks() if one.header.kind is BlockKind.RECORDS]
    assert [(one.data_class, one.mask, one.first_number, one.last_number) for one in blocks] == [
        ("operation", "a", 1, 2),
        ("position", "a", 1, 2),
        ("operation", "b", 3, 4),
        ("position", "b", 3, 4),
        ("operation", "c", 5, 6),
        ("operation", "a", 7, 7),
        ("position", "a", 7, 7),
    ]
    assert labels(rig)["RECORDS", "position"] == {"", "consent 4"}
    assert [len(read(rig)[number]) for number in range(1, 8)] == [2, 2, 2, 2, 1, 1, 2]


def test_frames_that_may_not_be_kept_are_counted_and_those_kept_in_part_are_not(
    rig: Rig, policy: Policy
) -> None:
    policy.answers = {(POSITION, Purpose.RECORDING): None, (POSITION, Purpose.EVENT): None}
    rig.frames(300)
    rig.frames(100, arb_id=0x101)
    rig.frames(50, arb_id=0x101, locked=False)
    both = rig.batch(40)
    rig.split = lambda batch: {  # type: ignore[method-assign]
        one: (batch, Rig.places(batch)) for one in (OPERATION, POSITION)
    }
    rig.stop()
    rig.start()
    rig.open.journal.add_frames(both)
    rig.open.journal.commit()
    assert hop(rig, "frames").left == 40
    assert hop(rig, "frames").set_aside == {}
    assert ("FRAMES", "position") not in labels(rig)
    assert ("EVENT_FRAMES", "position") not in labels(rig)


def test_what_is_left_out_balances_the_account(rig: Rig, policy: Policy) -> None:
    policy.answers = {(POSITION, Purpose.RECORDING): None, (POSITION, Purpose.EVENT): None}
    rig.frames(300)
    rig.frames(100, arb_id=0x101)
    rig.frames(50, arb_id=0x101, locked=False)
    frames, events = hop(rig, "frames"), hop(rig, "event frames")
    assert (frames.left, frames.set_aside, frames.balanced) == (300, {NOT_KEPT: 100}, True)
    assert (events.left, events.set_aside, events.balanced) == (0, {NOT_KEPT: 50}, True)


def test_an_answer_that_changes_within_a_transaction_does_not_divide_it(rig: Rig) -> None:
    answers = iter(["consent 1", None, None, None])
    rig.ground = lambda mask, data_class, purposes: (  # noqa: ARG005 - the policy's own names
        next(answers) if data_class is POSITION else ""
    )
    rig.stop()
    rig.start()
    for _ in range(3):
        add(rig, "mask")
    rig.open.journal.commit()
    assert [len(one) for one in read(rig).values()] == [2, 2, 2]
    assert labels(rig)["RECORDS", "position"] == {"consent 1"}


def test_under_consents_that_have_ended_nothing_is_kept_whatever_the_policy_says(
    rig: Rig, policy: Policy
) -> None:
    policy.answers = {(POSITION, purpose): "consent 3,7" for purpose in Purpose}
    rig.open.keys.end({3})
    rig.records(1)
    rig.open.keys.end({7})
    rig.records(1)
    rig.frames(10, arb_id=0x101)
    timebase = rig.clock.timebase()
    note = Draft(BlockKind.MEDIA, "cabin", b"picture", rig.boot, 1, 1, timebase, purpose="consent 7")
    rig.open.journal.add_note(note)
    rig.open.journal.add_note(replace(note, purpose="consent 8"))
    assert rig.open.journal.commit()
    assert {number: len(one) for number, one in read(rig).items()} == {1: 2, 2: 1}
    assert hop(rig, "frames").set_aside == {NOT_KEPT: 10}
    assert hop(rig, "notes").set_aside == {NOT_KEPT: 1}
    assert hop(rig, "notes").balanced


def test_no_key_is_handed_out_or_made_under_consents_that_have_ended(rig: Rig) -> None:
    keys = rig.open.keys
    before = keys.key_for("position", "day 1", "consent 3")
    keys.key_for("position", "day 1", "consent 3,9")
    keys.end({3})
    for period in ("day 1", "day 2"):
        with pytest.raises(JournalError, match="consent 3"):
            keys.key_for("position", period, "consent 3")
    keys.key_for("position", "day 2", "consent 3,9")
    assert keys.key(before.key_id) == before.key, "what is there can be read until it is destroyed"
    rig.stop()
    rig.start()
    assert rig.open.keys.ended == {3}
    with pytest.raises(JournalError, match="consent 3"):
        rig.open.keys.key_for("position", "day 2", "consent 3")
