"""`nevgate gbt decode`: messages of GB/T 32960.3, byte by byte."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from edge.catalogue.catalogue import builtin
from edge.catalogue.item import Edition
from edge.cli.console import page
from edge.cli.gbt_choices import gbt_options, told_lines
from edge.cli.gbt_secured import Keys, Opened, SignatureState, security_options
from edge.cli.program import emit_json
from edge.errors import ConfigError
from edge.wire.gbt.explain import Explained, Line
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import OVERHEAD_BYTES, Frame
from edge.wire.gbt.meaning import State
from edge.wire.gbt.message import Message, Report
from edge.wire.gbt.options import Options
from edge.wire.gbt.profile import Profile
from edge.wire.gbt.record_json import record_to_json
from edge.wire.gbt.recording import RecordCodec
from edge.wire.gbt.security.choices import SecurityOptions
from edge.wire.gbt.security.ciphers import encryption_name
from edge.wire.gbt.stream import Skipped, StreamDecoder

_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}|[\s:,-]|0[xX])+")
_COLOURS = {
    State.VALID: "",
    State.INVALID: "yellow",
    State.ABNORMAL: "magenta",
    State.OUT_OF_RANGE: "bold red",
}
_GOOD = frozenset({SignatureState.VALID, SignatureState.NOT_ASKED})
_SIGNATURE_COLOURS = {SignatureState.VALID: "green", SignatureState.NOT_ASKED: "dim"}
_LIST_MARK = re.compile(r"\[\d+\]$")
_SHOWN_BYTES = 12
_LONGEST_NAME = 200


@click.command()
@click.argument("source", metavar="HEX|FILE|-")
@click.option("--all", "every", is_flag=True, help="A row for each element of a list, instead of one a list.")
@click.option("--record", "as_record", is_flag=True, help="Show the record too that the messages say.")
@click.option(
    "--key",
    "key_paths",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Decrypt data units with this key; once an algorithm.",
)
@click.option(
    "--verify",
    "verify_paths",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Check signatures (2025) with this public key; once an algorithm.",
)
@gbt_options
@security_options
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    *,
    source: str,
    every: bool,
    as_record: bool,
    key_paths: tuple[Path, ...],
    verify_paths: tuple[Path, ...],
    security: SecurityOptions,
    as_json: bool,
    options: Options,
    profile: Profile | None,
) -> None:
    """Explain messages byte by byte: offset, bytes, name in English and Chinese, meaning, clause.

    SOURCE is a message in hex, a file of hex or of bytes, or '-' for standard input. A file may hold many
    messages; what lies between them is skipped and told. Values are green text, invalid ones yellow, abnormal
    ones magenta, and what the standard does not allow red.

    \b
    Examples:
      nevgate gbt decode 232307fe4c4e564741544530305844454d30303031010000ae
      nevgate gbt decode capture.bin --json
      nevgate gbt decode - --profile shanghai --record
      nevgate gbt decode capture.bin --key session.key --verify vehicle.pub.pem

    Exit status: 1 if something is no message, cannot be decrypted with the keys given, or has not the valid
    signature that --verify asks for.
    """
    data = _data(source)
    keys = Keys.read(key_paths, verify_paths, security)
    shown: list[dict[str, Any]] = []
    broken = False
    for offset, piece, skipped in _pieces(data):
        if skipped:
            broken = True
            if as_json:
                shown.append({"offset": offset, "skipped": len(piece), "why": skipped})
            else:
                click.echo(f"nevgate: byte {offset}: {len(piece)} bytes skipped: {skipped}", err=True)
            continue
        opened = keys.open(piece, options, profile)
        explained = opened.explained
        judged = keys.judge(explained, options) if keys.verifiers else None
        broken |= explained.fault is not None or bool(opened.why_closed)
        broken |= judged is not None and judged[0] not in _GOOD
        if as_json:
            told = _as_json(explained, offset, options, profile)
            shown.append(told | _security_json(opened, judged))
            continue
        if explained.message is not None:
            _show(explained, offset, every=every)
            if as_record:
                _show_record(explained.message, options, profile)
        _show_security(opened, judged, offset)
        if explained.fault is not None:
            click.echo(f"nevgate: {explained.fault.moved(offset)}", err=True)
    if as_json:
        emit_json(shown)
    if broken:
        raise SystemExit(1)


def _show_security(opened: Opened, judged: tuple[SignatureState, str] | None, offset: int) -> None:
    if opened.unit_bytes is not None:
        name = encryption_name(opened.encryption)
        sizes = f"{opened.wire_bytes} bytes on the wire, {opened.unit_bytes} decrypted"
        click.echo(f"decrypted by {name}: {sizes}; offsets count in the decrypted message")
    if opened.why_closed:
        click.echo(f"nevgate: byte {offset}: {opened.why_closed}", err=True)
    if judged is not None:
        state, why = judged
        text = Text(f"signature {state}", _SIGNATURE_COLOURS.get(state, "bold red"))
        page().print(text.append(f": {why}", ""))


def _security_json(opened: Opened, judged: tuple[SignatureState, str] | None) -> dict[str, object]:
    tried = opened.unit_bytes is not None or bool(opened.why_closed)
    return {
        "encryption": opened.encryption,
        "decrypted": {
            "by": encryption_name(opened.encryption),
            "wire_bytes": opened.wire_bytes,
            "unit_bytes": opened.unit_bytes,
            "error": opened.why_closed or None,
        }
        if tried
        else None,
        "signature": None if judged is None else {"state": judged[0].value, "why": judged[1]},
    }


def _data(source: str) -> bytes:
    raw: bytes
    if source == "-":
        raw = sys.stdin.buffer.read()
    elif _HEX.fullmatch(os.fsencode(source)) and not (len(source) < _LONGEST_NAME and Path(source).exists()):
        raw = os.fsencode(source)
    else:
        try:
            raw = Path(source).read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot be read: {error.strerror}", where=source) from error
    if _HEX.fullmatch(raw):
        digits = re.sub(rb"0[xX]|[\s:,-]", b"", raw)
        raw = bytes.fromhex(digits.decode())
    if not raw:
        raise GbtError("holds no bytes", todo="Give a message in hex, or a file")
    return raw


def _pieces(data: bytes) -> Iterator[tuple[int, bytes, str]]:
    """Each message, or what is skipped with the reason; one that is alone is shown even if it is broken."""
    decoder = StreamDecoder()
    found = [*decoder.feed(data), *decoder.flush()]
    if not any(isinstance(one, Frame) for one in found):
        yield 0, data, ""
        return
    offset = 0
    for one in found:
        length = one.length if isinstance(one, Skipped) else len(one.unit) + OVERHEAD_BYTES
        yield offset, data[offset : offset + length], one.why if isinstance(one, Skipped) else ""
        offset += length


def _show(explained: Explained, offset: int, *, every: bool) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("byte", justify="right")
    for heading in ("bytes", "field", "", "meaning", "clause"):
        table.add_column(heading, overflow="fold")
    for lines in _rows(explained.lines, every=every):
        first = lines[0]
        octets = b"".join(line.data for line in lines)
        dump = octets[:_SHOWN_BYTES].hex(" ") + (" …" if len(octets) > _SHOWN_BYTES else "")
        said = Text(" ").join(_meaning(line, in_list=len(lines) > 1) for line in lines)
        en = first.field.en
        if len(lines) > 1:
            en = f"{en} (1 to {len(lines)})"
        elif mark := re.search(r"\[(\w+)\]", first.path):
            en = f"{en} [{mark[1]}]"
        bits = "" if first.field.kind != "bits" else f"  {first.field.bits_text}"
        if len(lines) > 1 and first.meaning.unit:
            said.append(f" {first.meaning.unit}", "dim")
        place = "" if bits else str(first.offset + offset)
        table.add_row(place, bits or dump, en, first.field.cn, said, Text(first.field.clause, "dim"))
    page().print(table)


def _meaning(line: Line, *, in_list: bool) -> Text:
    colour = _COLOURS[line.meaning.state]
    beyond = " (out of range)" if line.meaning.state is State.OUT_OF_RANGE else ""
    text = line.meaning.text.removesuffix(line.meaning.unit).rstrip() if in_list else line.meaning.text
    return Text(text + beyond, colour or "green")


def _rows(lines: tuple[Line, ...], *, every: bool) -> Iterator[list[Line]]:
    def list_of(place: int) -> tuple[str, int]:
        line = lines[place]
        path = _LIST_MARK.sub("", line.path)
        return (path, -1) if line.field.count and not every and path != line.path else (line.path, place)

    for _, places in groupby(range(len(lines)), list_of):
        yield [lines[place] for place in places]


def _show_record(message: Message, options: Options, profile: Profile | None) -> None:
    if not isinstance(message.content, Report):
        return
    heard = _codec(message.edition, options, profile).hear([message.content])
    told = record_to_json(heard.record, builtin())
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("item", "value", "unit"):
        table.add_column(heading)
    for item_id, value in told["values"].items():
        words = " ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(item_id, words or "none", builtin().item(item_id).unit)
    page().print(table)
    for line in told_lines(heard.told):
        click.echo(line, err=True)


def _codec(edition: Edition, options: Options, profile: Profile | None) -> RecordCodec:
    fits = profile is not None and profile.edition in {None, edition}
    return RecordCodec(edition, options, profile if fits else None)


def _as_json(
    explained: Explained, offset: int, options: Options, profile: Profile | None
) -> dict[str, object]:
    message = explained.message
    shown: dict[str, object] = {"offset": offset}
    if message is not None:
        shown |= {
            "edition": message.edition.value,
            "command": message.command,
            "response": message.response,
            "vin": message.vin.decode("ascii", "backslashreplace"),
            "encryption": message.encryption,
        }
    shown["fields"] = [
        {
            "offset": line.offset + offset,
            "bytes": line.data.hex(),
            "part": line.field.part,
            "path": line.path,
            "en": line.field.en,
            "cn": line.field.cn,
            "clause": line.field.clause,
            "state": line.meaning.state.value,
            "value": None if line.meaning.value is None else float(line.meaning.value),
            "unit": line.meaning.unit,
            "meaning": line.meaning.text,
            "item": line.field.item or None,
        }
        for line in explained.lines
    ]
    fault = explained.fault
    shown["error"] = None if fault is None else {"what": fault.what, "offset": fault.moved(offset).offset}
    if message is not None and isinstance(message.content, Report) and fault is None:
        try:
            heard = _codec(message.edition, options, profile).hear([message.content])
        except GbtError as error:
            shown["record"] = None
            shown["told"] = [str(error)]
        else:
            shown["record"] = record_to_json(heard.record, builtin())
            shown["told"] = [*told_lines(heard.told)]
    return shown
