"""Faults of a whole camera's work: from its source through encoder and journal, and in its real process."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from edge.account import Account
from edge.clock import NS_PER_S, SystemClock, VirtualClock
from edge.vision.media import Media
from edge.vision.process.in_process import VisionInProcess
from edge.vision.process.opening import opening_of
from edge.vision.process.supervising import VisionProcess
from edge.vision.process.surface import VisionSource
from edge.vision.reasons import Dropped
from tests.journal.journal_rig import Rig
from tests.vision_faults.failing import OPENING
from tests.vision_faults.planted import Planted
from tests.vision_process.openings import SEED, STREAMED, plan

PLANTED = Planted(SEED)
LONG = bool(os.environ.get("NEVGATE_VISION_FAULTS"))
LONGEST_S = 30.0


def cut_off_stills(folder: Path) -> str:
    for number in range(6):
        path = folder / f"{number}.jpg"
        cv2.imwrite(str(path), PLANTED.frame(number))
        if number > 2:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return f"file:{folder}"


def cut_off_film(folder: Path) -> str:
    path = folder / "film.avi"
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (224, 176))
    for number in range(10):
        film.write(PLANTED.frame(number))
    film.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return f"file:{path}"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a source after its first pictures, and what is counted for it."""

    name: str
    counted: str | None
    source: Callable[[Path], str] | None = None


FAULTS = (
    Fault("cut-off stills", str(Dropped.DAMAGED), cut_off_stills),
    Fault("cut-off film", None, cut_off_film),
    Fault("black", str(Dropped.DARK)),
    Fault("covered", str(Dropped.FLAT)),
    Fault("one-pixel", str(Dropped.TOO_SMALL)),
    Fault("8k", None),
    Fault("stale", str(Dropped.NOT_WANTED)),
    Fault("unplugged", None),
)


def counted(source: VisionSource) -> dict[str, int]:
    found: dict[str, int] = {}
    for hop in source.hops():
        for reason, count in hop.set_aside.items():
            found[reason] = found.get(reason, 0) + count
    return found


def keep_and_search(folder: Path, media: list[Media], log: str) -> None:
    """Put what came into a real journal, and look for the face there, decrypted too, and in the log."""
    rig = Rig(folder / "journal").start()
    for one in media:
        rig.open.journal.add_media(one, "mask")
    rig.open.journal.commit()
    with rig.open.reader() as reader:
        back = [one for one in map(reader.media, reader.blocks()) if one is not None]
    rig.stop()
    assert [one.digest for one in back] == [one.digest for one in media]
    for number, one in enumerate(back):
        (folder / f"{number}.jpg").write_bytes(one.content)
    assert list(PLANTED.traces(folder, [log.encode(), *(one.content for one in media)])) == []


def made(fault: Fault, folder: Path) -> tuple[str, str]:
    if fault.source is not None:
        return fault.source(folder), STREAMED
    return f"test:{fault.name}:{folder}", OPENING


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
    for tenth in range(10, 22):
        clock.advance_to(tenth * NS_PER_S // 10)
        camera.step(clock.boot_ns())
        media += camera.take()
    camera.close(1)
    media += camera.take()
    check(fault, camera, media)
    keep_and_search(outside, media, caplog.text)


def check(fault: Fault, camera: VisionSource, media: list[Media]) -> None:
    print(f"| {fault.name} | {len(media)} | {counted(camera)} |")  # noqa: T201 - the long form's table
    assert Account.of(camera.hops()).balanced
    assert all(one.faces for one in media)
    assert fault.counted is None or counted(camera).get(fault.counted, 0) > 0
    if fault.name != "unplugged":
        assert media


@contextmanager
def process(source: str, folder: Path, opening: str) -> Iterator[tuple[VisionProcess, list[Media]]]:
    clock = SystemClock()
    one = VisionProcess(plan(folder, source=source, rate_hz=10.0, events=False), clock=clock, opening=opening)
    media: list[Media] = []
    one.start()
    try:
        yield one, media
    finally:
        one.close(2)
        media += one.take()


def follow(one: VisionProcess, media: list[Media], until: Callable[[], bool]) -> None:
    end_s = time.monotonic() + LONGEST_S
    while not until() and time.monotonic() < end_s:
        one.step(SystemClock().boot_ns())
        media += one.take()
        time.sleep(0.01)


@pytest.mark.skipif(not LONG, reason="NEVGATE_VISION_FAULTS is not set")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_same_through_the_real_process(
    fault: Fault, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    inside, outside = tmp_path / "seen", tmp_path / "kept"
    inside.mkdir()
    outside.mkdir()
    source, opening = made(fault, inside)
    with process(source, inside, opening) as (one, media):
        follow(one, media, lambda: one.ready)
        end_s = time.monotonic() + 2
        follow(one, media, lambda: time.monotonic() > end_s)
    check(fault, one, media)
    keep_and_search(outside, media, caplog.text)


@pytest.mark.skipif(not LONG, reason="NEVGATE_VISION_FAULTS is not set")
def test_a_process_that_is_killed_while_it_works_leaves_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inside, outside = tmp_path / "seen", tmp_path / "kept"
    inside.mkdir()
    outside.mkdir()
    with process(f"test:none:{inside}", inside, OPENING) as (one, media):
        follow(one, media, lambda: len(media) > 2)
        assert one.pid is not None
        os.kill(one.pid, signal.SIGKILL)
        follow(one, media, lambda: one.pid is None)
    assert sum(hop.facts.get("crashes", 0) for hop in one.hops()) == 1
    check(Fault("killed", None), one, media)
    keep_and_search(outside, media, caplog.text)


@pytest.mark.skipif(not LONG, reason="NEVGATE_VISION_FAULTS is not set")
@pytest.mark.parametrize("answer", [b"\xff" * 4096, b""], ids=["nonsense", "closes"])
def test_a_stream_that_talks_nonsense_gives_nothing(answer: bytes, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppressed(), server.accept()[0] as connection:
                connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        url = f"rtsp://127.0.0.1:{server.getsockname()[1]}/x"
        with process(url, tmp_path, STREAMED) as (one, media):
            follow(one, media, lambda: any("crashes" in hop.facts for hop in one.hops()))
    assert media == []
    assert Account.of(one.hops()).balanced
    assert any("crashes" in hop.facts for hop in one.hops())


@contextmanager
def suppressed() -> Iterator[None]:
    try:
        yield
    except OSError:
        return
