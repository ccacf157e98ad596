"""A camera's process is watched, ended and started again; what it sends is checked; the account balances."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.account import Account
from edge.capturing.system_calls import this_machine
from edge.clock import NS_PER_S, SystemClock
from edge.policy.classes import DataClass
from edge.uplink.events import Notice
from edge.vision.media import Media
from edge.vision.process import child
from edge.vision.process.supervising import VisionProcess
from tests.vision_cameras.rtsp_server import RtspServer
from tests.vision_faults.planted import Planted
from tests.vision_process.openings import DEVICE, OPENING, SEED, STREAMED, attempts, plan

pytest.importorskip("cv2")

ROOT = Path(__file__).parents[2]
LONGEST_S = 60.0
SHOWS = bool(os.environ.get("NEVGATE_VISION_SHOWS"))


class Watched:
    """A process of a camera, stepped until something is so."""

    def __init__(self, folder: Path, fault: str, **settings: object) -> None:
        self.allowed = True
        self.media: list[Media] = []
        self.notices: list[Notice] = []
        self.clock = SystemClock()
        silent_s = float(str(settings.pop("silent_s", 15.0)))
        opening = str(settings.pop("opening", OPENING))
        self.process = VisionProcess(
            plan(folder, fault, **settings),
            clock=self.clock,
            tell=self.notices.append,
            allowed=lambda: self.allowed,
            opening=opening,
            silent_s=silent_s,
        )
        self.process.start()

    def until(self, condition: Callable[[], bool]) -> None:
        end_s = time.monotonic() + LONGEST_S
        while not condition():
            assert time.monotonic() < end_s, self.notices
            self.process.step(self.clock.boot_ns())
            self.media += self.process.take()
            time.sleep(0.01)

    def crashes(self) -> int:
        return sum(hop.facts.get("crashes", 0) for hop in self.process.hops())

    def said(self) -> str:
        return "\n".join(notice.text for notice in self.notices)

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid


@contextmanager
def watched(folder: Path, fault: str = "none", **settings: object) -> Iterator[Watched]:
    one = Watched(folder, fault, **settings)
    try:
        yield one
    finally:
        one.process.close(5)
        assert Account.of(one.process.hops()).balanced
        assert not any("on the way" in hop.set_aside for hop in one.process.hops())


def opened_by(pid: int) -> set[str]:
    found = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(each.readlink()))
        except OSError:
            continue
    return found


@pytest.mark.skipif(this_machine() is None, reason="no filter is built for this machine")
def test_only_redacted_pictures_leave_and_the_pattern_is_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    inside, received = tmp_path / "work", bytearray()
    inside.mkdir()
    planted = Planted(SEED)
    with watched(inside, "attempts") as one:
        assert one.process.request(), "it is kept until the camera is open"
        one.until(lambda: one.process.ready)
        assert one.process.trigger("collision", one.clock.boot_ns())
        one.until(
            lambda: (
                {media.cause for media in one.media} >= {"periodic", "collision"}
                and any("request" in media.cause for media in one.media)
                and sum("attempt" in line for line in caplog.messages) == len(attempts(inside))
            )
        )
        os.kill(one.pid, signal.SIGSTOP)
        # While it is stopped, with pictures in its memory, nobody gets at them.
        assert Path(f"/proc/{one.pid}/coredump_filter").read_text().strip() == "00000000"
        status = Path(f"/proc/{one.pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
        assert Path(f"/proc/{one.pid}/mem").stat().st_uid == 0
        assert os.getpriority(os.PRIO_PROCESS, one.pid) >= child.NICE
        assert os.sched_getscheduler(one.pid) == os.SCHED_BATCH
        assert {each.partition(":")[0] for each in opened_by(one.pid)} <= {
            *("/dev/null", "pipe", "socket"),
            str(inside / DEVICE),
        }
        begun_ns = time.thread_time_ns()
        for _ in range(20):
            one.process.step(one.clock.boot_ns())
        assert time.thread_time_ns() - begun_ns < NS_PER_S // 2
        os.kill(one.pid, signal.SIGCONT)
        one.until(lambda: len(one.media) > 5)
    for number, media in enumerate(one.media):
        (tmp_path / f"{number}{'.jpg' if media.frames == 1 else '.avif'}").write_bytes(media.content)
        received += media.content
        assert media.camera == "front"
    done = {line.split()[-2]: line.split()[-1] for line in caplog.messages if "attempt" in line}
    assert set(done.values()) <= {"EPERM", "EACCES"}, done
    assert all(media.faces >= 1 for media in one.media)
    assert list(planted.traces(tmp_path, [bytes(received), caplog.text.encode()])) == []
    assert one.notices == []
    assert sorted(path.name for path in inside.iterdir()) == [DEVICE]


def test_a_detector_that_fails_and_quotes_ends_it_and_says_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with watched(tmp_path, "quotes") as one:
        one.until(lambda: one.crashes() > 0)
        assert "failed in 10 pictures in a row" in one.said()
    spoken = caplog.text + one.said()
    pixels = Planted(SEED).pixels
    assert pixels[0, :6].tobytes().hex() not in spoken
    assert str(pixels[0, 0].tolist())[1:-1] not in spoken
    assert list(Planted(SEED).traces(tmp_path, [spoken.encode("latin-1", "replace")])) == []
    assert one.media == []
    set_aside = next(hop for hop in one.process.hops() if hop.name == "camera front").set_aside
    assert set_aside["a detector failed"] >= 10


def test_each_death_is_counted_and_followed_by_a_start(tmp_path: Path) -> None:
    (tmp_path / "fault").write_text("stall")
    with watched(tmp_path, "told", silent_s=3.0, memory_bytes=400 << 20) as one:
        one.until(lambda: one.crashes() == 1)
        assert "said nothing for 3 s" in one.said()
        first = one.process.hops()
        (tmp_path / "fault").write_text("devour" if SHOWS else "none")
        one.until(lambda: one.crashes() == 2 if SHOWS else one.process.ready and len(one.media) > 2)
        assert "MemoryError" in one.said() or not SHOWS
    accounts = (first, one.process.hops())
    entered = [next(hop.entered for hop in hops if hop.name == "camera front") for hops in accounts]
    assert 0 < entered[0] < entered[1]
    lost = next(hop for hop in one.process.hops() if hop.name == "windows of front").set_aside
    assert lost["the process of the camera ended"] > 0


def test_a_stream_is_read_over_the_one_connection_that_it_has(tmp_path: Path) -> None:
    frames = [Planted(SEED).frame(number) for number in range(10)]
    with (
        RtspServer(lambda number: frames[number % 10]) as server,
        watched(tmp_path, source=server.url, opening=STREAMED) as one,
    ):
        one.until(lambda: len(one.media) > 3)
        assert one.notices == []
        status = Path(f"/proc/{one.pid}/status").read_text()
        assert "Seccomp_filters:\t2" in status
    (tmp_path / "still.jpg").write_bytes(one.media[-1].content)
    assert one.media[-1].faces >= 1
    assert list(Planted(SEED).traces(tmp_path)) == []


def test_a_model_that_is_not_the_pinned_one_is_told_once_and_not_tried_again(tmp_path: Path) -> None:
    with watched(tmp_path, "hash") as one:
        one.until(lambda: one.process.failure is not None)
        assert str(one.process.failure).count("not the pinned one") == 1
        end_s = time.monotonic() + 0.2
        one.until(lambda: time.monotonic() > end_s)
        assert one.process.pid is None
        assert len(one.notices) == 1


def test_a_cabin_camera_is_open_only_while_it_is_allowed(tmp_path: Path) -> None:
    with watched(tmp_path, data_class=DataClass.CABIN) as one:
        one.allowed = False
        end_s = time.monotonic() + 0.2
        one.until(lambda: time.monotonic() > end_s)
        assert one.process.pid is None
        one.allowed = True
        one.until(lambda: one.process.ready and len(one.media) > 0)
        pid = one.pid
        assert str(tmp_path / DEVICE) in opened_by(pid)
        if SHOWS:
            one.allowed = False
            begun_s = time.monotonic()
            one.until(lambda: not Path(f"/proc/{pid}").exists())
            assert time.monotonic() - begun_s < 1
            assert one.process.take() == []
            one.allowed = True
            one.until(lambda: one.process.ready)
            pid = one.pid
        # A gateway that does not come round any more, alive as it is, does not keep the camera open either.
        time.sleep(child.LEASE_S[DataClass.CABIN] + 0.5)
        assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        one.allowed = False
        one.until(lambda: not Path(f"/proc/{pid}").exists())
        assert one.process.take() == []


TRACED = """
import sys, time
from pathlib import Path
sys.path.append(sys.argv[1])
from edge.clock import SystemClock
from edge.policy.classes import DataClass
from edge.vision.process.supervising import VisionProcess
from tests.vision_process.openings import OPENING, plan
clock, until = SystemClock(), [0.0]
process = VisionProcess(plan(Path(sys.argv[2]), data_class=DataClass.CABIN), clock=clock, opening=OPENING,
    allowed=lambda: time.time() < until[0])
