"""The tables of a policy file, each key checked by itself; `policyfile` checks how they agree."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from edge.policy.classes import DataClass
from edge.policy.floor import LATEST_ERASURE_S, LONGEST_CONSENT_DAYS
from edge.policy.jurisdictions import REGIONS, jurisdiction_fault
from edge.policy.rules import ANYWHERE, FULL, Basis, Datum, Precision, Purpose

MOST_TABLES = 100
"""Of each kind in one file."""

_MOST_ENTRIES = 1_000
_MOST_TEXT = 200
_MOST_NAME = 64
_NEWEST = 1_000_000_000
_LARGEST = sys.float_info.max
_LONGEST_KEPT_DAYS = 3650.0
_SHORTEST_DAYS = 1 / 1440
_LARGEST_CELL_M = 100_000.0
_LARGEST_MARGIN_M = 10_000.0
_WITHHELD_BY_WORD = {
    "position": frozenset({DataClass.POSITION}),
    "media": frozenset({DataClass.CABIN, DataClass.EXTERIOR}),
    "everything": frozenset(DataClass),
}
_CELL = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ?m")
_GEOHASH = re.compile(r"geohash (\d{1,2})")
_LONGEST_GEOHASH = 12
_DESTINATION = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_BELOW = re.compile(rf"\*\.{_LABEL}(\.{_LABEL})+")
_LONGEST_HOST = 253
_THIS_MACHINE = "localhost"


def _text(most: int, *, empty: bool) -> BeforeValidator:
    def check(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError("should be a text in quotes")  # noqa: TRY004 - pydantic turns this one into a complaint
        if len(value) > most or not value.isprintable() or value != value.strip() or not (value or empty):
            least = 0 if empty else 1
            raise ValueError(
                f"should be {least} to {most} printable characters on one line, without spaces around"
            )
        return value

    return BeforeValidator(check)


def _number(words: str, least: float, most: float = _LARGEST) -> BeforeValidator:
    def check(value: object) -> object:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and least <= value <= most):  # type: ignore[operator] # seen to be a number
            raise ValueError(f"should be {words}")
        return value

    return BeforeValidator(check)


def _listed(example: str, *, empty: bool = False) -> BeforeValidator:
    def check(value: object) -> object:
        if not isinstance(value, list) or not (value or empty):
            raise ValueError(f"should be a list, such as {example}")
        if len(value) > _MOST_ENTRIES:
            raise ValueError(f"has {len(value)} entries; there is room for {_MOST_ENTRIES}")
        return value

    return BeforeValidator(check)


def _once(value: tuple[object, ...]) -> tuple[object, ...]:
    if len(set(value)) < len(value):
        raise ValueError("names something twice; leave one away")
    return value


def _version(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _NEWEST:
        raise ValueError(
            f"should be a whole number, 1 to {_NEWEST}, that counts up with each policy of this name"
        )
    return value


def _format(value: object) -> object:
    if isinstance(value, bool) or value != 1:
        raise ValueError("this nevgate reads format 1 of policy files; write format = 1")
    return value


def _precision(value: object) -> object:
    if isinstance(value, str):
        if value == "full":
            return FULL
        cell = _CELL.fullmatch(value)
        if cell and 1 <= float(cell[1]) <= _LARGEST_CELL_M:
            return Precision(cell_m=float(cell[1]))
        geohash = _GEOHASH.fullmatch(value)
        if geohash and 1 <= int(geohash[1]) <= _LONGEST_GEOHASH:
            return Precision(geohash=int(geohash[1]))
    raise ValueError(
        "should be 'full', a cell such as '1000 m' (1 to 100000), or 'geohash 1' to 'geohash 12'"
    )


def _withheld(value: object) -> object:
    if isinstance(value, str) and value in _WITHHELD_BY_WORD:
        return _WITHHELD_BY_WORD[value]
    if (
        isinstance(value, list)
        and value
        and all(isinstance(one, str) and one in set(DataClass) for one in value)
    ):
        return frozenset(map(DataClass, value))
    raise ValueError(
        f"should be {', '.join(map(repr, _WITHHELD_BY_WORD))}, or a list of classes: {', '.join(DataClass)}"
    )


def _moment(value: object) -> object:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("should be a time with its offset and no quotes, such as 2026-03-01T00:00:00+08:00")
    return value


def _jurisdiction(*, one: bool) -> Callable[[object], object]:
    def check(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError("should be a text such as 'CN'")  # noqa: TRY004 - as above
        if one and (value == ANYWHERE or value in REGIONS):
            raise ValueError("machines stand in one country; name it, such as 'CN'")
        fault = jurisdiction_fault(value)
        if fault is not None:
            raise ValueError(fault)
        return value

    return check


def _destination(value: object) -> object:
    if not isinstance(value, str) or not _DESTINATION.fullmatch(value):
        raise ValueError(
            "should be a destination's name as the configuration has it, such as 'fleet'; [uplink] is "
            "'platform'"
        )
    return value


def _host(value: object) -> object:
    text = value.lower().removesuffix(".") if isinstance(value, str) else ""
    if len(text) <= _LONGEST_HOST and (_HOST.fullmatch(text) or _BELOW.fullmatch(text) or _address(text)):
        return text
    raise ValueError(
        "should be a host's name or address without scheme, port and path, such as 'data.example.cn', or "
        "'*.example.cn' for all below it"
    )


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _network(value: object) -> object:
    try:
        found = ip_network(value) if isinstance(value, str) else None
    except ValueError as fault:
        raise ValueError(f"{fault}; write it such as '203.0.113.0/24'") from None
    if found is None or not found.prefixlen:
        raise ValueError("should be a network such as '203.0.113.0/24'; leave networks away for any address")
    return found


Name = Annotated[str, _text(_MOST_NAME, empty=False)]
Text = Annotated[str, _text(_MOST_TEXT, empty=True)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Purposes = Annotated[tuple[Purpose, ...], _listed("['service']"), AfterValidator(_once)]
Jurisdictions = Annotated[
    tuple[Annotated[str, BeforeValidator(_jurisdiction(one=False))], ...],
    _listed("['CN']", empty=True),
    AfterValidator(_once),
]
_Degrees = Annotated[float, _number("a number of degrees", -_LARGEST)]
_Corner = Annotated[tuple[_Degrees, _Degrees], _listed("[116.3913, 39.9075], longitude first")]


class Table(BaseModel):
    """What all tables have in common: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RuleTable(Table):
    """``[[rule]]``: one class collected for some purposes."""

    data_class: DataClass = Field(alias="class")
    purposes: Purposes
    basis: Basis
    jurisdictions: Jurisdictions = ()
    destinations: Annotated[tuple[Name, ...], _listed("['fleet']", empty=True), AfterValidator(_once)] = ()
    precision: Annotated[Precision, BeforeValidator(_precision)] = FULL
    retention_days: Annotated[
        float,
        _number(
            f"a number of days, 0 to {_LONGEST_KEPT_DAYS:g} (0: as long as the journal keeps such data)",
            0,
            _LONGEST_KEPT_DAYS,
        ),
    ] = 0.0
    longest_days: Annotated[
        float,
        _number(
            f"a number of days, at most {LONGEST_CONSENT_DAYS:g}: a consent has a term, never 'always' or "
            "'permanent' (GB/T 44464-2024, 5.2)",
            _SHORTEST_DAYS,
        ),
    ] = 0.0
    erase_within_s: Annotated[
        float,
        _number(
            f"a number of seconds, 1 to {LATEST_ERASURE_S:.0f}, which are ten working days "
            "(GB/T 44464-2024, 5.7)",
            1,
        ),
    ] = 0.0
    clause: Text = ""


