"""Consoles for people: as wide as the terminal, and wide enough for every name where there is none."""

from __future__ import annotations

from rich.console import Console

PIPE_WIDTH = 240


def page(*, stderr: bool = False) -> Console:
    """Make a console that takes names as they are, and cuts them short only where a terminal is narrow.

    Args:
        stderr: write to standard error.
    """
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=PIPE_WIDTH)


def counted(count: int, noun: str) -> str:
    """A count with its noun, whose plural ends in s."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
