"""Collects from the source every cause and fact that can appear in an account, and every name of a hop."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
ROOMS = ("edge", "simulator")

TALLIES = frozenset(
    {"set_aside", "at_least", "facts", "counts", "message_facts", "record_facts", "messages", "records"}
)
"""Names, without a leading underscore, of the mappings in which the rooms count."""

MAPPINGS = frozenset({"set_aside", "at_least", "facts", "causes", "aside", "cause"})
"""Variables and keyword arguments that hold such a mapping, or one of its keys."""

WORD_PLACES: Mapping[str, int] = {
    "MalformedError": 0,
    "RejectedError": 0,
    "Unfit": 0,
    "_UnusableError": 0,
    "_abandon": 2,
    "_lose": 1,
    "_refuse": 0,
    "_refuse_line": 0,
    "_set_aside": 0,
    "give_up": 1,
    "refuse": 0,
}
"""Which argument of these calls is a cause."""

WORD_FUNCTIONS = frozenset({"refusal", "_cause"})
"""Functions that return a cause."""

HOPS = frozenset({"Hop", "hop", "hop_of"})
"""Calls that make a hop, its name first."""

HOLDERS = (ast.Call, ast.Subscript, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.For)
"""The kinds of nodes in which words and hops are looked for."""

BALANCE = frozenset({"", "entered", "left", "stored"})
"""Keys under which the balance itself is counted."""


@cache
def account_words() -> frozenset[tuple[str, str]]:
    """Every cause and fact, after the file that it stands in; what varies in it is written as an ellipsis."""
    found: set[tuple[str, str]] = set()
    for path in _files():
        for node in _nodes(path):
            for word in _words_of(node, path):
                if word.strip(" …") not in BALANCE:
                    found.add((path.relative_to(ROOT).as_posix(), word))
    return frozenset(found)


@cache
def hop_names() -> frozenset[tuple[str, str]]:
    """Every name that a hop is given where it is built, after its file."""
    found: set[tuple[str, str]] = set()
    for path in _files():
        for node in _nodes(path):
            if isinstance(node, ast.Call) and _called(node) in HOPS:
                named = [keyword.value for keyword in node.keywords if keyword.arg == "name"]
                for value in named or node.args[:1]:
                    for word in _texts(value, path):
                        found.add((path.relative_to(ROOT).as_posix(), word))
    return frozenset(found)


def _files() -> Iterator[Path]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if not {"cli", "archive"} & set(path.parts):
                yield path


@cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    """What can hold a word or make a hop in a file, read once for both."""
    return tuple(node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, HOLDERS))


def _constant(name: str, path: Path) -> object:
    """What a file calls by this name, importing it; None where it is no name of the module's own."""
    return None if name == "self" else getattr(_module(path), name, None)


@cache
def _module(path: Path) -> ModuleType | None:
    """The imported module of a file, for its constants; None for one that is a program of its own."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    alone = (
        "__main__",
        "_worker",
        "_on_board",
        ".board.program",
        ".training.network",
        ".training.training",
        ".training.mining",
    )
    if name.endswith(alone):
        return None
    return sys.modules.get(name) or importlib.import_module(name)


def _words_of(node: ast.AST, path: Path) -> Iterator[str]:
    match node:
        case ast.Call():
            yield from _words_of_call(node, path)
        case ast.Subscript(value=value, slice=key) if _name(value) in TALLIES:
            yield from _texts(key, path)
        case ast.Assign(targets=[target], value=value) if _name(target) in MAPPINGS:
            yield from _keys(value, path)
            yield from _texts(value, path) if _name(target) == "cause" else ()
        case ast.AnnAssign(target=target, value=ast.expr() as value) if _name(target) in MAPPINGS:
            yield from _keys(value, path)
        case ast.FunctionDef(name=name) if name in WORD_FUNCTIONS or name == "facts":
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    yield from _keys(inner.value, path)
                    yield from _texts(inner.value, path) if name in WORD_FUNCTIONS else ()
        case ast.For():
            yield from _words_of_loop(node, path)


def _words_of_call(call: ast.Call, path: Path) -> Iterator[str]:
    place = WORD_PLACES.get(_called(call))
    if place is not None and len(call.args) > place:
        yield from _texts(call.args[place], path)
    for keyword in call.keywords:
        if keyword.arg in MAPPINGS:
            yield from _keys(keyword.value, path)
        if keyword.arg == "fact":
            yield from _texts(keyword.value, path)
    if _called(call) in HOPS:
        for argument in call.args:
            yield from _keys(argument, path)


def _words_of_loop(loop: ast.For, path: Path) -> Iterator[str]:
    """The first of each row of a written table over which a loop counts."""
    match loop:
        case ast.For(target=ast.Tuple(elts=[ast.Name(id=name), *_]), iter=ast.Tuple(elts=rows)):
            counted = (inner for inner in ast.walk(loop) if isinstance(inner, ast.Subscript))
            if any(_name(inner.value) in TALLIES and _name(inner.slice) == name for inner in counted):
                for row in rows:
                    yield from _texts(row.elts[0], path) if isinstance(row, ast.Tuple) else ()


def _called(call: ast.Call) -> str:
    return _name(call.func, keep_underscore=True)


def _name(node: ast.AST, *, keep_underscore: bool = False) -> str:
    found = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return found if keep_underscore else found.lstrip("_")


def _keys(node: ast.AST, path: Path) -> Iterator[str]:
    """The keys of the dictionaries that an expression is made of."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Dict):
            for key in inner.keys:
                if key is not None:
                    yield from _texts(key, path)
        elif isinstance(inner, ast.DictComp):
            yield from _texts(inner.key, path)


def _texts(node: ast.AST, path: Path) -> Iterator[str]:
    """What an expression can be as text: a literal, a constant of the module, either side of a choice."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
        case ast.IfExp(body=body, orelse=orelse):
            yield from _texts(body, path)
            yield from _texts(orelse, path)
        case ast.Tuple(elts=[_, last]):
            # Where one mapping counts several units, its keys are pairs of unit and word.
            yield from _texts(last, path)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            yield from _values(getattr(_constant(name, path), attribute, None))
        case ast.Name(id=name) if name.isupper():
            yield from _values(_constant(name, path))
        case ast.Subscript(value=ast.Name(id=name)) if name.isupper():
            yield from _values(_constant(name, path))


def _values(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield str(value)
    elif isinstance(value, Mapping):
        yield from (each for each in value.values() if isinstance(each, str))
