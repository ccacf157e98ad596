"""The policy that a gateway of a configuration would have in force now, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import click

from edge.clock import Clock, TimeQuality
from edge.config.configuration import Config
from edge.errors import JournalError
from edge.journal.configuration_notes import believed_ns, seen_versions
from edge.journal.database import open_to_read
from edge.journal.opening import JOURNAL_FILE
from edge.policy.classes import DataClass
from edge.policy.policy_choice import PolicyChoice, ShortMemory, choose_policy
from edge.policy.policy_words import rule_words
from edge.policy.rules import Policy, Purpose, Rule


def chosen_policy(config: Config, clock: Clock) -> PolicyChoice:
    """Choose as the gateway does, without leaving a trace; what its journal has seen counts.

    Raises:
        JournalError: there is a journal that cannot be read.
    """
    return choose_policy(
        config.policy,
        _memory(config),
        wall_ns=clock.wall_ns(),
        clock_trusted=clock.timebase().quality >= TimeQuality.RTC,
    )


def _memory(config: Config) -> ShortMemory:
    if config.journal is None:
        return ShortMemory()
    path = config.journal.folder / JOURNAL_FILE
    if not path.exists():
        return ShortMemory()
    try:
        connection = open_to_read(str(path))
        try:
            return ShortMemory(seen_versions(connection, None), believed_ns(connection))
        finally:
            connection.close()
    except apsw.Error as error:
        raise JournalError(f"cannot be read: {error}", where=str(path)) from error


def policy_lines(policy: Policy) -> Iterator[str]:
    """A policy in words, per class and purpose."""
    for data_class in DataClass:
        said: dict[str, list[str]] = {}
        for purpose in Purpose:
            said.setdefault(rule_words(policy.rule(data_class, purpose)), []).append(purpose)
        title = str(data_class)
        for words, purposes in said.items():
            named = f"{', '.join(purposes)}: " if len(said) > 1 else ""
            yield f"  {click.style(f'{title:9}', bold=True)} {named}{words}"
            title = ""
    for one in policy.destinations.values():
        networks = f" at {', '.join(map(str, one.networks))}" if one.networks else ""
        stands = one.jurisdiction or "in the vehicle"
        yield f"  destination {one.name}: {one.purpose}, {stands}, {', '.join(one.hosts)}{networks}"
    for area in policy.areas:
        yield (
            f"  area {area.name}: {len(area.corners)} corners in {area.datum.upper()}, "
            f"{area.margin_m:g} m around them too; inside no {', '.join(sorted(area.withhold))}"
        )


def policy_record(policy: Policy) -> dict[str, object]:
    """A policy as JSON."""
    return {
        "name": policy.name,
        "version": policy.version,
        "profile": policy.profile,
        "title": policy.title,
        "contact": policy.contact,
        "uses": [_use_record(rule) for rule in policy.rules.values()],
        "destinations": [
            {
                "name": one.name,
                "purpose": one.purpose,
                "jurisdiction": one.jurisdiction,
                "hosts": list(one.hosts),
                "networks": list(map(str, one.networks)),
            }
            for one in policy.destinations.values()
        ],
        "areas": [
            {
                "name": area.name,
                "corners": area.corners,
                "datum": area.datum,
                "withhold": sorted(area.withhold),
                "margin_m": area.margin_m,
            }
            for area in policy.areas
        ],
    }


def _use_record(rule: Rule) -> dict[str, object]:
    return {
        "class": rule.data_class,
        "purpose": rule.purpose,
        "basis": rule.basis,
        "leaves": rule.leaves,
        "jurisdictions": sorted(rule.jurisdictions),
        "destinations": sorted(rule.destinations),
        "precision": str(rule.precision),
        "retention_days": rule.retention_days,
        "longest_days": rule.longest_days,
        "erase_within_s": rule.erase_within_s,
        "clause": rule.clause,
    }
