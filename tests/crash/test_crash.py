"""Gateways that are killed at random instants lose nothing, and a broken product would be found out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from simulator.broker import EmbeddedBroker
from tests.crash.deaths import COMMIT, POINTS, STATEMENT, place_of
from tests.crash.lane import Lane
from tests.crash.life import live, vehicle_named
from tests.crash.witness import Bench, set_up

LIVES = 40
SHARP = ("send before commit", "forget covered", "no message row", "number anew")
"""`python -m tests.crash --break` knows more of them."""

numbers = count()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("crash")
    with set_up(folder, EmbeddedBroker(folder / "broker"), map(vehicle_named, range(LIVES))) as made:
        yield made


@pytest.fixture(scope="module")
def lanes(bench: Bench) -> Iterator[list[Lane]]:
    with Lane(bench.folder, bench.port, "lane0") as one, Lane(bench.folder, bench.port, "lane1") as other:
        yield [one, other]


def test_nothing_committed_is_lost_renumbered_or_doubled(bench: Bench, lanes: list[Lane]) -> None:
    with ThreadPoolExecutor(len(lanes)) as threads:
        verdicts = list(
            threads.map(lambda lane: live(bench, lane, next(numbers), seed=1, kills=8), lanes),
        )
    assert [verdict.faults for verdict in verdicts] == [[], []]
    for verdict in verdicts:
        assert verdict.figures.counts["killed"] == 8
        assert verdict.figures.counts["records announced as committed"]
        assert verdict.figures.counts["blocks verified"]
        assert not (bench.journals / verdict.vehicle).exists()


@pytest.mark.parametrize("flaw", SHARP)
def test_a_broken_product_is_found_out(bench: Bench, lanes: list[Lane], flaw: str) -> None:
    # Where a kill falls is up to the threads: what a few kills do not bring to light, some more will.
    for seed in range(20):
        verdict = live(bench, lanes[seed % 2], next(numbers), seed=seed, kills=5, flaw=flaw)
        assert verdict.outcomes[-1].flawed
        if verdict.faults:
            return
    pytest.fail(f"nothing was wrong with '{flaw}'")


@pytest.mark.parametrize("name", sorted(POINTS.keys() - {STATEMENT, COMMIT}))
def test_the_product_has_each_point_at_which_a_worker_dies(name: str) -> None:
    *_, function = place_of(POINTS[name])
    assert callable(function)
