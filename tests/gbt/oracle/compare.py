"""Field by field: what both sides read out of the same message, with the peer's faults excused one by one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from edge.wire.gbt.explain import Line, explain
from edge.wire.gbt.field import FieldKind
from edge.wire.gbt.frame import HEADER_BYTES
from edge.wire.gbt.meaning import State
from edge.wire.gbt.message import Message, Opaque, Report
from tests.gbt.oracle.cases import Case, messages
from tests.gbt.oracle.names import FLAGS, NAMES, OLD, UNDECODED, UNITS
from tests.gbt.oracle.peer import Heard, Peer

_CLOSE = 1e-6
_CODES = frozenset({State.INVALID, State.ABNORMAL})
_COUNTED = re.compile(r"\[(\d+)\]")
_MARK_BYTES = 1
_TIME_BYTES = 6
_NAMELESS = frozenset({"type"})
_PACKED = frozenset({"gear", "status"})


@dataclass(frozen=True, slots=True)
class Excuse:
    """A known fault of the peer's.

    Attributes:
        name: short.
        why: what the standard says, and what the peer does instead.
    """

    name: str
    why: str


UNDECODED_BODY = Excuse("undecoded", "fuel cells, stacks, super-capacitors and their extremes stay bytes")
PACK_CURRENT = Excuse(
    "pack current of 2016", "table B.6: 0.1 A from -1000 A; it takes 2025's -3000 A, and is 2000 A off"
)
VOLTS = Excuse("unit of pack currents", "it says V of what is A, in both editions")
NO_RANGE = Excuse("no range checks", "a raw value that is neither valid nor a code is a value to it")
COUNT_CODE = Excuse(
    "count of a missing list", "0xFE and 0xFF (0xFFFE, 0xFFFF) say that nothing follows; it reads so many"
)
NO_CODES = Excuse("codes of plain numbers", "levels and numbers of cells: 0xFF and 0xFE are numbers to it")
GEAR = Excuse(
    "gear of all ones (2016)", "by the general rule of invalid values, our default; it reads the bits"
)
INSULATION = Excuse(
    "insulation of all ones (2016)", "by the general rule, our default; the row itself states no codes"
)
RESERVED = Excuse("reserved bits", "it drops them, so that what it writes is another message")
ENCRYPTED = Excuse("encrypted read as plain", "it takes a data unit apart whose encryption is AES")
ACTIVATION = Excuse(
    "codes of the activation's result", "the transcription counts them from 0, it from 1; open, an option"
)
PACK_NUMBER = Excuse("numbers of packs", "their rows state no codes; 0xFF and 0xFE are codes to it")
EXCUSES = (
    UNDECODED_BODY,
    PACK_CURRENT,
    VOLTS,
    NO_RANGE,
    COUNT_CODE,
    NO_CODES,
    GEAR,
    INSULATION,
    PACK_NUMBER,
    RESERVED,
    ENCRYPTED,
    ACTIVATION,
)
"""Every fault, each of which the comparison meets: an excuse that nothing needs any longer is noticed."""


class DifferenceError(AssertionError):
    """Both sides differ, and no excuse is known."""


@dataclass(slots=True)
class Tally:
    """What came of a case.

    Attributes:
        compared: messages whose every field was compared.
        fields: fields of these.
        written: messages that the peer wrote back to the same bytes.
        passed_over: messages that it could not read by a known fault, by its name.
        excused: fields, by the name of the fault.
    """

    compared: int = 0
    fields: int = 0
    written: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)


def compare_case(case: Case, peer: Peer, enough: int, seed: int) -> Tally:
    """Compare messages of a case until `enough` were; undecoded and encrypted ones are counted instead.

    Raises:
        DifferenceError: both sides differ without an excuse.
    """
    tally = Tally()
    for message in messages(case, seed):
        if tally.compared >= enough or tally.passed_over.total() >= 2 * enough:
            return tally
        data = message.write()
        _compare(case, message, data, peer.read(data), tally)
    return tally


def _compare(case: Case, message: Message, data: bytes, heard: Heard, tally: Tally) -> None:
    if case.part == "encrypted":
        taken = heard.read is None or heard.read["payload"] != data[HEADER_BYTES:-1].hex()
        if not taken:
            raise DifferenceError(f"{case}: the peer leaves an encrypted unit alone")
        tally.passed_over[ENCRYPTED.name] += 1
        tally.compared += not isinstance(message.content, Opaque)
        return
    if (case.edition, case.part) in UNDECODED:
        _undecoded(case, data, heard)
        tally.passed_over[UNDECODED_BODY.name] += 1
        return
    lines = [line for line in explain(data).lines if line.field.part != "frame"]
    if any(line.field.kind is FieldKind.COUNT and line.meaning.state in _CODES for line in lines):
        tally.passed_over[COUNT_CODE.name] += 1
        return
    if heard.read is None:
        raise DifferenceError(f"{case}: the peer cannot read {data.hex()}: {heard.error}")
    excused = [excuse for line in lines for excuse in _compare_line(case, line, heard.read, message)]
    tally.excused.update(excuse.name for excuse in excused)
    tally.compared += 1
    tally.fields += len(lines)
    if heard.written == data.hex():
        tally.written += 1
    elif RESERVED not in excused:
        raise DifferenceError(f"{case}: the peer writes {heard.written} of {data.hex()}")


def _undecoded(case: Case, data: bytes, heard: Heard) -> None:
    """See that the body is still left as bytes; 2025's may break what follows, and the message."""
    if heard.read is None:
        return
    content = heard.read["payload"]["data_list"][0]["data_content"]
    body = data[HEADER_BYTES + _TIME_BYTES + _MARK_BYTES : -1]
    whole = content == body.hex() if case.edition is OLD else "data_byte" in content[0]
    if not whole:
        raise DifferenceError(f"{case}: the peer reads it by now: {content}")


