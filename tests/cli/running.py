"""Runs the program inside the test's process, as its own `main` runs it."""

import sys
from dataclasses import dataclass

import pytest

from edge.cli import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


class Program:
    """Runs `nevgate` with arguments in the test's folder; tells exit code and what was printed where."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: object) -> Outcome:
        self._monkeypatch.setattr(sys, "argv", ["nevgate", *map(str, words)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        printed = self._capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Outcome(end.value.code, printed.out, printed.err)
