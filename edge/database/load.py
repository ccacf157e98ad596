"""Loads DBC, KCD, ARXML and SYM files through cantools, mending real files' slips and naming each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cantools.database.can.formats import arxml, dbc, kcd, sym
from cantools.database.can.internal_database import InternalDatabase

from edge.database import dbc_text
from edge.database.layout import Lines, lay_out
from edge.database.model import Database, Defect
from edge.errors import DatabaseError

FORMATS = ("dbc", "kcd", "arxml", "sym")
_MOST_BLANKED = 100
_PARSERS: Mapping[str, Callable[..., InternalDatabase]] = MappingProxyType(
    {"dbc": dbc.load_string, "kcd": kcd.load_string, "arxml": arxml.load_string, "sym": sym.load_string}
)
_AT_LINE = re.compile(r"\bline:? (\d+)")
_EXCERPT_CHARACTERS = 200


def load_database(path: Path) -> Database:
    """Load a database file; what can be mended safely is mended and named in `Database.defects`.

    J1939 messages match by parameter group: those whose ``VFrameFormat`` is ``J1939PG``, and the extended
    ones of a file that says ``ProtocolType`` or ``BusType`` ``J1939`` and nothing of frame formats.

    Args:
        path: a DBC, KCD, ARXML or SYM (6.0) file; the format is told by its ending, else by its content.

    Raises:
        DatabaseError: if the file cannot be read, or cannot be loaded without guessing what a value means.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatabaseError(
            f"cannot be read ({error.strerror})", where=str(path), todo="Check the path and its permissions"
        ) from error
    return parse_database(content, path)


def parse_database(content: bytes, path: Path) -> Database:
    """As `load_database`, from the file's bytes; `path` only names them and tells the format.

    Raises:
        DatabaseError: as `load_database`.
    """
    where = str(path)
    text, defects = _decoded(content)
    file_format = _format(path, text)
    lines: Lines = {}
    if file_format == "dbc":
        mended = dbc_text.mend(text, where)
        defects += mended.defects
        internal, more = _parse_dbc(mended.text, where)
        defects += more
        lines = _lines(mended)
        defects += _lengthen_multiplexers(internal, mended)
    else:
        internal = _parse(file_format, text, where)
    if not internal.messages:
        raise DatabaseError(
            "no message is described", where=where, todo=f"Is it a {file_format.upper()} file?"
        )
    try:
        messages, more = lay_out(
            internal.messages, lines=lines, assume_j1939=_says_j1939(internal), where=where
        )
    except (ArithmeticError, ValueError, TypeError, KeyError) as error:
        raise DatabaseError(
            f"its signals cannot be laid out ({error})", where=where, todo="Check scales, offsets and ranges"
        ) from error
    defects += more
    return Database(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        messages=messages,
        defects=tuple(sorted(defects, key=lambda defect: defect.line)),
    )


def _decoded(content: bytes) -> tuple[str, list[Defect]]:
    """UTF-8 where it is, else the code page of the tools that write DBC (Windows-1252)."""
    try:
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        pass
    try:
        return content.decode("cp1252"), []
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        text = (
            f"byte 0x{content[error.start]:02X} is neither UTF-8 nor Windows-1252; such bytes were replaced"
        )
        return content.decode("cp1252", errors="replace"), [Defect("encoding", line, text)]


def _format(path: Path, text: str) -> str:
    ending = path.suffix[1:].lower()
    if ending in FORMATS:
        return ending
    head = text[:4096]
    for mark, file_format in (("AUTOSAR", "arxml"), ("NetworkDefinition", "kcd"), ("FormatVersion=", "sym")):
        if mark in head:
            return file_format
    if re.search(r"^[ \t]*(?:VERSION|NS_|BS_|BU_|BO_)\b", text, re.MULTILINE):
        return "dbc"
    raise DatabaseError(
        "is no database that nevgate knows", where=str(path), todo=f"Known are {', '.join(FORMATS)}"
    )


