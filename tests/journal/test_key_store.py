"""The key store: keys that come back, and keys that never do."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import JournalError
from edge.journal.keys.key_provider import FileKeyProvider, KeyProvider, MemoryKeyProvider
from edge.journal.keys.key_store import DataKey, KeyStore, day_of
from edge.journal.keys.sealing import Draw


def seeded(seed: int) -> Draw:
    return Random(seed).randbytes  # noqa: S311 - a test repeats its seed


def file_provider(folder: Path) -> FileKeyProvider:
    return FileKeyProvider(folder / "wrapping", os.urandom)


def open_store(folder: Path, *, read_only: bool = False) -> KeyStore:
    return KeyStore(str(folder / "keys.db"), file_provider(folder), os.urandom, read_only=read_only)


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def wrapped(folder: Path, key_id: bytes) -> bytes:
    connection = apsw.Connection(str(folder / "keys.db"), flags=apsw.SQLITE_OPEN_READONLY)
    found = connection.execute("SELECT wrapped FROM data_key WHERE key_id = ?", (key_id,)).get
    connection.close()
    assert isinstance(found, bytes)
    return found


def test_a_key_comes_back_the_same_after_reopening(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    key = store.key_for("position", "day 20780", "consent 1")
    assert (len(key.key_id), len(key.key)) == (8, 32)
    assert store.key_for("position", "day 20780", "consent 1") == key
    store.close()
    again = open_store(tmp_path)
    assert again.key_for("position", "day 20780", "consent 1") == key
    assert again.key(key.key_id) == key.key
    assert again.key(b"unknown!") is None


def test_class_period_and_purpose_have_keys_of_their_own(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    uses = [
        ("a", "day 1", ""),
        ("a", "day 2", ""),
        ("b", "day 1", ""),
        ("a", "day 1", "x"),
        ("", "boot 00", ""),
    ]
    keys = [store.key_for(*use) for use in uses]
    assert len({key.key for key in keys}) == len({key.key_id for key in keys}) == len(uses)
    listed = {(entry.data_class, entry.period, entry.purpose): entry.key_id for entry in store.listing()}
    assert listed == {use: key.key_id for use, key in zip(uses, keys, strict=True)}


def test_a_key_is_on_the_disk_before_it_is_handed_out(tmp_path: Path) -> None:
    key = open_store(tmp_path).key_for("a", "day 1")
    assert open_store(tmp_path, read_only=True).key(key.key_id) == key.key


def test_no_key_lies_open_in_the_database(tmp_path: Path) -> None:
    key = open_store(tmp_path).key_for("a", "day 1")
    assert key.key not in all_bytes(tmp_path)
    assert key.key.hex() not in repr(key)


def test_destroying_takes_what_fits_and_nothing_else(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    uses = [
        (data_class, period, purpose)
        for data_class in ("position", "vehicle")
        for period in ("day 8", "day 9", "day 10", "boot 00ff")
        for purpose in ("", "consent")
    ]
    keys = {use: store.key_for(*use) for use in uses}

    def gone(*ids: bytes) -> set[tuple[str, str, str]]:
        return {use for use, key in keys.items() if key.key_id in ids}

    assert gone(*store.destroy("position", first_day=9, last_day=10, purpose="consent")) == {
        ("position", "day 9", "consent"),
        ("position", "day 10", "consent"),
    }
    assert gone(*store.destroy("position", periods=["boot 00ff", "day 8"], purpose="")) == {
        ("position", "boot 00ff", ""),
        ("position", "day 8", ""),
    }
    assert gone(*store.destroy("vehicle", last_day=8)) == {
        ("vehicle", "day 8", ""),
        ("vehicle", "day 8", "consent"),
    }
    assert len(store.destroy("position")) == 4
    assert store.destroy("position") == ()
    for reader in (store, open_store(tmp_path)):
        for (data_class, period, _), key in keys.items():
            expected = key.key if data_class == "vehicle" and period != "day 8" else None
            assert reader.key(key.key_id) == expected


def test_after_destruction_neither_wrapped_nor_wrapping_key_is_in_any_file(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    doomed = [store.key_for("position", f"day {day}") for day in range(40)]
    kept = [store.key_for("vehicle", f"day {day}") for day in range(40)]
    wrapped_before = [wrapped(tmp_path, key.key_id) for key in (*doomed, *kept)]
    provider = file_provider(tmp_path)
    (generation,) = provider.generations()
    wrapping_key = provider.wrapping_key(generation)
    before = all_bytes(tmp_path)
    assert wrapping_key in before
    assert all(each in before for each in wrapped_before)

    assert set(store.destroy("position")) == {key.key_id for key in doomed}

    after = all_bytes(tmp_path)
    assert wrapping_key not in after
    assert not any(each in after for each in wrapped_before)
    assert not any(key.key_id in after for key in doomed)
    for reader in (store, open_store(tmp_path)):
        assert [reader.key(key.key_id) for key in kept] == [key.key for key in kept]
        assert [reader.key(key.key_id) for key in doomed] == [None] * len(doomed)


def test_after_destruction_the_same_use_gets_a_new_key(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    old = store.key_for("position", "day 1")
    store.destroy("position")
    new = store.key_for("position", "day 1")
    assert new.key_id != old.key_id
    assert new.key != old.key


def test_what_another_process_destroyed_is_not_handed_out_any_more(tmp_path: Path) -> None:
    gateway, command = open_store(tmp_path), open_store(tmp_path)
    old, kept = gateway.key_for("position", "day 1"), gateway.key_for("vehicle", "day 1")
    assert command.destroy("position") == (old.key_id,)
    assert gateway.key(old.key_id) is None
    new = gateway.key_for("position", "day 1")
    assert new != old
    assert gateway.key_for("position", "day 2") != new
    assert gateway.key(kept.key_id) == command.key(kept.key_id) == kept.key
    assert command.key(new.key_id) == new.key


def test_database_and_its_companions_are_the_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "keys.db").touch(0o644)
    before = os.umask(0)
    try:
        store = open_store(tmp_path)
        store.key_for("a", "day 1")
        store.destroy("a")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.is_file()}
    assert modes["keys.db"] == 0o600
    assert set(modes.values()) == {0o600}


def test_a_store_for_reading_changes_nothing(tmp_path: Path) -> None:
    key = open_store(tmp_path).key_for("a", "day 1")
    before = all_bytes(tmp_path)
    reader = open_store(tmp_path, read_only=True)
    assert reader.key_for("a", "day 1") == key
    with pytest.raises(JournalError, match="reading"):
        reader.key_for("a", "day 2")
    with pytest.raises(JournalError, match="reading"):
        reader.destroy("a")
    assert all_bytes(tmp_path) == before


def test_reading_a_store_that_is_not_there_makes_none(tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        open_store(tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_in_memory_it_needs_no_file() -> None:
    store = KeyStore(":memory:", MemoryKeyProvider(seeded(1)), seeded(2))
    doomed, kept = store.key_for("a", "day 1"), store.key_for("b", "day 1")
    assert store.destroy("a") == (doomed.key_id,)
    assert store.key(doomed.key_id) is None
    assert store.key(kept.key_id) == kept.key


def test_a_seed_gives_the_same_keys() -> None:
    first, second = (KeyStore(":memory:", MemoryKeyProvider(seeded(1)), seeded(2)) for _ in range(2))
    assert first.key_for("a", "day 1") == second.key_for("a", "day 1")


def test_a_damaged_row_takes_no_other_along(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    damaged, moved, sound = (store.key_for("a", f"day {day}") for day in range(3))
    store.close()
    connection = apsw.Connection(str(tmp_path / "keys.db"))
    connection.execute("UPDATE data_key SET wrapped = zeroblob(60) WHERE key_id = ?", (damaged.key_id,))
    connection.execute("UPDATE data_key SET data_class = 'b' WHERE key_id = ?", (moved.key_id,))
    connection.close()
    again = open_store(tmp_path)
    assert again.key(sound.key_id) == sound.key
    for key in (damaged, moved):
        with pytest.raises(JournalError, match="damaged"):
            again.key(key.key_id)
    assert {entry.key_id for entry in again.listing() if not entry.readable} == {damaged.key_id, moved.key_id}
    assert again.key_for("a", "day 0").key_id != damaged.key_id
    again.destroy("b")
    assert again.key(moved.key_id) is None
    assert open_store(tmp_path).key(sound.key_id) == sound.key


def test_a_wrong_wrapping_key_is_named_and_nothing_is_rotated_away(tmp_path: Path) -> None:
    key = open_store(tmp_path).key_for("a", "day 1")
    (path,) = (tmp_path / "wrapping").iterdir()
    right = path.read_bytes()
    path.write_bytes(bytes(32))
    with pytest.raises(JournalError, match="not the one of this key store"):
        open_store(tmp_path)
    path.unlink()
    with pytest.raises(JournalError, match="no such wrapping key"):
        open_store(tmp_path)
    path.touch(0o600)
    path.write_bytes(right)
    assert open_store(tmp_path).key(key.key_id) == key.key


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_a_corrupt_file_is_an_error_or_costs_single_keys(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    store = open_store(folder)
    keys = [store.key_for("a", f"day {day}") for day in range(30)]
    store.close()
    path = folder / "keys.db"
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.sampled_from([1, 16, 512, 4096]))
    content[start : start + length] = data.draw(st.binary(min_size=1, max_size=1)) * len(
        content[start : start + length]
    )
    path.write_bytes(content)
    try:
        again = open_store(folder)
    except JournalError as error:
        assert error.where  # noqa: PT017 - either outcome is right
        return
    for key in keys:
        try:
            assert again.key(key.key_id) in {key.key, None}
        except JournalError as error:
            assert "damaged" in error.what  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("content", [b"no database at all, only text", b"SQLite format 3\0" + bytes(4080)])
def test_a_file_that_is_no_database_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys.db").write_bytes(content)
    with pytest.raises(JournalError, match=r"keys\.db"):
        open_store(tmp_path)


def test_a_database_of_something_else_and_a_newer_one_are_refused(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "keys.db"))
    connection.pragma("application_id", 1)
    with pytest.raises(JournalError, match="something else"):
        open_store(tmp_path)
    connection.pragma("application_id", 0x4E45564B)
    connection.pragma("user_version", 99)
    with pytest.raises(JournalError, match="version 99"):
        open_store(tmp_path)


class Refusing(FileKeyProvider):
    """Cannot destroy: its medium has become read-only."""

    def destroy(self, generation: int) -> None:
        raise JournalError(f"generation {generation} cannot be destroyed: read-only file system")


def test_an_old_wrapping_key_that_stays_is_told_and_tried_again(tmp_path: Path) -> None:
    path = str(tmp_path / "keys.db")
    store = KeyStore(path, Refusing(tmp_path / "wrapping", os.urandom), os.urandom)
    doomed, kept = store.key_for("a", "day 1"), store.key_for("b", "day 1")
    with pytest.raises(JournalError, match="read-only"):
        store.destroy("a")
    assert len(store.unfinished) == 1
    assert store.key(doomed.key_id) is None
    assert store.key(kept.key_id) == kept.key
    store.close()
    again = KeyStore(path, Refusing(tmp_path / "wrapping", os.urandom), os.urandom)
    assert again.trouble is not None
    assert again.key(kept.key_id) == kept.key
    again.close()
    mended = open_store(tmp_path)
    assert mended.unfinished == ()
    assert mended.trouble is None
    assert len(file_provider(tmp_path).generations()) == 1
    assert mended.key(kept.key_id) == kept.key


def test_an_asked_again_destruction_finishes_the_first(tmp_path: Path) -> None:
    provider: KeyProvider = Refusing(tmp_path / "wrapping", os.urandom)
    store = KeyStore(str(tmp_path / "keys.db"), provider, os.urandom)
    store.key_for("a", "day 1")
    with pytest.raises(JournalError):
        store.destroy("a")
    with pytest.raises(JournalError):
        store.destroy("a")
    assert len(store.unfinished) == 1


class Interrupted(FileKeyProvider):
    """Lets something happen before a wrapping key is made, after that, or before one is handed out."""

    before_handing_out: Callable[[], object] | None = None
    amid_making: Callable[[], object] | None = None

    def wrapping_key(self, generation: int) -> bytes:
        if self.before_handing_out is not None:
            act, self.before_handing_out = self.before_handing_out, None
            act()
        return super().wrapping_key(generation)

    def make(self, generation: int) -> bytes:
        if self.amid_making is not None:
            self.amid_making()
        key = super().make(generation)
        if self.amid_making is not None:
            self.amid_making()
        return key


def test_a_store_that_opens_amid_anothers_rotation_leaves_its_new_wrapping_key_alone(tmp_path: Path) -> None:
    provider = Interrupted(tmp_path / "wrapping", os.urandom)
    store = KeyStore(str(tmp_path / "keys.db"), provider, os.urandom)
    doomed, kept = store.key_for("a", "day 1"), store.key_for("b", "day 1")
    made: list[DataKey] = []

    def look() -> None:
        other = open_store(tmp_path)
        assert other.trouble is not None
        assert other.key(kept.key_id) == kept.key
        made.append(other.key_for("b", f"day {2 + len(made)}"))
        with pytest.raises(JournalError, match="another process"):
            other.destroy("b")
        other.close()

    provider.amid_making = look
    assert store.destroy("a") == (doomed.key_id,)
    assert len(made) == 2
    for reader in (store, open_store(tmp_path)):
        assert reader.unfinished == ()
        for key in (kept, *made):
            assert reader.key(key.key_id) == key.key


def test_a_rotation_while_another_process_opens_is_followed(tmp_path: Path) -> None:
    writer = open_store(tmp_path)
    doomed, kept = writer.key_for("a", "day 1"), writer.key_for("b", "day 1")
    provider = Interrupted(tmp_path / "wrapping", os.urandom)
    provider.before_handing_out = lambda: writer.destroy("a")
    reader = KeyStore(str(tmp_path / "keys.db"), provider, os.urandom, read_only=True)
    assert reader.key(doomed.key_id) is None
    assert reader.key(kept.key_id) == kept.key


def test_threads_get_one_key_for_one_use(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    uses = [("a", f"day {number % 5}") for number in range(100)]
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda use: store.key_for(*use), uses))
    assert len({key.key_id for key in keys}) == len(store.listing()) == 5


@pytest.mark.parametrize("version", [1])
def test_a_database_of_every_version_still_opens(tmp_path: Path, version: int) -> None:
    """The kept databases were written by the nevgate of their time, under a wrapping key of zeros."""
    path = tmp_path / "keys.db"
    connection = apsw.Connection(str(path))
    connection.execute((Path(__file__).parent / "old" / f"keys-{version}.sql").read_text())
    connection.close()
    folder = tmp_path / "wrapping"
    folder.mkdir()
    (folder / "wrapping-1.key").write_bytes(bytes(32))
    (folder / "wrapping-1.key").chmod(0o600)
    store = open_store(tmp_path)
    assert [(entry.data_class, entry.period, entry.purpose) for entry in store.listing()] == [
        ("position", "day 20780", "consent"),
        ("vehicle", "day 20780", ""),
    ]
    kept = store.key(bytes.fromhex("44066542ec38008d"))
    assert kept is not None
    assert len(store.destroy("position")) == 1
    assert open_store(tmp_path).key(bytes.fromhex("44066542ec38008d")) == kept


def test_days_are_told_from_other_periods() -> None:
    assert [day_of(period) for period in ("day 20780", "day 0", "day", "day -1", "boot 12", "")] == [
        20780,
        0,
        None,
        None,
        None,
        None,
    ]