def _compare_line(case: Case, line: Line, read: dict[str, Any], message: Message) -> Iterator[Excuse]:
    """What must be excused of one field.

    Raises:
        DifferenceError: it differs without an excuse.
    """
    part = line.field.part
    payload = read["payload"]
    if line.path in _NAMELESS and part.startswith(("body", "block")):
        return
    if part == "report":
        _same(case, line, _time_of(payload["timestamp"]), line.meaning.text)
        return
    if case.part == "custom" and part not in {"signature", "report"}:
        if isinstance(message.content, Report):
            _same(
                case, line, payload["data_list"][0]["data_content"], message.content.bodies[0].raws[0].hex()
            )
        return
    if line.path in _PACKED and line.field.kind is FieldKind.PACKED:
        yield from _packed(case, line)
        return
    if part == "command 09" and line.path == "signature":
        told = payload["sig"]
        signature = f"{told['algo']['enum']:02x}0020{told['r_value']}0020{told['s_value']}"
        _same(case, line, signature, line.data.hex())
        return
    names = NAMES[case.edition, part]
    pattern = _COUNTED.sub("[]", line.path)
    if pattern not in names:
        if line.field.kind is not FieldKind.COUNT:
            raise DifferenceError(f"{case}: nobody compares {line.path}")
        return
    root = payload["sig"] if part == "signature" else payload
    if part.startswith("body"):
        root = payload["data_list"][0]["data_content"]
    theirs = _found(root, names[pattern], [int(place) - 1 for place in _COUNTED.findall(line.path)])
    yield from _compare_value(case, line, theirs)


def _found(root: Any, path: str, places: list[int]) -> Any:  # noqa: ANN401 - JSON
    """What the peer has at a path; lists of lists count as one."""
    left = iter(places)
    for step in re.findall(r"\[\]|[a-z_0-9]+", path):
        if step == "[]":
            if (root and isinstance(root[0], list)) or any(isinstance(one, list) for one in root):
                root = [one for inner in root for one in inner]
            root = root[next(left)]
        else:
            root = root[step]
    return root


