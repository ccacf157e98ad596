"""A gateway whose records go to platforms of GB/T 32960.3, over alarms, cuts and restarts."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from edge.catalogue.item import Edition
from edge.clock import Timebase, TimeQuality
from edge.wire.gbt.frame import Command, Encryption
from edge.wire.gbt.security.keys import (
    KeyKind,
    SymmetricKey,
    cipher_of,
    make_key,
    public_half,
    verifier_of,
    write_gbt_key,
)
from simulator.gbt.register import Register, VehicleEntry
from tests.gateway.rig import VIN, WALL_NS, S
from tests.gbt_destination.stand import CITY, Far, Stand, journal

NATIONAL = """
[[destination]]
name = "national"
protocol = "gb/t 32960-2025"
host = "127.0.0.1"
port = 32961
tls.enabled = false
[destination.signature]
key = "sign.pem"
[destination.cipher]
key = "session.key"
"""


def national(folder: Path) -> Far:
    """The platform with the keys that the configuration names."""
    folder.mkdir(exist_ok=True)
    signing, session = make_key(KeyKind.ECC), SymmetricKey(Encryption.SM4, bytes(range(16)))
    write_gbt_key(folder / "sign.pem", signing)
    write_gbt_key(folder / "session.key", session)
    entry = VehicleEntry(
        VIN.encode(),
        ciphers={Encryption.SM4: cipher_of(session)},
        verifier=verifier_of(public_half(signing)),
    )
    return Far(Register(vehicles={entry.vin: entry}))


def once(times: list[int]) -> bool:
    return len(times) == len(set(times))


@pytest.mark.parametrize("level", [3, 4])
def test_each_platform_hears_the_half_minute_before_an_alarm_as_reissue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: int
) -> None:
    folder = tmp_path / "run"
    far = {"city": Far(), "national": national(folder)}
    stand = Stand(folder, monkeypatch, far, journal(tmp_path) + CITY + NATIONAL, level=level)
    stand.run(stand.source(85, up=range(40, 45)))
    first = 40
    for name, edition in (("city", Edition.Y2016), ("national", Edition.Y2025)):
        times = far[name].times()
        assert once(times), name
        last = first + 30 if edition is Edition.Y2016 else 45
        assert [at for at in times if first - 30 <= at <= last] == list(range(first - 30, last + 1)), name
        late = far[name].times(late=True)
        assert 25 <= len(late) <= 27
        assert all(first - 30 <= at < first for at in late)
        assert {one.edition for one in far[name].reports} == {edition}
        assert far[name].platform.garbage == 0
    assert all(one.report.signature is not None for one in far["national"].reports)
    assert stand.rig.platform.received == [(1, stand.rig.platform.received[0][1])]
    assert stand.rig.platform.statements


def test_over_cuts_and_a_restart_nothing_is_lost_and_only_a_cut_doubles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = Far()
    tables = journal(tmp_path) + CITY + "report_period_s = 5\n"
    first = Stand(tmp_path / "first", monkeypatch, {"city": city}, tables)
    first.rig.clock.at += [(16 * S, city.cut), (38 * S, city.heal), (53 * S, city.cut)]
    first.rig.gateway.run(first.source(60), stop=first.rig.stop)
    assert not first.rig.gateway.finish(1)
    assert first.rig.gateway.account().balanced
    made = first.rig.gateway.account()
    entered = next(hop for hop in made.hops if hop.name == "forward to city").entered
    city.heal()
    later = Stand(tmp_path / "later", monkeypatch, {"city": city}, tables, seed=9)
    later.rig.clock.set_timebase(Timebase(WALL_NS + 100 * S, TimeQuality.NTP))
    later.run(later.source(6))
    counts = Counter(city.times(late=True))
    counts.update(city.times(late=False))
    assert entered >= 59
    said = sorted({at for at in counts if at <= 60})
    assert [later - earlier for earlier, later in pairwise(said)] == [5] * (len(said) - 1)
    assert said[-1] >= 55
    assert sum(counts.values()) - len(counts) <= 2
    assert {at for at in said if 16 < at < 38} <= set(city.times(late=True))


def test_a_vehicle_may_have_a_platform_of_the_standard_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = Far()
    tables = 'protocol = "gb/t 32960-2016"\nport = 32960\n' + journal(tmp_path)
    stand = Stand(tmp_path / "run", monkeypatch, {"platform": only}, tables)
    stand.run(stand.source(35))
    assert stand.now_s() < 40, "what has arrived is asked for at once at the end"
    assert len(only.reports) == 4
    assert {one.command for one in only.reports} == {Command.REAL_TIME}
    assert stand.rig.platform.messages == stand.rig.platform.statements == []


def test_a_period_that_the_platform_sets_holds_at_once_and_over_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = Far()
    tables = journal(tmp_path) + CITY + "commands.set = true\n"
    stand = Stand(tmp_path / "run", monkeypatch, {"city": city}, tables)
    clock = stand.rig.clock
    clock.at.append((12 * S, lambda: city.ask(VIN, "set 02=4", clock.wall_ns())))
    stand.run(stand.source(26))
    assert city.times() == [1, 11, 15, 19, 23]
    city.reports.clear()
    later = Stand(tmp_path / "later", monkeypatch, {"city": city}, tables, seed=9)
    later.rig.clock.set_timebase(Timebase(WALL_NS + 100 * S, TimeQuality.NTP))
    later.run(later.source(10))
    first, *others = city.times()
    assert others == [first + 4, first + 8]
