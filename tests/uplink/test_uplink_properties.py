"""Whatever the link does, everything put in is acknowledged or counted, in order within a topic."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.uplink.outgoing import Kind
from edge.uplink.settings import SessionSettings
from edge.uplink.uplink import STILL_WAITING
from simulator.virtual_link import LinkFaults
from tests.uplink.road import TOPICS, Road, message, numbers_of

KINDS = st.lists(st.sampled_from([Kind.ALARM, Kind.LIVE, Kind.LIVE, Kind.BACKLOG]), min_size=1, max_size=60)
CHANCE = st.sampled_from([0.0, 0.05, 0.3])
SEEDS = st.integers(0, 2**32)


def first_arrivals(road: Road, kind: Kind) -> list[tuple[int, int]]:
    seen: dict[tuple[int, int], None] = {}
    for topic, payload in road.platform.arrivals:
        if topic == TOPICS.up(kind):
            seen.setdefault(numbers_of(payload))
    return list(seen)


def in_order(numbers: list[tuple[int, int]]) -> bool:
    return all(before[1] < after[0] for before, after in pairwise(numbers))


class TestEverythingArrives:
    @settings(max_examples=30, deadline=None)
    @given(
        kinds=KINDS,
        seed=SEEDS,
        faults=st.builds(
            LinkFaults,
            refuse=CHANCE,
            cut=CHANCE,
            lose=CHANCE,
            duplicate=CHANCE,
            forget=CHANCE,
            refuse_message=CHANCE,
        ),
        receive_maximum=st.sampled_from([1, 2, 5, 65_535]),
        constrained=st.booleans(),
    )
    def test_with_receipts_all_numbers_reach_the_platform(
        self, kinds: list[Kind], seed: int, faults: LinkFaults, receive_maximum: int, constrained: bool
    ) -> None:
        rules = SessionSettings(constrained=constrained, give_up_after=0)
        road = Road(seed=seed, settings=rules, faults=faults, receive_maximum=receive_maximum)
        road.run_for(1)
        for number, kind in enumerate(kinds, 1):
            road.uplink.put(message(kind, number))
            if number % 3 == 0:
                road.run_for(0.5)
        road.run_until(road.empty, limit_s=30 * 86_400)
        assert road.platform.seen == set(range(1, len(kinds) + 1))
        assert road.link.most_unanswered <= min(20, receive_maximum)
        for hop in road.uplink.hops():
            assert hop.balanced
            assert (hop.entered, hop.left) == (len(kinds), len(kinds))

    @settings(max_examples=30, deadline=None)
    @given(
        kinds=KINDS,
        seed=SEEDS,
        faults=st.builds(LinkFaults, refuse=CHANCE, cut=CHANCE, duplicate=CHANCE, forget=CHANCE),
        acknowledge=st.sampled_from(["receipt", "puback"]),
    )
    def test_cuts_and_doubles_keep_the_order_within_a_topic(
        self, kinds: list[Kind], seed: int, faults: LinkFaults, acknowledge: Literal["receipt", "puback"]
    ) -> None:
        rules = SessionSettings(acknowledge=acknowledge, give_up_after=0)
        road = Road(seed=seed, settings=rules, faults=faults)
        for number, kind in enumerate(kinds, 1):
            road.uplink.put(message(kind, number))
            if number % 4 == 0:
                road.run_for(0.3)
        road.run_until(road.empty, limit_s=30 * 86_400)
        for kind in Kind:
            arrived = first_arrivals(road, kind)
            assert in_order(arrived)
            assert len(arrived) == kinds.count(kind)

    @settings(max_examples=30, deadline=None)
    @given(
        kinds=st.lists(st.sampled_from(list(Kind)), min_size=10, max_size=120),
        seed=SEEDS,
        faults=st.builds(LinkFaults, refuse=CHANCE, cut=CHANCE, lose=CHANCE, refuse_message=CHANCE),
    )
    def test_overflow_is_counted_with_its_numbers(
        self, kinds: list[Kind], seed: int, faults: LinkFaults
    ) -> None:
        road = Road(seed=seed, settings=SessionSettings(give_up_after=0), faults=faults, max_messages=8)
        for number, kind in enumerate(kinds, 1):
            road.uplink.put(message(kind, number))
            if number % 10 == 0:
                road.run_for(0.2)
        road.run_until(road.empty, limit_s=30 * 86_400)
        messages, records = road.uplink.hops()
        losses = road.uplink.take_losses()
        lost = {number for loss in losses for number in range(loss.first_number, loss.last_number + 1)}
        assert messages.balanced
        assert records.balanced
        assert messages.entered == len(kinds)
        assert sum(records.set_aside.values()) == sum(loss.records for loss in losses) == len(lost)
        assert road.platform.seen | lost == set(range(1, len(kinds) + 1))

    def test_a_seed_replays_a_run_byte_for_byte(self) -> None:
        def run() -> list[tuple[str, bytes]]:
            road = Road(seed=7, faults=LinkFaults(refuse=0.2, cut=0.1, lose=0.1, refuse_message=0.1))
            for number in range(1, 40):
                road.uplink.put(message(Kind.LIVE, number))
            road.run_until(road.empty)
            return road.platform.arrivals

        assert run() == run()


class TestStopping:
    @settings(max_examples=30, deadline=None)
    @given(
        kinds=KINDS,
        seed=SEEDS,
        faults=st.builds(LinkFaults, refuse=CHANCE, cut=CHANCE, lose=CHANCE, forget=CHANCE),
        before_s=st.floats(0, 5),
        drain_s=st.sampled_from([0.0, 3.0, 600.0]),
    )
    def test_ends_in_time_with_a_balanced_account_and_an_offline_status(
        self, kinds: list[Kind], seed: int, faults: LinkFaults, before_s: float, drain_s: float
    ) -> None:
        road = Road(seed=seed, faults=faults)
        for number, kind in enumerate(kinds, 1):
            road.uplink.put(message(kind, number))
        road.run_for(before_s)
        road.uplink.ask_to_stop(drain_s)
        road.run_until(lambda: road.uplink.done, limit_s=drain_s + 10)
        assert road.link.retained.get(TOPICS.status, b"offline") == b"offline"
        for hop in road.uplink.hops():
            assert hop.balanced
            assert hop.left + hop.set_aside.get(STILL_WAITING, 0) == len(kinds)

    def test_everything_is_sent_first_if_there_is_time(self) -> None:
        road = Road(faults=LinkFaults(refuse=0.3, cut=0.1))
        for number in range(1, 60):
            road.uplink.put(message(Kind.LIVE, number))
        road.uplink.ask_to_stop(86_400)
        road.run_until(lambda: road.uplink.done)
        assert road.empty()


def test_receipts_that_are_none_are_counted_and_told_once() -> None:
    road = Road()
    road.uplink.put(message(Kind.LIVE, 1))
    road.platform.acknowledges = False
    road.run_until(lambda: bool(road.platform.arrivals))
    for _ in range(3):
        road.link.send_down(TOPICS.receipt, b"nonsense")
    road.run_for(1)
    assert road.uplink.hops()[0].facts["receipts refused"] == 3
    (told,) = [text for text in road.told if "receipt" in text]
    assert told.startswith(f"a receipt on {TOPICS.receipt} was refused: ")
    assert not road.empty()
