"""Reports are kept once, in order of arrival, and over a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.catalogue.item import Edition
from edge.wire.gbt.frame import Command
from edge.wire.gbt.stream import StreamDecoder
from simulator.gbt.accepted import Accepted
from simulator.gbt.store import Store, StoreError
from tests.gbt.grammar import T_S, VIN
from tests.gbt_platform.rig import OTHER, report_message, unit_of


def made(at_s: int, *, vin: bytes = VIN, edition: Edition = Edition.Y2016) -> Accepted:
    unit = unit_of(report_message(edition, at_s))
    return Accepted(vin, edition, Command.REAL_TIME, at_s, at_s * 10**9, unit)


def test_what_is_kept_comes_back_as_it_was(tmp_path: Path) -> None:
    reports = [made(T_S + place, edition=edition) for place, edition in enumerate(Edition)]
    with Store(tmp_path / "reports.db") as store:
        shelf = store.shelf(VIN)
        assert [store.add(shelf, one) for one in reports] == [True, True]
    with Store(tmp_path / "reports.db") as store:
        assert list(store.read()) == reports
        assert list(store.read(OTHER)) == []
        frames = list(store.frames(VIN))
        assert StreamDecoder().feed(b"".join(one.write() for one in frames)) == frames
        shelf = store.shelf(VIN)
        assert shelf.newest_s == T_S + 1
        # After a restart a double is one as before: of the latest second, and of any before.
        assert [store.add(shelf, one) for one in reversed(reports)] == [False, False]


def test_many_messages_of_one_second() -> None:
    store = Store()
    shelf = store.shelf(VIN)
    reports = [made(T_S)._replace(unit=bytes([place])) for place in range(40)]
    assert all(store.add(shelf, one) for one in reports)
    assert not any(store.add(shelf, one) for one in reports)
    later = made(T_S + 1)
    assert store.add(shelf, later)
    assert not any(store.add(shelf, one) for one in (*reports, later))


def test_memory_keeps_the_latest_only() -> None:
    store = Store(kept=1000)
    shelf = store.shelf(VIN)
    for place in range(5000):
        store.add(shelf, Accepted(VIN, Edition.Y2016, 2, place, 0, b"%d" % place))
    kept = [frame.unit for frame in store.frames()]
    assert kept == [b"%d" % place for place in range(4000, 5000)]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError):
        Store(path)
    with pytest.raises(StoreError):
        Store(tmp_path)
