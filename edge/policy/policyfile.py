"""Loads policy files: the TOML that says what may be collected, why, and where it may go (docs/policy.md)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType

from edge.errors import PolicyError
from edge.policy.admission import Use
from edge.policy.destinations import recipients
from edge.policy.floor import USUAL_ERASURE_S, outside_words, rule_faults
from edge.policy.guarded_file import read_guarded
from edge.policy.jurisdictions import spelled_out
from edge.policy.policy_tables import (
    AreaTable,
    DestinationTable,
    PolicyTables,
    ProfileTables,
    RuleTable,
)
from edge.policy.polygon import polygon_fault
from edge.policy.rules import ANYWHERE, AllowedDestination, Area, Basis, Policy, Rule
from edge.tomlfile import KeyPath, TomlFile, parse_toml, validate

PROFILES = ("strict", "gbt44464", "gdpr")
"""The built-in profiles, the strictest first."""

STRICTEST = PROFILES[0]
LARGEST_BYTES = 1_000_000

_LONGEST_LINE = 2_000
_MOST_DOTS = 50
_FRACTION = re.compile(rb"(?<![^\[,=\s])[-+]?\d+\.\d+(?=\s*(?:[\],#]|$))")
"""A number in a list or behind its key, whose dot parts no key."""

_FOLDER = Path(__file__).parent / "profiles"


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A policy and what its file says beside it.

    Attributes:
        policy: the policy.
        digest: SHA-256 over the file, 32 bytes.
        issued: not in force before; None for at once.
        expires: not in force from then on; None for no end.
    """

    policy: Policy
    digest: bytes
    issued: datetime | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Profile:
    policy: Policy
    jurisdictions: frozenset[str]


def load_policy(path: Path) -> Policy:
    """Load the policy file at `path`, whoever signed it.

    Raises:
        PolicyError: as `read_policy` says, or the file is not one to be trusted (`read_guarded`).
    """
    return read_policy(read_guarded(path, LARGEST_BYTES), path).policy


def read_policy(content: bytes, path: Path) -> PolicyFile:
    """Read the bytes of a policy file.

    Args:
        content: the bytes that the signature was checked over.
        path: where they were read, for complaints.

    Raises:
        PolicyError: they are no policy, contradict themselves, or allow what no policy may; with the line,
            what is wrong and what would be right, one line a complaint.
    """
    file = _parsed(content, path)
    tables = validate(file, PolicyTables, PolicyError)
    complaints = _Complaints(file)
    policy = _policy(tables, _profile(tables.profile), complaints)
    complaints.settle()
    return PolicyFile(policy, hashlib.sha256(content).digest(), tables.issued, tables.expires)


def profile(name: str) -> Policy:
    """A built-in profile, of version 0.

    Raises:
        PolicyError: there is none of that name.
    """
    if name not in PROFILES:
        near = get_close_matches(name, PROFILES)
        raise PolicyError(
            f"there is no profile '{name}'",
            todo=f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(PROFILES)}",
        )
    return _profile(name).policy


@cache
def _profile(name: str) -> _Profile:
    path = _FOLDER / f"{name}.toml"
    file = _parsed(path.read_bytes(), path)
    tables = validate(file, ProfileTables, PolicyError)
    complaints = _Complaints(file)
    within = spelled_out(tables.floor.jurisdictions)
    rules = _rules(tables.rule, within, complaints)
    complaints.settle()
    return _Profile(Policy(tables.name, 0, name, _in_order(rules)), within)


def _parsed(content: bytes, path: Path) -> TomlFile:
    # A key of very many parts costs a reader of TOML the square of their number.
    for number, line in enumerate(content.split(b"\n"), start=1):
        if len(line) > _LONGEST_LINE:
            raise PolicyError(
                f"has {len(line)} bytes on one line",
                where=f"{path}:{number}",
                todo=f"Break it into lines of {_LONGEST_LINE} at most",
            )
        if _FRACTION.sub(b"", line).count(b".") > _MOST_DOTS:
            raise PolicyError(
                f"has more than {_MOST_DOTS} dots on one line",
                where=f"{path}:{number}",
                todo="Break it into several",
            )
    return parse_toml(path, content, PolicyError)


