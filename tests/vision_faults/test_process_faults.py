"""Faults while a camera's real process works: what is kept and counted, and no trace of a face anywhere."""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edge.account import Account
from edge.clock import SystemClock
from edge.vision.faces_network import YUNET
from edge.vision.inference import ModelStore
from edge.vision.media import Media
from edge.vision.process import supervising
from edge.vision.process.messages import Messages
from edge.vision.process.started import StartedVision
from edge.vision.process.supervising import VisionProcess
from edge.vision.reasons import Dropped
from tests.journal.journal_rig import Rig
from tests.vision_cameras.rtsp_server import RtspServer
from tests.vision_faults.failing import MODELS, OPENING, STALLED_S
from tests.vision_faults.searching import counted, decrypted, facts, keep_and_search, search
from tests.vision_faults.sources import FAULTS, PLANTED, Fault, made
from tests.vision_process.openings import STREAMED, plan

LONG = bool(os.environ.get("NEVGATE_VISION_FAULTS"))
KILLS = int(os.environ.get("NEVGATE_VISION_KILLS", "25"))
"""Rounds in which the process is killed at an instant that nobody chose."""

LONGEST_S = 60.0
WORKED_S = 2.0
long = pytest.mark.skipif(not LONG, reason="NEVGATE_VISION_FAULTS is not set")


class Driven:
    """The real process of a camera, and all that comes out of it.

    Args:
        folder: the camera's own.
        source: of its pictures.
        opening: of its parts.
        spoken: takes what crosses its socket, and what it writes to its standard streams.
    """

    def __init__(self, folder: Path, source: str, opening: str, spoken: list[bytes], **more: object) -> None:
        self._clock = SystemClock()
        settings: dict[str, object] = {"rate_hz": 10.0, "events": False, **more}
        self.process = VisionProcess(
            plan(folder, "none", source=source, **settings), clock=self._clock, opening=opening
        )
        self.media: list[Media] = []
        self.spoken = spoken
        self.takes = True
        self._triggered = False

    def until(self, condition: Callable[[], bool]) -> None:
        """Step it until something is so."""
        end_s = time.monotonic() + LONGEST_S
        while not condition():
            assert time.monotonic() < end_s, counted(self.process)
            self.process.step(self._clock.boot_ns())
            if self.takes:
                self.media += self.process.take()
            time.sleep(0.01)

    def work(self, worked_s: float = WORKED_S) -> None:
        """Step it for a time after it is ready, and see that none of its memory is on a disk."""
        self.until(lambda: self.process.ready)
        assert self.pid is not None
        assert_nothing_is_swapped(self.pid)
        self.go_on(worked_s)

    def kill(self) -> None:
        """Kill it at once."""
        assert self.pid is not None
        os.kill(self.pid, signal.SIGKILL)
        self.until(lambda: self.pid is None)

    def go_on(self, for_s: float, also: Callable[[], None] = lambda: None) -> None:
        """Step it for a time."""
        end_s = time.monotonic() + for_s

        def over() -> bool:
            also()
            return time.monotonic() > end_s

        self.until(over)

    def trigger(self) -> None:
        """Have a clip made."""
        assert self.process.trigger("collision", self._clock.boot_ns())

    def trigger_when_ready(self) -> None:
        """Have one clip made, as soon as that can be asked for."""
        if self.process.ready and not self._triggered:
            self._triggered = self.process.trigger("collision", self._clock.boot_ns())

    @property
    def pid(self) -> int | None:
        """Process id."""
        return self.process.pid


class Searched:
    """One fault: starts processes, and searches what is left of them for the face.

    Args:
        folder: of the test.
        spoken: see `Driven`.
        log: gives what was logged.
    """

    def __init__(self, folder: Path, spoken: list[bytes], log: Callable[[], str]) -> None:
        self.inside, self.outside = folder / "camera", folder / "kept"
        self.inside.mkdir()
        self.outside.mkdir()
        self._spoken, self._log = spoken, log

    @contextmanager
    def process(self, source: str, opening: str = OPENING, **more: object) -> Iterator[Driven]:
        """Have a process that is ended with the block; its account balances then."""
        one = Driven(self.inside, source, opening, self._spoken, **more)
        one.process.start()
        try:
            yield one
        finally:
            one.process.close(2)
            one.media += one.process.take()
        assert Account.of(one.process.hops()).balanced
        assert not any("on the way" in hop.set_aside for hop in one.process.hops())

    @property
    def spoken(self) -> list[bytes]:
        """All that was said, and where."""
        return [b"".join(self._spoken), self._log().encode("utf-8", "replace")]

    def check(self, name: str, one: Driven, before: Counter[str] | None = None) -> None:
        """Tell what came of it, with what was counted of processes before it, and search."""
        self.tell(name, len(one.media), one, before=before)
        assert all(media.faces for media in one.media)
        # What was kept came over the socket: it is among what is searched.
        assert all(media.content in self.spoken[0] for media in one.media)
        keep_and_search(self.outside, one.media, self.spoken)

    def tell(self, name: str, kept: int, one: Driven, before: Counter[str] | None = None) -> None:
        """A row of the table."""
        words = counts(one) + (before or Counter())
        print(f"| {name} | {kept} | {', '.join(f'{n} {what}' for what, n in words.items() if n)} |")  # noqa: T201


