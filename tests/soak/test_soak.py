"""A day with a link that is away for ten hours, two restarts meanwhile, and a clock that is not set."""

from __future__ import annotations

import pytest

from tests.soak.days import Days
from tests.soak.findings import CONNECTING_S, Findings, findings
from tests.soak.world import Plan, World, second_of

DAY = Plan(
    Days(
        1.0,
        share=0.1,
        alarms_s=(
            (second_of(0, 7.5) + 30, second_of(0, 7.5) + 60),
            (second_of(0, 12) + 200, second_of(0, 12) + 230),
            (second_of(0, 18) + 300, second_of(0, 18) + 310),
        ),
    ),
    outage_s=(second_of(0, 7.5), second_of(0, 18) + 60),
    restarts_s=(second_of(0, 7.5) + 150, second_of(0, 12) + 100),
    unset_s=(second_of(0, 7.5) + 150, 100),
    reissue_days=10.5 / 24,
)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Findings]:
    """The day, lived through once."""
    world = World(tmp_path_factory.mktemp("soak"), DAY)
    world.run()
    return world, findings(world)


def test_every_number_is_at_the_platform_or_told_as_too_old(lived: tuple[World, Findings]) -> None:
    _, found = lived
    assert found.made > 1_500
    assert (found.lost, found.unaccounted, found.doubled, found.rejected) == (0, 0, 0, {})
    assert found.stored + found.withheld == found.made
    assert 0 < found.withheld < 0.1 * found.made


def test_what_is_too_old_is_told_in_few_entries(lived: tuple[World, Findings]) -> None:
    _, found = lived
    assert found.entries <= 5


def test_the_backlog_drains_with_its_alarms_first(lived: tuple[World, Findings]) -> None:
    world, found = lived
    assert found.drain_s is not None
    assert found.drain_s < CONNECTING_S
    backlog = [
        one for one in world.seen.arrived if one.kind == "backlog" and one.at_s >= world.back_s and one.first
    ]
    assert found.turns == 1
    assert backlog[0].first > min(one.first for one in backlog)


def test_what_was_made_in_the_outage_never_goes_as_live(lived: tuple[World, Findings]) -> None:
    world, _ = lived
    begin_s, end_s = DAY.outage_s
    late = [
        one
        for one in world.seen.arrived
        if one.kind != "backlog" and one.first and begin_s + 1 < one.newest_s < end_s - CONNECTING_S
    ]
    assert not late


def test_live_records_and_alarms_keep_their_pace(lived: tuple[World, Findings]) -> None:
    _, found = lived
    assert found.calm.count > 100
    assert found.alarms.count >= 10
    assert found.alarms.most < 1.5 + found.allowed_s
    assert found.excess_s <= found.allowed_s


def test_hardly_anything_waits_at_the_end(lived: tuple[World, Findings]) -> None:
    world, _ = lived
    assert world.seen.waiting[-1][1] <= 10
