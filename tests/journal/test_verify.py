"""A journal that is whole verifies; whatever was changed, left out or added afterwards is named."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

import pytest

from edge.errors import JournalError
from edge.journal.block import Block, BlockKind, write_header
from edge.journal.evidence.verify import KEPT_FAULTS, JournalReport, verify_journal
from edge.wire.keys import SigningKey
from tests.journal.fake_journal import (
    BOOTS,
    PLATFORM_KEY,
    STREAM,
    VEHICLE,
    VEHICLE_KEY,
    FakeJournal,
    S,
    journal,
)


def verify(evidence: FakeJournal, *, contents: bool = True) -> JournalReport:
    return verify_journal(
        evidence,
        vehicle=VEHICLE,
        stream=STREAM,
        vehicle_keys=[VEHICLE_KEY.public],
        platform_keys=[PLATFORM_KEY.public],
        contents=contents,
    )


def words(report: JournalReport) -> str:
    return "; ".join(str(fault) for fault in report.faults)


def test_a_whole_journal_holds_and_its_tail_is_said_to_be_unsigned() -> None:
    made = journal()
    report = verify(made)
    assert report.holds, words(report)
    assert report.blocks == report.last == report.opened == len(made.held)
    assert report.checkpoints == len(made.sealed) == 9
    assert report.covered == report.countersigned == made.sealed[-1].last < report.last
    assert (report.erased, report.gone) == ({}, ())


def test_a_journal_without_blocks_or_without_checkpoints_holds() -> None:
    assert verify(FakeJournal()).holds
    made = FakeJournal()
    made.add(BlockKind.TIME, "", BOOTS[0], (1, 2))
    report = verify(made)
    assert report.holds
    assert (report.last, report.covered) == (1, 0)


def test_erased_contents_leave_the_chain_whole_and_are_counted_by_class() -> None:
    made = journal()
    for number in range(40, 60):
        made.erase(number)
    report = verify(made)
    assert report.holds, words(report)
    assert sum(report.erased.values()) == 20
    assert set(report.erased) == {(BlockKind.RECORDS, "position"), (BlockKind.RECORDS, "speed")}


def test_whole_segments_that_retention_removed_are_named_and_the_rest_holds() -> None:
    made = journal()
    cut = made.sealed[2].last
    made.held = made.held[cut:]
    report = verify(made)
    assert report.holds, words(report)
    assert report.gone == ((1, cut),)
    assert report.blocks == len(made.held)


def test_half_a_segment_removed_is_a_fault() -> None:
    made = journal()
    cut = made.sealed[2].last - 3
    made.held = made.held[cut:]
    report = verify(made)
    assert not report.holds
    assert f"blocks {made.sealed[2].first} to {cut} are missing" in words(report)


def change_header(block: Block) -> Block:
    header = replace(block.header, to_ns=block.header.to_ns + 1)
    return replace(block, header=header, header_bytes=write_header(header))


Change = Callable[[Block], Block]
CHANGES: dict[str, Change] = {
    "the chain does not lead": lambda b: replace(b, commitment=sha256(b.commitment).digest()),
    "not those that were signed": lambda b: replace(b, ciphertext_hash=bytes(32), ciphertext=None),
    "sealed content was changed": lambda b: replace(b, ciphertext=b"other"),
    "its header is not the one that is hashed": lambda b: replace(b, header_bytes=b.header_bytes + b"\0"),
    "The chain does not lead": change_header,
    "to this one": lambda b: replace(b, link=bytes(32)),
}


@pytest.mark.parametrize("number", [1, 30, 31, 100])
@pytest.mark.parametrize("what", CHANGES)
def test_whatever_is_changed_of_a_block_is_a_fault_named_at_the_block(what: str, number: int) -> None:
    made = journal()
    made.held[number - 1] = CHANGES[what](made.held[number - 1])
    report = verify(made)
    assert what.lower() in words(report).lower()
    assert f"block {number}:" in words(report) or "checkpoint" in words(report)


def test_the_chain_of_the_tail_is_verified_too() -> None:
    made = journal()
    made.held[-2] = change_header(made.held[-2])
    assert f"block {len(made.held) - 1}:" in words(verify(made))


def test_a_block_left_out_doubled_or_swapped_is_a_fault() -> None:
    edits: tuple[Callable[[list[Block]], object], ...] = (
        lambda held: held.pop(50),
        lambda held: held.insert(50, held[50]),
        lambda held: held.insert(50, held.pop(52)),
        lambda held: held.__setitem__(50, held[52]),
    )
    for edit in edits:
        made = journal()
        edit(made.held)
        assert not verify(made).holds


def test_a_content_that_is_not_the_one_committed_to_is_a_fault_if_contents_are_looked_at() -> None:
    made = journal()
    made.openings[9] = made.openings[9][0], b"another"
    assert "block 9: its content is not what was committed to" in words(verify(made))
    assert verify(made, contents=False).holds


def test_a_series_that_skips_a_block_and_a_boot_that_comes_again_are_faults() -> None:
    made = FakeJournal()
    for second in range(1, 5):
        made.add(
            BlockKind.FRAMES, "", BOOTS[second == 3], (second * S, second * S), skip_previous=second == 4
        )
    report = words(verify(made))
    assert "block 4: the block before in its series is 3, not 2" in report
    assert "block 4: its boot was over before" in report


def test_a_block_from_after_its_checkpoint_is_a_fault() -> None:
    made = FakeJournal()
    made.add(BlockKind.FRAMES, "", BOOTS[0], (S, 9 * S))
    made.seal(BOOTS[0], 8 * S)
    assert "from after the checkpoint" in words(verify(made))


def test_checkpoints_changed_left_out_swapped_or_of_others_are_faults() -> None:
    def damage(made: FakeJournal) -> None:
        signed = bytearray(made.sealed[3].signed)
        signed[-1] ^= 1
        made.sealed[3] = replace(made.sealed[3], signed=bytes(signed))

    def drop(made: FakeJournal) -> None:
        del made.sealed[3]

    def swap(made: FakeJournal) -> None:
        made.sealed[3], made.sealed[4] = made.sealed[4], made.sealed[3]

    def foreign(made: FakeJournal) -> None:
        made.sealed[3] = journal(seed=2).sealed[3]

    def stranger(made: FakeJournal) -> None:
        other = FakeJournal(key=SigningKey.seeded(b"another"), held=made.held[: made.sealed[0].last])
        other.seal(BOOTS[0], 21 * S)
        made.sealed[0] = other.sealed[0]

    def receipt(made: FakeJournal) -> None:
        made.sealed[3] = replace(made.sealed[3], receipt=made.sealed[2].receipt)

    for edit in (damage, drop, swap, foreign, stranger, receipt):
        made = journal()
        edit(made)
        assert not verify(made).holds, edit.__name__


@dataclass(slots=True)
class DamagedReader(FakeJournal):
    """Cannot read some rows, as a reader of a damaged database."""

    unreadable: frozenset[int] = frozenset()

    def blocks(self, first: int, last: int) -> Iterator[Block]:
        for block in self.held:
            if first <= block.header.number <= last:
                if block.header.number in self.unreadable:
                    raise JournalError("a block's header is damaged")
                yield block


def test_a_row_that_cannot_be_read_does_not_hide_those_behind_it() -> None:
    whole = journal()
    made = DamagedReader(
        held=whole.held, openings=whole.openings, sealed=whole.sealed, unreadable=frozenset({50, 51})
    )
    report = verify(made)
    assert report.blocks == len(whole.held) - 2
    assert "block 50: a block's header is damaged" in words(report)
    assert "block 51: a block's header is damaged" in words(report)
    broken = DamagedReader(held=whole.held, unreadable=frozenset(range(1, 1000)))
    assert verify(broken).fault_count < 3000


def test_memory_and_the_list_of_faults_are_bounded() -> None:
    block = journal().held[0]

    class Endless(FakeJournal):
        def blocks(self, first: int, last: int) -> Iterator[Block]:
            return (
                replace(block, header=replace(block.header, number=number))
                for number in range(max(first, 1), min(last, 6_000) + 1)
            )

    told: list[int] = []
    tracemalloc.start()
    report = verify_journal(Endless(), vehicle=VEHICLE, stream=STREAM, vehicle_keys=[], progress=told.append)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.blocks == 6_000
    assert report.fault_count >= 6_000
    assert len(report.faults) == KEPT_FAULTS
    assert peak < 3_000_000
    assert told == sorted(told)
    assert len(told) > 20