def counts(one: Driven) -> Counter[str]:
    """What was set aside in a process, and what happened to it."""
    happened = ("crashes", "requests refused", "clips", "clips that could not be encoded")
    return counted(one.process) + Counter({fact: facts(one.process, fact) for fact in happened})


def assert_nothing_is_swapped(pid: int) -> None:
    """See that a process has no memory on disk, and cannot have: it is locked, or the machine has no swap."""
    status = Path(f"/proc/{pid}/status").read_text()
    told = dict(line.split(":", 1) for line in status.splitlines() if line.startswith("Vm"))
    swaps = [line.split() for line in Path(f"/proc/{pid}/smaps").read_text().splitlines()]
    assert sum(int(line[1]) for line in swaps if line[0] == "Swap:") == 0
    assert told["VmSwap"].split() == ["0", "kB"]
    has_swap = len(Path("/proc/swaps").read_text().splitlines()) > 1
    assert not has_swap or int(told["VmLck"].split()[0]) > 0


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Searched:
    """Record what crosses the socket and the standard streams of each process."""
    caplog.set_level(logging.DEBUG)
    spoken: list[bytes] = []
    feed = Messages.feed

    def recorded(self: Messages, received: bytes):  # type: ignore[no-untyped-def] # noqa: ANN202
        spoken.append(bytes(received))
        return feed(self, received)

    def words(self: StartedVision) -> int:
        try:
            spoken.append(os.read(self._words, 1 << 14))
        except OSError:
            return 0
        return len(spoken[-1])

    monkeypatch.setattr(Messages, "feed", recorded)
    monkeypatch.setattr(StartedVision, "words_bytes", words)
    return Searched(tmp_path, spoken, lambda: caplog.text)


def test_killed_at_any_instant_it_leaves_nothing(searched: Searched) -> None:
    dice = random.Random(5)  # noqa: S311 - a test repeats its seed
    media: list[Media] = []
    before: Counter[str] = Counter()
    begun_s = time.monotonic()
    for number in range(KILLS if LONG else 1):
        with searched.process(f"test:none:{searched.inside}", events=True) as one:
            if number == 0:
                one.until(lambda: len(one.media) > 2)
                begun_s = time.monotonic() - begun_s
            else:
                one.go_on(dice.uniform(0, begun_s + 1.0), also=one.trigger_when_ready)
            one.kill()
            assert facts(one.process, "crashes") == 1
        media += one.media
        before += counts(one)
    one.media = media
    searched.check(f"killed at {number + 1} instants", one, before - counts(one))


@long
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_what_is_sound_is_kept_and_the_rest_counted(fault: Fault, searched: Searched) -> None:
    source, opening = made(fault, searched.inside)
    with searched.process(source, opening) as one:
        one.until(lambda: one.process.ready or one.process.ended)
        one.go_on(WORKED_S)
    assert one.media
    assert counted(one.process)[fault.counted] >= fault.least
    searched.check(fault.name, one)


@long
def test_ten_seconds_of_stall(searched: Searched) -> None:
    with searched.process(f"test:stall:{searched.inside}") as one:
        one.work(STALLED_S + WORKED_S)
    assert one.media
    assert facts(one.process, "crashes") == 0
    searched.check(f"no picture for {STALLED_S:.0f} s", one)


@long
@pytest.mark.parametrize(
    ("fault", "reason"), [("raises", Dropped.DETECTOR), ("stills", Dropped.ENCODER), ("unplugged", None)]
)
def test_a_part_that_fails(fault: str, reason: Dropped | None, searched: Searched) -> None:
    with searched.process(f"test:{fault}:{searched.inside}") as one:
        one.work()
    assert reason is None or counted(one.process)[str(reason)] > 2
    searched.check(fault, one)


@long
def test_an_encoder_of_clips_that_fails(searched: Searched) -> None:
    with searched.process(f"test:clips:{searched.inside}", events=True) as one:
        one.work(0.5)
        one.trigger()
        one.until(lambda: facts(one.process, "clips that could not be encoded") > 0)
    assert all(media.frames == 1 for media in one.media)
    searched.check("clips", one)


