"""The key store when the process dies, the power goes or the disk refuses: before every single operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from random import Random

import pytest

from edge.errors import JournalError
from edge.journal.keys.key_store import DataKey, KeyStore
from tests.journal.fragile_disk import FragileDisk, FragileProvider, Survivor

PATH = "/keys.db"
_numbers = count(1)


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - a test repeats its seed


class Bench:
    """A key store on a fragile disk, and what it owes."""

    def __init__(self) -> None:
        self.disk = FragileDisk(f"fragile-{next(_numbers)}")
        self.provider = FragileProvider(self.disk, seeded(1).randbytes)
        self.owed: dict[bytes, bytes] = {}
        self.doomed: dict[bytes, bytes] = {}
        self.erased = False

    def open(self) -> KeyStore:
        return KeyStore(PATH, self.provider, seeded(2).randbytes, vfs=self.disk.name)

    def filled(self) -> KeyStore:
        """A store with keys to be destroyed and keys to be kept, over several pages."""
        store = self.open()
        for day in range(5):
            self.keep(self.owed, store.key_for("vehicle", f"day {day}", "consent " * 60))
            self.keep(self.doomed, store.key_for("position", f"day {day}", "consent " * 60))
        return store

    def keep(self, where: dict[bytes, bytes], key: DataKey) -> None:
        where[key.key_id] = key.key

    def erase(self) -> None:
        """Open, destroy a class, make a key for another."""
        store = self.open()
        store.destroy("position")
        self.erased = True
        self.keep(self.owed, store.key_for("vehicle", "day 99"))

    def settle(self) -> None:
        """Open and close without a failure, and see that all that is owed is there."""
        store = self.open()
        assert store.trouble is None
        assert store.unfinished == ()
        assert len(self.provider.generations()) == 1
        for key_id, key in self.owed.items():
            assert store.key(key_id) == key
        left = [store.key(key_id) for key_id in self.doomed]
        assert left in ([None] * len(left), list(self.doomed.values()))
        assert not (self.erased and any(left))
        store.key_for("vehicle", "day 100")
        store.close()


def failing_everywhere(bench: Bench, act: Callable[[], object], again: Callable[[], None]) -> Iterator[int]:
    """Let `act` fail before its first operation, then (after `again`) before its second, and so on."""
    for place in count(1):
        again()
        bench.disk.fails_at = place
        failed = True
        try:
            act()
            failed = bench.disk.operations >= place
        except JournalError:
            pass
        if not failed:
            return
        yield place


@pytest.mark.parametrize("survivor", Survivor)
def test_a_failure_anywhere_in_a_destruction_loses_no_other_key(survivor: Survivor) -> None:
    bench = Bench()
    bench.filled().close()
    files, keys, owed = bench.disk.snapshot(), bench.provider.snapshot(), dict(bench.owed)

    def again() -> None:
        bench.disk.restore(files)
        bench.provider.restore(keys)
        bench.owed, bench.erased = dict(owed), False

    places = 0
    for place in failing_everywhere(bench, bench.erase, again):
        places = place
        bench.disk.restart(survivor, seeded(place))
        bench.settle()
    assert places > 30


@pytest.mark.parametrize(
    ("first", "second", "step"), [(Survivor.ALL, Survivor.NONE, 1), (Survivor.SOME, Survivor.SOME, 5)]
)
def test_a_failure_during_the_recovery_loses_nothing_either(
    first: Survivor, second: Survivor, step: int
) -> None:
    bench = Bench()
    bench.filled().close()
    files, keys, owed = bench.disk.snapshot(), bench.provider.snapshot(), dict(bench.owed)
    restarts = 0

    for place in count(1, step):
        bench.disk.restore(files)
        bench.provider.restore(keys)
        bench.owed, bench.erased = dict(owed), False
        bench.disk.fails_at = place
        with suppress(JournalError):
            bench.erase()
        if bench.disk.operations < place:
            break
        bench.disk.restart(first, seeded(place))
        bring_back, keys_then = bench.disk.memory(), bench.provider.snapshot()

        def again(
            bring_back: Callable[[], None] = bring_back, keys_then: dict[int, bytes] = keys_then
        ) -> None:
            bring_back()
            bench.provider.restore(keys_then)

        for later in failing_everywhere(bench, bench.open, again):
            restarts += 1
            bench.disk.restart(second, seeded(later))
            bench.settle()
    assert restarts > 100


@pytest.mark.parametrize("survivor", Survivor)
def test_a_failure_anywhere_while_a_store_is_made_leaves_one_that_opens(survivor: Survivor) -> None:
    bench = Bench()

    def make() -> None:
        bench.keep(bench.owed, bench.open().key_for("vehicle", "day 1"))

    def again() -> None:
        bench.disk.restore({})
        bench.provider.restore({})
        bench.owed.clear()

    places = 0
    for place in failing_everywhere(bench, make, again):
        places = place
        bench.disk.restart(survivor, seeded(place))
        bench.settle()
    assert places > 15


def test_a_disk_that_refuses_once_does_not_spoil_the_open_store() -> None:
    bench = Bench()
    bench.filled().close()
    files, keys, owed = bench.disk.snapshot(), bench.provider.snapshot(), dict(bench.owed)
    bench.disk.comes_back = True

    for place in count(1):
        bench.disk.restore(files)
        bench.provider.restore(keys)
        bench.owed, bench.erased = dict(owed), False
        store = bench.open()
        bench.disk.operations, bench.disk.fails_at = 0, place
        refused = 0
        for _ in range(2):
            try:
                store.destroy("position")
                bench.keep(bench.owed, store.key_for("vehicle", "day 99"))
            except JournalError:
                refused += 1
        if not refused:
            break
        assert refused == 1
        bench.erased = True
        for key_id, key in bench.owed.items():
            assert store.key(key_id) == key
        assert not any(store.key(key_id) for key_id in bench.doomed)
        store.close()
        bench.disk.restart(Survivor.NONE, seeded(place))
        bench.settle()
    assert place > 30
