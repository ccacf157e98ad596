"""The pages name what is there: files, links, commands with their options, and each other."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edge.cli.program import program

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "dbc" / "README.md", ROOT / "firmware" / "README.md", *ROOT.glob("docs/*.md")]
)
UNIT = ROOT / "docs" / "nevgate.service"
NO_ROOMS = {"__init__.py", "__main__.py", "__pycache__", "py.typed"}


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _commands() -> Iterator[tuple[str, str]]:
    """Each call of nevgate in an indented block, and that of the unit, with the page that it stands on."""
    for page in (*PAGES, UNIT):
        for line in page.read_text("utf-8").splitlines():
            found = re.match(
                r"(?:    |ExecStart=)(?:sudo (?:-u \w+ )?)?(?:\S*/)?nevgate (?=[a-z-])(.*)", line
            )
            if found:
                yield _name(page), found[1]


def _called(words: list[str]) -> tuple[click.Command, list[str]]:
    command: click.Command = program
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(click.Context(command), words[0])
        assert inner is not None, f"there is no command {words[0]}"
        command, words = inner, words[1:]
    return command, words


@pytest.mark.parametrize(("page", "line"), list(_commands()))
def test_a_command_has_the_options_and_all_that_it_requires(page: str, line: str) -> None:
    words = shlex.split(re.split(r"[|>]", line, maxsplit=1)[0], comments=True)
    command, rest = _called(words)
    given, _, _ = command.make_parser(click.Context(command)).parse_args(list(rest))
    lacking = [one.name for one in command.params if one.required and given.get(one.name or "") is None]
    assert not lacking, f"{page}: 'nevgate {line}' lacks {lacking}"


def test_every_link_leads_to_a_file() -> None:
    broken = [
        f"{_name(page)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_every_file_that_a_page_names_is_there() -> None:
    named = re.compile(r"`((?:edge|simulator|dbc|docs|tests|firmware)/[\w./-]*)`")
    gone = [
        f"{_name(page)}: {target}"
        for page in PAGES
        if page.name not in {"bindings.md", "class-files.md"}  # these speak of the reader's own files
        for target in named.findall(page.read_text("utf-8"))
        if not (ROOT / target).exists()
    ]
    assert not gone


def test_the_readme_lists_every_page() -> None:
    readme = (ROOT / "README.md").read_text("utf-8").partition("## Read on")[2]
    unlisted = [
        _name(page) for page in PAGES if page != ROOT / "README.md" and f"({_name(page)})" not in readme
    ]
    assert not unlisted


def test_the_architecture_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rooms = [
        f"edge/{path.name}{'/' if path.is_dir() else ''}"
        for path in sorted((ROOT / "edge").iterdir())
        if path.name not in NO_ROOMS and path.suffix in {".py", ""}
    ]
    assert [room for room in rooms if f"`{room}`" not in page] == []