class _Complaints:
    """Gathers what is wrong with a file, so that all of it is told at once."""

    def __init__(self, file: TomlFile) -> None:
        self._file = file
        self._found: list[tuple[str, str]] = []

    def add(self, key: KeyPath, words: str) -> None:
        named = isinstance(key[-1], str)
        self._found.append((self._file.where(key), f"'{key[-1]}': {words}" if named else words))

    def place(self, key: KeyPath) -> str:
        """How a complaint elsewhere names this place."""
        line = self._file.line(key)
        return f"at line {line}" if line else "elsewhere in the file"

    def settle(self) -> None:
        """Raise what was found, if anything was."""
        if not self._found:
            return
        (where, words), *others = self._found
        rest = "".join(f"\n{place}: {complaint}" for place, complaint in others)
        raise PolicyError(f"{words}{rest}", where=where)


def _policy(tables: PolicyTables, base: _Profile, complaints: _Complaints) -> Policy:
    if tables.name.casefold() in PROFILES:
        complaints.add(("name",), f"'{tables.name}' is the name of a built-in profile; give another")
    if tables.issued is not None and tables.expires is not None and tables.expires <= tables.issued:
        complaints.add(("expires",), "is not after 'issued'")
    denied = _denied(tables, base, complaints)
    rules = {use: rule for use, rule in base.policy.rules.items() if use not in denied}
    rules |= _rules(tables.rule, base.jurisdictions, complaints)
    if not tables.contact and any(rule.basis is Basis.CONSENT for rule in rules.values()):
        complaints.add(
            ("contact",),
            "is missing, and whoever is asked for consent is told whom to turn to (GB/T 44464-2024, 5.2); "
            "name somebody, or deny what rests on consent",
        )
    destinations = _destinations(tables.destination, base.jurisdictions, complaints)
    _check_destinations(tables.rule, destinations, complaints)
    return Policy(
        name=tables.name,
        version=tables.version,
        profile=tables.profile,
        rules=_in_order({use: _with_recipients(rule, destinations) for use, rule in rules.items()}),
        destinations=MappingProxyType(dict(sorted(destinations.items()))),
        areas=tuple(_areas(tables.area, complaints)),
        contact=tables.contact,
    )


def _with_recipients(rule: Rule, destinations: Mapping[str, AllowedDestination]) -> Rule:
    """A rule that knows who gets the data: a consent is to these, and asked for again when they change."""
    meant = [destinations[name] for name in recipients(rule, destinations)]
    return replace(
        rule, recipients=tuple(f"{one.name} {one.jurisdiction} {' '.join(one.hosts)}" for one in meant)
    )


def _in_order(rules: Mapping[Use, Rule]) -> Mapping[Use, Rule]:
    return MappingProxyType(dict(sorted(rules.items())))


def _rules(tables: tuple[RuleTable, ...], within: frozenset[str], complaints: _Complaints) -> dict[Use, Rule]:
    found: dict[Use, Rule] = {}
    places: dict[Use, int] = {}
    for place, table in enumerate(tables):
        told: set[tuple[str, str]] = set()
        for rule in _rules_of(table):
            use = rule.data_class, rule.purpose
            if use in found:
                complaints.add(
                    ("rule", place),
                    f"class {use[0]} for purpose {use[1]} has a rule already, "
                    f"{complaints.place(('rule', places[use]))}; keep one of the two",
                )
            found[use] = rule
            places[use] = place
            for fault in rule_faults(rule, within):
                if (fault.key, fault.words) not in told:
                    told.add((fault.key, fault.words))
                    complaints.add(("rule", place, fault.key), fault.words)
    return found