@long
def test_a_wall_clock_that_steps_changes_nothing(searched: Searched) -> None:
    with searched.process(f"test:clock:{searched.inside}", events=True) as one:
        one.work(0.5)
        one.trigger()
        one.until(lambda: any(media.frames > 1 for media in one.media) and len(one.media) > 8)
    times = [media.from_ns for media in one.media if media.frames == 1]
    assert times == sorted(times)
    searched.check("wall clock a day back", one)


@long
def test_more_is_asked_for_than_is_taken(searched: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "WAITING_MOST", 4)
    with searched.process(f"test:none:{searched.inside}") as one:
        one.until(lambda: one.process.ready)
        one.takes = False
        for _ in range(50):
            assert one.process.request()
        one.work()
    assert len(one.media) == 4
    assert counted(one.process)[str(Dropped.QUEUE)] > 3
    assert facts(one.process, "requests refused") >= 50 - 8 * 3
    searched.check("50 requests at once, and 4 places", one)


@long
def test_a_model_whose_file_changes_ends_the_process_for_good(searched: Searched) -> None:
    folder = searched.inside / MODELS
    folder.mkdir()
    shutil.copy(ModelStore().find(YUNET), folder / YUNET.name)
    with searched.process(f"test:model:{searched.inside}") as one:
        one.until(lambda: len(one.media) > 2)
        content = bytearray((folder / YUNET.name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / YUNET.name).write_bytes(content)
        one.until(lambda: one.process.failure is not None)
    assert "pinned" in str(one.process.failure)
    assert facts(one.process, "crashes") == 1
    searched.check("model's file changed by a bit", one)


@long
def test_a_full_disk_keeps_what_was_there_before(searched: Searched) -> None:
    small = searched.outside / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(small)]
    if os.geteuid() != 0 or subprocess.call(mount, stderr=subprocess.DEVNULL):
        pytest.skip("mounting a small file system takes root's rights")
    try:
        rig = Rig(small / "journal").start()
        journal = rig.open.journal

        def keep(found: list[Media]) -> None:
            for media in found:
                journal.add_media(media, "mask")
            journal.commit()

        with searched.process(f"test:none:{searched.inside}") as one:
            one.until(lambda: len(one.media) > 2)
            before = len(one.media)
            keep(one.media)
            with (small / "filler").open("wb", buffering=0) as filler, suppress(OSError):
                while True:
                    filler.write(bytes(4096))
            one.work()
        keep(one.media[before:])
        (hop,) = [hop for hop in journal.hops() if "media" in hop.unit]
        assert hop.balanced
        assert sum(hop.set_aside.values()) == len(one.media) - before
        (small / "filler").unlink()
        back = decrypted(rig)
        assert [media.digest for media in back] == [media.digest for media in one.media[:before]]
        rig.stop()
        searched.tell("disk full", before, one, before=Counter(dict(hop.set_aside)))
        search(searched.outside, back, searched.spoken)
    finally:
        subprocess.check_call(["umount", "-l", str(small)])


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """A server that sends that and closes; with None it never answers. Gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    if answer is None:
                        held.append(connection)
                        continue
                    with connection:
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"rtsp://127.0.0.1:{server.getsockname()[1]}/x"
        for connection in held:
            connection.close()


@long
@pytest.mark.parametrize(
    ("name", "answer"), [("nonsense", b"\xff" * 4096), ("closes", b""), ("never answers", None)]
)
def test_a_stream_that_is_none_gives_nothing(name: str, answer: bytes | None, searched: Searched) -> None:
    with answering(answer) as url, searched.process(url, STREAMED) as one:
        one.until(lambda: facts(one.process, "crashes") > 0)
    assert one.media == []
    searched.check(f"RTSP server: {name}", one)


@long
@pytest.mark.parametrize("ends", [False, True], ids=["cut-off frames", "ends within a frame"])
def test_a_stream_that_is_damaged(ends: bool, searched: Searched) -> None:
    frames = [PLANTED.frame(number) for number in range(10)]
    begun = threading.Event()

    def damage(number: int, coded: bytes) -> bytes | None:
        if not begun.is_set() or (not ends and number % 3):
            return coded
        if ends and number % 3 == 0:
            raise ConnectionError
        return coded[: len(coded) * 2 // 3]

    with (
        RtspServer(lambda number: frames[number % 10], damage) as server,
        searched.process(server.url, STREAMED) as one,
    ):
        one.until(lambda: len(one.media) > 2)
        begun.set()
        if ends:
            one.until(lambda: facts(one.process, "crashes") > 0)
        else:
            one.work()
    searched.check(f"RTSP: {'ends within a frame' if ends else 'each third JPEG cut off'}", one)
