"""Finds what a binding file names in its database; what is not there is refused with the nearest name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from edge.catalogue.condition import NOT_ZERO, Condition, SignalName, parse_condition
from edge.database.model import Database, Message, Signal
from edge.errors import BindingError
from edge.tomlfile import KeyPath, TomlFile


@dataclass(frozen=True, slots=True)
class SignalPlace:
    """A place in a binding file: the table of an item, or one of its keys."""

    file: TomlFile
    item_id: str
    keys: tuple[str, ...] = ()

    def at(self, *keys: str) -> SignalPlace:
        """The place of a key of the same table."""
        return SignalPlace(self.file, self.item_id, keys)

    @property
    def where(self) -> str:
        """File and line."""
        path: KeyPath = ("items", self.item_id, *self.keys)
        return self.file.where(path)

    def error(self, what: str, todo: str) -> BindingError:
        """The refusal of what stands here."""
        return BindingError(what, where=self.where, todo=todo)

    @staticmethod
    def nearest(name: str, names: Sequence[str]) -> str:
        """Advice that names the nearest of `names`, or all of them where few."""
        few = 8
        near = get_close_matches(name, names, n=1, cutoff=0.4)
        if near:
            return f"Did you mean '{near[0]}'?"
        return f"Known here: {', '.join(names)}" if 0 < len(names) <= few else ""


@dataclass(frozen=True, slots=True)
class Found:
    """A signal of the database."""

    name: SignalName
    message: Message
    signal: Signal


class Lookup:
    """The signals of one database by name."""

    def __init__(self, database: Database) -> None:
        self._found = {
            f"{message.name}.{signal.name}": Found(SignalName(message.name, signal.name), message, signal)
            for outer in database.messages
            for message in (outer, *outer.contained)
            for signal in message.signals
        }
        self._database = database

    def __iter__(self) -> Iterator[Found]:
        return iter(self._found.values())

    def signal(self, name: str, place: SignalPlace) -> Found:
        """The signal called ``MESSAGE.SIGNAL``.

        Raises:
            BindingError: if there is none; names the nearest.
        """
        found = self._found.get(name.strip())
        if found is None:
            raise place.error(
                f"there is no signal '{name}' in {self._database.path.name}", self._advice(name)
            )
        return found

    def condition(self, words: str, place: SignalPlace) -> Condition:
        """The condition that `words` say; a name alone means "not 0".

        Raises:
            BindingError: if it is none, or its signal is not there.
        """
        try:
            name, comparison = parse_condition(words)
        except ValueError as error:
            raise place.error(str(error), "") from None
        return Condition(self.signal(name, place).name, comparison or NOT_ZERO)

    def pattern(self, words: str, place: SignalPlace) -> list[Found]:
        """The signals that a pattern with one ``{n}`` names, in the order of their numbers.

        Raises:
            BindingError: if it names none, one number twice, or leaves gaps.
        """
        if words.count("{n}") != 1:
            raise place.error(
                f"the pattern '{words}' needs exactly one {{n}}",
                "Write {n} where the element's number stands, or list the signals",
            )
        expression = re.escape(words).replace(r"\{n\}", r"(\d+)").replace(r"\*", ".*")
        numbered: dict[int, Found] = {}
        for name, found in self._found.items():
            match = re.fullmatch(expression, name)
            if match is None:
                continue
            other = numbered.setdefault(int(match[1]), found)
            if other is not found:
                raise place.error(
                    f"the pattern '{words}' finds element {int(match[1])} twice: '{other.name}' and "
                    f"'{found.name}'",
                    "Make the pattern narrower",
                )
        if not numbered:
            raise place.error(
                f"the pattern '{words}' finds no signal in {self._database.path.name}",
                self._advice(words.replace("{n}", "1").replace("*", "")),
            )
        first, last = min(numbered), max(numbered)
        gap = next((number for number in range(first, last + 1) if number not in numbered), None)
        if gap is not None:
            raise place.error(
                f"the pattern '{words}' finds {len(numbered)} elements from {first} to {last}, but no {gap}",
                "Make the pattern wider, or list the signals",
            )
        return [numbered[number] for number in range(first, last + 1)]

    def cycle_time_ms(self, name: SignalName) -> int:
        """The cycle time of the signal's message, 0 where the database gives none."""
        return self._found[str(name)].message.cycle_time_ms or 0

    def _advice(self, name: str) -> str:
        if "." not in name:
            same = [known for known in self._found if known.endswith(f".{name}")]
            return f"Did you mean '{same[0]}'?" if same else "Write MESSAGE.SIGNAL"
        message, _, signal = name.partition(".")
        if message in self._database.by_name:
            own = [entry.name for entry in self._database.by_name[message].signals]
            near = get_close_matches(signal, own, n=1, cutoff=0.3)
            if near:
                return f"Did you mean '{message}.{near[0]}'?"
        return SignalPlace.nearest(name, list(self._found))
