"""The experiment on real databases with the class files of this project, and on a real recording."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from edge.bus.merge import merge
from edge.bus.recording import open_recording
from edge.catalogue.catalogue import builtin
from edge.collecting import Described
from edge.database.load import load_database
from edge.policy.classes import DataClass
from edge.policy.classfile import load_classes
from edge.proving.proof import Proof
from tests.policy.lawful import lawful

CLASS_FILES = Path(__file__).parents[2] / "dbc"
BUS = "car"
CSS = "css-drive"


@pytest.mark.parametrize(
    ("database", "classes", "collect", "recording"),
    [
        (f"{CSS}/CSS-Electronics-SAE-J1939-DEMO.dbc", "css-j1939", [DataClass.OPERATION], "j1939-*.MF4"),
        (f"{CSS}/CSS-Electronics-SAE-J1939-DEMO.dbc", "css-j1939", [DataClass.POSITION], "j1939-*.MF4"),
        (f"{CSS}/OBD-v4.4.dbc", "css-obd2", [DataClass.HEALTH], None),
        ("kona-ev/pcan.dbc", "kona-pcan", [DataClass.OPERATION], None),
    ],
)
def test_nothing_is_found(
    shared_data: Path, database: str, classes: str, collect: Sequence[DataClass], recording: str | None
) -> None:
    loaded = load_classes(CLASS_FILES / f"{classes}.classes.toml", load_database(shared_data / database))
    path = None if recording is None else next((shared_data / CSS).glob(recording))
    proof = Proof(
        lawful(*collect).policy,
        Described({BUS: [loaded]}, {}, builtin()),
        frames=2,
        chance=Random(1),  # noqa: S311 - a test repeats its seed
        recording=None
        if path is None
        else lambda: merge([open_recording(path, buses={"1": BUS, "2": BUS, "CAN1": BUS})]),
    )
    finding = proof.run(lambda _: None)
    assert finding.counterexample is None
    assert finding.tally.flips > 500
    assert path is None or finding.tally.recorded > 1000
