"""The program `nevgate`: one thin file a subcommand."""

from edge.cli.program import main

__all__ = ["main"]
