"""However much backlog there is, live messages wait for at most 4 KB of it, and little of the link idles."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.uplink.outgoing import Kind
from tests.uplink.narrow_road import NarrowRoad, longest_s, packet
from tests.uplink.road import message

LINKS = [
    # bits/s, round trip in ms, part of the link that backlog uses at least
    (64_000, 20, 0.85),
    (64_000, 100, 0.75),
    (64_000, 600, 0.40),
    (256_000, 20, 0.75),
    (256_000, 600, 0.65),
    (256_000, 100, 0.90),
    (2_000_000, 50, 0.90),
    (10_000_000, 100, 0.90),
]


class TestAnEvenLink:
    @pytest.mark.parametrize(("bits_per_s", "round_trip_ms", "used"), LINKS)
    @pytest.mark.parametrize("live_period_s", [1, 10])
    def test_live_waits_for_one_message_and_backlog_takes_the_rest(
        self, bits_per_s: int, round_trip_ms: int, used: float, live_period_s: float
    ) -> None:
        road = NarrowRoad(bits_per_s, round_trip_ms)
        # Ten seconds of a fast link are thousands of messages of backlog.
        start_s, seconds = 5, 25 if bits_per_s < 1_000_000 else int(max(10, 2 * live_period_s))
        road.drive(start_s + seconds, live_period_s=live_period_s)
        road.run_until(road.now_s + 2)
        live = road.timed()
        assert len(live) >= seconds // live_period_s
        assert max(each.took_s for each in live) <= longest_s(bits_per_s, round_trip_ms)
        share = road.used(Kind.BACKLOG, start_s, start_s + seconds, bits_per_s)
        assert share + road.used(Kind.LIVE, start_s, start_s + seconds, bits_per_s) >= used

    @settings(max_examples=8, deadline=None, derandomize=True)
    @given(
        bits_per_s=st.sampled_from(
            [32_000, 64_000, 100_000, 128_000, 256_000, 500_000, 1_000_000, 4_000_000]
        ),
        round_trip_ms=st.integers(1, 400),
        jitter_ms=st.integers(0, 10),
        seed=st.integers(0, 2**32),
    )
    @example(bits_per_s=128_000, round_trip_ms=100, jitter_ms=0, seed=0)
    def test_on_any_link_the_bound_holds(
        self, bits_per_s: int, round_trip_ms: int, jitter_ms: int, seed: int
    ) -> None:
        road = NarrowRoad(bits_per_s, round_trip_ms, jitter_ms=jitter_ms, seed=seed)
        road.drive(20, live_period_s=1.5)
        road.run_until(road.now_s + 3)
        longest = max(each.took_s for each in road.timed())
        assert longest <= longest_s(bits_per_s, round_trip_ms + 2 * jitter_ms)

    def test_a_fast_link_gets_larger_messages_and_a_slow_one_does_not(self) -> None:
        for bits_per_s, larger in ((64_000, False), (256_000, False), (10_000_000, True)):
            road = NarrowRoad(bits_per_s, 100)
            road.run_until(15)
            assert (max(size for _, _, size in road.arrivals) > 4096) is larger


class TestAChangingLink:
    @pytest.mark.parametrize(
        ("fast", "slow", "round_trip_ms"),
        [(256_000, 64_000, 100), (1_000_000, 64_000, 100), (4_000_000, 400_000, 50)],
    )
    def test_only_what_was_in_flight_is_late_when_the_rate_drops(
        self, fast: int, slow: int, round_trip_ms: int
    ) -> None:
        road = NarrowRoad(fast, round_trip_ms)
        road.drive(15, live_period_s=1)
        dropped_s = road.now_s
        road.link.set_rate(slow)
        road.drive(30, live_period_s=1)
        rose_s = road.now_s
        road.link.set_rate(fast)
        road.drive(30, live_period_s=1)
        live = road.timed()

        largest = packet(Kind.BACKLOG, max(size for _, kind, size in road.arrivals if kind is Kind.BACKLOG))
        in_flight_s = (fast / 8 * round_trip_ms / 1e3 + 2 * largest) * 8 / slow
        bound_s = longest_s(slow, round_trip_ms)
        assert max(each.took_s for each in live) <= bound_s + in_flight_s
        settled_s = dropped_s + in_flight_s + 2 * bound_s
        after = [each.took_s for each in live if settled_s <= each.put_s < rose_s]
        assert len(after) > 15
        assert max(after) <= bound_s
        again = [each.took_s for each in live if each.put_s >= rose_s + bound_s]
        assert max(again) <= longest_s(fast, round_trip_ms)
        assert road.used(Kind.BACKLOG, rose_s + 15, rose_s + 30, fast) > 0.8

    def test_after_a_reconnect_it_begins_with_one_message_of_4_kb(self) -> None:
        road = NarrowRoad(10_000_000, 100)
        road.run_until(15)
        assert (road.uplink.largest_payload(Kind.BACKLOG) or 0) > 4096
        road.link.cut()
        road.link.set_rate(64_000)
        road.uplink.step()
        before = len(road.arrivals)
        while len(road.arrivals) == before:
            road.run_until(road.now_s + 0.1)
        assert road.uplink.largest_payload(Kind.BACKLOG) == 4096
        road.drive(20, live_period_s=1)
        road.run_until(road.now_s + 2)
        late = [each for each in road.timed() if each.took_s > longest_s(64_000, 100)]
        repeated = [size for _, kind, size in road.arrivals[before:] if kind is Kind.BACKLOG and size > 4096]
        repeat_s = sum(packet(Kind.BACKLOG, size) for size in repeated) * 8 / 64_000
        assert all(each.put_s < 16 + repeat_s for each in late)


class TestOrder:
    def test_alarm_before_live_before_event_before_backlog(self) -> None:
        road = NarrowRoad(64_000, 100)
        for kind in (Kind.EVENT, Kind.LIVE, Kind.ALARM):
            road.store.put(message(kind, 1_000_000 + kind, size=3_000))
        road.run_until(10)
        assert [kind for _, kind, _ in road.arrivals[:4]] == [
            Kind.ALARM,
            Kind.LIVE,
            Kind.EVENT,
            Kind.BACKLOG,
        ]

    def test_an_alarm_passes_the_backlog_that_is_not_under_way(self) -> None:
        road = NarrowRoad(64_000, 100)
        road.run_until(10)
        before = len(road.arrivals)
        road.put(Kind.ALARM, 3_000)
        road.run_until(12)
        assert [kind for _, kind, _ in road.arrivals[before:]].index(Kind.ALARM) <= 1
