"""Mends the text of a DBC file, line for line, so that cantools takes what only a careless tool spoiled."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.database.model import Defect
from edge.errors import DatabaseError

EXTENDED_BIT = 0x8000_0000
_STANDARD_IDS = 0x7FF
_EXTENDED_IDS = 0x1FFF_FFFF
LONGEST_MESSAGE_BYTES = 4095
"""What ISO 15765-2 can carry with a 12-bit length; more is a slip of the pen, and costs memory to lay out."""

MOST_MULTIPLEX_VALUES = 1 << 16

_MASKED = re.compile(r'//[^\n]*|"(?:\\"|[^"])*?"')
_MESSAGE = re.compile(
    r"^[ \t]*BO_[ \t]+(?P<id>\d+)[ \t]+(?P<name>\w+)[ \t]*:[ \t]*(?P<length>\w+)", re.MULTILINE
)
_SIGNAL = re.compile(
    r"^[ \t]*SG_[ \t]+(?P<name>\w+)(?:[ \t]+(?P<mux>\w+))?[ \t]*:"
    r"[ \t]*(?P<start>\d+)[ \t]*\|[ \t]*(?P<length>\d+)",
    re.MULTILINE,
)
_REFERENCE = re.compile(
    r"^[ \t]*(?P<kind>VAL_|CM_[ \t]+BO_|CM_[ \t]+SG_|SIG_VALTYPE_|SG_MUL_VAL_|BO_TX_BU_|SIG_GROUP_"
    r'|BA_[ \t]+"[^"]*"[ \t]+(?:BO_|SG_)|BA_REL_[ \t]+"[^"]*"[ \t]+BU_SG_REL_[ \t]+\w+[ \t]+SG_'
    r'|BA_REL_[ \t]+"[^"]*"[ \t]+BU_BO_REL_[ \t]+\w+)'
    r"[ \t]+(?P<id>\d+)(?:[ \t]+(?P<name>[A-Za-z_]\w*))?(?P<rest>[^;]*);",
    re.MULTILINE,
)
_LONG_NAME = re.compile(
    r'^[ \t]*BA_[ \t]+"System(?:Message|Signal)LongSymbol"[ \t]+(?:BO_[ \t]+(?P<message>\d+)'
    r'|SG_[ \t]+(?P<id>\d+)[ \t]+(?P<name>\w+))[ \t]+"(?P<long>[^"]*)"',
    re.MULTILINE,
)
_RANGE = re.compile(r"(\d+)[ \t]*-[ \t]*(\d+)")
_INDEPENDENT = "VECTOR__INDEPENDENT_SIG_MSG"

# In the list of symbols after NS_ a keyword stands alone; in a statement something follows it.
_STATEMENT = re.compile(
    r"^[ \t]*(?P<keyword>(?:BO|SG|CM|VAL|VAL_TABLE|BA|BA_DEF|BA_DEF_DEF|BA_REL|BA_DEF_REL|BA_DEF_DEF_REL"
    r"|SIG_VALTYPE|SG_MUL_VAL|BO_TX_BU|SIG_GROUP|EV|ENVVAR_DATA|NS|BS|BU)_)(?=[ \t]+[\"\w]|[ \t]*:)",
    re.MULTILINE,
)
_UNENDED = frozenset({"BO_", "SG_", "NS_", "BS_", "BU_"})

# Statements that only describe: without one of them every value stays what it was.
_DESCRIBING = re.compile(
    r"[ \t]*(?:CM_|VAL_|VAL_TABLE_|BA_REL_|BA_DEF_REL_|BA_DEF_DEF_REL_|SIG_GROUP_|BO_TX_BU_|EV_"
    r"|ENVVAR_DATA_)\b"
)


@dataclass(slots=True)
class SignalLine:
    """Where a signal is defined."""

    name: str
    start: int
    length: int
    line: int
    multiplex_mark: str


@dataclass(slots=True)
class MessageLine:
    """Where a message is defined, by the id as the DBC writes it after mending (bit 31: extended)."""

    dbc_id: int
    name: str
    line: int
    signals: list[SignalLine] = field(default_factory=list)


@dataclass(slots=True)
class MendedText:
    """A DBC text that keeps every line where it was.

    Attributes:
        text: what cantools is to parse.
        defects: what had to be mended.
        messages: every message in file order.
    """

    text: str
    defects: list[Defect]
    messages: list[MessageLine]


class _Edits:
    """Replacements that keep the number of lines, applied at once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [match.end() for match in re.finditer("\n", text)]
        self._edits: list[tuple[int, int, str]] = []

    def line(self, offset: int) -> int:
        """Number of the line that `offset` is in, from 1."""
        return bisect_right(self._starts, offset) + 1

    def replace(self, start: int, end: int, words: str) -> None:
        """Put `words` in the place of the text from `start` to `end`."""
        self._edits.append((start, end, words))

    def blank(self, start: int, end: int) -> None:
        """Take the text from `start` to `end` out, keeping its line ends."""
        self.replace(start, end, _blanked(self.text[start:end]))

    def applied(self) -> str:
        """The text with all replacements made."""
        text = self.text
        for start, end, words in sorted(self._edits, reverse=True):
            text = text[:start] + words + text[end:]
        return text


