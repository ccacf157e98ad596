"""Faults of a whole camera's work: from its source through encoder and journal, under a virtual clock."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from edge.account import Account
from edge.clock import NS_PER_S, VirtualClock
from edge.vision.media import Media
from edge.vision.process.in_process import VisionInProcess
from edge.vision.process.opening import opening_of
from tests.vision_faults.searching import counted, keep_and_search
from tests.vision_faults.sources import FAULTS, Fault, made
from tests.vision_process.openings import plan


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_is_sound_is_kept_redacted_and_the_rest_counted(
    fault: Fault, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    inside, outside = tmp_path / "seen", tmp_path / "kept"
    inside.mkdir()
    outside.mkdir()
    source, opening = made(fault, inside)
    clock = VirtualClock(NS_PER_S)
    camera = VisionInProcess(
        plan(inside, source=source, rate_hz=10.0, events=False), clock=clock, opening=opening_of(opening)
    )
    camera.start()
    media: list[Media] = []
    for tenth in range(10, 20):
        clock.advance_to(tenth * NS_PER_S // 10)
        camera.step(clock.boot_ns())
        media += camera.take()
    camera.close(1)
    media += camera.take()
    assert Account.of(camera.hops()).balanced
    assert media
    assert all(one.faces for one in media)
    assert counted(camera).get(fault.counted, 0) >= fault.least
    keep_and_search(outside, media, [caplog.text.encode()])
