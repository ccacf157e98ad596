"""The real recordings come out whole: counts, order, the four forms of one capture, files left untouched."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from edge.bus.merge import merge
from edge.bus.recording import open_recording
from edge.clock import TimeQuality
from edge.frames import FrameBatch, FrameFlag
from tests.bus.reading import frames_of, read_all

FORMS = {"candump.log": "vcan0", "GVRET_Log.csv": "0", "CRTD_Log.txt": "1", "BusMasterLog.log": "0"}


@pytest.fixture(scope="module")
def kona(shared_data: Path) -> Path:
    return next((shared_data / "kona-ev").glob("230112-7-*.csv"))


@pytest.fixture(scope="module")
def forms(shared_data: Path) -> dict[str, FrameBatch]:
    read = {}
    for name, label in FORMS.items():
        with open_recording(shared_data / "savvycan" / name, buses={label: "ev"}) as source:
            read[name] = read_all(source)
            assert source.hop().set_aside == {}
    return read


def test_kona_has_every_frame_exactly(kona: Path) -> None:
    with open_recording(kona, buses={"0": "pcan", "1": "ccan"}) as source:
        batch = read_all(source)
        hop = source.hop()
    assert (hop.entered, hop.left, dict(hop.set_aside)) == (39546, 39546, {})
    assert batch.buses == ("pcan", "ccan")
    assert Counter(batch.bus.tolist()) == {0: 24263, 1: 15283}
    assert len(np.unique(batch.arbitration_id)) == 136
    frames = frames_of(batch)
    with kona.open() as lines:
        next(lines)
        for line, frame in zip(lines, frames, strict=True):
            stamp, number, extended, bus, length, *data = line.strip().split(",")
            assert frame.t_ns == int(stamp) * 1000
            assert frame.arbitration_id == int(number, 16)
            assert frame.flags == (FrameFlag.EXTENDED if extended == "true" else FrameFlag(0))
            assert frame.bus == ("pcan", "ccan")[int(bus)]
            assert frame.data == bytes.fromhex("".join(data[: int(length)]))


def test_kona_runs_backwards_across_buses_only_and_merging_orders_it(kona: Path) -> None:
    with open_recording(kona) as source:
        batch = read_all(source)
    steps = np.diff(batch.t_ns)
    assert (int((steps < 0).sum()), int(steps.min())) == (1845, -22_000_000)
    for bus in (0, 1):
        assert (np.diff(batch.t_ns[batch.bus == bus]) > 0).all()
    with merge([open_recording(kona)]) as merged:
        ordered = read_all(merged)
        hop = merged.hop()
    assert (np.diff(ordered.t_ns) >= 0).all()
    assert hop.balanced
    assert (hop.left, hop.facts["late"]) == (39546, 0)
    assert Counter(frames_of(ordered)) == Counter(frames_of(batch))


@pytest.mark.parametrize("batch_frames", [500, 10_000])
def test_kona_merges_alike_however_it_is_batched(kona: Path, batch_frames: int) -> None:
    with merge([open_recording(kona)], horizon_s=0.01) as whole:
        expected = read_all(whole)
        late = whole.hop().facts["late"]
    with merge([open_recording(kona, batch_frames=batch_frames)], horizon_s=0.01) as split:
        assert read_all(split).equals(expected)
        assert split.hop().facts["late"] == late > 0


def test_four_forms_hold_the_same_frames_in_the_same_order(forms: dict[str, FrameBatch]) -> None:
    first, *others = forms.values()
    assert len(first) == 12974
    for other in others:
        assert len(other) == len(first)
        for column in ("arbitration_id", "flags", "length", "data"):
            assert np.array_equal(getattr(first, column), getattr(other, column))
        assert other.buses == first.buses == ("ev",)


def test_three_forms_agree_in_time_and_candump_has_its_whole_seconds(forms: dict[str, FrameBatch]) -> None:
    gvret = forms["GVRET_Log.csv"]
    assert forms["CRTD_Log.txt"].equals(gvret)
    assert forms["BusMasterLog.log"].equals(gvret)
    assert np.array_equal(forms["candump.log"].t_ns, gvret.t_ns // 10**9 * 10**9)
    assert (gvret.t_ns % 10**6 == 0).all()


def test_busmaster_says_when_it_was_recorded_but_not_in_which_zone(forms: dict[str, FrameBatch]) -> None:
    batch = forms["BusMasterLog.log"]
    assert batch.timebase.wall_offset_ns == 1_443_046_648_928_000_000
    assert batch.timebase.quality is TimeQuality.NONE


@pytest.mark.parametrize(
    ("name", "frames", "channels", "wall_s"),
    [
        ("gnss-obd2-7512BE4D-00000001.MF4", 72009, {"9": 56707, "1": 15302}, 1_725_694_998),
        ("j1939-FCBF0606-00000001.MF4", 1815, None, 1_622_547_829),
    ],
)
def test_mf4_is_whole_in_order_and_left_as_it_was(
    shared_data: Path, tmp_path: Path, name: str, frames: int, channels: dict[str, int] | None, wall_s: int
) -> None:
    pytest.importorskip("asammdf")
    path = tmp_path / name
    shutil.copyfile(shared_data / "css-drive" / name, path)
    before = digest(path)
    with open_recording(path) as source:
        batch = read_all(source)
        hop = source.hop()
    assert digest(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert (hop.entered, hop.left, dict(hop.set_aside)) == (frames, frames, {})
    assert (np.diff(batch.t_ns) >= 0).all()
    assert batch.timebase.wall_offset_ns == wall_s * 10**9
    assert batch.timebase.quality is TimeQuality.RTC
    if channels is not None:
        assert named(batch.buses, batch.bus.tolist()) == channels


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def named(names: tuple[str, ...], buses: Iterable[int]) -> dict[str, int]:
    return dict(Counter(names[bus] for bus in buses))
