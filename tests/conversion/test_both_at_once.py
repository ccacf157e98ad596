"""What a government platform gets is the same, byte for byte: by TCP, and by MQTT and conversion."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.bus.merge import merge
from edge.bus.recording import open_recording
from edge.catalogue.item import Edition
from simulator.vehicle.vehicle import ReferenceVehicle
from tests.conversion.both_at_once import Both, as_reissue, drive, late
from tests.road.conftest import PROJECT
from tests.road.test_recordings import KONA_BUSES

LONG = bool(os.environ.get("NEVGATE_BOTH_WAYS_LONG"))
SECONDS = 600 if LONG else 12
CUT_S = (4, 8)
KONA_SECONDS = 100_000 if LONG else 20


def reference(folder: Path, patch: pytest.MonkeyPatch) -> Both:
    vehicle = ReferenceVehicle(1)
    buses = "".join(
        f'[[bus]]\nname = "{bus}"\n[[bus.database]]\nfile = "{database.path}"\n'
        for bus, database in vehicle.databases.items()
    )
    return drive(folder, patch, buses, vehicle.frames(SECONDS), cut_s=CUT_S)


def kona(folder: Path, patch: pytest.MonkeyPatch, data: Path) -> Both:
    recording = next((data / "kona-ev").glob("230112-7-*.csv"))
    batches = []
    with merge([open_recording(recording, buses={"0": "pcan", "1": "ccan"})]) as source:
        while (batch := source.read(0)) is not None:
            batches.append(batch)
            if batch.t_ns[-1] - batches[0].t_ns[0] > KONA_SECONDS * 1_000_000_000:
                break
    return drive(folder, patch, KONA_BUSES.format(data=data / "kona-ev", dbc=PROJECT / "dbc"), batches)


@pytest.fixture(scope="module", params=["reference vehicle", "Kona recording"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("both") / "run"
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "reference vehicle":
            return reference(folder, patch)
        return kona(folder, patch, request.getfixturevalue("shared_data"))


@pytest.mark.parametrize("edition", Edition)
def test_what_is_converted_equals_what_the_vehicle_told_itself(both: Both, edition: Edition) -> None:
    """A report that one way told late and the other in time differs in the command alone."""
    converted, reported = both.converted(edition), both.reported(edition)
    assert len(converted) >= SECONDS - 2
    assert set(reported) == set(converted)
    for second, messages in reported.items():
        expected = converted[second]
        if late(messages):
            expected = as_reissue(expected)
        assert [one.write() for one in messages[-len(expected) :]] == [one.write() for one in expected]


@pytest.mark.parametrize("both", ["reference vehicle"], indirect=True)
def test_what_could_not_go_in_time_went_as_reissue(both: Both) -> None:
    for edition in Edition:
        assert sum(late(messages) for messages in both.reported(edition).values()) >= CUT_S[1] - CUT_S[0] - 1
    assert not any(late(messages) for messages in both.converted(Edition.Y2025).values())
