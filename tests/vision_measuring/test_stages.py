import json
import time

import pytest
from click.testing import CliRunner

from edge.cli import vision_bench
from edge.vision.boxes import Subject
from edge.vision.measuring.stages import Stage, made_up_frame, measure_stages
from tests.vision_measuring.test_folder import Told


def test_each_step_gets_what_the_one_before_made_and_is_measured_alone() -> None:
    def busy(passed: object) -> object:
        end_s = time.process_time() + 0.004
        while time.process_time() < end_s:
            pass
        return passed

    seen: list[object] = []
    done: list[int] = []
    cost = measure_stages(
        [Stage("busy", busy), Stage("double", lambda one: [one, one]), Stage("see", seen.append)],
        lambda number: number,
        3,
        done.append,
    )
    assert seen == [[0, 0], [1, 1], [2, 2], [3, 3]]
    assert done[-1] == 3
    assert cost.frames == 3
    assert [stage.name for stage in cost.stages] == ["busy", "double", "see"]
    assert cost.stages[0].cpu_ms >= 4
    assert cost.stages[1].cpu_ms < 4
    assert cost.cpu_ms >= cost.stages[0].cpu_ms
    assert cost.peak_mib > 10


def test_a_made_up_frame_has_structure_and_is_the_same_every_time() -> None:
    frame = made_up_frame(5, 130, 70)
    assert frame.shape == (70, 130, 3)
    assert frame.std() > 20
    assert (frame == made_up_frame(5, 130, 70)).all()


def test_the_command_tells_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    told = (Told(Subject.FACE, (10, 10, 30, 30)), Told(Subject.PLATE))
    monkeypatch.setattr(vision_bench, "open_each", lambda _models: (told, {}))
    done = CliRunner().invoke(vision_bench.command, ["--size", "64x48", "--frames", "2", "--json"])
    assert done.exit_code == 0, done.output
    cost = json.loads(done.stdout)
    assert [stage["name"] for stage in cost["stages"]][:2] == ["faces", "plates"]
    assert (cost["width"], cost["height"], cost["frames"]) == (64, 48, 2)


@pytest.mark.parametrize(
    "size", ["1280", "0x0", "12 80x720", "1e3x10", "9000x9000", "-64x64", "\uff16\uff14x64"]
)
def test_a_size_that_is_none_is_refused(size: str) -> None:
    done = CliRunner().invoke(vision_bench.command, ["--size", size])
    assert done.exit_code == 2
    assert "is no size" in done.output or "No such option" in done.output
