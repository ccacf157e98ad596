"""The policy and the consents that a gateway starts with."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import apsw

from edge.clock import Clock, TimeQuality
from edge.config.configuration import MAIN_DESTINATION, Config
from edge.consent.desk import ConsentDesk
from edge.consent.keeping import JournalKeeping
from edge.destination import configured_destination
from edge.errors import JournalError, PolicyError
from edge.journal.configuration_notes import JournalVersions
from edge.journal.opening import OpenJournal
from edge.loading import Loaded
from edge.places.guard import PlaceGuard
from edge.policy.in_force import InForce
from edge.policy.policy_choice import PolicyChoice, ShortMemory, choose_policy, in_place_of_refused
from edge.policy.rules import Purpose
from edge.policy.standing import Standing

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Start:
    """One start of the gateway.

    Attributes:
        boot: 16 bytes by which the machine names its boot.
        start: 16 bytes that name this start.
        opened: the journal; None where there is none.
    """

    boot: bytes
    start: bytes
    opened: OpenJournal | None


def served_purposes(config: Config) -> frozenset[Purpose]:
    """The purposes that a configuration has any use for; what is admitted for others is not collected."""
    served: set[Purpose] = {one.purpose for one in (config.uplink, *config.destination)}
    if config.journal is not None:
        if config.journal.frames:
            served.add(Purpose.RECORDING)
        if config.collision is not None or any(one.frames for one in config.event):
            served.add(Purpose.EVENT)
    return frozenset(served)


def choose(loaded: Loaded, clock: Clock, opened: OpenJournal | None) -> tuple[PolicyChoice, PlaceGuard]:
    """Choose the policy in force, with the guard of its areas, and note it in the journal where there is one.

    Where its areas cannot be kept to, since a position is not to be read before the door, the strictest is in
    force in its place.
    """
    memory = ShortMemory() if opened is None else JournalVersions(opened, clock)
    choice = choose_policy(
        loaded.config.policy,
        memory,
        wall_ns=clock.wall_ns(),
        clock_trusted=clock.timebase().quality is not TimeQuality.NONE,
    )
    choice, guard = guarded(choice, loaded)
    memory.remember(choice)
    return choice, guard


def guarded(choice: PolicyChoice, loaded: Loaded) -> tuple[PolicyChoice, PlaceGuard]:
    """The guard of a policy's areas; the strictest policy, which has none, if it cannot be kept to."""
    try:
        return choice, PlaceGuard.of(choice.policy.areas, loaded.databases, loaded.bindings)
    except PolicyError as error:
        return in_place_of_refused(error), PlaceGuard(())


def open_desk(choice: PolicyChoice, clock: Clock, start: Start) -> ConsentDesk:
    """The desk with the consents that the journal has; one that cannot be read holds none, and takes none."""
    keeping = None if start.opened is None else JournalKeeping(start.opened)
    try:
        ledger = None if keeping is None else keeping.load()
        newest: Mapping[TimeQuality, int] = MappingProxyType({}) if keeping is None else keeping.newest()
    except (JournalError, apsw.Error):
        logger.exception("no consent holds, since they cannot be read")
        keeping, ledger, newest = None, None, MappingProxyType({})
    return ConsentDesk(
        choice.policy,
        clock,
        boot=start.boot,
        start=start.start,
        ledger=ledger,
        keeping=keeping,
        newest=newest,
        believed_ns=max(newest.values(), default=0),
    )


def standings_of(config: Config, in_force: InForce) -> Mapping[str, Standing]:
    """What each destination may have, by its name, that of ``[uplink]`` first."""
    sections = {MAIN_DESTINATION: config.uplink, **{one.name: one for one in config.destination}}
    return MappingProxyType(
        {
            name: Standing(configured_destination(name, section), in_force)
            for name, section in sections.items()
        }
    )
