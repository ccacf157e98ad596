"""Loads class files: the TOML beside a database that says what each signal is about (docs/class-files.md)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import dropwhile
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from edge.database.layout import pgn_of
from edge.database.model import Database, Message
from edge.errors import PolicyError
from edge.policy.classed import ClassedDatabase, DiagnosticChannel, DiagnosticRule, Integrity, SignalName
from edge.policy.classes import DataClass
from edge.tomlfile import KeyPath, TomlFile, read_toml, validate

UNCLASSIFIED = "unclassified"

_IDENTIFIER_BYTES = {
    **dict.fromkeys((0x01, 0x02, 0x05, 0x06, 0x08, 0x09), 1),
    **dict.fromkeys((0x41, 0x42, 0x45, 0x46, 0x48, 0x49), 1),
    **dict.fromkeys((0x22, 0x2E, 0x2F, 0x62, 0x6E, 0x6F), 2),
}
"""Bytes of the identifier by service: SAE J1979 PIDs have one, ISO 14229-1 data identifiers two."""

_CHECKSUM = re.compile(r"crc|che?c?ks?_?sum|chks", re.IGNORECASE)

_OBD_IDS = range(0x7DF, 0x7F0)
"""The 11-bit ids of legislated diagnostics (ISO 15765-4): functional and physical requests, responses."""

_DIAGNOSTIC_PGNS = frozenset({0xDA00, 0xDB00})
"""The 29-bit ids of diagnostics: normal fixed addressing, physical and functional (ISO 15765-2)."""


def _identifier_range(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, value)
    if isinstance(value, str):
        found = re.fullmatch(r"\s*(0[xX][0-9a-fA-F]+|\d+)\s*-\s*(0[xX][0-9a-fA-F]+|\d+)\s*", value)
        if found:
            first, last = int(found[1], 0), int(found[2], 0)
            if first <= last:
                return (first, last)
    raise ValueError("should be a number such as 0x0C, or a range such as '0xF100-0xF1FF'")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Signals(_Table):
    signals: list[str] = Field(min_length=1)


class _Integrity(_Table):
    signal: str
    covers: Literal["message"] | list[str]


class _Rule(_Table):
    data_class: DataClass = Field(alias="class")
    service: int = Field(ge=0, le=0xFF)
    identifiers: list[Annotated[tuple[int, int], BeforeValidator(_identifier_range)]] = Field(
        default=[], min_length=1
    )
    identifier_bytes: int | None = Field(default=None, ge=0, le=4)
    data_bytes: int | Literal["any"] = Field(alias="bytes")

    @model_validator(mode="after")
    def _identifiers_have_bytes(self) -> _Rule:
        if self.identifiers and not self.width:
            raise ValueError("this service has no known identifier; say 'identifier_bytes'")
        return self

    @property
    def width(self) -> int:
        if self.identifier_bytes is not None:
            return self.identifier_bytes
        return _IDENTIFIER_BYTES.get(self.service, 0)


class _Isotp(_Table):
    messages: list[str] = []
    ids: list[Annotated[int, Field(ge=0, le=0x7FF)]] = []
    extended_ids: list[Annotated[int, Field(ge=0, le=0x1FFFFFFF)]] = []
    allow: list[_Rule] = []


class _ClassFile(_Table):
    database: str = ""
    complete: bool = False
    operation: _Signals | None = None
    position: _Signals | None = None
    cabin: _Signals | None = None
    exterior: _Signals | None = None
    identity: _Signals | None = None
    health: _Signals | None = None
    unclassified: _Signals | None = None
    integrity: list[_Integrity] = []
    isotp: list[_Isotp] = []
    not_isotp: list[str] = []
    j1939: bool | None = None


def load_classes(path: Path, database: Database) -> ClassedDatabase:
    """Load the class file at `path` for `database`.

    Args:
        path: the class file, see docs/class-files.md.
        database: the database beside which it stands.

    Returns:
        The database with the class of each signal; signals that the file does not name have none.

    Raises:
        PolicyError: if the file cannot be read, contradicts itself, or names what the database lacks; with
            the line and the nearest right name.
    """
    file = read_toml(path, PolicyError)
    return _Loader(file, validate(file, _ClassFile, PolicyError), database).load()


@dataclass(frozen=True, slots=True)
class _Claim:
    """One entry of a section, and how it claims signals: exact beats unclassified beats pattern."""

    section: str
    entry: str
    where: str
    rank: int


class _Loader:
    def __init__(self, file: TomlFile, content: _ClassFile, database: Database) -> None:
        self._file = file
        self._content = content
        self._database = database
        self._lines = file.path.read_text(encoding="utf-8").splitlines()
        self._names: dict[str, SignalName] = {
            f"{message.name}.{signal.name}": (message.name, signal.name)
            for outer in database.messages
            for message in (outer, *outer.contained)
            for signal in message.signals
        }

    def load(self) -> ClassedDatabase:
        named = self._content.database
        if named and named != self._database.path.name:
            raise PolicyError(
                f"is for the database '{named}', not '{self._database.path.name}'",
                where=self._file.where(("database",)),
                todo="Give each database the class file beside it",
            )
        claims = self._claims()
        if self._content.complete:
            self._require_all(claims)
        integrity = tuple(self._integrity())
        self._require_checksums(claims, {declared.signal for declared in integrity})
        return ClassedDatabase(
            database=self._database,
            classes={
                name: DataClass(claim.section)
                for name, claim in claims.items()
                if claim.section != UNCLASSIFIED
            },
            integrity=integrity,
            channels=tuple(self._channels()),
            j1939=self._content.j1939,
        )

    def _claims(self) -> dict[SignalName, _Claim]:
        claims: dict[SignalName, _Claim] = {}
        for section in (*DataClass, UNCLASSIFIED):
            content: _Signals | None = getattr(self._content, str(section))
            for entry in content.signals if content else ():
                where = self._where((str(section), "signals"), entry)
                for name in self._matching(entry, where):
                    exact = entry in self._names
                    rank = 2 if exact else 1 if section == UNCLASSIFIED else 0
                    self._claim(claims, name, _Claim(str(section), entry, where, rank))
        return claims

    @staticmethod
    def _claim(claims: dict[SignalName, _Claim], name: SignalName, new: _Claim) -> None:
        old = claims.get(name)
        if old is None or new.rank > old.rank:
            claims[name] = new
        elif new.rank == old.rank and new.section != old.section:
            raise PolicyError(
                f"'{'.'.join(name)}' falls into two classes: '{new.entry}' says {new.section}, "
                f"'{old.entry}' ({old.where}) says {old.section}",
                where=new.where,
                todo=f"Name '{'.'.join(name)}' itself in the section where it belongs",
            )

    def _matching(self, entry: str, where: str) -> list[SignalName]:
        if entry in self._names:
            return [self._names[entry]]
        if "." not in entry:
            raise PolicyError(
                f"'{entry}' is no signal: write it as 'Message.Signal', or 'Message.*' for all of a message",
                where=where,
                todo=self._advice(f"{entry}.*"),
            )
        found = [name for text, name in self._names.items() if fnmatchcase(text, entry)]
        if not found:
            raise PolicyError(
                f"'{entry}' matches no signal of {self._database.path.name}",
                where=where,
                todo=self._advice(entry),
            )
        return found

    def _advice(self, entry: str) -> str:
        messages = dict.fromkeys(message for message, _ in self._names.values())
        options = [*self._names, *(f"{message}.*" for message in messages)]
        near = get_close_matches(entry, options)
        return f"Did you mean '{near[0]}'?" if near else "Look the name up in the database"

    def _require_all(self, claims: dict[SignalName, _Claim]) -> None:
        missing = [text for text, name in self._names.items() if name not in claims]
        if missing:
            shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")  # noqa: PLR2004 - a line's worth
            raise PolicyError(
                f"says that it is complete, but names no class for {len(missing)} signals: {shown}",
                where=self._file.where(("complete",)),
                todo="Give each a class, or list it under [unclassified]",
            )

    def _require_checksums(
        self, claims: Mapping[SignalName, _Claim], declared: Collection[SignalName]
    ) -> None:
        for name, claim in claims.items():
            if claim.section != UNCLASSIFIED and name not in declared and _CHECKSUM.search(name[1]):
                raise PolicyError(
                    f"'{'.'.join(name)}' is called a checksum, but no [[integrity]] says what it covers",
                    where=claim.where,
                    todo=f"Add [[integrity]] with signal = '{'.'.join(name)}' and covers = 'message', "
                    "or covers = [] if it is none",
                )

    def _integrity(self) -> Iterable[Integrity]:
        taken: dict[SignalName, str] = {}
        for place, content in enumerate(self._content.integrity):
            where = self._file.where(("integrity", place, "signal"))
            for signal in self._matching(content.signal, where):
                if signal in taken:
                    raise PolicyError(
                        f"'{'.'.join(signal)}' is declared twice, also at {taken[signal]}",
                        where=where,
                        todo="Keep one of the two",
                    )
                taken[signal] = where
                yield Integrity(signal, self._covered(place, signal, content.covers))

    def _covered(
        self, place: int, signal: SignalName, covers: Literal["message"] | list[str]
    ) -> frozenset[SignalName] | None:
        if covers == "message":
            return None
        covered: set[SignalName] = set()
        for entry in covers:
            where = self._where(("integrity", place, "covers"), entry)
            full = entry if "." in entry else f"{signal[0]}.{entry}"
            found = self._matching(full, where)
            strangers = [name for name in found if name[0] != signal[0]]
            if strangers:
                raise PolicyError(
                    f"'{'.'.join(strangers[0])}' is in another message than '{'.'.join(signal)}'",
                    where=where,
                    todo="A checksum or counter covers signals of its own message",
                )
            covered.update(found)
        return frozenset(covered - {signal})

    def _channels(self) -> Iterable[DiagnosticChannel]:
        seen: dict[tuple[int, bool], str] = {}
        for place, content in enumerate(self._content.isotp):
            where = self._file.where(("isotp", place))
            rules = tuple(_rule(rule) for rule in content.allow)
            found = [
                *(self._channel(name, rules, place) for name in content.messages),
                *(DiagnosticChannel(number, False, "", rules) for number in content.ids),
                *(DiagnosticChannel(number, True, "", rules) for number in content.extended_ids),
            ]
            if not found:
                raise PolicyError(
                    "an [[isotp]] section without messages or ids", where=where, todo="Name at least one"
                )
            for channel in found:
                key = (channel.arbitration_id, channel.extended)
                if key in seen:
                    raise PolicyError(
                        f"id {channel.arbitration_id:#x} is declared twice, also at {seen[key]}",
                        where=where,
                        todo="Keep one of the two",
                    )
                seen[key] = where
                yield self._described(channel)
        self._require_diagnostics(seen)

    def _channel(self, name: str, rules: tuple[DiagnosticRule, ...], place: int) -> DiagnosticChannel:
        message = self._message(name, ("isotp", place, "messages"))
        return DiagnosticChannel(message.arbitration_id, message.extended, name, rules, message.pgn)

    def _described(self, channel: DiagnosticChannel) -> DiagnosticChannel:
        """An id listed as a number may still be described by a message."""
        for message in self._database.messages:
            if (message.arbitration_id, message.extended) == (channel.arbitration_id, channel.extended):
                return DiagnosticChannel(
                    channel.arbitration_id, channel.extended, message.name, channel.rules, message.pgn
                )
        return channel

    def _message(self, name: str, key: KeyPath) -> Message:
        message = self._database.by_name.get(name)
        if message is None:
            near = get_close_matches(name, self._database.by_name)
            raise PolicyError(
                f"'{name}' is no message of {self._database.path.name}",
                where=self._where(key, name),
                todo=f"Did you mean '{near[0]}'?" if near else "Look the name up in the database",
            )
        return message

    def _require_diagnostics(self, declared: dict[tuple[int, bool], str]) -> None:
        exempt = {self._message(name, ("not_isotp",)).name for name in self._content.not_isotp}
        for message in self._database.messages:
            diagnostic = (
                pgn_of(message.arbitration_id) in _DIAGNOSTIC_PGNS
                if message.extended
                else message.arbitration_id in _OBD_IDS
            )
            known = (message.arbitration_id, message.extended) in declared
            if diagnostic and not known and message.name not in exempt:
                raise PolicyError(
                    f"'{message.name}' has an id of diagnostics ({message.arbitration_id:#x}), whose longer "
                    "messages come in segments that its description does not fit",
                    where=str(self._file.path),
                    todo=f"Add [[isotp]] with messages = ['{message.name}'], or, if it carries no ISO-TP, "
                    f"not_isotp = ['{message.name}']",
                )

    def _where(self, key: KeyPath, entry: str) -> str:
        """Name the line of `entry` in the list at `key`, which may stretch over many lines."""
        start = self._file.line(key)
        quoted: Sequence[str] = (f'"{entry}"', f"'{entry}'")
        for number, line in dropwhile(lambda numbered: numbered[0] < start, enumerate(self._lines, start=1)):
            if line.lstrip().startswith("["):
                break
            if any(text in line for text in quoted):
                return f"{self._file.path}:{number}"
        return self._file.where(key)


def _rule(content: _Rule) -> DiagnosticRule:
    return DiagnosticRule(
        data_class=content.data_class,
        service=content.service,
        identifiers=tuple(content.identifiers),
        identifier_bytes=content.width,
        data_bytes=None if content.data_bytes == "any" else content.data_bytes,
    )
