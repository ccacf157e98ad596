"""A drawn camera replays on a virtual clock, loses what nobody reads, and fails as it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest

from edge.clock import NS_PER_S, VirtualClock
from edge.errors import VisionError
from edge.vision.cameras.camera import CameraSettings
from edge.vision.cameras.opening import open_camera
from edge.vision.picture import Picture
from edge.vision.reasons import Dropped
from simulator.cameras import simulated
from simulator.cameras.camera_address import DrawnCamera, drawn_camera
from simulator.cameras.clips import DIFFICULTIES, Frame
from simulator.cameras.faults import Fault, FaultWindow
from simulator.cameras.ring import frames_of
from simulator.cameras.simulated import SimulatedCamera


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    def frames(camera: DrawnCamera) -> Iterator[Frame]:
        for number in count():
            noise = np.random.default_rng(number).integers(0, 256, (camera.height, camera.width, 3), np.uint8)
            noise[0, 0] = number
            yield Frame(noise, (), number / camera.rate_hz)

    monkeypatch.setattr(simulated, "frames_of", frames)


def opened(source: str, clock: VirtualClock | None = None) -> tuple[SimulatedCamera, VirtualClock]:
    clock = clock or VirtualClock(7 * NS_PER_S)
    camera = open_camera(CameraSettings("front", source, 64, 48), clock)
    assert isinstance(camera, SimulatedCamera)
    return camera, clock


def read(camera: SimulatedCamera) -> Picture:
    picture = camera.read(20.0)
    assert picture is not None
    return picture


def test_the_address_says_all() -> None:
    camera = drawn_camera(
        "simulator:street?seed=4&rate=2.5&size=320x180&difficulty=night&moving=yes&fault=black:1-2"
    )
    assert camera == DrawnCamera(
        "street", 4, 2.5, 320, 180, DIFFICULTIES["night"], True, (FaultWindow(Fault.BLACK, 1, 2),)
    )
    assert drawn_camera("simulator:cabin").place == "cabin"


@pytest.mark.parametrize(
    "address",
    ["street", "simulator:attic", "simulator:street?seed=x", "simulator:street?colour=1",
     "simulator:street?size=9",
     "simulator:street?rate=0", "simulator:street?difficulty=none", "simulator:street?fault=rust:1-2",
     "simulator:street?fault=black:2-1", "simulator:street?fault=black", "simulator:street?rate=nan",
     "simulator:street?size=99999x99999"],
)  # fmt: skip
def test_an_address_that_cannot_be_read_is_refused(address: str) -> None:
    with pytest.raises(VisionError):
        drawn_camera(address)


@pytest.mark.usefixtures("numbered")
def test_pictures_come_at_the_rate_on_the_clock() -> None:
    camera, _ = opened("simulator:street?rate=4")
    assert [(one.number, one.t_ns) for one in (read(camera) for _ in range(3))] == [
        (number, 7 * NS_PER_S + number * NS_PER_S // 4) for number in range(3)
    ]


@pytest.mark.usefixtures("numbered")
def test_what_nobody_reads_is_lost_and_leaves_a_gap() -> None:
    camera, clock = opened("simulator:street?rate=4")
    read(camera)
    clock.advance_to(9 * NS_PER_S)
    late = read(camera)
    assert late.number == 8
    assert late.pixels[0, 0, 0] == 8


@pytest.mark.usefixtures("numbered")
def test_a_stall_hands_out_nothing_and_time_passes() -> None:
    camera, clock = opened("simulator:street?rate=2&fault=stall:1-11")
    assert [read(camera).number for _ in range(3)] == [0, 1, 22]
    assert clock.boot_ns() == 18 * NS_PER_S


@pytest.mark.usefixtures("numbered")
def test_nothing_comes_before_its_time_and_reading_ends_with_the_waiting() -> None:
    camera, clock = opened("simulator:street?rate=2")
    read(camera)
    assert camera.read(0.2) is None
    assert clock.boot_ns() == 7.2 * NS_PER_S
    assert read(camera).number == 1


@pytest.mark.usefixtures("numbered")
def test_a_closed_camera_gives_nothing() -> None:
    camera, _ = opened("simulator:street")
    camera.close()
    with pytest.raises(VisionError, match="closed"):
        camera.read(1.0)


@pytest.mark.usefixtures("numbered")
def test_what_cannot_be_decoded_is_counted_and_not_handed_out() -> None:
    camera, _ = opened("simulator:street?rate=1&fault=damaged:1-3")
    assert [read(camera).number for _ in range(2)] == [0, 3]
    assert camera.take_losses() == {Dropped.DAMAGED: 2}
    assert not camera.take_losses()


@pytest.mark.usefixtures("numbered")
def test_faults_come_when_they_are_due_and_go_again() -> None:
    camera, _ = opened(
        "simulator:street?rate=1&fault=black:1-2&fault=tiny:2-3&fault=freeze:3-4&fault=backwards:4-5"
        "&fault=covered:5-6&fault=raises:6-7&fault=white:8-9&fault=cut-off:9-10"
    )
    good, black, tiny, frozen, back, covered = (read(camera) for _ in range(6))
    assert not black.pixels.any()
    assert tiny.pixels.shape == (1, 1, 3)
    assert np.array_equal(frozen.pixels, good.pixels)
    assert back.t_ns < frozen.t_ns
    assert covered.pixels.max() < 70
    with pytest.raises(VisionError, match="gone"):
        read(camera)
    again, white = read(camera), read(camera)
    assert again.number == 7
    assert again.pixels[0, 0, 0] == 7
    assert white.pixels.min() == 255
    cut = read(camera).pixels
    assert cut.shape == (48, 64, 3)
    assert np.ptp(cut[-4:]) < 20 < np.ptp(cut[:4])


@pytest.mark.usefixtures("numbered")
def test_a_huge_picture_is_as_large_as_that() -> None:
    camera, _ = opened("simulator:street?rate=1&fault=huge:0-1")
    assert read(camera).pixels.shape == (4320, 7680, 3)


def test_a_ring_is_drawn_once_and_shown_forth_and_back_and_what_is_handed_out_may_be_changed() -> None:
    drawn = drawn_camera("simulator:cabin?seed=3", width=64, height=48)
    frames = frames_of(drawn)
    shown = [next(frames) for _ in range(16)]
    assert shown[14].pixels is shown[0].pixels
    assert shown[13].pixels is shown[1].pixels
    assert not np.array_equal(shown[0].pixels, shown[3].pixels)
    assert [frame.seconds for frame in shown[:2]] == [0.0, 0.2]
    camera, _ = opened("simulator:cabin?seed=3")
    first = read(camera)
    before = first.pixels.copy()
    first.pixels[:] = 0
    rest = [read(camera) for _ in range(14)]
    assert np.array_equal(rest[-1].pixels, before)
