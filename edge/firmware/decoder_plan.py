"""Which signals a board decodes, from which frames, and where their raw values come to lie."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cantools.database.conversion import BaseConversion

from edge.database.layout import numeric, pgn_of
from edge.database.model import Database, Message, MultiplexCondition, Signal, SignalRef
from edge.errors import FirmwareError

Conditions = tuple[MultiplexCondition, ...]

EXTENDED = 1 << 29
"""Marks ids of 29 bits among the keys: with bit 31 they would be no small integers of a 32-bit board."""

NAMED_SOURCE = 0x100
"""Marks keys of parameter groups that go by the source address too."""

LIMB_BITS = 24
"""Bits of one cell of a raw value that takes several."""

SMALL_BITS = 30
"""Bits of the largest unsigned raw value that is a small integer on every board."""

SHOWN_VALUES = 30
"""Raw values of a followed signal that one cell can note."""


@dataclass(frozen=True, slots=True)
class PlannedField:
    """One signal in the arrays of the board.

    Attributes:
        ref: the signal.
        signal: where it is.
        conversion: from raw to physical, without value names.
        cell: its first cell in VALUES.
        cells: how many it has. One holds the raw value; several hold 24 bits each, the least significant
            first, the last with the sign.
        group: its place in TIMES and LENGTHS.
        needed_bytes: the shortest frame that holds it whole.
        latch: its place in LATCHES; None unless every frame counts.
        shown: its place in SHOWN; None unless every different value counts.
    """

    ref: SignalRef
    signal: Signal
    conversion: BaseConversion
    cell: int
    cells: int
    group: int
    needed_bytes: int
    latch: int | None = None
    shown: int | None = None

    def raw(self, values: Sequence[int]) -> int:
        """The raw value that lies in VALUES; of a float its bits."""
        if self.cells == 1:
            return values[self.cell]
        return sum(values[self.cell + place] << LIMB_BITS * place for place in range(self.cells))


@dataclass(frozen=True, slots=True)
class PlannedGroup:
    """Signals of a message that are present together.

    Attributes:
        number: place in TIMES and LENGTHS.
        conditions: what their presence depends on, the outermost multiplexer first.
        fields: the signals.
    """

    number: int
    conditions: Conditions
    fields: tuple[PlannedField, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PlannedMessage:
    """A message of which something is decoded.

    Attributes:
        bus: number of its bus.
        message: the message.
        function: the name of its function.
        groups: its signals.
    """

    bus: int
    message: Message
    function: str
    groups: tuple[PlannedGroup, ...]


Keys = Mapping[int, tuple[PlannedMessage, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class DecoderPlan:
    """All of what a board decodes.

    Attributes:
        buses: names by number.
        ids: for each bus the messages by id, those of 29 bits with `EXTENDED`.
        parameter_groups: for each bus the messages by J1939 parameter group: group << 9, or with a source
            address of their own group << 9 | `NAMED_SOURCE` | address.
        messages: those that have a function, in the databases' order.
        fields: the signals, in the order of their cells.
        cells: how many cells VALUES has.
        groups: how many TIMES and LENGTHS have.
        latches: how many LATCHES has.
        shown: how many SHOWN has.
        about: what the header of the source says.
        left_out: signals without code, and why, where that is worth a word.
    """

    buses: tuple[str, ...]
    ids: tuple[Keys, ...]
    parameter_groups: tuple[Keys, ...]
    messages: tuple[PlannedMessage, ...]
    fields: tuple[PlannedField, ...]
    cells: int
    groups: int
    latches: int
    shown: int
    about: tuple[str, ...]
    left_out: Mapping[SignalRef, str]

    def field(self, ref: SignalRef) -> PlannedField:
        """The place of a signal.

        Raises:
            KeyError: if it is not decoded.
        """
        for one in self.fields:
            if one.ref is ref:
                return one
        raise KeyError(ref)


def plan_decoder(
    databases: Mapping[str, Sequence[Database]],
    buses: Sequence[str],
    wanted: Collection[SignalRef],
    *,
    latched: Collection[SignalRef] = (),
    followed: Collection[SignalRef] = (),
    about: Sequence[str] = (),
    left_out: Mapping[SignalRef, str] | None = None,
) -> DecoderPlan:
    """Lay out the decoding of some signals.

    Where two databases of a bus describe a message of one name, the earlier one's is used, as in the gateway.

    Args:
        databases: of each bus.
        buses: names of the board's buses, by number.
        wanted: the signals; there is no code for any other, but for multiplexers that they depend on.
        latched: those of them of which is kept whether any frame had another value than 0.
        followed: those of them of which every different value is kept.
        about: lines for the header of the source.
        left_out: handed on.

    Raises:
        FirmwareError: if one of them cannot be decoded on a board.
    """
    planner = _Planner(frozenset(wanted), frozenset(latched), frozenset(followed))
    ids: list[Keys] = []
    parameter_groups: list[Keys] = []
    for number, bus in enumerate(buses):
        taken: set[str] = set()
        files: list[list[Message]] = []
        for database in databases.get(bus, ()):
            files.append([message for message in database.messages if message.name not in taken])
            taken.update(message.name for message in database.messages)
        planned = {
            id(message): one
            for messages in files
            for message in messages
            if (one := planner.message(number, bus, message)) is not None
        }
        by_id, by_group = _keys(files)
        ids.append(_planned(by_id, planned))
        parameter_groups.append(_planned(by_group, planned))
    missing = sorted(planner.wanted - {one.ref for one in planner.fields})
    if missing:
        raise FirmwareError(
            f"{missing[0]} cannot be decoded on a board: it is in no message of its bus there",
            todo="A PDU inside a container is taken apart by the gateway alone: leave its item unbound",
        )
    return DecoderPlan(
        buses=tuple(buses),
        ids=tuple(ids),
        parameter_groups=tuple(parameter_groups),
        messages=tuple(planner.messages),
        fields=tuple(planner.fields),
        cells=planner.cells,
        groups=planner.groups,
        latches=planner.latches,
        shown=planner.shown,
        about=tuple(about),
        left_out=dict(left_out or {}),
    )


def plan_everything(databases: Mapping[str, Sequence[Database]], buses: Sequence[str]) -> DecoderPlan:
    """Lay out the decoding of every signal whatever its class: to compare decoders, for no vehicle."""
    wanted: list[SignalRef] = []
    left_out: dict[SignalRef, str] = {}
    for bus in buses:
        taken: set[str] = set()
        for database in databases.get(bus, ()):
            for message in database.messages:
                refs = [SignalRef(bus, message.name, signal.name) for signal in message.signals]
                if message.name in taken:
                    left_out.update(dict.fromkeys(refs, "an earlier database has a message of its name"))
                    continue
                taken.add(message.name)
                wanted += refs
                for inner in message.contained:
                    refs = [SignalRef(bus, inner.name, signal.name) for signal in inner.signals]
                    left_out.update(dict.fromkeys(refs, "it is inside a container"))
    about = (
        "All signals of",
        *(_described(bus, one) for bus in buses for one in databases.get(bus, ())),
        "whatever their class: for comparison with other decoders, not for a vehicle.",
    )
    return plan_decoder(databases, buses, wanted, about=about, left_out=left_out)


def _described(bus: str, database: Database) -> str:
    return f"    {bus}: {database.path.name} sha256 {database.sha256}"


@dataclass(slots=True)
class _Planner:
    """Hands out cells and numbers, message by message."""

    wanted: frozenset[SignalRef]
    latched: frozenset[SignalRef]
    followed: frozenset[SignalRef]
    messages: list[PlannedMessage] = field(default_factory=list)
    fields: list[PlannedField] = field(default_factory=list)
    cells: int = 0
    groups: int = 0
    latches: int = 0
    shown: int = 0
    names: set[str] = field(default_factory=set)

    def message(self, number: int, bus: str, message: Message) -> PlannedMessage | None:
        """Plan a message; None where nothing of it is wanted."""
        by_conditions: dict[Conditions, list[tuple[SignalRef, Signal]]] = defaultdict(list)
        for signal in message.signals:
            ref = SignalRef(bus, message.name, signal.name)
            if ref in self.wanted:
                by_conditions[signal.conditions].append((ref, signal))
        if not by_conditions:
            return None
        groups = tuple(
            self._group(message, conditions, signals)
            for conditions, signals in sorted(by_conditions.items(), key=lambda item: len(item[0]))
        )
        planned = PlannedMessage(number, message, self._name(number, message.name), groups)
        self.messages.append(planned)
        return planned

    def _group(
        self, message: Message, conditions: Conditions, signals: Iterable[tuple[SignalRef, Signal]]
    ) -> PlannedGroup:
        ordered = sorted(signals, key=lambda pair: max(pair[1].bits) // 8)
        fields = tuple(self._field(message, ref, signal) for ref, signal in ordered)
        self.groups += 1
        return PlannedGroup(self.groups - 1, conditions, fields)

    def _field(self, message: Message, ref: SignalRef, signal: Signal) -> PlannedField:
        cells = cells_of(signal)
        latch = shown = None
        if ref in self.latched:
            latch, self.latches = self.latches, self.latches + 1
        if ref in self.followed:
            if cells > 1 or signal.is_float:
                raise FirmwareError(
                    f"{ref} carries an alarm's level in {len(signal.bits)} bits, which a board cannot follow",
                    todo="Give the level in the binding, or bind a signal of at most 30 bits",
                )
            shown, self.shown = self.shown, self.shown + 1
        planned = PlannedField(
            ref=ref,
            signal=signal,
            conversion=numeric(message.codec.get_signal_by_name(signal.name).conversion),
            cell=self.cells,
            cells=cells,
            group=self.groups,
            needed_bytes=needed_bytes(signal),
            latch=latch,
            shown=shown,
        )
        self.cells += cells
        self.fields.append(planned)
        return planned

    def _name(self, bus: int, message: str) -> str:
        base = f"bus{bus}_" + re.sub(r"[^A-Za-z0-9_]", "_", message)
        name, number = base, 2
        while name in self.names:
            name, number = f"{base}_{number}", number + 1
        self.names.add(name)
        return name


def cells_of(signal: Signal) -> int:
    """How many cells the raw value of a signal takes."""
    length = len(signal.bits)
    return 1 if length <= SMALL_BITS + signal.signed else -(-length // LIMB_BITS)


def needed_bytes(signal: Signal) -> int:
    """The shortest frame that holds a signal whole."""
    return max(signal.bits) // 8 + 1


def _keys(files: Sequence[Sequence[Message]]) -> tuple[dict[int, list[Message]], dict[int, list[Message]]]:
    """The messages by id and by parameter group, as the gateway finds them (`edge.decode.lookup`)."""
    by_id: dict[int, list[Message]] = defaultdict(list)
    groups: list[dict[int, list[Message]]] = []
    for messages in files:
        own: dict[int, list[Message]] = defaultdict(list)
        for message in messages:
            if message.pgn is not None:
                own[message.pgn].append(message)
            else:
                by_id[message.arbitration_id | (EXTENDED if message.extended else 0)].append(message)
        groups.append(own)
    for key, members in list(by_id.items()):
        if key & EXTENDED:
            by_id[key] = [*members, *_of_group(groups, pgn_of(key ^ EXTENDED), key & 0xFF)]
    by_group: dict[int, list[Message]] = {}
    for pgn, source in sorted(_sources(groups)):
        key = pgn << 9 if source < 0 else pgn << 9 | NAMED_SOURCE | source
        by_group[key] = list(_of_group(groups, pgn, source))
    return by_id, by_group


def _sources(groups: Iterable[Mapping[int, Sequence[Message]]]) -> set[tuple[int, int]]:
    """Each parameter group, with -1 and with the source addresses that its messages name."""
    return {
        (pgn, source)
        for own in groups
        for pgn, members in own.items()
        for source in (-1, *(message.arbitration_id & 0xFF for message in members))
    }


def _of_group(groups: Iterable[Mapping[int, Sequence[Message]]], pgn: int, source: int) -> Iterator[Message]:
    """Of each file the messages that name the source address, or all where none does."""
    for own in groups:
        members = own.get(pgn, ())
        named = [message for message in members if message.arbitration_id & 0xFF == source]
        yield from named or members


def _planned(keys: Mapping[int, Sequence[Message]], planned: Mapping[int, PlannedMessage]) -> Keys:
    found: dict[int, tuple[PlannedMessage, ...]] = {}
    for key, members in keys.items():
        several = tuple(planned[id(message)] for message in members if id(message) in planned)
        if several:
            found[key] = several
    return found