def _parse(file_format: str, text: str, where: str) -> InternalDatabase:
    try:
        return _PARSERS[file_format](text, strict=False)
    except Exception as error:  # cantools names no complete list: a damaged file ends in a dozen types
        raise _refusal(error, where) from error


def _parse_dbc(text: str, where: str) -> tuple[InternalDatabase, list[Defect]]:
    """Parse, leaving out statements that only describe and that cantools cannot read."""
    defects: list[Defect] = []
    while True:
        try:
            return _parse("dbc", text, where), defects
        except DatabaseError as error:
            line = error.where.removeprefix(f"{where}:")
            blanked = dbc_text.blank_statement(text, int(line)) if line.isdigit() else None
            if blanked is None or blanked[0] == text or len(defects) >= _MOST_BLANKED:
                raise
            text, begin, keyword = blanked
            defects.append(
                Defect(
                    "unreadable-statement",
                    begin,
                    f"the {keyword} statement cannot be read ({error.what}); it was left out",
                )
            )


def _refusal(error: Exception, where: str) -> DatabaseError:
    words = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, KeyError):
        words = f"{words} is referred to, but not defined"
    if isinstance(error, AssertionError | IndexError | AttributeError | TypeError):
        words = f"its structure is damaged ({words})"
    at = _AT_LINE.search(words)
    if len(words) > _EXCERPT_CHARACTERS:
        words = words[:_EXCERPT_CHARACTERS] + "…"
    return DatabaseError(
        words.rstrip("."),
        where=f"{where}:{at[1]}" if at else where,
        todo="Correct the file there, or ask whoever made it for a sound one",
    )


def _lengthen_multiplexers(internal: InternalDatabase, mended: dbc_text.MendedText) -> list[Defect]:
    """Where a multiplexer has a long name, cantools seeks it under the short one and loses its children."""
    longer = {(dbc_id, name): words for dbc_id, name, words in dbc_text.long_names(mended.text)}
    lines = {
        (message.dbc_id, signal.name): signal.line
        for message in mended.messages
        for signal in message.signals
    }
    defects: list[Defect] = []
    for codec in internal.messages:
        dbc_id = codec.frame_id | (dbc_text.EXTENDED_BIT if codec.is_extended_frame else 0)
        names = {signal.name for signal in codec.signals}
        moved: set[str] = set()
        for signal in codec.signals:
            short = signal.multiplexer_signal
            if short is not None and short not in names and longer.get((dbc_id, short)) in names:
                signal.multiplexer_signal = longer[dbc_id, short]
                moved.add(short)
        for short in sorted(moved):
            text = (
                f"cantools seeks the multiplexer {codec.name}.{longer[dbc_id, short]} under its short name "
                f"{short} and loses the signals that it selects; they were given its long name"
            )
            defects.append(Defect("multiplexer-long-name", lines.get((dbc_id, short), 0), text))
        if moved:
            codec.refresh(strict=False)
    return defects


def _lines(mended: dbc_text.MendedText) -> Lines:
    """Where messages and signals are defined, under the names that cantools uses (the long ones, if any)."""
    longer = {(dbc_id, name): words for dbc_id, name, words in dbc_text.long_names(mended.text)}
    lines: dict[tuple[int, str, str, int, int], tuple[int, str]] = {}
    for message in mended.messages:
        name = longer.get((message.dbc_id, ""), message.name)
        lines.setdefault((message.dbc_id, name, "", 0, 0), (message.line, ""))
        for signal in message.signals:
            key = longer.get((message.dbc_id, signal.name), signal.name)
            lines.setdefault(
                (message.dbc_id, name, key, signal.start, signal.length), (signal.line, signal.multiplex_mark)
            )
    return lines


def _says_j1939(internal: InternalDatabase) -> bool:
    if internal.dbc is None or "VFrameFormat" in internal.dbc.attribute_definitions:
        return False
    attributes: Mapping[str, Any] = internal.dbc.attributes or {}
    return any(
        str(attributes[name].value).upper() == "J1939"
        for name in ("ProtocolType", "BusType")
        if name in attributes
    )
