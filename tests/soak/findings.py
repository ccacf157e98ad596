"""What a run through days showed: order, delays, losses, and what the platform has."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

from edge.forward.rules import ForwardRules
from edge.uplink.settings import SessionSettings
from simulator.platform.reader import StoreReader
from tests.soak.days import DAY_S
from tests.soak.world import LIVE_RECORDS, Arrived, World

BACKLOG_PACKET_BYTES = SessionSettings().constrained_bytes + 128
"""The largest packet that a live message may have to wait for on a slow link."""


CONNECTING_S = 60.0
"""So long after it woke, or after the outage, a gateway may still be about to connect."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Of live or alarm messages, from the instant of the newest record to the platform, in seconds.

    Attributes:
        count: messages.
        least: the shortest.
        median: as many were shorter as longer.
        most: the longest.
    """

    count: int
    least: float
    median: float
    most: float


@dataclass(frozen=True, slots=True)
class Findings:
    """What is to be told of a run.

    Attributes:
        made: records that the vehicle's gateway made.
        stored: different records at the platform.
        doubled: that came twice with other bytes; the platform calls them conflicts.
        withheld: numbers told as too old to be sent.
        lost: numbers told as lost or erased.
        unaccounted: numbers that the platform neither has nor was told of.
        entries: range entries that told it.
        messages: of each kind.
        backlog_records: that came as backlog.
        drain_s: from the first message after the outage until nothing waited; None where there was no end.
        drain_awake_s: of that, the time that the gateway was awake.
        outage_span_s: instants that the drained records cover.
        calm: live delays while nothing else was to be sent.
        draining: the same during the drain.
        alarms: of alarm messages outside the outage.
        excess_s: by how much the drain made a live message later than the latest calm one of its size.
        allowed_s: what one backlog message of 4 KB takes on the link.
        turns: how often backlog goes back in its numbers: once where alarms went first.
        rejected: messages that the platform refused, by cause.
    """

    made: int
    stored: int
    doubled: int
    withheld: int
    lost: int
    unaccounted: int
    entries: int
    messages: dict[str, int]
    backlog_records: int
    drain_s: float | None
    drain_awake_s: float
    outage_span_s: float
    calm: Delays
    draining: Delays
    alarms: Delays
    excess_s: float
    allowed_s: float
    turns: int
    rejected: dict[str, int]


def findings(world: World) -> Findings:
    """Look into the platform's store, and at when what arrived."""
    seen, plan = world.seen, world.plan
    drained_s = seen.drained_s
    begin_s, end_s = plan.outage_s
    calm, draining = _live(world)
    prompt = _prompt(world)
    backlog = [one for one in seen.arrived if one.kind == "backlog" and one.first]
    fresh = [one for one in backlog if one.at_s >= end_s]
    with closing(sqlite3.connect(world.store)) as store:
        (stored,) = store.execute("SELECT count(*) FROM record").fetchone()
        (doubled,) = store.execute("SELECT count(*) FROM conflict").fetchone()
        told = store.execute("SELECT first, last, cause FROM range_entry").fetchall()
        numbers = {number for (number,) in store.execute("SELECT number FROM record")}
    causes: Counter[str] = Counter()
    for first, last, cause in told:
        causes[cause] += last - first + 1
        numbers.update(range(first, last + 1))
    with StoreReader(world.store) as reader:
        rejected = reader.rejected()
    slowest = max((_beyond(one, calm, plan.bits_per_s) for one in draining), default=0.0)
    return Findings(
        made=seen.made,
        stored=stored,
        doubled=doubled,
        withheld=causes.pop("withheld", 0),
        lost=sum(causes.values()),
        unaccounted=seen.made - len(numbers & set(range(1, seen.made + 1))),
        entries=len(told),
        messages=dict(Counter(one.kind for one in seen.arrived)),
        backlog_records=sum(one.last - one.first + 1 for one in backlog),
        drain_s=None if drained_s is None else drained_s - world.back_s,
        drain_awake_s=0.0 if drained_s is None else _awake_s(world, world.back_s, drained_s),
        outage_span_s=end_s - begin_s,
        calm=_delays(calm),
        draining=_delays(draining),
        alarms=_delays([one for one in seen.arrived if one.kind == "alarm" and prompt(one)]),
        excess_s=slowest,
        allowed_s=BACKLOG_PACKET_BYTES * 8 / plan.bits_per_s,
        turns=_disorder(fresh),
        rejected=rejected,
    )


def _live(world: World) -> tuple[list[Arrived], list[Arrived]]:
    """Live messages outside the outage: those that were alone on the link, and those amid backlog.

    What waited for company in vain, as before a sleep, is left out.
    """
    end_s = world.plan.outage_s[1]
    drained_s = world.seen.drained_s or end_s
    prompt = _prompt(world)
    live = [
        one
        for one in world.seen.arrived
        if one.kind == "live" and one.last - one.first + 1 >= LIVE_RECORDS and prompt(one)
    ]
    draining = [one for one in live if end_s <= one.at_s <= drained_s]
    return [one for one in live if one not in draining], draining


def _prompt(world: World) -> Callable[[Arrived], bool]:
    """Tells messages that were made while the link was there, and are no repeats of what a sleep cut off."""
    begin_s, _ = world.plan.outage_s
    horizon_s = ForwardRules("", "").live_horizon_s
    back_s = world.back_s
    wakes = [awake.begin_s for awake in world.plan.days.awake()]

    def prompt(one: Arrived) -> bool:
        slept = any(one.newest_s - CONNECTING_S < wake_s <= one.at_s for wake_s in wakes)
        restarted = any(one.newest_s - CONNECTING_S < at_s <= one.at_s for at_s in world.plan.restarts_s)
        out = begin_s - horizon_s <= one.newest_s < back_s
        return not (slept or restarted or out)

    return prompt


def _beyond(one: Arrived, calm: Sequence[Arrived], bits_per_s: float) -> float:
    """How much longer a message took than the longest calm one, each less its own transmission."""
    longest = max((_waited(each, bits_per_s) for each in calm), default=0.0)
    return _waited(one, bits_per_s) - longest


def _waited(one: Arrived, bits_per_s: float) -> float:
    return one.at_s - one.newest_s - one.size * 8 / bits_per_s


def _delays(messages: Sequence[Arrived]) -> Delays:
    taken = sorted(one.at_s - one.newest_s for one in messages)
    if not taken:
        return Delays(0, 0.0, 0.0, 0.0)
    return Delays(len(taken), taken[0], taken[len(taken) // 2], taken[-1])


def _disorder(backlog: Sequence[Arrived]) -> int:
    """How often backlog goes back in its numbers: once, when the alarms have been sent."""
    return sum(after.first < before.first for before, after in pairwise(backlog))


def _awake_s(world: World, begin_s: float, end_s: float) -> float:
    return sum(
        max(0.0, min(end_s, awake.end_s) - max(begin_s, awake.begin_s)) for awake in world.plan.days.awake()
    )


def days_of(seconds: float) -> str:
    """Seconds as a person reads them."""
    if seconds >= DAY_S:
        return f"{seconds / DAY_S:.1f} days"
    return f"{seconds / 3600:.2f} h" if seconds >= 3600 else f"{seconds:.0f} s"