def _rules_of(table: RuleTable) -> Iterator[Rule]:
    usual_s = USUAL_ERASURE_S if table.basis is Basis.CONSENT else 0.0
    for purpose in table.purposes:
        yield Rule(
            data_class=table.data_class,
            purpose=purpose,
            basis=table.basis,
            jurisdictions=spelled_out(table.jurisdictions),
            destinations=frozenset(table.destinations),
            precision=table.precision,
            retention_days=table.retention_days,
            longest_days=table.longest_days,
            erase_within_s=table.erase_within_s or usual_s,
            clause=table.clause,
        )


def _denied(tables: PolicyTables, base: _Profile, complaints: _Complaints) -> set[Use]:
    allowed = {(table.data_class, purpose) for table in tables.rule for purpose in table.purposes}
    denied: set[Use] = set()
    for place, table in enumerate(tables.deny):
        named = "purposes" in table.model_fields_set
        uses = {(table.data_class, purpose) for purpose in table.purposes}
        known = uses & base.policy.rules.keys()
        for data_class, purpose in sorted(uses & allowed):
            complaints.add(
                ("deny", place),
                f"class {data_class} for purpose {purpose} is denied here and has a [[rule]] as well; a rule "
                "takes the place of the profile's by itself, so keep one of the two",
            )
        missing = sorted(uses - known) if named or not known else []
        if missing and not uses & allowed:
            complaints.add(
                ("deny", place),
                f"the profile '{tables.profile}' does not collect class {missing[0][0]}"
                + (f" for purpose {missing[0][1]}" if named else "")
                + ", so there is nothing to deny; leave it away",
            )
        denied |= known
    return denied


def _destinations(
    tables: tuple[DestinationTable, ...], within: frozenset[str], complaints: _Complaints
) -> dict[str, AllowedDestination]:
    found: dict[str, AllowedDestination] = {}
    for place, table in enumerate(tables):
        key = ("destination", place)
        if table.name in found:
            complaints.add((*key, "name"), f"'{table.name}' is declared twice; keep one of the two")
        if not table.jurisdiction and not table.in_vehicle:
            complaints.add(
                (*key, "jurisdiction"),
                "is missing; say where its machines stand, such as 'CN' (only loopback needs none)",
            )
        elif table.jurisdiction and within and table.jurisdiction not in within:
            complaints.add((*key, "jurisdiction"), outside_words(table.jurisdiction, within))
        found[table.name] = AllowedDestination(
            table.name, table.purpose, table.jurisdiction, table.hosts, table.networks
        )
    return found


def _check_destinations(
    tables: tuple[RuleTable, ...], known: Mapping[str, AllowedDestination], complaints: _Complaints
) -> None:
    for place, table in enumerate(tables):
        key = ("rule", place, "destinations")
        allowed = spelled_out(table.jurisdictions)
        for name in table.destinations:
            destination = known.get(name)
            if destination is None:
                near = get_close_matches(name, known)
                advice = f"did you mean '{near[0]}'?" if near else "declare it in a [[destination]]"
                complaints.add(key, f"'{name}' is no destination of this policy; {advice}")
                continue
            if destination.purpose not in table.purposes:
                complaints.add(
                    key,
                    f"'{name}' is for purpose {destination.purpose}, which this rule does not name",
                )
            stands = destination.jurisdiction
            if stands and allowed and ANYWHERE not in allowed and stands not in allowed:
                complaints.add(
                    key,
                    f"'{name}' stands in {stands}, which the rule's jurisdictions do not name; "
                    "add it there, or leave the destination away",
                )


def _areas(tables: tuple[AreaTable, ...], complaints: _Complaints) -> Iterator[Area]:
    names: set[str] = set()
    for place, table in enumerate(tables):
        if table.name in names:
            complaints.add(("area", place, "name"), f"'{table.name}' is declared twice; give another name")
        names.add(table.name)
        corners = table.corners[:-1] if table.corners[0] == table.corners[-1] else table.corners
        fault = polygon_fault(corners)
        if fault is not None:
            complaints.add(("area", place, "corners"), fault)
        yield Area(table.name, corners, table.datum, table.withhold, table.margin_m)
