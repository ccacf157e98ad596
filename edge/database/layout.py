"""Lays cantools' messages out as bits and conditions, which the door and decode share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import cantools.database.can
from cantools.database.conversion import BaseConversion, IdentityConversion

from edge.database.model import Defect, Message, MultiplexCondition, Signal
from edge.errors import DatabaseError

CodecMessage = cantools.database.can.Message
CodecSignal = cantools.database.can.Signal

J1939 = "j1939"
PDU1_FORMATS = 0xF0
"""PDU formats below this name a destination in the low byte (SAE J1939-21, 5.2.5)."""

Lines = Mapping[tuple[int, str, str, int, int], tuple[int, str]]
"""Line and multiplexer mark of a signal by (DBC id, message, signal, start bit, bits); of a message with an
empty signal name and zeros."""

_ENUMERABLE_BITS = 16
_MULTIPLEXER_BITS = 64


def pgn_of(arbitration_id: int) -> int:
    """The J1939 parameter group number of a 29-bit id, without priority and addresses (SAE J1939-21, 5.2)."""
    group = arbitration_id >> 8 & 0x3FFFF
    return group if arbitration_id >> 16 & 0xFF >= PDU1_FORMATS else group & 0x3FF00


def bit_numbers(start: int, length: int, *, little_endian: bool) -> tuple[int, ...]:
    """Payload bits of a signal, least significant first, from cantools' start bit.

    The start bit is the least significant bit of a little-endian signal and the most significant of a
    big-endian one, numbered byte * 8 + bit in both (DBC spec, "start_bit").
    """
    if little_endian:
        return tuple(range(start, start + length))
    first = start // 8 * 8 + 7 - start % 8
    network = range(first + length - 1, first - 1, -1)
    return tuple(place // 8 * 8 + 7 - place % 8 for place in network)


def numeric(conversion: BaseConversion) -> BaseConversion:
    """The conversion without value names, as `decode_choices=False` applies it."""
    if conversion.choices is None:
        return conversion
    return BaseConversion.factory(
        scale=conversion.scale, offset=conversion.offset, is_float=conversion.is_float
    )


def lay_out(
    codecs: Sequence[CodecMessage], *, lines: Lines, assume_j1939: bool, where: str
) -> tuple[tuple[Message, ...], list[Defect]]:
    """Turn cantools' messages into ours.

    Args:
        codecs: cantools' messages; names that occur twice are changed in them, so that a name is one thing.
        lines: where things are defined.
        assume_j1939: extended messages are J1939 unless the file says another frame format of one.
        where: the file's name, for errors.

    Returns:
        The messages and the defects found: names or ids given twice, signals that no multiplexer value
        selects, that leave their message, or that share bits with others.

    Raises:
        DatabaseError: if a multiplexer is no integer.
    """
    defects: list[Defect] = []
    _rename_twins(codecs, lines, defects)
    messages = tuple(
        _message(codec, lines=lines, assume_j1939=assume_j1939, defects=defects, where=where)
        for codec in codecs
    )
    _note_shared_ids(messages, defects)
    return messages, defects


def _dbc_id(codec: CodecMessage) -> int:
    return codec.frame_id | (0x8000_0000 if codec.is_extended_frame else 0)


def _line(lines: Lines, codec: CodecMessage, signal: CodecSignal | None = None) -> tuple[int, str]:
    if signal is None:
        return lines.get((_dbc_id(codec), codec.name, "", 0, 0), (0, ""))
    return lines.get((_dbc_id(codec), codec.name, signal.name, signal.start, signal.length), (0, ""))


def _rename_twins(codecs: Sequence[CodecMessage], lines: Lines, defects: list[Defect]) -> None:
    """Two messages of one name in a file, or two signals of one name in a message, get names of their own."""
    seen: Counter[str] = Counter()
    taken = {codec.name for codec in codecs}
    for codec in codecs:
        line = _line(lines, codec)[0]
        for one in (codec, *codec.contained_messages):
            _rename_twin_signals(one, lines, defects)
        seen[codec.name] += 1
        if seen[codec.name] > 1:
            name = _free(codec.name, taken)
            defects.append(
                Defect(
                    "message-name-twice",
                    line,
                    f"the name {codec.name} is given to another message too; the one with the id"
                    f" 0x{codec.frame_id:X} is called {name} here",
                )
            )
            codec.name = name


def _rename_twin_signals(codec: CodecMessage, lines: Lines, defects: list[Defect]) -> None:
    names = Counter(signal.name for signal in codec.signals)
    if all(count == 1 for count in names.values()):
        return
    taken = set(names)
    seen: set[str] = set()
    for signal in codec.signals:
        if signal.name in seen and not signal.is_multiplexer:
            name = _free(signal.name, taken)
            defects.append(
                Defect(
                    "signal-name-twice",
                    _line(lines, codec, signal)[0],
                    f"the name {signal.name} is given to another signal of {codec.name} too; the one at bit"
                    f" {signal.start} is called {name} here",
                )
            )
            signal.name = name
        seen.add(signal.name)
    codec.refresh(strict=False)


def _free(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    taken.add(f"{name}_{number}")
    return f"{name}_{number}"


def _note_shared_ids(messages: Iterable[Message], defects: list[Defect]) -> None:
    owners: dict[tuple[bool, int], Message] = {}
    for message in messages:
        first = owners.setdefault((message.extended, message.arbitration_id), message)
        if first is not message:
            defects.append(
                Defect(
                    "id-twice",
                    message.line,
                    f"messages {first.name} and {message.name} have the same id 0x{message.arbitration_id:X};"
                    " its frames are decoded as both",
                )
            )


def _message(
    codec: CodecMessage, *, lines: Lines, assume_j1939: bool, defects: list[Defect], where: str
) -> Message:
    by_name = {signal.name: signal for signal in codec.signals}
    line = _line(lines, codec)[0]
    values = _multiplex_values(codec, where=where, line=line)
    signals: list[Signal] = []
    for signal in codec.signals:
        at, mark = _line(lines, codec, signal)
        conditions = _conditions(signal, by_name, values)
        if conditions is None:
            defects.append(
                Defect(
                    "signal-never-present",
                    at,
                    f"no multiplexer value selects {codec.name}.{signal.name}; the signal was left out",
                )
            )
            continue
        if mark and not mark.endswith("M") and not conditions:
            defects.append(
                Defect(
                    "multiplexer-missing",
                    at,
                    f"{codec.name}.{signal.name} is marked '{mark}', but nothing says which multiplexer"
                    " selects it; it was taken as always present",
                )
            )
        signals.append(_signal(signal, conditions, values.get(signal.name, frozenset()), at))
    _note_outside(codec.name, codec.length, signals, defects)
    overlapping = _note_overlaps(codec.name, signals, defects)
    j1939 = codec.protocol == J1939 or (assume_j1939 and codec.protocol is None)
    return Message(
        name=codec.name,
        arbitration_id=codec.frame_id,
        extended=codec.is_extended_frame,
        is_fd=codec.is_fd,
        pgn=pgn_of(codec.frame_id) if j1939 and codec.is_extended_frame else None,
        length=codec.length,
        signals=tuple(signals),
        cycle_time_ms=codec.cycle_time,
        overlapping=overlapping,
        codec=codec,
        contained=tuple(
            replace(
                _message(inner, lines=lines, assume_j1939=False, defects=defects, where=where),
                arbitration_id=codec.frame_id,
                extended=codec.is_extended_frame,
            )
            for inner in codec.contained_messages
        ),
        header_id=codec.header_id,
        line=line,
    )


def _signal(
    signal: CodecSignal,
    conditions: tuple[MultiplexCondition, ...],
    multiplex_values: frozenset[int],
    line: int,
) -> Signal:
    little_endian = signal.byte_order == "little_endian"
    return Signal(
        name=signal.name,
        bits=bit_numbers(signal.start, signal.length, little_endian=little_endian),
        little_endian=little_endian,
        signed=signal.is_signed and not signal.conversion.is_float,
        is_float=signal.conversion.is_float,
        scale=signal.conversion.scale,
        offset=signal.conversion.offset,
        minimum=signal.minimum,
        maximum=signal.maximum,
        unit=signal.unit or "",
        choices=None
        if signal.choices is None
        else {int(value): str(name) for value, name in signal.choices.items()},
        is_multiplexer=signal.is_multiplexer,
        conditions=conditions,
        line=line,
        multiplex_values=multiplex_values,
    )


def _multiplex_values(codec: CodecMessage, *, where: str, line: int) -> dict[str, frozenset[int]]:
    """Raw values that each multiplexer knows: those that select a signal and those that only have a name."""
    known: dict[str, set[int]] = {}
    for signal in codec.signals:
        if signal.multiplexer_signal is not None and signal.multiplexer_ids is not None:
            known.setdefault(signal.multiplexer_signal, set()).update(signal.multiplexer_ids)
    values: dict[str, frozenset[int]] = {}
    for signal in codec.signals:
        if not signal.is_multiplexer:
            continue
        if signal.conversion.is_float or signal.length > _MULTIPLEXER_BITS:
            raise DatabaseError(
                f"the multiplexer {codec.name}.{signal.name} is no integer of up to {_MULTIPLEXER_BITS} bits",
                where=f"{where}:{line}" if line else where,
                todo="Correct its length or type",
            )
        ids = known.get(signal.name, set()) | {int(value) for value in signal.choices or ()}
        values[signal.name] = _raw_values(signal, ids)
    return values


def _raw_values(signal: CodecSignal, ids: Iterable[int]) -> frozenset[int]:
    """The raw values whose scaled value, cut to an integer as cantools does, is one of `ids`."""
    conversion = numeric(signal.conversion)
    low = -(1 << signal.length - 1) if signal.is_signed else 0
    high = low + (1 << signal.length)
    if isinstance(conversion, IdentityConversion):
        return frozenset(value for value in ids if low <= value < high)
    wanted = frozenset(ids)
    if signal.length <= _ENUMERABLE_BITS:
        candidates: Iterable[int] = range(low, high)
    else:
        middles = (round((value - conversion.offset) / conversion.scale) for value in wanted)
        candidates = {
            middle + step for middle in middles for step in range(-4, 5) if low <= middle + step < high
        }
    scaled = ((raw, conversion.raw_to_scaled(raw, decode_choices=False)) for raw in candidates)
    return frozenset(raw for raw, value in scaled if isinstance(value, int | float) and int(value) in wanted)


def _conditions(
    signal: CodecSignal, by_name: Mapping[str, CodecSignal], values: Mapping[str, frozenset[int]]
) -> tuple[MultiplexCondition, ...] | None:
    """The chain from the outermost multiplexer to the signal, or None if cantools' codec tree lacks it."""
    chain: list[MultiplexCondition] = []
    child = signal
    while child.multiplexer_signal is not None:
        parent = by_name.get(child.multiplexer_signal)
        if parent is None or not parent.is_multiplexer or child.multiplexer_ids is None:
            return None
        selecting = _raw_values(parent, child.multiplexer_ids) & values[parent.name]
        if not selecting or len(chain) > len(by_name):
            return None
        chain.append(MultiplexCondition(parent.name, selecting))
        child = parent
    return tuple(reversed(chain))


