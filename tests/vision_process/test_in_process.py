"""Under a virtual clock a camera's work runs in one thread, open only while it is allowed, and replays."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.account import Account
from edge.clock import NS_PER_S, VirtualClock
from edge.errors import VisionError
from edge.vision.media import Media
from edge.vision.process.in_process import VisionInProcess
from edge.vision.reasons import Dropped
from tests.vision_process.openings import drawn, plan

pytest.importorskip("cv2")


def run(folder: Path, *, forbidden_from_s: float = 1e9) -> tuple[list[Media], VisionInProcess]:
    clock = VirtualClock(NS_PER_S)
    camera = VisionInProcess(
        plan(folder, rate_hz=5.0),
        clock=clock,
        opening=drawn(),
        allowed=lambda: clock.boot_ns() < forbidden_from_s * NS_PER_S,
    )
    camera.start()
    found: list[Media] = []
    for tenth in range(10, 40):
        clock.advance_to(tenth * NS_PER_S // 10)
        camera.step(clock.boot_ns())
        if tenth == 20:
            assert camera.request() == (forbidden_from_s > 2)
            camera.trigger("collision", clock.boot_ns())
        found += camera.take()
    camera.close(1)
    return found + camera.take(), camera


def test_a_run_replays(tmp_path: Path) -> None:
    first, camera = run(tmp_path)
    again, _ = run(tmp_path)
    # What encodes clips writes the time of day into them.
    stills = [[one.digest for one in found if one.frames == 1] for found in (first, again)]
    assert stills[0] == stills[1]
    facts = [[(one.cause, one.from_ns, one.to_ns, one.faces) for one in found] for found in (first, again)]
    assert facts[0] == facts[1]
    assert {"periodic", "collision"} <= {one.cause for one in first}
    assert all(one.faces for one in first)
    assert Account.of(camera.hops()).balanced


def test_where_it_is_not_allowed_any_more_the_camera_is_closed(tmp_path: Path) -> None:
    found, camera = run(tmp_path, forbidden_from_s=2.0)
    assert found
    assert all(one.to_ns < 2 * NS_PER_S for one in found)
    assert Account.of(camera.hops()).balanced
    assert any(str(Dropped.POLICY) in hop.set_aside for hop in camera.hops())


def test_a_model_that_is_not_the_pinned_one_is_not_tried_again(tmp_path: Path) -> None:
    clock = VirtualClock(NS_PER_S)
    camera = VisionInProcess(plan(tmp_path, "hash"), clock=clock, opening=drawn())
    camera.start()
    camera.step(clock.boot_ns())
    assert isinstance(camera.failure, VisionError)
    assert not camera.request()
