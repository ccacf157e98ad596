"""Reading ahead hands on what is in the journal, in order, and nothing that may have been removed since."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from edge.forward.ahead import Ahead, Found
from edge.journal.reader import BootRecord, Reader
from tests.journal.journal_rig import CATALOGUE, Rig

PATIENCE_S = 20.0


class Counting(Reader):
    """Counts what is read, and fails when it is told to."""

    asked: list[tuple[int, int]]
    broken: bool

    def records(self, first: int, last: int, *, stream: int = 1) -> list[BootRecord]:
        if self.broken:
            raise apsw.IOError("the disk is gone")
        self.asked.append((first, last))
        return super().records(first, last, stream=stream)


class Bench:
    """A journal of a hundred records, and one that reads it ahead."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.ready = threading.Semaphore(0)
        self.asked: list[tuple[int, int]] = []
        self.broken = False
        self.ahead = Ahead(self.reader, rig.clock, self.ready.release)

    def reader(self) -> Reader:
        plain = self.rig.open.reader()
        made = Counting(plain._connection, self.rig.open.keys, CATALOGUE)
        made.asked, made.broken = self.asked, self.broken
        return made

    def wait(self, first: int, last: int, *, least: int) -> Found:
        while (found := self.ahead.get(1, first, last, least=least)) is None:
            assert self.ready.acquire(timeout=PATIENCE_S)
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    rig = Rig(tmp_path / "journal", checkpoint_blocks=100_000).start()
    rig.records(100)
    made = Bench(rig)
    yield made
    made.ahead.close()
    rig.stop()


def test_records_come_in_order_and_each_is_read_once(bench: Bench) -> None:
    taken: list[int] = []
    while len(taken) < 100:
        found = bench.wait(len(taken) + 1, 100, least=10)
        taken += [one.record.number for one in found.records]
        assert found.last == taken[-1]
    assert taken == list(range(1, 101))
    read = [number for first, last in bench.asked for number in range(first, last + 1)]
    assert read == taken


def test_numbers_that_are_gone_are_told_as_looked_for(bench: Bench) -> None:
    bench.rig.open.journal.run_with_connection(
        lambda it: it.execute("UPDATE block SET ciphertext = NULL, size = 0 WHERE first_number <= 40")
    )
    found = bench.wait(1, 100, least=30)
    assert found.last >= 30
    assert all(one.record.number > 40 for one in found.records)


def test_what_was_read_a_minute_ago_is_read_again(bench: Bench) -> None:
    bench.wait(1, 50, least=50)
    bench.rig.open.journal.run_with_connection(
        lambda it: it.execute("UPDATE block SET ciphertext = NULL, size = 0 WHERE first_number <= 50")
    )
    bench.rig.after(61)
    assert bench.wait(1, 50, least=50) == Found([], 50)


def test_whoever_asks_learns_that_the_journal_cannot_be_read(bench: Bench) -> None:
    bench.broken = True
    with pytest.raises(apsw.IOError, match="the disk is gone"):
        bench.wait(1, 50, least=50)