def _note_outside(message: str, length: int, signals: Iterable[Signal], defects: list[Defect]) -> None:
    for signal in signals:
        last = max(signal.bits)
        if last >= 8 * length:
            defects.append(
                Defect(
                    "signal-outside-message",
                    signal.line,
                    f"{message}.{signal.name} reaches into byte {last // 8}, but the message has {length}"
                    " bytes; it is decoded only from longer frames",
                )
            )


def _note_overlaps(message: str, signals: Sequence[Signal], defects: list[Defect]) -> bool:
    """Tell whether signals that can be present together share bits, and name each pair once."""
    masks = [sum(1 << bit for bit in signal.bits) for signal in signals]
    found = False
    for place, signal in enumerate(signals):
        for earlier in range(place):
            other = signals[earlier]
            if masks[place] & masks[earlier] and _together(signal, other):
                found = True
                defects.append(
                    Defect(
                        "signals-overlap",
                        signal.line or other.line,
                        f"{message}.{signal.name} and {message}.{other.name} share bits; both are decoded",
                    )
                )
    return found


def _together(one: Signal, other: Signal) -> bool:
    selecting = {condition.multiplexer: condition.values for condition in one.conditions}
    return all(
        not condition.values.isdisjoint(selecting.get(condition.multiplexer, condition.values))
        for condition in other.conditions
    )