class DenyTable(Table):
    """``[[deny]]``: takes rules of the profile away."""

    data_class: DataClass = Field(alias="class")
    purposes: Purposes = tuple(Purpose)


class DestinationTable(Table):
    """``[[destination]]``: one that data may go to."""

    name: Annotated[str, BeforeValidator(_destination)]
    purpose: Literal[Purpose.REGULATED, Purpose.SERVICE]
    jurisdiction: Annotated[str, BeforeValidator(_jurisdiction(one=True))] = ""
    hosts: Annotated[
        tuple[Annotated[str, BeforeValidator(_host)], ...],
        _listed("['data.example.cn']"),
        AfterValidator(_once),
    ]
    networks: Annotated[
        tuple[Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)], ...],
        _listed("['203.0.113.0/24']", empty=True),
        AfterValidator(_once),
    ] = ()

    @property
    def in_vehicle(self) -> bool:
        """Whether all its hosts are the gateway itself."""
        return all(
            host == _THIS_MACHINE or ((address := _address(host)) is not None and address.is_loopback)
            for host in self.hosts
        )


class AreaTable(Table):
    """``[[area]]``: a place in which less is collected."""

    name: Name
    corners: Annotated[tuple[_Corner, ...], _listed("[[116.39, 39.90], [116.40, 39.90], [116.40, 39.91]]")]
    datum: Datum
    withhold: Annotated[frozenset[DataClass], BeforeValidator(_withheld)]
    margin_m: Annotated[float, _number("a number of metres, 0 to 10000", 0, _LARGEST_MARGIN_M)] = 100.0


class _File(Table):
    format: Annotated[int, BeforeValidator(_format)]
    name: Name
    rule: Annotated[tuple[RuleTable, ...], Field(max_length=MOST_TABLES)] = ()


class ProfileTables(_File):
    """A built-in profile."""

    class Floor(Table):
        """``[floor]``: what policies that start from the profile may not go beyond."""

        jurisdictions: Jurisdictions = ()

    floor: Floor = Floor()


class PolicyTables(_File):
    """A policy file."""

    version: Annotated[int, BeforeValidator(_version)]
    profile: Literal["strict", "gbt44464", "gdpr"]
    contact: Text = ""
    issued: Moment | None = None
    expires: Moment | None = None
    deny: Annotated[tuple[DenyTable, ...], Field(max_length=MOST_TABLES)] = ()
    destination: Annotated[tuple[DestinationTable, ...], Field(max_length=MOST_TABLES)] = ()
    area: Annotated[tuple[AreaTable, ...], Field(max_length=MOST_TABLES)] = ()