def _packed(case: Case, line: Line) -> Iterator[Excuse]:
    known = {"gear": 0x3F if case.edition is OLD else 0xBF, "status": 0x07}[line.path]
    if line.meaning.state in _CODES:
        yield GEAR
    if line.data[0] & ~known:
        yield RESERVED


def _compare_value(case: Case, line: Line, theirs: Any) -> Iterator[Excuse]:  # noqa: ANN401 - JSON
    raw = int.from_bytes(line.data)
    if line.field.kind is FieldKind.BITS:
        low, width = line.field.bits
        bits = raw >> low & (1 << width) - 1
        said = theirs["enum"] if isinstance(theirs, dict) else int(theirs)
        _same(case, line, 1 - said if line.path == "status.no_fix" else said, bits)
    elif isinstance(theirs, dict) and "item" in theirs:
        yield from _compare_item(case, line, theirs)
    elif isinstance(theirs, dict) and "enum" in theirs:
        _same(case, line, theirs["enum"], raw)
        if line.field.part == "command 0A" and line.path == "info" and raw:
            yield ACTIVATION
        if line.meaning.state is State.OUT_OF_RANGE and line.field.kind is FieldKind.ENUM:
            yield NO_RANGE
    elif isinstance(theirs, dict) and "time" not in theirs:
        yield from _flags(case, line, theirs, raw)
    elif isinstance(theirs, int):
        _same(case, line, theirs, raw)
        if line.meaning.state in _CODES:
            yield NO_CODES
        elif line.meaning.state is State.OUT_OF_RANGE:
            yield NO_RANGE
    else:
        plain = line.field.kind in {FieldKind.CODE, FieldKind.BYTES}
        said = theirs if isinstance(theirs, str) else _time_of(theirs)
        _same(case, line, said, line.data.hex() if plain else line.meaning.text)


def _flags(case: Case, line: Line, theirs: dict[str, bool], raw: int) -> Iterator[Excuse]:
    for bit, name in enumerate(FLAGS[: len(theirs)]):
        _same(case, line, theirs[name], bool(raw >> bit & 1))
    if len(theirs) != line.field.most.bit_length() if line.field.most else True:
        raise DifferenceError(f"{case}: the peer has {len(theirs)} alarm bits")
    if raw >> len(theirs):
        yield RESERVED


def _compare_item(case: Case, line: Line, theirs: dict[str, Any]) -> Iterator[Excuse]:
    raw, told = int.from_bytes(line.data), line.field
    resolution = Decimal(1) if told.resolution is None else told.resolution
    expected = raw * resolution + told.offset
    current = told.name == "current" and told.group == "pack"
    if current and case.edition is OLD:
        expected -= 2000
        yield PACK_CURRENT
    if abs(float(expected) - theirs["item"]) > _CLOSE:
        raise DifferenceError(f"{case}: {line.path} is {expected}, the peer says {theirs['item']}")
    unit = UNITS.get(theirs["unit"], theirs["unit"])
    if current and unit == "V":
        yield VOLTS
    elif unit != told.unit:
        raise DifferenceError(f"{case}: {line.path} is in '{told.unit}', the peer says '{unit}'")
    state = {True: State.VALID, False: State.ABNORMAL, None: State.INVALID}[theirs["valid"]]
    if state is line.meaning.state:
        return
    if state is State.VALID and line.meaning.state is State.OUT_OF_RANGE:
        yield NO_RANGE
    elif state is State.VALID and line.path == "insulation" and case.edition is OLD:
        yield INSULATION
    elif state in _CODES and line.field.kind is FieldKind.INDEX:
        yield PACK_NUMBER
    else:
        raise DifferenceError(f"{case}: {line.path} is {line.meaning.state}, the peer says {state}")


def _time_of(told: dict[str, str]) -> str:
    return f"{told['time']}+08:00"


def _same(case: Case, line: Line, theirs: object, ours: object) -> None:
    if theirs != ours:
        raise DifferenceError(f"{case}: {line.path} is {ours!r}, the peer says {theirs!r}")
