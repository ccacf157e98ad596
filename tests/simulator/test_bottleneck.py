"""A link of finite rate: packets leave one after the other, and a change of rate holds from then on."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from edge.clock import NS_PER_S, VirtualClock
from edge.uplink.events import Connected, Puback
from simulator.bottleneck import Bottleneck
from simulator.virtual_link import LinkFaults, VirtualLink


def left_after(bottleneck: Bottleneck, sizes: list[int]) -> list[int]:
    left: list[int] = []
    for size in sizes:
        bottleneck.put(size, left.append, 0)
    return left


def test_each_packet_waits_for_the_one_before() -> None:
    bottleneck = Bottleneck(8_000)
    left = left_after(bottleneck, [1_000, 500])
    assert bottleneck.queued_bytes(NS_PER_S // 2) == 1_000
    bottleneck.run(2 * NS_PER_S)
    assert left == [NS_PER_S, NS_PER_S * 3 // 2]
    assert bottleneck.queued_bytes(2 * NS_PER_S) == 0


def test_a_packet_that_is_just_leaving_goes_on_at_the_new_rate() -> None:
    bottleneck = Bottleneck(8_000)
    left = left_after(bottleneck, [1_000])
    bottleneck.set_rate(0, NS_PER_S // 2)
    assert bottleneck.due_ns() is None
    bottleneck.set_rate(4_000, 10 * NS_PER_S)
    bottleneck.run(20 * NS_PER_S)
    assert left == [11 * NS_PER_S]


@given(
    sizes=st.lists(st.integers(1, 10_000), min_size=1, max_size=20),
    rate=st.integers(1_000, 10**9),
    polls=st.lists(st.integers(0, 10**9), max_size=20),
)
def test_when_it_is_looked_at_changes_nothing(sizes: list[int], rate: int, polls: list[int]) -> None:
    once, often = Bottleneck(rate), Bottleneck(rate)
    left_once, left_often = left_after(once, sizes), left_after(often, sizes)
    for now_ns in sorted(polls):
        often.run(now_ns)
    once.run(10**13)
    often.run(10**13)
    assert left_once == left_often
    assert left_once[-1] >= sum(sizes) * 8 * NS_PER_S // rate


def test_a_virtual_link_takes_its_time_both_ways() -> None:
    clock = VirtualClock()
    arrived: list[int] = []
    link = VirtualLink(
        clock,
        random.Random(1),  # noqa: S311 - a seed must replay the run
        lambda _topic, _payload: arrived.append(clock.boot_ns()),
        faults=LinkFaults(delay_ms=(50, 50)),
        bits_per_s=8_000,
    )
    link.connect()
    while not any(isinstance(event, Connected) for event in link.poll()):
        clock.advance_to(link.due_ns() or 0)
    start_ns = clock.boot_ns()
    link.publish(1, "t", bytes(1_000), retain=False)
    assert link.queued_bytes() > 1_000
    events = list(link.poll())
    while not events:
        clock.advance_to(link.due_ns() or 0)
        events = list(link.poll())
    packet = 1_000 + 3 + 3 + 3
    assert arrived == [start_ns + packet * NS_PER_S // 1_000 + 50_000_000]
    assert events == [Puback(1)]
    assert clock.boot_ns() == arrived[0] + 4 * NS_PER_S // 1_000 + 50_000_000
