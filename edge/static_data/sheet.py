"""`read_static`: the file that a maker writes, each row of it checked, and all that contradicts another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from edge.catalogue.item import Edition
from edge.errors import ConfigError
from edge.static_data.checks import CHECKS, is_number, key_fault, shown
from edge.static_data.numbers import pack_code, pack_code_fault
from edge.static_data.table import StaticRow, battery_types, static_rows
from edge.tomlfile import TomlFile, read_toml

FUEL_CELL = "fuel_cell"
"""The section of 2025's table A.7: its 12 rows are not public, so it is kept as it is."""

_MANY = frozenset({"storage", "motor"})
_TOP = frozenset({"edition", "kind", "checks"})
_CHECKS = ("vin_check_digit", "iccid_check_digit")
_MOST_SYSTEMS = 20
_ENERGY_SHARE = Decimal("0.01")
"""How far the energies of all storage may be from their total."""


class VehicleKind(StrEnum):
    """What drives a vehicle, which says what tables it fills."""

    BEV = "bev"
    PHEV = "phev"
    FCEV = "fcev"


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the file, or one that is missing.

    Attributes:
        row: what it is.
        place: its section, with the number from 1 where there are several: ``motor 2``.
        value: as it is in the file; None if it is missing.
        said: for people.
        where: file and line.
        fault: what is wrong with it; empty if nothing is.
    """

    row: StaticRow
    place: str
    value: object
    said: str
    where: str
    fault: str


@dataclass(frozen=True, slots=True)
class StaticData:
    """What a file says.

    Attributes:
        edition: of the standard.
        kind: of the vehicle.
        entries: every row of the edition's tables that the vehicle fills, in order of annex A.
        beside: what else is wrong: unknown keys and sections, what contradicts another row.
        rest: the section `fuel_cell`, whose rows are not public.
    """

    edition: Edition
    kind: VehicleKind
    entries: tuple[Entry, ...]
    beside: tuple[str, ...]
    rest: Mapping[str, object]

    @property
    def faults(self) -> tuple[str, ...]:
        """All that is wrong, a line each."""
        rows = tuple(
            f"{one.where}: {one.place}, {one.row.item.en} {one.row.item.cn}: {one.fault}"
            for one in self.entries
            if one.fault
        )
        return rows + self.beside

    @property
    def distinct(self) -> int:
        """How many different rows the vehicle fills, however many motors and packs it has."""
        return len({one.row.item.id for one in self.entries})

    def values(self, section: str, key: str) -> tuple[object, ...]:
        """The values of a row: one for each table of its section."""
        return tuple(one.value for one in self.entries if one.row.section == section and one.row.key == key)

    def value(self, section: str, key: str) -> object:
        """The value of a row of a section that is there once; None if it is missing."""
        return next(iter(self.values(section, key)), None)


def read_static(path: Path, edition: Edition | None = None) -> StaticData:
    """Read and check a maker's file.

    Args:
        path: of the file.
        edition: the edition to check by, instead of the file's own.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or names no edition or kind of vehicle.
    """
    file = read_toml(path, ConfigError)
    edition = edition or _edition(file)
    kinds = [one.value for one in VehicleKind]
    if file.values.get("kind") not in kinds:
        raise ConfigError(f"'kind' is one of {', '.join(kinds)}", where=file.where(("kind",)))
    kind = VehicleKind(str(file.values["kind"]))
    choices, beside = _choices(file)
    rows = tuple(row for row in static_rows(edition) if row.section != "engine" or _burns(kind, file))
    entries = tuple(_entries(file, rows, edition, choices))
    sections = {row.section for row in static_rows(edition)} | _TOP
    if kind is VehicleKind.FCEV and edition is Edition.Y2025:
        sections.add(FUEL_CELL)
    for name in file.values:
        if name not in sections:
            beside.append(f"{file.where((name,))}: the edition of {edition.value} has no [{name}]")
    rest = file.values.get(FUEL_CELL)
    data = StaticData(edition, kind, entries, (), MappingProxyType(rest if isinstance(rest, dict) else {}))
    if kind is VehicleKind.FCEV and edition is Edition.Y2025 and not data.rest:
        beside.append(f"{path}: [{FUEL_CELL}] is missing: what table A.7 asks of the fuel cell")
    beside += _unknown_keys(file, rows)
    beside += (f"{path}: {fault}" for fault in _contradictions(data))
    return StaticData(edition, kind, entries, tuple(beside), data.rest)


def _edition(file: TomlFile) -> Edition:
    told = str(file.values.get("edition", ""))
    known = {str(one.value): one for one in Edition}
    if told not in known:
        raise ConfigError("'edition' is 2016 or 2025", where=file.where(("edition",)))
    return known[told]


def _burns(kind: VehicleKind, file: TomlFile) -> bool:
    return kind is VehicleKind.PHEV or "engine" in file.values


def _choices(file: TomlFile) -> tuple[dict[str, bool], list[str]]:
    """What of the numbers' own checks is wanted, and what is wrong with saying so."""
    told = file.values.get("checks", {})
    choices = dict.fromkeys(_CHECKS, True)
    wrong = []
    for key, value in (told if isinstance(told, dict) else {"": told}).items():
        if key in choices and isinstance(value, bool):
            choices[key] = value
        else:
            wrong.append(
                f"{file.where(('checks', key))}: [checks] has {' and '.join(_CHECKS)}, true or false"
            )
    return choices, wrong


