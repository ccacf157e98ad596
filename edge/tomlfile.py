"""Reads TOML files that people write: a complaint names the line, what is wrong, and what would be right."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError

from edge.errors import NevgateError

KeyPath = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

_HEADER = re.compile(r"^\s*(\[\[?)\s*((?:[A-Za-z0-9_.\s-]|\"[^\"]*\"|'[^']*')+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"^\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*="
)
_PART = re.compile(r"[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'")
_MOST_COMPLAINTS = 50


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A parsed TOML file that remembers its lines.

    Attributes:
        path: where it was read.
        values: the parsed table.
        lines: line number (from 1) of each key, by its path; elements of arrays of tables by their index.
    """

    path: Path
    values: Mapping[str, object]
    lines: Mapping[KeyPath, int]

    def line(self, key: KeyPath) -> int:
        """Find the line of `key`, or of the nearest table around it; 0 if there is none."""
        for end in range(len(key), 0, -1):
            if key[:end] in self.lines:
                return self.lines[key[:end]]
        return 0

    def where(self, key: KeyPath) -> str:
        """Name the place of `key` as ``file:line``."""
        line = self.line(key)
        return f"{self.path}:{line}" if line else str(self.path)


def read_toml(path: Path, error: type[NevgateError]) -> TomlFile:
    """Read and parse `path`.

    Raises:
        NevgateError: of the kind `error`, if the file cannot be read or is no TOML.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise error("there is no such file", where=str(path), todo="Check the path") from None
    except OSError as fault:
        raise error(f"cannot be read: {fault.strerror}", where=str(path)) from fault
    return parse_toml(path, content, error)


def parse_toml(path: Path, content: bytes, error: type[NevgateError]) -> TomlFile:
    """Parse what was read from `path`.

    Raises:
        NevgateError: of the kind `error`, if it is no TOML.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise error("is no text in UTF-8", where=str(path), todo="Is it a TOML file?") from fault
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise error("is nested too deeply", where=str(path), todo="Is it a TOML file?") from None
    except ValueError as fault:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(fault))
        place = f"{path}:{found[1]}" if found else str(path)
        words = re.sub(r"\s*\(at [^)]*\)$", "", str(fault))
        raise error(
            f"is not valid TOML: {words}", where=place, todo="Mend the syntax at that line"
        ) from fault
    return TomlFile(path, values, _lines(text))


def _lines(text: str) -> dict[KeyPath, int]:
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if fence:
            if fence in line:
                fence = ""
            continue
        header = _HEADER.match(line)
        if header:
            table = _table_path(_parts(header[2]), counts, array=header[1] == "[[")
            lines.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key:
            lines.setdefault((*table, *_parts(key[1])), number)
        for quotes in ('"""', "'''"):
            if line.count(quotes) % 2:
                fence = quotes
    return lines


def _table_path(parts: KeyPath, counts: dict[KeyPath, int], *, array: bool) -> KeyPath:
    path: KeyPath = ()
    for depth, part in enumerate(parts):
        path = (*path, part)
        last = depth == len(parts) - 1
        if last and array:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _parts(dotted: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def validate(
    file: TomlFile,
    model: type[Model],
    error: type[NevgateError],
    *,
    context: Mapping[str, object] | None = None,
) -> Model:
    """Check a file's values against `model`; `context` is handed to the model's validators.

    Raises:
        NevgateError: of the kind `error`, one line a complaint, each with its line in the file.
    """
    try:
        return model.model_validate(file.values, context=context)
    except ValidationError as fault:
        found = fault.errors(include_url=False)
        complaints = [_complaint(file, model, details) for details in found[:_MOST_COMPLAINTS]]
        first_place, first_words = complaints[0]
        rest = "".join(f"\n{place}: {words}" for place, words in complaints[1:])
        rest += f"\nand {len(found) - len(complaints)} more" if len(found) > len(complaints) else ""
        raise error(f"{first_words}{rest}", where=first_place) from None


def _complaint(file: TomlFile, model: type[BaseModel], details: Mapping[str, object]) -> tuple[str, str]:
    location = details["loc"]
    kind = details["type"]
    key: KeyPath = (
        _written(file.values, location, missing=kind == "missing") if isinstance(location, tuple) else ()
    )
    name = ".".join(f"[{part}]" if isinstance(part, int) else part for part in key).replace(".[", "[")
    if kind == "extra_forbidden":
        known = _fields(model, location[:-1] if isinstance(location, tuple) else ())
        near = get_close_matches(str(key[-1]), known, n=1)
        advice = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(sorted(known))}"
        return file.where(key), f"unknown key '{name}'; {advice}"
    if kind == "missing":
        return file.where(key), f"'{name}' is missing"
    if kind == "tuple_type":
        return file.where(key), f"'{name}' is a list of tables; write [[{name}]], in double brackets"
    words = str(details["msg"]).removeprefix("Value error, ")
    if not key:
        return file.where(key), words
    given = details.get("input")
    shown = "" if isinstance(given, (dict, list)) else f" (it is {given!r})"
    return file.where(key), f"'{name}': {words}{shown}"


def _written(values: object, location: KeyPath, *, missing: bool) -> KeyPath:
    """The key of a place as the file has it: which one of several models was tried is no part of it."""
    key: list[str | int] = []
    for place, part in enumerate(location):
        if isinstance(values, Mapping) and part not in values:
            if missing and place == len(location) - 1:
                key.append(part)
            continue
        if isinstance(values, Mapping):
            values = values[part]
        if isinstance(values, list) and isinstance(part, int):
            values = values[part]
        key.append(part)
    return tuple(key)


def _fields(model: type[BaseModel], location: KeyPath) -> list[str]:
    names_of_tables = False
    annotation: object = model
    for part in location:
        tagged = _tagged(annotation, part)
        if tagged is not None:
            model = tagged
            continue
        if isinstance(part, int) or names_of_tables:
            names_of_tables = False
            continue
        field = next(
            (field for name, field in model.model_fields.items() if part in (name, field.alias)), None
        )
        annotation = None if field is None else field.annotation
        inner = _model_in(annotation)
        if inner is None:
            return []
        names_of_tables = get_origin(annotation) in {dict, Mapping}
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _tagged(annotation: object, tag: str | int) -> type[BaseModel] | None:
    """The model in an annotation that is marked by a tag."""
    marks = getattr(annotation, "__metadata__", ())
    if any(isinstance(mark, Tag) and mark.tag == tag for mark in marks):
        return _model_in(annotation)
    return next((found for argument in get_args(annotation) if (found := _tagged(argument, tag))), None)


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for argument in get_args(annotation) if (found := _model_in(argument))), None)
