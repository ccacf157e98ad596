"""What the program's tests share: the program, in a folder of the test's own."""

from pathlib import Path

import pytest

from tests.cli.running import Program

DATABASES = Path(__file__).parents[2] / "dbc"


@pytest.fixture
def nevgate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """Hand out the program, which runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Program(monkeypatch, capsys)


@pytest.fixture(scope="session")
def powertrain() -> Path:
    """Hand out a database of the reference vehicle."""
    return DATABASES / "nev-powertrain.dbc"
