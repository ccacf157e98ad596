"""What a government platform gets is the same, byte for byte: by TCP, and by MQTT, store and conversion."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.bus.merge import merge
from edge.bus.recording import open_recording
from edge.catalogue.item import Edition
from edge.clock import NS_PER_S
from edge.frames import FrameBatch
from tests.conversion.alarm_drive import BUSES, FROM_S, LENGTH_S, TO_S, alarm_batches
from tests.conversion.both_at_once import BEGIN_NS, Both, drive
from tests.conversion.comparison import Compared, compare
from tests.gateway.rig import WALL_NS
from tests.road.conftest import PROJECT
from tests.road.test_recordings import KONA_BUSES

LONG = bool(os.environ.get("NEVGATE_BOTH_WAYS_LONG"))
CUT_S = (4, 8)
SECONDS = {"reference vehicle": 600 if LONG else 12, "Kona recording": 100_000 if LONG else 12}


def reference(folder: Path, patch: pytest.MonkeyPatch) -> Both:
    batches = alarm_batches(4, FROM_S, TO_S, max(LENGTH_S, SECONDS["reference vehicle"]))
    return drive(folder, patch, BUSES, batches[: 10 * SECONDS["reference vehicle"]], cut_s=CUT_S)


def kona(folder: Path, patch: pytest.MonkeyPatch, data: Path) -> Both:
    recording = next((data / "kona-ev").glob("230112-7-*.csv"))
    batches: list[FrameBatch] = []
    with merge([open_recording(recording, buses={"0": "pcan", "1": "ccan"})]) as source:
        while (batch := source.read(0)) is not None:
            batches.append(batch)
            if batch.t_ns[-1] - batches[0].t_ns[0] > SECONDS["Kona recording"] * NS_PER_S:
                break
    buses = KONA_BUSES.format(data=data / "kona-ev", dbc=PROJECT / "dbc")
    return drive(folder, patch, buses, batches, cut_s=CUT_S)


@pytest.fixture(scope="module", params=list(SECONDS))
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("both") / "run"
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "reference vehicle":
            return reference(folder, patch)
        return kona(folder, patch, request.getfixturevalue("shared_data"))


def compared(both: Both, edition: Edition) -> Compared:
    found = compare(both, edition)
    print(f"\n{edition.value}: {found}")  # noqa: T201 - figures of the long form, shown with -s
    return found


@pytest.mark.parametrize("edition", Edition)
def test_what_is_converted_equals_what_the_vehicle_told_itself(both: Both, edition: Edition) -> None:
    found = compared(both, edition)
    assert (found.unlike, found.not_told) == ([], [])
    assert found.records >= 10
    assert found.messages + found.late_by_tcp >= found.records
    assert found.bytes > 60 * found.records
    assert found.late_by_mqtt == 0
    signed = found.messages + found.late_by_tcp if edition is Edition.Y2025 else 0
    assert found.signatures == signed


@pytest.mark.parametrize("edition", Edition)
def test_what_a_cut_kept_back_goes_as_reissue_and_nothing_else_does(both: Both, edition: Edition) -> None:
    found = compare(both, edition)
    late = {second - (WALL_NS + BEGIN_NS) // NS_PER_S for second in found.times_late}
    assert found.late_by_tcp == len(late)
    # A record that waits when an alarm comes is overtaken by it; the long form gets that far.
    late.discard(FROM_S)
    assert late == set(range(min(late), max(late) + 1))
    # A record is sent up to a second after it was made, and bears a whole second.
    assert min(late) in range(CUT_S[0] - 2, CUT_S[0] + 1)
    assert max(late) in range(CUT_S[1] - 2, CUT_S[1] + 1)
