"""`TerminalParameters`: what a platform may query (0x80) and set (0x81), all of a set or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.catalogue.item import Edition
from edge.errors import NevgateError, UplinkError
from edge.uplink.events import Notice
from edge.uplink.gbt.answered import CommandRefusedError, LiveSettings, SettingsChanged
from edge.uplink.gbt.durable_file import DurableFile
from edge.uplink.gbt.parameter_values import (
    HOST,
    LENGTH_OF,
    NAME_OF,
    PUBLIC_PORT,
    READ_ONLY,
    TOGETHER,
    ConfiguredParameters,
    Raw,
    described,
    fault,
    live_settings,
    raw_values,
)
from edge.uplink.gbt.server_change import DEFAULT_CHANGE, ChangeRules, Server
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.field import Field, table
from edge.wire.gbt.layout import Layout
from edge.wire.gbt.message import Content, Opaque, Values, write_unit

_MOST_AT_ONCE = 252


@dataclass(frozen=True, slots=True)
class ParameterRules:
    """How a terminal takes queries and sets.

    Attributes:
        name_needs_length: whether a name stands behind its length always (04 before 05, 0D before 0E), as
            the table's width of a name asks: a set without it is refused, an answer adds it. Else a name may
            stand alone as the last parameter, reaching to the end, and is answered so.
        change: how a change of server goes.
    """

    name_needs_length: bool = True
    change: ChangeRules = DEFAULT_CHANGE


@dataclass(frozen=True, slots=True)
class Plan:
    """A set that was found good as a whole.

    Attributes:
        values: by id, without lengths.
        server: where the terminal is to go; None where it stays.
    """

    values: Mapping[int, Raw]
    server: Server | None


class TerminalParameters:
    """The parameters of one terminal.

    A value that a platform has set stands above the configured one until the configuration says another than
    it did then: who spoke last is heard.

    Args:
        edition: whose parameters they are.
        configured: by the configuration.
        file: keeps what was set.
        rules: how.
        user: parameters 0x80 to 0xFE as a profile describes them, each with a configured value.

    Attributes:
        said: what a person should read of how the kept values were found.

    Raises:
        ConfigError: a configured value is none of the edition.
    """

    def __init__(
        self,
        edition: Edition,
        configured: ConfiguredParameters,
        file: DurableFile,
        rules: ParameterRules | None = None,
        user: Mapping[int, Field] | None = None,
    ) -> None:
        self.rules = rules or ParameterRules()
        self.said: tuple[Notice, ...] = ()
        self._edition = edition
        self._file = file
        self._standard = described(edition)
        self._fields = {**self._standard, **(user or {})}
        self._layout = Layout(table(edition).fields("parameters"), parameters=self._fields)
        self._base = raw_values(edition, configured, self._fields)
        self._set: dict[int, Raw] = {}
        self._set = self._kept()
        self._live = live_settings(edition, self._raws)

    @property
    def live(self) -> LiveSettings:
        """What holds now."""
        return self._live

    @property
    def _raws(self) -> dict[int, Raw]:
        return {**self._base, **self._set}

    def query(self, content: Content) -> Content:
        """What answers a query.

        Raises:
            CommandRefusedError: it asks for what there is not, or is no query.
        """
        if not isinstance(content, Values) or content.part != "query":
            raise CommandRefusedError("is no query of parameters")
        time, total, ids = content.raws
        if total > _MOST_AT_ONCE:
            raise CommandRefusedError(f"asks for {total} parameters, more than {_MOST_AT_ONCE}")
        entries: list[tuple[int, Raw]] = []
        for key in ids:
            length = LENGTH_OF.get(key)
            if (
                length is not None
                and self.rules.name_needs_length
                and (not entries or entries[-1][0] != length)
            ):
                entries.append((length, self._raw(length)))
            entries.append((key, self._raw(key)))
        if len(entries) > _MOST_AT_ONCE:
            raise CommandRefusedError(
                f"needs {len(entries)} parameters to be answered, more than {_MOST_AT_ONCE}"
            )
        raws = (time, len(entries), tuple(entries))
        try:
            unit = self._layout.write(raws)
        except GbtError as error:
            raise CommandRefusedError(f"cannot be answered: {error.what}") from error
        if all(key in self._standard for key in ids):
            return Values("parameters", raws)
        return Opaque(unit, "it has parameters that a profile describes")

    def _raw(self, key: int) -> Raw:
        name = NAME_OF.get(key)
        if name is not None:
            host = self._raws[name]
            return len(host) if isinstance(host, bytes) else 0
        raw = self._raws.get(key)
        if raw is not None:
            return raw
        if key == PUBLIC_PORT:
            return self._fields[key].invalid
        raise CommandRefusedError(f"there is no parameter {key:02X}")

    def plan(self, content: Content) -> Plan:
        """See that every parameter of a set can be set; nothing changes yet.

        Raises:
            CommandRefusedError: one cannot, or it is no set.
        """
        if not isinstance(content, Values) or content.part != "parameters":
            raise CommandRefusedError("is no set of parameters")
        try:
            (_, total, entries), end = self._layout.read(unit := write_unit(content, self._edition))
        except GbtError as error:
            raise CommandRefusedError(f"is no set of parameters: {error.what}") from error
        if end != len(unit) or total != len(entries) or total > _MOST_AT_ONCE:
            raise CommandRefusedError(f"tells {total} parameters and holds {len(entries)}")
        values: dict[int, Raw] = {}
        for place, (key, raw) in enumerate(entries):
            if key in values or key in {entry[0] for entry in entries[:place]}:
                raise CommandRefusedError(f"sets parameter {key:02X} twice")
            self._judge(key, raw, entries, place)
            if key not in NAME_OF:
                values[key] = raw
        raws = {**self._raws, **values}
        server = live_settings(self._edition, raws).server
        if server == self._live.server:
            return Plan(values, None)
        if not (self.rules.change.allow(self._live.server, server) or self._base[HOST] == raws[HOST]):
            raise CommandRefusedError(f"the configuration does not let it go to {server}")
        return Plan(values, server)

    def _judge(self, key: int, raw: Raw, entries: Sequence[tuple[int, Raw]], place: int) -> None:
        if key in READ_ONLY:
            raise CommandRefusedError(f"'{self._fields[key].en}' ({key:02X}) can only be read")
        why = fault(key, raw, self._fields)
        if why:
            raise CommandRefusedError(why)
        if key in NAME_OF:
            behind = entries[place + 1] if place + 1 < len(entries) else (0, 0)
            if behind[0] != NAME_OF[key]:
                raise CommandRefusedError(f"a length ({key:02X}) without its name behind it")
        if key in LENGTH_OF and self.rules.name_needs_length:
            before = entries[place - 1][0] if place else -1
            if before != LENGTH_OF[key]:
                raise CommandRefusedError(f"a name ({key:02X}) without its length before it")

    def commit(self, plan: Plan) -> SettingsChanged | None:
        """Make a plan hold: on the disk, then here.

        Returns:
            What is different now; None where nothing is.

        Raises:
            CommandRefusedError: it cannot be kept, and nothing has changed.
        """
        before = self._raws
        changed = frozenset(key for key, raw in plan.values.items() if before.get(key) != raw)
        if not changed:
            return None
        asked = {**self._set, **plan.values}
        for group in TOGETHER:
            if asked.keys() & group:
                asked = {**{key: before[key] for key in group & before.keys()}, **asked}
        said = self._said(asked)
        try:
            self._file.write(said)
        except UplinkError as error:
            if not self._stands(said):
                raise CommandRefusedError(f"what it sets cannot be kept: {error}") from error
        self._set = asked
        self._live = live_settings(self._edition, self._raws)
        return SettingsChanged(self._live, changed)

    def _stands(self, said: Mapping[str, object]) -> bool:
        """Whether the file holds `said` although it could not be written: its folder was not synced."""
        try:
            return self._file.read() == said
        except UplinkError:
            return False

    def _said(self, values: Mapping[int, Raw]) -> dict[str, object]:
        return {
            "edition": self._edition.value,
            "set": {f"{key:02X}": [_text(raw), _text(self._base.get(key))] for key, raw in values.items()},
        }

    def _kept(self) -> dict[int, Raw]:
        """What platforms have set and the configuration has not overruled since."""
        try:
            said = self._file.read()
            kept = {} if said is None else _entries(said, self._edition)
            values = {key: raw for key, (raw, _) in kept.items()}
            for key, raw in values.items():
                why = fault(key, raw, self._fields)
                if why or key in READ_ONLY or key in NAME_OF:
                    raise UplinkError(why or f"parameter {key:02X} is never set", where=str(self._file.path))
        except (NevgateError, ValueError) as error:
            self.said = (Notice(f"{error}; the parameters are as configured", trouble=True),)
            return {}
        overruled = {key for key, (_, base) in kept.items() if base != _text(self._base.get(key))}
        server = live_settings(self._edition, {**self._base, **values}).server
        configured = live_settings(self._edition, self._base).server
        if not self.rules.change.allow(configured, server):
            overruled.add(HOST)
        for group in TOGETHER:
            if overruled & group:
                overruled |= group
        dropped = sorted(overruled & values.keys())
        if dropped:
            ids = ", ".join(f"{key:02X}" for key in dropped)
            text = f"the configuration has changed since a platform set the parameters {ids}: it holds again"
            self.said = (Notice(text, trouble=False),)
        return {key: raw for key, raw in values.items() if key not in overruled}


def _text(raw: Raw | None) -> int | str | None:
    return raw.hex() if isinstance(raw, bytes) else raw


def _entries(said: Mapping[str, object], edition: Edition) -> dict[int, tuple[Raw, int | str | None]]:
    """What was set, each with what was configured then.

    Raises:
        UplinkError: the file does not say that, or is of another edition.
    """
    if said.get("edition") != edition.value:
        raise UplinkError(f"what platforms have set is not of the edition of {edition.value}")
    entries: dict[int, tuple[Raw, int | str | None]] = {}
    listed = said.get("set")
    if not isinstance(listed, dict):
        raise UplinkError("what platforms have set cannot be read")
    for key, entry in listed.items():
        match entry:
            case [int(raw), int() | str() | None as base]:
                entries[int(key, 16)] = (raw, base)
            case [str(text), int() | str() | None as base]:
                entries[int(key, 16)] = (bytes.fromhex(text), base)
            case _:
                raise UplinkError("what platforms have set cannot be read")
    return entries
