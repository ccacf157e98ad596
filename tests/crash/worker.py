"""One round in a process of its own: a gateway over a recording tells each commit until it is killed."""

from __future__ import annotations

import itertools
import json
import os
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from mmap import mmap
from pathlib import Path
from typing import Any

import apsw

from edge.bus.memory import MemorySource
from edge.clock import NS_PER_S, SystemClock, TimeQuality
from edge.forward.forwarder import Forwarder
from edge.gateway import Gateway
from edge.journal.committer import Committer
from edge.journal.journal import Committed, Journal
from edge.journal.section import JournalSection
from edge.journal.settings import JournalSettings
from edge.loading import Loaded
from edge.uplink.mqtt import MqttLink
from tests.crash.deaths import die_at, die_at_line, on_connection
from tests.crash.drive import NEVER, digest, recording
from tests.crash.flaws import FLAWS
from tests.crash.orders import Orders, Phase
from tests.policy.lawful import WITH_POSITION

PHASE, COMMITTING, COMPOSING, PUBLISHING = range(4)
"""Bytes of the memory that is left behind by a worker."""

PHASES = tuple(Phase)
_RECORDS_A_LINE = 80
_SETTLE_S = 0.005


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What outlives a worker.

    Attributes:
        loaded: the configuration, but for vehicle and journal.
        folder: holds the journals, each in a folder named after its vehicle.
        left: memory that tells where a worker was.
        told: pipe for what the worker has to say, a line at a time.
        phases: pipe for a byte at each phase.
    """

    loaded: Loaded
    folder: Path
    left: mmap
    told: int
    phases: int

    def tell(self, **said: object) -> None:
        """Write one line, whole even if death comes meanwhile: a pipe takes up to 4096 bytes at once."""
        os.write(self.told, json.dumps(said).encode() + b"\n")

    def enter(self, phase: Phase) -> None:
        """Say that a phase begins."""
        self.left[PHASE] = PHASES.index(phase)
        with suppress(BrokenPipeError):
            os.write(self.phases, bytes([PHASES.index(phase)]))


def work(orders: Orders, around: Surroundings) -> None:
    """Do what is ordered."""
    _adjust(orders, around)
    if orders.silent_from:
        _fall_silent(orders.silent_from)
    if orders.flaw:
        FLAWS[orders.flaw]()
        around.tell(flawed=True)
    if orders.point:
        die_at(orders.point, orders.passage)
    if orders.line:
        die_at_line(orders.line)
    around.enter(Phase.OPENING)
    clock = SystemClock(TimeQuality.NTP)
    dice = random.Random(orders.seed)  # noqa: S311 - a seed must replay the round
    gateway = Gateway(
        _of(around.loaded, orders.vehicle, around.folder),
        clock=clock,
        rng=random.Random(orders.seed),  # noqa: S311 - jitter
        draw=os.urandom,
        boot=bytes.fromhex(orders.boot),
        choice=WITH_POSITION,
    )
    around.enter(Phase.RUNNING)
    gateway.start()
    frames = recording(dice, clock, seconds=orders.seconds, longest_pause_s=orders.pause_s)
    gateway.run(MemorySource(frames), stop=threading.Event())
    if orders.supply_lost:
        gateway.road.supply_lost()
    around.enter(Phase.FINISHING)
    if orders.last:
        around.tell(account_ns=_report(gateway, clock, orders))
    finished = gateway.finish(orders.drain_s)
    account = gateway.account()
    around.enter(Phase.DONE)
    unbalanced = [str(hop) for hop in account.hops if not hop.balanced]
    around.tell(finished=finished, unbalanced=unbalanced)


def _of(loaded: Loaded, vehicle: str, folder: Path) -> Loaded:
    config = loaded.config
    if config.journal is None:
        raise ValueError("the crash test is of gateways with a journal")
    journal = config.journal.model_copy(update={"folder": folder / vehicle})
    section = config.vehicle.model_copy(update={"vin": vehicle})
    return replace(loaded, config=config.model_copy(update={"journal": journal, "vehicle": section}))


def _report(gateway: Gateway, clock: SystemClock, orders: Orders) -> int:
    """Tell the platform an account in which nothing waits; returns when."""
    end_ns = clock.boot_ns() + round(orders.drain_s * NS_PER_S)
    gateway.road.flush()
    while not gateway.road.settled() and clock.boot_ns() < end_ns:
        gateway.road.step()
        clock.wait(NEVER, _SETTLE_S)
    now_ns = clock.boot_ns()
    gateway.road.report(gateway.account(), clock.timebase(), now_ns, now_ns - NS_PER_S)
    return now_ns


def _adjust(orders: Orders, around: Surroundings) -> None:
    """Have commits announced and moments marked, and let rare things happen often."""
    settings = JournalSection.settings

    def often(self: JournalSection, vehicle: str) -> JournalSettings:
        return replace(settings(self, vehicle), checkpoint_blocks=orders.checkpoint_blocks)

    vars_of: dict[type, dict[str, Any]] = {
        JournalSection: {"settings": often},
        Journal: {
            "__init__": _announcing(Journal.__init__, around),
            "_fail": _telling(Journal._fail, around),
        },
        Committer: {"_transact": _marked(Committer._transact, around, COMMITTING)},
        Forwarder: {"_compose": _marked(Forwarder._compose, around, COMPOSING)},
        MqttLink: {"publish": _marked(MqttLink.publish, around, PUBLISHING)},
    }
    for owner, replaced in vars_of.items():
        for name, function in replaced.items():
            setattr(owner, name, function)

    def write_back(connection: apsw.Connection) -> None:
        connection.pragma("wal_autocheckpoint", orders.wal_pages)

    on_connection(write_back)


def _fall_silent(number: int) -> None:
    """From this message on, let what is published vanish as in a hole in the radio."""
    publish = MqttLink.publish
    published = itertools.count(1)

    def vanishing(self: MqttLink, token: int, topic: str, payload: bytes, *, retain: bool) -> None:
        if next(published) < number:
            publish(self, token, topic, payload, retain=retain)

    MqttLink.publish = vanishing  # type: ignore[method-assign]


def _announcing(function: Callable[..., None], around: Surroundings) -> Callable[..., None]:
    def announce(committed: Committed) -> None:
        numbered = [(one.number, digest(one)) for one in committed.records]
        for begin in range(0, len(numbered), _RECORDS_A_LINE):
            around.tell(records=numbered[begin : begin + _RECORDS_A_LINE])

    def made(self: Journal, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - whatever it takes
        function(self, *args, **kwargs)
        self.on_commit.append(announce)

    return made


def _telling(function: Callable[..., None], around: Surroundings) -> Callable[..., None]:
    def failed(self: Journal, taken: object, error: Exception) -> None:
        around.tell(journal_failed=f"{type(error).__name__}: {error}")
        function(self, taken, error)

    return failed


def _marked(function: Callable[..., Any], around: Surroundings, place: int) -> Callable[..., Any]:
    def marked(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever it takes
        around.left[place] += 1
        try:
            return function(*args, **kwargs)
        finally:
            around.left[place] -= 1

    return marked
