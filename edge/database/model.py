"""Databases as values: messages and signals laid out as bits, shared by the door and by decode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import cantools.database.can


@dataclass(frozen=True, slots=True)
class MultiplexCondition:
    """One condition of a signal's presence: the multiplexer's raw value is one of `values`."""

    multiplexer: str
    values: frozenset[int]


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal of one message, with cantools' meaning of it.

    Attributes:
        name: its name in the database.
        bits: payload bit numbers (byte * 8 + bit, bit 0 the least significant of its byte), least significant
            bit of the raw value first; the same numbering for both byte orders.
        little_endian: the byte order as the database says it (Intel).
        signed: two's complement.
        is_float: IEEE 754 of `len(bits)` bits.
        scale: factor from raw to physical; int where the database writes an integer, as cantools keeps it.
        offset: added after scaling.
        minimum: least physical value that the database allows, if it says.
        maximum: greatest.
        unit: the database's words, empty if none.
        choices: names of raw values, if any.
        is_multiplexer: whether other signals' presence depends on it.
        conditions: all must hold for the signal to be present, outermost multiplexer first; empty if always.
        line: line of its definition in the file, 0 where the format has none.
        multiplex_values: raw values of a multiplexer for which the database defines anything, whether signals
            or only a name; any other value is an unknown one. Empty when nothing depends on the signal.
    """

    name: str
    bits: tuple[int, ...]
    little_endian: bool
    signed: bool
    is_float: bool
    scale: float
    offset: float
    minimum: float | None
    maximum: float | None
    unit: str
    choices: Mapping[int, str] | None
    is_multiplexer: bool
    conditions: tuple[MultiplexCondition, ...]
    line: int = 0
    multiplex_values: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One message.

    Attributes:
        name: its name in the database.
        arbitration_id: without flag bits.
        extended: 29-bit id.
        is_fd: CAN FD.
        pgn: the J1939 parameter group number it is matched by, or None where the whole id counts.
        length: bytes.
        signals: in the database's order.
        cycle_time_ms: as the database says, or None.
        overlapping: whether signals that can be present together share bits.
        codec: cantools' own message: the truth about every value.
        contained: the PDUs that a container frame may hold (AUTOSAR), each a message of its own whose
            arbitration id is the container's; empty for an ordinary message.
        header_id: what names this PDU inside its container; None for a message of its own.
        line: line of its definition in the file, 0 where the format has none.
    """

    name: str
    arbitration_id: int
    extended: bool
    is_fd: bool
    pgn: int | None
    length: int
    signals: tuple[Signal, ...]
    cycle_time_ms: int | None
    overlapping: bool
    codec: cantools.database.can.Message
    contained: tuple[Message, ...] = ()
    header_id: int | None = None
    line: int = 0

    def signal(self, name: str) -> Signal:
        """The signal called `name`.

        Raises:
            KeyError: if there is none.
        """
        for signal in self.signals:
            if signal.name == name:
                return signal
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class Defect:
    """Something in a database file that had to be mended to load it, or that a reader should know.

    Attributes:
        code: short fixed name such as ``missing-bs``.
        line: line in the file, 0 where the format has none.
        text: what is wrong and what was done about it.
    """

    code: str
    line: int
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Database:
    """One loaded database file."""

    path: Path
    sha256: str
    messages: tuple[Message, ...]
    defects: tuple[Defect, ...] = ()
    by_name: Mapping[str, Message] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {message.name: message for message in self.messages})

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem


@dataclass(frozen=True, slots=True, eq=False)
class SignalRef:
    """A signal on a bus: what bindings want, the door judges and decode delivers.

    There is one object for the same names in a process, so that tables of values, whose key it is, find it by
    identity without a call into Python.
    """

    bus: str
    message: str
    signal: str

    def __new__(cls, bus: str, message: str, signal: str) -> Self:
        """Hand out the one object of these names."""
        ref = _REFS.setdefault((bus, message, signal), object.__new__(cls))
        assert isinstance(ref, cls)  # noqa: S101 - for the type checker; there are no subclasses
        return ref

    def __lt__(self, other: SignalRef) -> bool:
        return (self.bus, self.message, self.signal) < (other.bus, other.message, other.signal)

    def __reduce__(self) -> tuple[type[SignalRef], tuple[str, str, str]]:
        return SignalRef, (self.bus, self.message, self.signal)

    def __str__(self) -> str:
        return f"{self.bus}:{self.message}.{self.signal}"


_REFS: dict[tuple[str, str, str], SignalRef] = {}
