"""`Message`: a frame with its data unit taken apart; what was read writes back to the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from edge.catalogue.item import Edition
from edge.wire.gbt.beijing import TIME_BYTES
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import HEADER_BYTES, Command, Encryption, Frame, Response, read_frame
from edge.wire.gbt.layout import Layout, layouts
from edge.wire.gbt.steps import Raws

SIGNATURE_MARK = 0xFF
CUSTOM_FIRST = 0x80
CUSTOM_LAST = 0xFE
REPORTS = frozenset({Command.REAL_TIME, Command.REISSUE})

_MARKS = tuple(bytes((mark,)) for mark in range(256))
_EMPTY = frozenset({Command.HEARTBEAT, Command.TIME_SYNC})
_DOWN = MappingProxyType({Command.QUERY: "query", Command.SET: "parameters", Command.CONTROL: "control"})


class Body(NamedTuple):
    """One information body of a report.

    Attributes:
        type_id: information type mark.
        raws: its raw values by the edition's table; of a custom block (0x80 to 0xFE) its bytes alone.
    """

    type_id: int
    raws: Raws


@dataclass(frozen=True, slots=True)
class Report:
    """The data unit of real-time and reissue messages.

    Attributes:
        time: six bytes, as on the wire.
        bodies: in the order of the wire.
        rest: what begins with a type that the edition does not describe: it has no length, so that nothing
            behind it can be told apart.
        signature: raw values of the signature (2025): algorithm, length of R, R, length of S, S.
    """

    time: bytes
    bodies: tuple[Body, ...]
    rest: bytes = b""
    signature: Raws | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """A data unit of one part of the tables.

    Attributes:
        part: such as ``command 01`` or ``query``; ``response`` where only the time is left of a command.
        raws: its raw values.
    """

    part: str
    raws: Raws


@dataclass(frozen=True, slots=True)
class Opaque:
    """A data unit that is handed on as it is.

    Attributes:
        data: its bytes.
        why: ``empty``, ``encrypted``, or that no table describes the command.
    """

    data: bytes
    why: str


Content = Report | Values | Opaque


@dataclass(frozen=True, slots=True)
class Message:
    """A message of either edition.

    Attributes:
        edition: which.
        command: command mark.
        response: response flag; `Response.COMMAND` unless it is a response.
        vin: 17 bytes.
        encryption: of the data unit on the wire.
        content: the data unit; `Opaque` while it is encrypted.
    """

    edition: Edition
    command: int
    response: int
    vin: bytes
    content: Content
    encryption: int = Encryption.NONE

    def frame(self) -> Frame:
        """The message as a frame.

        Raises:
            GbtError: a value does not fit its field.
        """
        unit = write_unit(self.content, self.edition)
        return Frame(self.edition, self.command, self.response, self.vin, self.encryption, unit)

    def write(self) -> bytes:
        """The message as bytes.

        Raises:
            GbtError: a value does not fit its field, or the whole does not fit a frame.
        """
        return self.frame().write()


def read_message(data: bytes) -> Message:
    """Read one message that fills `data`.

    Raises:
        GbtError: it is none; `offset` tells where.
    """
    return message_of(read_frame(data))


def message_of(frame: Frame) -> Message:
    """Take the data unit of a frame apart.

    Raises:
        GbtError: the data unit is none of its command; `offset` counts from the start of the frame.
    """
    content: Content
    if frame.encryption != Encryption.NONE and frame.unit:
        content = Opaque(frame.unit, "encrypted")
    else:
        try:
            content = read_unit(frame.unit, frame.edition, frame.command, frame.response)
        except GbtError as error:
            raise error.moved(HEADER_BYTES) from error
    return Message(frame.edition, frame.command, frame.response, frame.vin, content, frame.encryption)


def read_unit(unit: bytes, edition: Edition, command: int, response: int) -> Content:
    """Read a data unit that is not encrypted.

    Raises:
        GbtError: it is none of that command.
    """
    answered = response != Response.COMMAND
    if command in REPORTS and not (answered and len(unit) == TIME_BYTES):
        return read_report(unit, edition)
    part = _part(edition, command, answered=answered, length=len(unit))
    if part is None:
        return Opaque(unit, "no table describes its command" if unit else "empty")
    raws, end = layouts(edition)[part].read(unit)
    if end != len(unit):
        raise GbtError(f"{len(unit) - end} bytes are left behind the last field", offset=end)
    return Values(part, raws)


def _part(edition: Edition, command: int, *, answered: bool, length: int) -> str | None:
    if answered and length in {0, TIME_BYTES}:
        return "response" if length else None
    if command in _EMPTY:
        if length:
            raise GbtError("the data unit of this command is empty", offset=0)
        return None
    part = _DOWN.get(command, f"command {command:02X}")  # type: ignore[call-overload]
    if answered and command == Command.QUERY:
        part = "parameters"
    return part if part in layouts(edition) else None


def read_report(unit: bytes, edition: Edition) -> Report:
    """Read the data unit of a real-time or reissue message.

    Raises:
        GbtError: it ends within a body, or something follows the signature.
    """
    read, bodies, fault = scan_report(unit, edition)
    del bodies
    if fault is not None:
        raise fault
    return read


def scan_report(unit: bytes, edition: Edition) -> tuple[Report, tuple[int, ...], GbtError | None]:
    """Read as far as it goes.

    Returns:
        What could be read, where each of its bodies begins, and what stopped the reading.
    """
    by_type = _bodies(edition)
    bodies: list[Body] = []
    starts: list[int] = []
    size = len(unit)
    time, position = unit[:TIME_BYTES], TIME_BYTES
    rest, signature = b"", None
    fault: GbtError | None = None
    if size < TIME_BYTES:
        fault = GbtError("ends within the time of collection", offset=size)
    try:
        while position < size:
            type_id = unit[position]
            layout = by_type.get(type_id)
            if layout is not None:
                raws, end = layout.read(unit, position + 1)
            elif CUSTOM_FIRST <= type_id <= CUSTOM_LAST:
                raws, end = _read_block(unit, position + 1)
            elif type_id == SIGNATURE_MARK and edition is Edition.Y2025:
                signature, position = layouts(edition)["signature"].read(unit, position + 1)
                if position < size:
                    fault = GbtError("something follows the signature", offset=position)
                break
            else:
                rest = unit[position:]
                break
            bodies.append(Body(type_id, raws))
            starts.append(position)
            position = end
    except GbtError as error:
        fault = error
    return Report(time, tuple(bodies), rest, signature), tuple(starts), fault


def _read_block(unit: bytes, position: int) -> tuple[Raws, int]:
    if position + 2 > len(unit):
        raise GbtError("ends within the length of a custom block", offset=len(unit))
    start = position + 2
    end = start + (unit[position] << 8 | unit[position + 1])
    if end > len(unit):
        raise GbtError("ends within a custom block", offset=len(unit))
    return (unit[start:end],), end


def write_unit(content: Content, edition: Edition) -> bytes:
    """Write a data unit.

    Raises:
        GbtError: a value does not fit its field, or the edition has no such body.
    """
    if isinstance(content, Report):
        return write_report(content, edition)
    if isinstance(content, Values):
        layout = layouts(edition).get(content.part)
        if layout is None:
            raise GbtError(f"the edition of {edition.value} has no '{content.part}'")
        return layout.write(content.raws)
    return content.data


def write_report(report: Report, edition: Edition) -> bytes:
    """Write the data unit of a report; see `write_unit`."""
    out = [report.time]
    if len(report.time) != TIME_BYTES:
        raise GbtError(f"a time has {TIME_BYTES} bytes")
    for body in report.bodies:
        _add_body(body, edition, out)
    out.append(report.rest)
    if report.signature is not None:
        layout = layouts(edition).get("signature")
        if layout is None:
            raise GbtError(f"the edition of {edition.value} has no signature")
        out.append(_MARKS[SIGNATURE_MARK])
        layout.add(report.signature, out)
    return b"".join(out)


def write_body(body: Body, edition: Edition) -> bytes:
    """Write one information body with its type mark; see `write_unit`."""
    out: list[bytes] = []
    _add_body(body, edition, out)
    return b"".join(out)


def _add_body(body: Body, edition: Edition, out: list[bytes]) -> None:
    layout = _bodies(edition).get(body.type_id)
    if layout is not None:
        out.append(_MARKS[body.type_id])
        layout.add(body.raws, out)
        return
    if not CUSTOM_FIRST <= body.type_id <= CUSTOM_LAST:
        raise GbtError(f"the edition of {edition.value} has no information type {body.type_id:02X}")
    block: bytes = body.raws[0]
    try:
        out += (_MARKS[body.type_id], len(block).to_bytes(2), block)
    except OverflowError as error:
        raise GbtError(f"a custom block of {len(block)} bytes is too long") from error


def answer(message: Message, flag: Response, *, whole: bool = False) -> Message:
    """The response to a command: the same VIN and command, another flag.

    Args:
        message: the command; a response is never answered.
        flag: what to say.
        whole: leave all else as it is, as annex B.3.3.2 of 2016 has it; else only the time is kept of the
            data unit (6.3.2).

    Raises:
        GbtError: the message is itself a response.
    """
    if message.response != Response.COMMAND:
        raise GbtError("a response is never answered")
    content = message.content
    if not whole:
        unit = write_unit(content, message.edition)
        timed = isinstance(content, Report) or (isinstance(content, Values) and content.part in _TIMED)
        content = Values("response", (unit[:TIME_BYTES],)) if timed else Opaque(b"", "empty")
    return Message(message.edition, message.command, flag, message.vin, content)


_TIMED = frozenset(
    {
        *(f"command {command:02X}" for command in (0x01, 0x04, 0x05, 0x06, 0x09)),
        "query",
        "parameters",
        "control",
    }
)


@cache
def _bodies(edition: Edition) -> Mapping[int, Layout]:
    return {
        int(part.split()[1], 16): layout
        for part, layout in layouts(edition).items()
        if part.startswith("body ")
    }
