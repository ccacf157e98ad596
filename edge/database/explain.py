"""Takes one frame apart: which bits made which value, what is absent and why, what nobody describes."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from enum import Enum

from edge.database.layout import numeric, pgn_of
from edge.database.model import Database, Message, Signal
from edge.database.near import did_you_mean
from edge.errors import DatabaseError

_STANDARD_IDS = 0x7FF
_EXTENDED_IDS = 0x1FFF_FFFF
_STANDARD_DIGITS = 3
_FLOAT_FORMATS = {16: "<e", 32: "<f", 64: "<d"}
_CANDUMP = re.compile(r"(?P<id>[0-9A-Fa-f]{3,8})#(?:#[0-9A-Fa-f])?(?P<data>[0-9A-Fa-f. _]*)$")


class State(Enum):
    """Whether a frame carries a signal."""

    PRESENT = "present"
    ABSENT = "absent"
    """The multiplexer selects other signals."""
    TOO_SHORT = "too short"
    """The frame ends before the signal does."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a frame says of one signal.

    Attributes:
        signal: the signal.
        state: whether it is there.
        why: why it is not there; empty if it is.
        raw: its raw value (integer, or float for IEEE 754), None if absent.
        value: its physical value, as cantools gives it.
        choice: the name of the raw value, if it has one.
    """

    signal: Signal
    state: State
    why: str = ""
    raw: int | float | None = None
    value: int | float | None = None
    choice: str | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One frame as one message.

    Attributes:
        message: the message.
        data: the payload.
        readings: one a signal, in the order of their bits.
        owners: for each bit of the payload (byte * 8 + bit) the places in `readings` of the present signals
            that it belongs to; empty where nobody describes it.
        unknown: multiplexers whose value the database does not describe, with that value.
    """

    message: Message
    data: bytes
    readings: tuple[Reading, ...]
    owners: tuple[tuple[int, ...], ...]
    unknown: tuple[tuple[str, int], ...]

    @property
    def undescribed_bits(self) -> tuple[int, ...]:
        """Bits of the payload that no present signal is made of."""
        return tuple(bit for bit, owners in enumerate(self.owners) if not owners)


def parse_frame(words: tuple[str, ...]) -> tuple[int, bool, bytes]:
    """Read ``ID DATA`` or candump's ``ID#DATA`` (``ID##fDATA`` for CAN FD), all hexadecimal.

    Returns:
        The id, whether it is extended (more than three digits, or more than 11 bits), the data.

    Raises:
        DatabaseError: if it is neither.
    """
    if len(words) == 1 and (match := _CANDUMP.match(words[0])):
        digits, data = match["id"], match["data"]
    elif len(words) > 1:
        digits, data = words[0].lower().removeprefix("0x"), "".join(words[1:])
    else:
        raise DatabaseError(
            f"'{' '.join(words)}' is no frame",
            todo="Write ID DATA or ID#DATA in hexadecimal, such as 7E8#0341050000000000",
        )
    try:
        arbitration_id = int(digits, 16)
    except ValueError as error:
        raise DatabaseError(f"'{digits}' is no hexadecimal id", todo="Write it as 7E8 or 18FEF1FE") from error
    if arbitration_id > _EXTENDED_IDS:
        raise DatabaseError(f"the id {digits} has more than 29 bits", todo="Leave candump's flag bits out")
    extended = arbitration_id > _STANDARD_IDS or len(digits) > _STANDARD_DIGITS + 1
    return arbitration_id, extended, parse_data(data)


def parse_data(text: str) -> bytes:
    """Read hexadecimal bytes; spaces, points and underscores may stand between them.

    Raises:
        DatabaseError: if it is anything else.
    """
    try:
        return bytes.fromhex(re.sub(r"^0x|[ ._]", "", text))
    except ValueError as error:
        raise DatabaseError(
            f"'{text}' is no hexadecimal data", todo="Write two digits a byte, such as 03410500"
        ) from error


def matching(database: Database, arbitration_id: int, *, extended: bool) -> tuple[Message, ...]:
    """The messages that describe a frame, J1939 ones by their PGN.

    Raises:
        DatabaseError: if there is none.
    """
    found = tuple(
        message
        for message in database.messages
        if message.extended == extended
        and (
            message.arbitration_id == arbitration_id
            if message.pgn is None
            else message.pgn == pgn_of(arbitration_id)
        )
    )
    if not found:
        known = sorted(database.messages, key=lambda message: abs(message.arbitration_id - arbitration_id))
        near = ", ".join(f"0x{message.arbitration_id:X} {message.name}" for message in known[:3])
        raise DatabaseError(
            f"no message has the {'extended ' if extended else ''}id 0x{arbitration_id:X}",
            where=str(database.path),
            todo=f"The nearest ids are {near}",
        )
    return found


def named(database: Database, name: str) -> Message:
    """The message called `name`.

    Raises:
        DatabaseError: if there is none.
    """
    message = database.by_name.get(name)
    if message is None:
        raise DatabaseError(
            f"there is no message '{name}'",
            where=str(database.path),
            todo=did_you_mean(name, database.by_name) or "'nevgate dbc lint' shows what is in the file",
        )
    return message


def explain(message: Message, data: bytes) -> Explanation:
    """Take `data` apart as `message`."""
    signals = sorted(message.signals, key=lambda signal: (min(signal.bits) // 8, min(signal.bits)))
    readings = tuple(_reading(message, signal, data) for signal in signals)
    owners: list[list[int]] = [[] for _ in range(8 * len(data))]
    for place, reading in enumerate(readings):
        if reading.state is State.PRESENT:
            for bit in reading.signal.bits:
                owners[bit].append(place)
    unknown = tuple(
        (reading.signal.name, reading.raw)
        for reading in readings
        if reading.signal.multiplex_values
        and isinstance(reading.raw, int)
        and reading.raw not in reading.signal.multiplex_values
    )
    return Explanation(message, data, readings, tuple(tuple(several) for several in owners), unknown)


def _reading(message: Message, signal: Signal, data: bytes) -> Reading:
    for condition in signal.conditions:
        multiplexer = message.signal(condition.multiplexer)
        selected = None if _too_short(multiplexer, data) else _raw(multiplexer, data)
        if selected is None:
            return Reading(signal, State.ABSENT, f"{multiplexer.name} is not in the frame")
        if selected not in condition.values:
            return Reading(signal, State.ABSENT, f"{multiplexer.name} is {selected}")
    if _too_short(signal, data):
        needed = max(signal.bits) // 8 + 1
        return Reading(signal, State.TOO_SHORT, f"needs {needed} bytes, the frame has {len(data)}")
    raw = _raw(signal, data)
    scaled = numeric(message.codec.get_signal_by_name(signal.name).conversion).raw_to_scaled(
        raw, decode_choices=False
    )
    value = scaled if isinstance(scaled, int | float) else None
    choice = signal.choices.get(int(raw)) if signal.choices and isinstance(raw, int) else None
    return Reading(signal, State.PRESENT, "", raw, value, choice)


def _too_short(signal: Signal, data: bytes) -> bool:
    return max(signal.bits) >= 8 * len(data)


def _raw(signal: Signal, data: bytes) -> int | float:
    raw = sum((data[bit // 8] >> bit % 8 & 1) << place for place, bit in enumerate(signal.bits))
    length = len(signal.bits)
    if signal.is_float:
        number: float = struct.unpack(_FLOAT_FORMATS[length], raw.to_bytes(length // 8, "little"))[0]
        return number
    if signal.signed and raw >> length - 1:
        raw -= 1 << length
    return raw
