"""Every example that --help and the README show is a command that nevgate understands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edge.cli.program import program

README = Path(__file__).parents[2] / "README.md"


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield (*path, name), command
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(leaves(program))


def examples_in(text: str) -> list[str]:
    return re.findall(r"^ *(nevgate [a-z].*?) *$", text, re.MULTILINE)


def parse(line: str) -> None:
    """Parse one pipeline as far as nevgate is concerned."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|>")
    lexer.whitespace_split = True
    words = []
    for word in lexer:
        if set(word) <= {"|", ">"}:
            break
        words.append(word)
    assert words.pop(0) == "nevgate"
    command: click.Command = program
    while isinstance(command, click.Group) and not (command.invoke_without_command and words[0][0] == "-"):
        name = words.pop(0)
        found = command.get_command(click.Context(command), name)
        assert found is not None, f"{line}: there is no command {name!r}"
        command = found
    command.make_context("nevgate", words)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_examples_of_a_help_text_parse(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys").mkdir()
    command = COMMANDS[path]
    lines = examples_in(command.help or "")
    assert lines, "a help text teaches by example"
    for line in lines:
        assert line.split()[1 : 1 + len(path)] == list(path)
        parse(line)


def test_the_lines_of_the_readme_parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys").mkdir()
    lines = examples_in(re.sub(r" +# .*$", "", README.read_text("utf-8"), flags=re.MULTILINE))
    assert len(lines) > 8
    for line in lines:
        parse(line)