def mend(text: str, where: str) -> MendedText:
    """Mend what can be mended without guessing at the meaning of a value.

    Mended are: missing ``BS_:``, ``BU_:`` and semicolons, an id over 11 bits without the extended flag, and
    statements about a signal or message that the file does not define.

    Args:
        text: the file.
        where: the file's name, for errors.

    Raises:
        DatabaseError: if an id, a length or a range can hold in no CAN frame.
    """
    defects: list[Defect] = []
    edits = _Edits(_mend_semicolons(text, defects))
    masked = _masked(edits.text)
    _mend_headers(masked, edits, defects)
    messages = list(_messages(masked, edits, where))
    flagged = _flag_extended(masked, messages, edits, defects, where)
    _drop_strays(masked, messages, flagged, edits, defects, where)
    mended = edits.applied()
    return MendedText(mended, sorted(defects, key=lambda defect: defect.line), messages)


def long_names(text: str) -> Iterator[tuple[int, str, str]]:
    """The names over 32 characters that attributes give: (DBC id, short signal name or empty, long name)."""
    for match in _LONG_NAME.finditer(text):
        yield int(match["message"] or match["id"]), match["name"] or "", match["long"]


def blank_statement(text: str, line: int) -> tuple[str, int, str] | None:
    """Take the statement out that covers `line`, if it only describes.

    Returns:
        The text without it, the line at which it began and its first word; None if it must not go.
    """
    masked = _masked(text)
    starts = [0, *(match.end() for match in re.finditer("\n", masked))]
    if not 0 < line <= len(starts):
        return None
    # A statement that lacks its semicolon is noticed only at the next one: the line before is tried as well.
    for candidate in (line, line - 1):
        for begin in range(candidate, 0, -1):
            head = masked[starts[begin - 1] :].split("\n", 1)[0]
            if not re.match(r"[ \t]*[A-Z]+_", head):
                continue
            if _DESCRIBING.match(head):
                rest = starts[begin] if begin < len(starts) else len(masked)
                follows = re.compile(r"^[ \t]*[A-Z][A-Z_]*_[ \t]", re.MULTILINE).search(masked, rest)
                end = follows.start() if follows else len(masked)
                start = starts[begin - 1]
                return text[:start] + _blanked(text[start:end]) + text[end:], begin, head.split()[0]
            break
    return None


def _masked(text: str) -> str:
    """The text with comments and what stands between quotes blanked, at the same offsets."""

    def hide(match: re.Match[str]) -> str:
        words = match.group()
        return f'"{_blanked(words[1:-1])}"' if words[0] == '"' else _blanked(words)

    return _MASKED.sub(hide, text)


def _blanked(words: str) -> str:
    return re.sub(r"[^\r\n]", " ", words)


def _mend_semicolons(text: str, defects: list[Defect]) -> str:
    """End statements that run into the next one, which would otherwise be read as part of them."""
    edits = _Edits(text)
    masked = _masked(text)
    heads = [(match.start("keyword"), match["keyword"]) for match in _STATEMENT.finditer(masked)]
    ends = [*(start for start, _ in heads[1:]), len(masked)][: len(heads)]
    for (start, keyword), end in zip(heads, ends, strict=True):
        words = masked[start:end].rstrip()
        if keyword not in _UNENDED and not words.endswith(";"):
            line = edits.line(start)
            defects.append(
                Defect("missing-semicolon", line, f"the {keyword} statement lacks its ';'; it was added")
            )
            edits.replace(start + len(words), start + len(words), ";")
    return edits.applied()


def _mend_headers(masked: str, edits: _Edits, defects: list[Defect]) -> None:
    """The DBC grammar demands both sections; without one, cantools reads the first message as symbols."""
    first = _MESSAGE.search(masked)
    place = first.start() if first else len(masked)
    line = edits.line(place)
    missing = ""
    for code, section, what in (("missing-bs", "BS_", "bit timing"), ("missing-bu", "BU_", "nodes")):
        if not re.search(rf"^[ \t]*{section}[ \t]*:", masked, re.MULTILINE):
            missing += f"{section}: "
            defects.append(
                Defect(code, line, f"the section '{section}:' ({what}) is missing; an empty one was added")
            )
    if missing:
        edits.replace(place, place, missing)