def _entries(
    file: TomlFile, rows: tuple[StaticRow, ...], edition: Edition, choices: Mapping[str, bool]
) -> Iterator[Entry]:
    for section in dict.fromkeys(row.section for row in rows):
        own = [row for row in rows if row.section == section]
        for key, place, table in _tables(file, section):
            for row in own:
                yield _entry(file, (*key, row.key), place, row, table.get(row.key), edition, choices)


def _tables(
    file: TomlFile, section: str
) -> Iterator[tuple[tuple[str | int, ...], str, Mapping[str, object]]]:
    """The tables of a section: where each is, what it is called, what it holds; an empty one if none."""
    told = file.values.get(section)
    if section in _MANY and isinstance(told, list) and told:
        for place, one in enumerate(told):
            yield (section, place), f"{section} {place + 1}", one if isinstance(one, dict) else {}
        return
    plain = told if isinstance(told, dict) and section not in _MANY else {}
    yield (section,), section, plain


def _entry(
    file: TomlFile,
    key: tuple[str | int, ...],
    place: str,
    row: StaticRow,
    value: object,
    edition: Edition,
    choices: Mapping[str, bool],
) -> Entry:
    if value is None:
        fault = "is missing" + ("" if key[0] in file.values else f"; there is no [{key[0]}]")
        return Entry(row, place, None, "", file.where(key), fault)
    fault = CHECKS[row.kind](value, row, edition)
    if "check digit" in fault and not choices.get(f"{row.kind}_check_digit", True):
        fault = ""
    return Entry(row, place, value, shown(value, row, edition), file.where(key), fault)


def _unknown_keys(file: TomlFile, rows: tuple[StaticRow, ...]) -> Iterator[str]:
    for section in dict.fromkeys(row.section for row in rows):
        known = {row.key for row in rows if row.section == section}
        told = file.values.get(section)
        if told is not None and isinstance(told, list) != (section in _MANY):
            wanted = f"[[{section}]], in double brackets" if section in _MANY else f"[{section}]"
            yield f"{file.where((section,))}: write {wanted}"
            continue
        for key, place, table in _tables(file, section):
            for name in table:
                if name not in known:
                    yield (
                        f"{file.where((*key, name))}: {place}: unknown key '{name}'; known here: "
                        + ", ".join(sorted(known))
                    )


def _contradictions(data: StaticData) -> Iterator[str]:
    """What rows say against each other."""
    numbers = data.values("motor", "number")
    if len(set(map(str, numbers))) != len(numbers):
        yield "two motors have one number"
    yield from _count_faults(data)
    fault = key_fault(data.value("vehicle", "signature_algorithm"), data.value("vehicle", "public_key"))
    if fault:
        yield f"the public key does not fit its algorithm: {fault}"
    types = battery_types(data.edition)
    for told, codes in zip(data.values("storage", "type"), data.values("storage", "codes"), strict=False):
        if not isinstance(told, int) or told not in types:
            continue
        for code in codes if isinstance(codes, list) else []:
            stands = (
                pack_code(code).battery_type if isinstance(code, str) and not pack_code_fault(code) else ""
            )
            others = {one.letter for one in types.values()} - {""}
            if stands in others and types[told].letter != stands:
                yield f"the pack code {code} says battery type {stands}, its storage 0x{told:02X}"
    total, parts = data.value("vehicle", "total_energy"), data.values("storage", "energy")
    if is_number(total) and all(map(is_number, parts)):
        summed = sum(Decimal(str(one)) for one in parts)
        if abs(summed - Decimal(str(total))) > _ENERGY_SHARE * Decimal(str(total)):
            yield f"the total energy is {total} kWh, all storage together has {summed} kWh"


def _count_faults(data: StaticData) -> Iterator[str]:
    for key, section in (("battery_count", "storage"), ("motor_count", "motor")):
        told, there = data.value("vehicle", key), data.values(section, "cooling")
        if isinstance(told, int) and told != len(there):
            yield f"{key} is {told}, and there are {len(there)} of [[{section}]]"
    codes = data.values("storage", "codes")
    if data.edition is Edition.Y2025 and len(codes) > _MOST_SYSTEMS:
        yield f"a login has at most {_MOST_SYSTEMS} battery management systems, here are {len(codes)}"
    for place, (told, listed) in enumerate(zip(data.values("storage", "pack_count"), codes, strict=False), 1):
        if isinstance(told, int) and isinstance(listed, list) and told != len(listed):
            yield f"storage {place}: pack_count is {told}, and there are {len(listed)} codes"
    every = [str(code) for listed in codes if isinstance(listed, list) for code in listed]
    every += [str(code) for code in data.values("storage", "code") if code]
    if len(set(every)) != len(every):
        yield "one code is there twice"
    if len({len(str(code)) for code in data.values("storage", "code") if code is not None}) > 1:
        yield "the codes of storage have one length, which the login tells for all"
