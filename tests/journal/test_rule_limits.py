"""What a policy's rules let the journal keep, and no longer: in blocks and in messages that wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from edge.journal.block import BlockKind
from edge.journal.upkeep.bounds import Bounds, endless
from edge.journal.upkeep.limits import BoundsSettings, usual_limits
from edge.journal.upkeep.rule_limits import limits_of
from edge.policy.classes import DataClass
from edge.policy.rules import Basis, Purpose, Rule
from edge.uplink.outbox import Progress
from tests.forward.site import NAMES, Site
from tests.forward.test_forwarder_machine import read

POSITION, OPERATION, CABIN = DataClass.POSITION, DataClass.OPERATION, DataClass.CABIN
SPEED = {"vehicle.speed"}


def rule(data_class: DataClass, purpose: Purpose, days: float, basis: Basis = Basis.LAW) -> Rule:
    return Rule(data_class, purpose, basis, retention_days=days)


def days(*rules: Rule) -> dict[tuple[int, str], float]:
    found = {}
    for limit in limits_of(rules):
        assert limit.strict
        (kind,), (name,) = limit.kinds, limit.classes
        found[int(kind), name] = limit.days
    return found


def test_each_purpose_limits_its_own_kind_of_block() -> None:
    found = days(
        rule(POSITION, Purpose.RECORDING, 2),
        rule(POSITION, Purpose.EVENT, 30),
        rule(CABIN, Purpose.RECORDING, 1),
        rule(OPERATION, Purpose.RECORDING, 0),
    )
    assert found == {
        (BlockKind.FRAMES, "position"): 2,
        (BlockKind.EVENT_FRAMES, "position"): 30,
        (BlockKind.FRAMES, "cabin"): 1,
        (BlockKind.MEDIA, "cabin"): 1,
    }


def test_media_are_kept_as_long_as_the_shortest_rule_of_their_class_says() -> None:
    found = days(rule(CABIN, Purpose.RECORDING, 3), rule(CABIN, Purpose.EVENT, 9))
    assert found[BlockKind.MEDIA, "cabin"] == 3
    assert (BlockKind.MEDIA, "cabin") not in days(rule(CABIN, Purpose.EVENT, 0))


def test_records_are_kept_as_long_as_the_longest_of_their_purposes_says() -> None:
    service = rule(POSITION, Purpose.SERVICE, 3, Basis.CONSENT)
    assert days(service) == {(BlockKind.RECORDS, "position"): 3}
    assert days(service, rule(POSITION, Purpose.REGULATED, 10)) == {(BlockKind.RECORDS, "position"): 10}
    assert days(service, rule(POSITION, Purpose.REGULATED, 0)) == {}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "journal")
    made.label = ""
    yield made
    made.stop()


def bounds_of(site: Site, *rules: Rule) -> Bounds:
    limits = (*usual_limits(), *limits_of(rules))
    return Bounds(
        BoundsSettings(limits=limits, total_bytes=1 << 40),
        destinations=NAMES,
        clock=site.rig.clock,
        boot=site.rig.open.boot,
        space=endless,
    )


def run(site: Site, bounds: Bounds) -> None:
    more = [True]

    def step(connection: apsw.Connection) -> None:
        more.append(bounds.step(connection))

    while more[-1]:
        site.rig.open.journal.run_with_connection(step)
        site.rig.after(0.001)


def test_nothing_outlasts_its_rule_sent_or_not_in_a_block_or_a_message(site: Site) -> None:
    bounds = bounds_of(
        site, rule(POSITION, Purpose.SERVICE, 2, Basis.CONSENT), rule(POSITION, Purpose.RECORDING, 1)
    )
    assert bounds.strict_classes == {POSITION, DataClass.EXTERIOR}
    assert bounds.take_outlived(), "an earlier run may have left messages"
    site.rig.records(2)
    site.rig.records(2, alarm=True)
    site.rig.frames(arb_id=0x101)
    site.rig.frames()
    waiting = site.begin()
    in_flight = next(iter(waiting))
    site.forwarders[NAMES[0]].note(in_flight, Progress.IN_FLIGHT)
    site.rig.after(1.5 * 86_400)
    site.rig.records(2)
    run(site, bounds)
    assert {name for kind, name, _ in site.rig.kept() if kind == BlockKind.FRAMES} == {"operation"}
    assert not bounds.take_outlived()
    assert site.erasing.renew(bounds.strict_classes) == 0
    site.rig.after(0.6 * 86_400)
    run(site, bounds)
    assert [
        first for kind, name, first in site.rig.kept() if kind == BlockKind.RECORDS and name == "position"
    ] == [5, 6]
    assert bounds.take_outlived()
    assert site.erasing.renew(bounds.strict_classes) == len(waiting) > 1
    assert not site.rig.rows("SELECT 1 FROM message")
    site.forwarders[NAMES[0]].acknowledge(in_flight)
    assert site.erasing.renew(bounds.strict_classes) == 0
    sent = {record.number: set(record.values) for item in site.drain() for record in read(item).records}
    told = set(range(waiting[in_flight].first_number, waiting[in_flight].last_number + 1))
    assert sorted(sent) == sorted(set(range(1, 7)) - told)
    assert all(names == SPEED for number, names in sent.items() if number < 5)
    assert sent[5] > SPEED
    assert site.balanced()
    assert site.erasing.renew(bounds.strict_classes) == 0, "what was made anew stays"
