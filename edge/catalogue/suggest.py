"""Suggests a binding for a database: names, units and ranges scored against the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from edge.catalogue import units
from edge.catalogue.binding import Binder
from edge.catalogue.bindingfile import BindingFile, ItemTable
from edge.catalogue.catalogue import Catalogue
from edge.catalogue.item import Item, Kind
from edge.catalogue.lookup import Found, Lookup
from edge.catalogue.vocabulary import MISLEADING, WORDINGS, Wording, words
from edge.database.model import Database
from edge.errors import BindingError
from edge.tomlfile import TomlFile

LEAST_SCORE = 0.5
FEWEST_ELEMENTS = 4
"""Fewer signals with the same name and running numbers are no array."""

_PLAIN_KINDS = frozenset({Kind.NUMBER, Kind.ENUM, Kind.BOOL})
_ENUM_NAMES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"vehicle.gear": {"park": "P", "reverse": "R", "neutral": "N", "drive": "D"}}
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A signal, or a pattern of signals, that may fill an item.

    Attributes:
        name: ``MESSAGE.SIGNAL`` or a pattern with ``{n}``.
        score: from 0 to 1.
        why: what speaks for it.
        table: the keys of its table in a binding file; they load.
    """

    name: str
    score: float
    why: tuple[str, ...]
    table: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What may fill one item, best first."""

    item: Item
    item_id: str
    candidates: tuple[Candidate, ...]


def suggest(
    database: Database, catalogue: Catalogue, *, least_score: float = LEAST_SCORE
) -> list[Suggestion]:
    """Candidates for every item that has any; each signal serves one item at most."""
    maker = _Maker(database, catalogue)
    scored = {
        item_id: maker.candidates(item_id, wording, least_score) for item_id, wording in WORDINGS.items()
    }
    best_for: dict[str, tuple[float, str]] = {}
    for item_id, candidates in scored.items():
        for candidate in candidates:
            best_for[candidate.name] = max(
                best_for.get(candidate.name, (0.0, "")), (candidate.score, item_id)
            )
    return [
        Suggestion(catalogue.item(item_id), item_id, tuple(own))
        for item_id, candidates in scored.items()
        if (own := [entry for entry in candidates if best_for[entry.name][1] == item_id])
    ]


def as_toml(suggestions: Iterable[Suggestion], database: Database) -> str:
    """A binding file of the best candidates; what speaks for them and the runners-up stand in comments."""
    lines = [
        f"# Suggested for {database.path.name} by name, unit and range. Read every line before you trust it:",
        "# a name says nothing of sign, of scale where there is no unit, or of when a value is valid.",
        "",
        "[binding]",
        f"about = {_toml(database.name)}",
    ]
    listed = tuple(suggestions)
    if not listed:
        lines += ["", "[items]", "# Nothing in the database resembles a regulated item."]
    for suggestion in listed:
        best, *others = suggestion.candidates
        item = suggestion.item
        lines += ["", f'[items."{suggestion.item_id}"]']
        lines.append(f"# {item.en} ({item.cn}); {best.score:.2f}: {'; '.join(best.why)}")
        lines += [f"{key} = {_toml(value)}" for key, value in best.table.items()]
        lines += [f"# or {other.name} ({other.score:.2f}: {'; '.join(other.why)})" for other in others[:3]]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_toml(key)} = {_toml(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f"{value}"


class _Maker:
    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        lookup = Lookup(database)
        self._found = tuple(lookup)
        nowhere = TomlFile(Path("suggested"), {}, {})
        self._binder = Binder(nowhere, BindingFile(items={}), lookup, catalogue)
        self._words = {entry.name: words(entry.signal.name) for entry in self._found}
        self._about = {entry.name: words(entry.message.name) for entry in self._found}
        self._groups = _numbered(self._found)
        self._in_groups = {entry.name for group in self._groups.values() for entry in group}

    def candidates(self, item_id: str, wording: Wording, least_score: float) -> list[Candidate]:
        item = self._catalogue.item(item_id)
        if item.kind is Kind.ARRAY:
            named = [(pattern, group[0], f"{len(group)} elements") for pattern, group in self._groups.items()]
        else:
            alone = (entry for entry in self._found if entry.name not in self._in_groups)
            named = [(str(entry.name), entry, "") for entry in alone]
        made = [self._candidate(item_id, item, wording, *entry) for entry in named]
        good = [entry for entry in made if entry is not None and entry.score >= least_score]
        return sorted(good, key=lambda entry: (-entry.score, entry.name))

    def _candidate(
        self, item_id: str, item: Item, wording: Wording, name: str, entry: Found, count: str
    ) -> Candidate | None:
        own, around = self._words[entry.name], self._about[entry.name]
        everything = own | around
        if not all(group & everything for group in wording.core) or not any(
            group & own for group in wording.core
        ):
            return None
        unit = entry.signal.unit or ""
        if item.unit and unit and units.conversion(unit, item.unit) is None:
            return None
        if not item.unit and units.known(unit):
            return None
        table = self._table(item_id, item, name, entry)
        if table is None:
            return None
        wanted = frozenset().union(*wording.core) | wording.context
        met = sum(bool(group & own) for group in wording.core) / len(wording.core)
        context = (wording.context & everything) - frozenset().union(*wording.core)
        score = 0.35 * met + 0.1 * min(len(context), 3)
        why = [f"named {', '.join(sorted(wanted & everything))}"]
        if item.unit and unit:
            score += 0.25
            why.append(f"in {unit}")
        elif not item.unit:
            score += 0.15
        if count:
            score += 0.1
            why.append(count)
        if "range" not in table:
            score += 0.1
            why.append("its range fits")
        score -= 0.2 * min(len((own & MISLEADING) - wanted), 2)
        score -= 0.02 * min(len(own - wanted), 5)
        return Candidate(name, round(max(0.0, min(score, 1.0)), 2), tuple(why), MappingProxyType(table))

    def _table(self, item_id: str, item: Item, name: str, entry: Found) -> dict[str, object] | None:
        """The keys of a table that loads; None if there is none."""
        table: dict[str, object] = {"signals" if item.kind is Kind.ARRAY else "signal": name}
        if item.unit and not units.known(entry.signal.unit or ""):
            table["unit"] = item.unit
        if item.kind is Kind.ENUM and entry.signal.choices:
            mapping = _mapping(item_id, item, entry)
            if not mapping:
                return None
            table["map"] = mapping
        if self._loads(item_id, table):
            return table
        if item.kind is Kind.ENUM:
            return None
        table["range"] = [_number(item.minimum), _number(item.maximum)]
        return table if item.kind is not Kind.BOOL and self._loads(item_id, table) else None

    def _loads(self, item_id: str, table: Mapping[str, object]) -> bool:
        try:
            self._binder.bind(item_id, ItemTable.model_validate(table))
        except (BindingError, ValidationError):
            return False
        return True


def _number(value: object) -> int | float:
    number = float(str(value))
    return int(number) if number.is_integer() else number


def _mapping(item_id: str, item: Item, entry: Found) -> dict[str, str]:
    """Names of the signal's values that are also names of the item's, in other words or other case."""
    known = {name.casefold(): name for name in item.names.values()} | dict(_ENUM_NAMES.get(item_id, {}))
    mapping: dict[str, str] = {}
    for name in (entry.signal.choices or {}).values():
        folded = re.sub(r"[^a-z0-9]+", "_", str(name).casefold()).strip("_")
        near = [folded] if folded in known else get_close_matches(folded, known, n=1, cutoff=0.75)
        if near:
            mapping[str(name)] = known[near[0]]
    return mapping


def _numbered(found: Sequence[Found]) -> dict[str, list[Found]]:
    """Signals that differ in a running number only, by the pattern that finds them."""
    groups: dict[str, dict[int, Found]] = {}
    for entry in found:
        for place in re.finditer(r"\d+", entry.name.signal):
            before, after = entry.name.signal[: place.start()], entry.name.signal[place.end() :]
            for message in (entry.name.message, re.sub(r"\d+$", "*", entry.name.message)):
                group = groups.setdefault(f"{message}.{before}{{n}}{after}", {})
                group.setdefault(int(place[0]), entry)
    whole = {
        pattern: [group[number] for number in sorted(group)]
        for pattern, group in groups.items()
        if len(group) >= FEWEST_ELEMENTS and max(group) - min(group) == len(group) - 1
    }
    largest: dict[tuple[str, ...], str] = {}
    for pattern, elements in whole.items():
        largest.setdefault(tuple(str(entry.name) for entry in elements), pattern)
    return {pattern: whole[pattern] for pattern in largest.values()}