process.start()
for seconds in (0.3, 60.0):
    end, ready = time.time() + seconds, False
    while time.time() < end:
        process.step(clock.boot_ns())
        time.sleep(0.02)
        if process.ready and not ready:
            ready, until[0], end = True, time.time() + 0.3, time.time() + 1.3
    print("no consent" if not until[0] else f"until {until[0]}", flush=True)
    Path(sys.argv[2], "consent").touch()
    until[0] = time.time() + 60
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.skipif(not SHOWS, reason="NEVGATE_VISION_SHOWS is not set")
def test_the_system_calls_show_that_a_cabin_camera_is_closed_without_consent(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    run = subprocess.run(
        [
            *("strace", "-f", "-ttt", "-y", "-e", "trace=openat,kill"),
            *("-o", str(calls), sys.executable, "-c", TRACED, str(ROOT), str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "no consent" in run.stdout, run.stderr
    lines = calls.read_text().splitlines()
    consent = next(place for place, line in enumerate(lines) if f"{tmp_path}/consent" in line)
    opened = [
        place for place, line in enumerate(lines) if f"{tmp_path}/{DEVICE}" in line and "O_RDONLY" in line
    ]
    assert opened
    assert min(opened) > consent
    until_s = float(run.stdout.rpartition("until ")[2])
    pid = lines[opened[0]].split()[0]
    ended = [line for line in lines if line.split()[0] == pid and "+++" in line]
    assert len(ended) == 1
    assert float(ended[0].split()[1]) - until_s < 1.0
