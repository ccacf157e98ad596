"""Playing and recording: every frame is counted, and what comes out is what went in."""

import json
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import can
import pytest
from click.testing import CliRunner

from edge.bus.recording import open_recording
from edge.cli.simulate import command
from edge.clock import VirtualClock
from edge.errors import ConfigError, SourceError
from edge.frames import FrameBatch, concatenate
from simulator.vehicle.player import REFUSED, STOPPED, Player, open_buses
from simulator.vehicle.vehicle import ReferenceVehicle
from simulator.vehicle.wiring import BUSES
from simulator.vehicle.writing import check_path, write_recording


class FullBus(can.BusABC):
    """An interface whose queue never empties."""

    def __init__(self) -> None:
        super().__init__(channel="full")

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        del msg, timeout
        raise can.CanOperationError("no buffer space")


def _batches(duration_s: float = 0.5) -> list[FrameBatch]:
    return list(ReferenceVehicle(seed=1).frames(duration_s))


def _channels(name: str) -> dict[str, str]:
    return {bus: f"{name}-{bus}" for bus in BUSES}


def test_every_frame_reaches_its_bus_at_its_time() -> None:
    batches, clock = _batches(), VirtualClock()
    with ExitStack() as stack:
        listeners = open_buses(stack, "virtual", _channels("reach"))
        player = Player(open_buses(stack, "virtual", _channels("reach")), clock)
        player.play(batches)
        heard: dict[str, list[can.Message]] = {bus: [] for bus in BUSES}
        for bus, listener in listeners.items():
            while (message := listener.recv(0)) is not None:
                heard[bus].append(message)
    frames = concatenate(batches)
    for place, bus in enumerate(BUSES):
        expected = [frames.frame(row) for row in range(len(frames)) if frames.bus[row] == place]
        assert [(one.arbitration_id, bytes(one.data), one.is_fd) for one in heard[bus]] == [
            (one.arbitration_id, one.data, bus == "chassis") for one in expected
        ]
        assert player.sent[bus] == len(expected)
    assert player.hop().balanced
    assert abs(clock.boot_ns() - int(frames.t_ns[-1])) < 2_000_000


def test_twice_the_speed_takes_half_the_time() -> None:
    clock = VirtualClock()
    with ExitStack() as stack:
        Player(open_buses(stack, "virtual", _channels("speed")), clock, speed=2.0).play(_batches())
    assert clock.boot_ns() == pytest.approx(250_000_000, abs=3_000_000)


def test_a_refused_frame_is_counted_and_the_others_go_on() -> None:
    batches = _batches(0.1)
    with ExitStack() as stack:
        buses = open_buses(stack, "virtual", {"battery": "refuse-battery"})
        player = Player({**buses, "body": stack.enter_context(FullBus())}, VirtualClock())
        player.play(batches)
    hop = player.hop()
    assert hop.balanced
    assert hop.set_aside == {REFUSED: player.refused["body"]}
    assert player.refused["body"] > 0
    assert player.sent["battery"] > 0


def test_a_stop_leaves_an_exact_account() -> None:
    stop = threading.Event()
    stop.set()
    batches = _batches(0.1)
    with ExitStack() as stack:
        player = Player(open_buses(stack, "virtual", _channels("stop")), VirtualClock())
        player.play(batches, stop)
    assert player.hop().set_aside == {STOPPED: len(batches[0])}
    assert player.hop().balanced


def test_an_interface_that_does_not_exist_is_one_clear_error() -> None:
    with ExitStack() as stack, pytest.raises(SourceError, match="bus body, channel x"):
        open_buses(stack, "no such interface", {"body": "x"})


@pytest.mark.parametrize("ending", [".log", ".asc", ".blf"])
def test_a_recording_holds_every_frame_of_every_bus(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"drive{ending}"
    batches = _batches()
    written = write_recording(path, batches, BUSES)
    frames = concatenate(batches)
    assert written.total() == len(frames)
    read: list[FrameBatch] = []
    with open_recording(path) as source:
        while (batch := source.read(0)) is not None:
            read.append(batch)
    back = concatenate(read)
    assert [back.frame(row).data for row in range(len(back))] == [
        frames.frame(row).data for row in range(len(frames))
    ]
    assert back.arbitration_id.tolist() == frames.arbitration_id.tolist()
    assert len(back.buses) == len(BUSES)


@pytest.mark.parametrize("name", ["drive.txt", "drive.csv", "drive.trc"])
def test_a_format_that_would_lose_something_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        check_path(tmp_path / name, BUSES, {"chassis"})


def _simulate(*arguments: str) -> Any:  # noqa: ANN401 - what json.loads gives
    result = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_the_command_counts_frames_by_bus() -> None:
    summary = _simulate("--duration", "1", "--seed", "4")
    expected = ReferenceVehicle(seed=4)
    list(expected.frames(1))
    assert summary["frames"] == expected.sent
    assert summary["buses"] == dict(expected.sent_by_bus)


def test_the_command_writes_one_bus_into_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "battery.csv"
    summary = _simulate("--duration", "1", "--bus", "battery", "--out", str(path))
    assert list(summary["buses"]) == ["battery"]
    assert len(path.read_text().splitlines()) == summary["frames"] + 1


def test_the_command_plays_live() -> None:
    summary = _simulate(
        "--duration", "0.3", "--speed", "0", "--interface", "virtual", "--channel", "body=cli"
    )
    assert summary["refused"] == 0
    assert summary["buses"]["body"] == summary["frames"] > 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--interface", "virtual"),
        ("--interface", "virtual", "--channel", "body"),
        ("--interface", "virtual", "--channel", "engine=x"),
        ("--interface", "virtual", "--out", "x.log"),
    ],
)
def test_a_command_that_contradicts_itself_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        CliRunner().invoke(command, list(arguments), catch_exceptions=False)
