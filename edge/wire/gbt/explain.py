"""Takes a message apart byte by byte: where each field lies, its names, its meaning, where that stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from edge.catalogue.item import Edition
from edge.wire.gbt.beijing import TIME_BYTES
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.field import Field, FieldKind, table
from edge.wire.gbt.frame import (
    EDITIONS,
    HEADER_BYTES,
    Command,
    Encryption,
    Frame,
    check_code,
    read_frame,
)
from edge.wire.gbt.layout import Layout, layouts
from edge.wire.gbt.meaning import Meaning, State, meaning
from edge.wire.gbt.message import (
    REPORTS,
    SIGNATURE_MARK,
    Content,
    Message,
    Opaque,
    Report,
    Values,
    read_unit,
    scan_report,
)
from edge.wire.gbt.options import DEFAULT_OPTIONS, Options
from edge.wire.gbt.profile import Profile
from edge.wire.gbt.steps import Span

_TYPES = {
    "body 01": ("vehicle", "整车数据"),
    "body 02": ("drive motors", "驱动电机数据"),
    "body 04": ("engine", "发动机数据"),
    "body 05": ("position", "车辆位置数据"),
}
_TYPES_OF = {
    Edition.Y2016: _TYPES
    | {
        "body 03": ("fuel cell", "燃料电池数据"),
        "body 06": ("extremes", "极值数据"),
        "body 07": ("alarm", "报警数据"),
        "body 08": ("battery voltages", "可充电储能装置电压数据"),
        "body 09": ("battery temperatures", "可充电储能装置温度数据"),
    },
    Edition.Y2025: _TYPES
    | {
        "body 03": ("fuel cell and hydrogen", "燃料电池发动机及车载氢系统数据"),
        "body 06": ("alarm", "报警数据"),
        "body 07": ("min parallel unit voltages", "动力蓄电池最小并联单元电压数据"),
        "body 08": ("battery temperatures", "动力蓄电池温度数据"),
        "body 30": ("fuel cell stacks", "燃料电池电堆数据"),
        "body 31": ("super-capacitor", "超级电容器数据"),
        "body 32": ("super-capacitor extremes", "超级电容器极值数据"),
    },
}


@dataclass(frozen=True, slots=True)
class Line:
    """One field of a message.

    Attributes:
        offset: of its first byte in the message.
        data: its bytes; those of the byte that it is part of, for bits.
        path: its name within its part.
        field: what it is.
        meaning: what it says.
    """

    offset: int
    data: bytes
    path: str
    field: Field
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Explained:
    """A message taken apart.

    Attributes:
        lines: every field, in order of the bytes.
        message: the message, as far as it could be read; None without a whole header.
        fault: what is wrong with it; None if nothing is.
    """

    lines: tuple[Line, ...]
    message: Message | None
    fault: GbtError | None


def type_names(edition: Edition, type_id: int) -> tuple[str, str]:
    """The name of an information type in English and Chinese."""
    return _TYPES_OF[edition].get(f"body {type_id:02X}", ("custom block", "自定义数据"))


def explain(data: bytes, options: Options = DEFAULT_OPTIONS, profile: Profile | None = None) -> Explained:
    """Take one message apart, as far as it goes.

    Args:
        data: begins with the message, and should end with it.
        options: how to read what the standard leaves open.
        profile: describes custom blocks.
    """
    edition = EDITIONS.get(data[:2])
    fault: GbtError | None = None
    try:
        frame = read_frame(data)
    except GbtError as error:
        fault = error
        if edition is None or len(data) < HEADER_BYTES:
            return Explained((), None, fault)
        length = int.from_bytes(data[22:24])
        unit = data[HEADER_BYTES : HEADER_BYTES + length]
        if len(data) <= HEADER_BYTES + length and len(unit) == length:
            fault = GbtError("ends without its check code", offset=len(data))
        frame = Frame(edition, data[2], data[3], data[4:21], data[21], unit)
    content, spans, inner = _content(frame, profile)
    header = list(
        _frame_layout(frame.edition).spans(
            (data[:2], *data[2:4], data[4:21], data[21], int.from_bytes(data[22:24]))
        )
    )
    spans = [*header, *(replace(span, offset=span.offset + HEADER_BYTES) for span in spans)]
    end = HEADER_BYTES + len(frame.unit)
    if len(data) > end:
        spans.append(Span(end, 1, table(frame.edition).fields("frame")[-1], "check", data[end]))
    message = Message(frame.edition, frame.command, frame.response, frame.vin, content, frame.encryption)
    lines = tuple(line for span in spans for line in _lines(data, span, frame.edition, options, profile))
    return Explained(lines, message, inner.moved(HEADER_BYTES) if inner and not fault else fault)


def _content(frame: Frame, profile: Profile | None) -> tuple[Content, list[Span], GbtError | None]:
    unit = frame.unit
    if frame.encryption != Encryption.NONE and unit:
        return Opaque(unit, "encrypted"), [_octets(0, unit, "data unit", "数据单元")], None
    if frame.command in REPORTS and len(unit) != TIME_BYTES:
        report, starts, fault = scan_report(unit, frame.edition)
        spans = list(_report_spans(report, starts, frame.edition, profile))
        told = sum(span.length for span in spans)
        if fault is not None and told < len(unit):
            spans.append(_octets(told, unit[told:], "not read", "未解析"))
        return report, spans, fault
    try:
        content = read_unit(unit, frame.edition, frame.command, frame.response)
    except GbtError as error:
        return Opaque(unit, "not read"), [_octets(0, unit, "not read", "未解析")], error
    if isinstance(content, Values):
        return content, list(layouts(frame.edition)[content.part].spans(content.raws)), None
    return content, [_octets(0, unit, "data unit", "数据单元")] if unit else [], None


def _report_spans(
    report: Report, starts: tuple[int, ...], edition: Edition, profile: Profile | None
) -> Iterator[Span]:
    if len(report.time) < TIME_BYTES:
        return
    yield Span(0, TIME_BYTES, table(edition).fields("report")[0], "time", report.time)
    position = TIME_BYTES
    for body, start in zip(report.bodies, starts, strict=True):
        yield _type_span(edition, start, body.type_id, profile)
        position = start + 1
        layout = layouts(edition).get(f"body {body.type_id:02X}")
        values = body.raws
        if layout is None:
            block: bytes = body.raws[0]
            length = _structural(f"block {body.type_id:02X}", "length", FieldKind.COUNT, 2)
            yield Span(position, 2, length, "length", len(block))
            position += 2
            known = None if profile is None else profile.blocks.get(body.type_id)
            try:
                values, end = known.layout.read(block) if known else ((), -1)
            except GbtError:
                end = -1
            if known is None or end != len(block):
                yield _octets(position, block, "block", "自定义数据")
                position += len(block)
                continue
            layout = known.layout
        for span in layout.spans(values, position):
            yield span
            position = span.offset + span.length
    if report.rest:
        yield _octets(position, report.rest, "from an unknown type on", "未知信息类型")
    if report.signature is not None:
        yield _type_span(edition, position, SIGNATURE_MARK, profile)
        yield from layouts(edition)["signature"].spans(report.signature, position + 1)


def _type_span(edition: Edition, offset: int, type_id: int, profile: Profile | None) -> Span:
    en, cn = type_names(edition, type_id)
    if type_id == SIGNATURE_MARK:
        en, cn = "start of the signature", "签名起始标识"
    elif profile is not None and type_id in profile.blocks:
        en, cn = profile.blocks[type_id].en, profile.blocks[type_id].cn
    field = _structural(f"body {type_id:02X}", "type", FieldKind.ENUM, 1)
    field = replace(field, names={type_id: f"{en} {cn}".strip()}, en="information type", cn="信息类型标志")
    return Span(offset, 1, field, "type", type_id)


def _octets(offset: int, data: bytes, en: str, cn: str) -> Span:
    return Span(
        offset, len(data), replace(_structural("unit", "bytes", FieldKind.BYTES, 0), en=en, cn=cn), en, data
    )


def _structural(part: str, name: str, kind: FieldKind, width: int) -> Field:
    base = table(Edition.Y2016).fields("frame")[5]
    return replace(
        base, part=part, name=name, kind=kind, width=width, most=None, least=None, en=name, cn="长度"
    )


@cache
def _frame_layout(edition: Edition) -> Layout:
    return Layout(table(edition).fields("frame")[:6])


def _lines(
    data: bytes, span: Span, edition: Edition, options: Options, profile: Profile | None
) -> Iterator[Line]:
    del profile
    octets = data[span.offset : span.offset + span.length]
    said = meaning(span.field, span.raw, options)
    if span.field.part == "frame" and span.field.name == "command":
        word = (
            Command(span.raw).name.lower().replace("_", " ")
            if span.raw in set(Command)
            else "no table has it"
        )
        said = replace(said, text=f"{said.text} {word}")
    if span.field.name == "check" and isinstance(span.raw, int):
        right = check_code(data[2 : span.offset])
        state = State.VALID if right == span.raw else State.OUT_OF_RANGE
        said = replace(
            said, state=state, text=f"{span.raw:02X}" + ("" if right == span.raw else f", not {right:02X}")
        )
    yield Line(span.offset, octets, span.path, span.field, said)
    if span.field.kind is FieldKind.PACKED and isinstance(span.raw, int):
        for part in table(edition).fields(span.field.part):
            if part.kind is FieldKind.BITS and part.name.startswith(f"{span.field.name}."):
                low, width = part.bits
                raw = span.raw >> low & (1 << width) - 1
                yield Line(span.offset, octets, part.name, part, meaning(part, raw, options))