def _messages(masked: str, edits: _Edits, where: str) -> Iterator[MessageLine]:
    heads = list(_MESSAGE.finditer(masked))
    ends = [*(match.start() for match in heads[1:]), len(masked)][: len(heads)]
    for head, end in zip(heads, ends, strict=True):
        line = edits.line(head.start("id"))
        message = MessageLine(_number(head["id"], where, line), head["name"], line)
        if head["length"].isdigit() and _number(head["length"], where, line) > LONGEST_MESSAGE_BYTES:
            raise DatabaseError(
                f"message {head['name']} has {head['length']} bytes; no CAN message carries over"
                f" {LONGEST_MESSAGE_BYTES}",
                where=f"{where}:{line}",
                todo="Correct its length",
            )
        for match in _SIGNAL.finditer(masked, head.end(), end):
            signal_line = edits.line(match.start("name"))
            start, length = (_number(match[key], where, signal_line) for key in ("start", "length"))
            if max(start, length) > 8 * LONGEST_MESSAGE_BYTES or length == 0:
                raise DatabaseError(
                    f"signal {match['name']} starts at bit {start} and has {length} bits, which no message"
                    " holds",
                    where=f"{where}:{signal_line}",
                    todo="Correct its start or length",
                )
            message.signals.append(SignalLine(match["name"], start, length, signal_line, match["mux"] or ""))
        yield message


def _number(digits: str, where: str, line: int) -> int:
    if len(digits) > len(str(1 << 64)):
        raise DatabaseError(f"the number {digits[:20]}… is too large", where=f"{where}:{line}")
    return int(digits)


def _flag_extended(
    masked: str, messages: list[MessageLine], edits: _Edits, defects: list[Defect], where: str
) -> set[int]:
    """Set the flag of extended ids that lack it; return the ids concerned as the file wrote them."""
    flagged: set[int] = set()
    heads = {edits.line(match.start("id")): match for match in _MESSAGE.finditer(masked)}
    for message in messages:
        if message.name == _INDEPENDENT or message.dbc_id <= _STANDARD_IDS:
            continue
        if message.dbc_id & ~EXTENDED_BIT > _EXTENDED_IDS:
            raise DatabaseError(
                f"message {message.name} has the id {message.dbc_id}, which is more than 29 bits",
                where=f"{where}:{message.line}",
                todo="Correct its id",
            )
        if message.dbc_id & EXTENDED_BIT:
            continue
        defects.append(
            Defect(
                "id-without-extended-flag",
                message.line,
                f"message {message.name} has the id 0x{message.dbc_id:X}, over 11 bits, without the flag of"
                " an extended id (bit 31); it was taken as extended",
            )
        )
        flagged.add(message.dbc_id)
        message.dbc_id |= EXTENDED_BIT
        head = heads[message.line]
        edits.replace(head.start("id"), head.end("id"), str(message.dbc_id))
    return flagged


_STRAY = {
    "VAL_": ("stray-value-names", "value names"),
    "CM_": ("stray-comment", "a comment"),
    "BA_": ("stray-attribute", "an attribute"),
    "BA_REL_": ("stray-attribute", "an attribute"),
    "SIG_VALTYPE_": ("stray-value-type", "a value type"),
    "SG_MUL_VAL_": ("stray-multiplex-values", "multiplexer values"),
    "BO_TX_BU_": ("stray-senders", "senders"),
    "SIG_GROUP_": ("stray-signal-group", "a signal group"),
}


def _drop_strays(
    masked: str,
    messages: list[MessageLine],
    flagged: set[int],
    edits: _Edits,
    defects: list[Defect],
    where: str,
) -> None:
    """Take out statements about signals and messages that are not there; lend the flag to those that are."""
    signals: dict[int, set[str]] = defaultdict(set)
    for message in messages:
        signals[message.dbc_id].update(signal.name for signal in message.signals)
    for match in _REFERENCE.finditer(masked):
        line = edits.line(match.start("kind"))
        written = _number(match["id"], where, line)
        dbc_id = written | EXTENDED_BIT if written in flagged else written
        keyword, of_message = match["kind"].split()[0], match["kind"].split()[-1] in {"BO_", "BO_TX_BU_"}
        of_message = of_message or keyword == "SIG_GROUP_" or "BU_BO_REL_" in match["kind"]
        name = "" if of_message else match["name"] or ""
        if dbc_id not in signals or (name and name not in signals[dbc_id]):
            code, what = _STRAY[keyword]
            missing = f"signal {name}" if dbc_id in signals else "message"
            owner = f"message id {written}" if dbc_id in signals else f"id {written}"
            defects.append(
                Defect(
                    code, line, f"{what} for {owner}: there is no such {missing}; the statement was left out"
                )
            )
            edits.blank(match.start(), match.end())
            continue
        if dbc_id != written:
            edits.replace(match.start("id"), match.end("id"), str(dbc_id))
        if keyword == "SG_MUL_VAL_":
            for low, high in _RANGE.findall(match["rest"]):
                if _number(high, where, line) - _number(low, where, line) >= MOST_MULTIPLEX_VALUES:
                    raise DatabaseError(
                        f"signal {name} is given the multiplexer values {low} to {high}; more than"
                        f" {MOST_MULTIPLEX_VALUES} are not laid out",
                        where=f"{where}:{line}",
                        todo="Narrow the range to the values in use",
                    )
