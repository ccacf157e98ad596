"""`Policy`: which classes may be collected for which purpose, why, how exactly, and where they may go."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType

from edge.policy.classes import DataClass

ANYWHERE = "*"
"""In place of a jurisdiction: any that a destination states."""


class Purpose(StrEnum):
    """What a datum is collected for; each purpose has rules, and consents, of its own."""

    REGULATED = "regulated"
    """Records to the platforms that the law names (GB/T 32960.3)."""

    SERVICE = "service"
    """Records to any other destination."""

    RECORDING = "recording"
    """Raw frames kept in the vehicle's journal."""

    EVENT = "event"
    """Raw frames around an event, kept longer."""


RECORD_PURPOSES = frozenset({Purpose.REGULATED, Purpose.SERVICE})
"""Those for which items go into records; the others keep raw frames."""


class Basis(StrEnum):
    """Why a class may be collected for a purpose."""

    LAW = "law"
    """A mandatory rule, or a datum that is nobody's (GB/T 44464-2024 5.1.2)."""

    CONSENT = "consent"
    """Only while a person in the vehicle has agreed (GB/T 44464-2024 5.1.1, 5.2)."""


@dataclass(frozen=True, slots=True)
class Precision:
    """How exactly a position may be known; at most one of the two is set, none for full precision.

    Attributes:
        cell_m: side of the square cell, in metres, whose centre stands for every point in it; 0 for none.
        geohash: characters of the geohash whose cell's centre stands for every point in it; 0 for none.
    """

    cell_m: float = 0.0
    geohash: int = 0

    @property
    def full(self) -> bool:
        """Whether positions pass as they are."""
        return not self.cell_m and not self.geohash

    def __str__(self) -> str:
        """As a policy file writes it."""
        return "full" if self.full else f"{self.cell_m:g} m" if self.cell_m else f"geohash {self.geohash}"


FULL = Precision()


@dataclass(frozen=True, slots=True)
class Rule:
    """One class collected for one purpose; what no rule names is not collected.

    Attributes:
        data_class: the class.
        purpose: the purpose.
        basis: why it may be.
        jurisdictions: where it may go, ISO 3166-1 alpha-2 or `ANYWHERE`; empty: it stays in the vehicle.
        destinations: names of the destinations that may have it; empty for all of this purpose.
        precision: of positions.
        retention_days: kept no longer; 0 where the journal's own bounds are enough.
        longest_days: a consent lasts no longer; only with `Basis.CONSENT`, then greater than 0.
        erase_within_s: after a withdrawal, what was collected under the consent is gone so soon.
        clause: of the rule that the basis rests on, for the reader.
        recipients: whom the policy's own list of destinations makes of `destinations`: name, jurisdiction and
            hosts of each.
    """

    data_class: DataClass
    purpose: Purpose
    basis: Basis
    jurisdictions: frozenset[str] = frozenset()
    destinations: frozenset[str] = frozenset()
    precision: Precision = FULL
    retention_days: float = 0.0
    longest_days: float = 0.0
    erase_within_s: float = 0.0
    clause: str = ""
    recipients: tuple[str, ...] = ()

    @property
    def leaves(self) -> bool:
        """Whether it may leave the vehicle at all."""
        return bool(self.jurisdictions)

    @property
    def digest(self) -> str:
        """A hash over what a person agrees to: a consent to another digest is asked for again."""
        return _digest(
            [
                self.data_class,
                self.purpose,
                sorted(self.jurisdictions),
                sorted(self.destinations),
                str(self.precision),
                self.retention_days,
                *self.recipients,
            ]
        )


@dataclass(frozen=True, slots=True)
class AllowedDestination:
    """A destination that the policy knows.

    Attributes:
        name: as the configuration calls it.
        purpose: regulated or service.
        jurisdiction: where its machines stand, ISO 3166-1 alpha-2.
        hosts: names under which it may be reached; one that begins with ``*.`` stands for all below it.
        networks: the addresses that these names may have; empty for any.
    """

    name: str
    purpose: Purpose
    jurisdiction: str
    hosts: tuple[str, ...]
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


class Datum(StrEnum):
    """The geodetic datum that the corners of an area are given in."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"


@dataclass(frozen=True, slots=True)
class Area:
    """A place in which less is collected.

    Attributes:
        name: for the reader.
        corners: longitude and latitude in degrees, at least three, in order around it.
        datum: of the corners.
        withhold: the classes that are not collected inside.
        margin_m: the area is taken so much larger on all sides.
    """

    name: str
    corners: tuple[tuple[float, float], ...]
    datum: Datum
    withhold: frozenset[DataClass]
    margin_m: float = 100.0


@dataclass(frozen=True)
class Policy:
    """A whole policy.

    Attributes:
        name: for the reader.
        version: counts up; 0 for a built-in profile.
        profile: the built-in profile that it starts from, or is.
        rules: by class and purpose.
        destinations: the allow-list by name; empty: those of the configuration, as it states them.
        areas: places in which less is collected.
        contact: whom to ask, as the notice to a person in the vehicle says.
    """

    name: str
    version: int
    profile: str
    rules: Mapping[tuple[DataClass, Purpose], Rule]
    destinations: Mapping[str, AllowedDestination] = field(default_factory=lambda: MappingProxyType({}))
    areas: tuple[Area, ...] = ()
    contact: str = ""

    @cached_property
    def digest(self) -> str:
        """A hash over all that decides what is collected; contact and clauses are words for people."""
        return _digest(
            [
                self.name,
                self.version,
                self.profile,
                [
                    [rule.digest, rule.basis, rule.longest_days, rule.erase_within_s]
                    for rule in self.rules.values()
                ],
                [repr(one) for one in self.destinations.values()],
                [
                    [one.name, one.corners, one.datum, sorted(one.withhold), one.margin_m]
                    for one in self.areas
                ],
            ]
        )

    @property
    def title(self) -> str:
        """Name, version and the beginning of the hash, as the account and the reports call it."""
        version = f" version {self.version}" if self.version else ""
        return f"{self.name}{version} ({self.digest})"

    def rule(self, data_class: DataClass, purpose: Purpose) -> Rule | None:
        """The rule for a class and purpose; None if it is not collected."""
        return self.rules.get((data_class, purpose))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
