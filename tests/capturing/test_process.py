"""Capture in a process of its own: nothing is lost without a name, and it is there again after it died."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge.account import Account
from edge.bus.source import WAITING
from edge.capture import MaskedSource
from edge.capturing.buffer import CORE_TOO_SLOW, HOP
from edge.capturing.lives import CRASHED, UNREAD
from edge.capturing.opening import CapturePlan
from edge.capturing.process import CaptureProcess
from edge.clock import SystemClock
from edge.errors import SourceError
from edge.uplink.events import Notice
from tests.capturing.driving import Reader
from tests.capturing.sources import BOTH, OPERATION, canary, open_flood, plan

CLOCK = SystemClock()
Start = Callable[..., CaptureProcess]


@pytest.fixture(name="start")
def starting(tmp_path: Path) -> Iterator[Start]:
    """Start a process of capture on a made-up bus; ended with the test."""
    with ExitStack() as stack:

        def start(
            *,
            buffer_bytes: int = 32 << 20,
            notify: Callable[[Notice], None] | None = None,
            **arguments: object,
        ) -> CaptureProcess:
            return stack.enter_context(
                CaptureProcess(
                    plan(tmp_path, seed="secret", **arguments),
                    OPERATION,
                    "first",
                    clock=CLOCK,
                    notify=notify,
                    buffer_bytes=buffer_bytes,
                )
            )

        yield start


class MaskedSourceContract(ABC):
    """What is so wherever capture runs."""

    @abstractmethod
    def opened(self, wanted: CapturePlan) -> MaskedSource: ...

    def test_a_recording_passes_whole_and_masked_and_balanced(self, tmp_path: Path) -> None:
        wanted = plan(tmp_path, live=False, count=200_000, batch=7000, ends=True, seed="secret", sensor=True)
        with self.opened(wanted) as capture:
            reader = Reader(capture)
            reader.to_the_end()
            assert reader.numbers == list(range(200_000))
            assert reader.cabin() == {bytes(4)}
            assert {mask.rpartition("/")[2] for mask in reader.masks} == {"first"}
            assert Account.of(capture.hops()).balanced
            assert reader.hop("bus pt").entered == reader.hop("door").left == 200_000
            assert reader.hop("iio thermometer", "readings").left == len(reader.observations) > 0
            assert not capture.live

    def test_another_mask_holds_from_the_next_batch_on(self, tmp_path: Path) -> None:
        with self.opened(plan(tmp_path, rate=20_000, seed="secret")) as capture:
            reader = Reader(capture)
            reader.until(lambda: reader.frames > 0)
            capture.adopt(BOTH, "second")
            reader.until(lambda: reader.masks[-1].endswith("/second") and bool(len(reader.batches[-1])))
            names = [mask.rpartition("/")[2] for mask in reader.masks]
            assert names == sorted(names)
            assert reader.cabin() == {bytes(4), canary("secret")}
            assert capture.live

    def test_silence_is_an_empty_batch_that_names_its_mask(self, tmp_path: Path) -> None:
        with self.opened(plan(tmp_path, rate=1000, count=0)) as capture:
            captured = capture.read(0.01)
            assert captured is not None
            assert [len(batch) for batch in captured.batches] == [0]
            assert captured.batches[0].mask.endswith("/first")

    def test_what_came_before_the_end_is_still_handed_on(self, tmp_path: Path) -> None:
        with self.opened(plan(tmp_path, rate=20_000, seed="secret")) as capture:
            reader = Reader(capture)
            reader.until(lambda: reader.frames > 100)
            capture.close()
            reader.to_the_end()
            assert reader.numbers == list(range(reader.hop("bus pt").left))
            assert capture.read(0) is None
            capture.close()

    def test_a_source_that_cannot_be_read_on_is_told_after_what_it_sent(self, tmp_path: Path) -> None:
        wanted = plan(tmp_path, live=False, count=10_000, batch=1000, error_at=5000)
        with self.opened(wanted) as capture:
            reader = Reader(capture)
            with pytest.raises(SourceError, match="bus pt: is unplugged"):
                reader.to_the_end()
            assert reader.numbers == list(range(4000))


class TestInThisProcess(MaskedSourceContract):
    def opened(self, wanted: CapturePlan) -> MaskedSource:
        return open_flood(wanted.arguments, OPERATION, "first", CLOCK).capture


class TestInAProcessOfItsOwn(MaskedSourceContract):
    def opened(self, wanted: CapturePlan) -> MaskedSource:
        return CaptureProcess(wanted, OPERATION, "first", clock=CLOCK)


def test_a_device_that_is_not_there_is_told_at_the_start(start: Start) -> None:
    with pytest.raises(SourceError, match=r"bus pt: is not there\. Plug it in"):
        start(refuse=True)


def test_the_items_of_its_sensors_are_known_at_the_start(start: Start) -> None:
    assert start(sensor=True, count=0).items == ("bat.max_temp",)


def test_a_slow_core_loses_the_oldest_batches_and_each_frame_is_counted(start: Start) -> None:
    capture = start(rate=200_000, count=60_000, buffer_bytes=200_000)
    reader = Reader(capture)
    reader.until(lambda: reader.frames > 0)
    # The core asks for nothing until the bus has sent everything.
    threading.Event().wait(0.5)
    reader.until(lambda: bool(reader.numbers) and reader.numbers[-1] == 59_999)
    hop = reader.hop(HOP)
    assert hop.entered == 60_000
    assert hop.left == reader.frames
    assert hop.set_aside == {CORE_TOO_SLOW: 60_000 - reader.frames}
    assert hop.set_aside[CORE_TOO_SLOW] > 20_000
    assert reader.numbers == sorted(set(reader.numbers))
    assert Account.of(capture.hops()).balanced


def test_the_account_balances_at_every_moment_under_load(start: Start) -> None:
    capture = start(rate=100_000)
    reader = Reader(capture)
    for _ in range(50):
        reader.read()
        assert Account.of(capture.hops()).balanced
        assert reader.hop(HOP).left == reader.frames
        assert reader.hop(HOP).entered == reader.hop("door").left == reader.hop("bus pt").left
    assert reader.numbers == list(range(reader.frames))


def test_all_that_came_before_it_was_asked_for_is_handed_on(start: Start) -> None:
    capture = start(rate=1000)
    reader = Reader(capture)
    reader.until(lambda: reader.frames > 0)
    for _ in range(20):
        before_ns = CLOCK.boot_ns()
        reader.read(0)
        assert reader.batches[-1].t_ns[-1] >= before_ns - 2_000_000


def test_a_reading_that_waits_comes_back_when_it_is_woken(start: Start) -> None:
    capture = start(rate=0, count=0)
    threading.Timer(0.2, capture.wake).start()
    begin_s = time.monotonic()
    capture.read(30)
    assert time.monotonic() - begin_s < 10


def test_being_woken_before_the_reading_is_not_forgotten(start: Start) -> None:
    capture = start(rate=0, count=0)
    capture.wake()
    begin_s = time.monotonic()
    capture.read(30)
    assert time.monotonic() - begin_s < 10


def test_a_process_that_is_killed_is_told_counted_and_started_again(start: Start) -> None:
    told: list[Notice] = []
    capture = start(rate=32_000, notify=told.append, sensor=True)
    reader = Reader(capture)
    reader.until(lambda: reader.frames > 1000)
    first = capture.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    began_s = time.monotonic()
    reader.until(lambda: bool(told))
    assert time.monotonic() - began_s < 0.5
    assert told[0].trouble
    assert "SIGKILL" in told[0].text
    assert capture.read(0.01) is not None
    capture.adopt(BOTH, "second")
    reader.until(lambda: len(told) > 1)
    assert not told[1].trouble
    before = reader.frames
    reader.until(lambda: reader.frames > before + 1000)
    assert capture.pid != first
    assert reader.masks[-1].endswith("/second")
    hop = reader.hop(HOP)
    assert Account.of(capture.hops()).balanced
    assert hop.left == reader.frames
    assert hop.entered == hop.left + hop.set_aside.get(CRASHED, 0)
    assert hop.facts["crashes of capture"] == 1
    (outage,) = capture.outages
    assert outage.to_ns is not None
    assert outage.to_ns - outage.from_ns >= 1_000_000_000
    assert hop.facts["milliseconds without capture"] == (outage.to_ns - outage.from_ns) // 1_000_000
    seen = [batch.t_ns for batch in reader.batches]
    assert not any(
        ((t_ns > outage.from_ns + 50_000_000) & (t_ns < outage.to_ns - 50_000_000)).any() for t_ns in seen
    )


def test_what_waited_in_a_process_that_was_killed_is_counted_as_lost(start: Start) -> None:
    capture = start(rate=100_000)
    reader = Reader(capture)
    reader.until(lambda: reader.frames > 0)
    # Long enough for a report of what waits, since nothing is asked for.
    threading.Event().wait(1.5)
    assert capture.pid is not None
    os.kill(capture.pid, signal.SIGKILL)
    reader.until(lambda: "crashes of capture" in reader.hop(HOP).facts)
    hop = reader.hop(HOP)
    assert hop.balanced
    assert hop.left == reader.frames
    assert hop.set_aside[CRASHED] > 20_000
    assert WAITING not in hop.set_aside


def test_a_process_that_crashes_says_where_and_never_what_it_read(
    start: Start, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[Notice] = []
    capture = start(rate=10_000, crash_at=2000, notify=told.append)
    reader = Reader(capture)
    with caplog.at_level(logging.INFO):
        reader.until(lambda: bool(told))
    assert "ValueError at" in told[0].text
    assert "sources.py" in told[0].text
    assert reader.numbers == list(range(reader.hop("bus pt").left))
    assert Account.of(capture.hops()).balanced
    text = caplog.text + "".join(capfd.readouterr())
    assert "cannot understand" not in text


def test_a_device_that_is_away_after_a_crash_is_tried_again_later_each_time(
    start: Start, tmp_path: Path
) -> None:
    told: list[Notice] = []
    capture = start(only_once=str(tmp_path / "once"), notify=told.append)
    reader = Reader(capture)
    assert capture.pid is not None
    os.kill(capture.pid, signal.SIGKILL)
    reader.until(lambda: len(told) > 1)
    assert "again in 1 s" in told[0].text
    assert "bus pt: is not there; it is started again in 2 s" in told[1].text
    (tmp_path / "once").unlink()
    reader.until(lambda: len(told) > 2)
    assert not told[2].trouble
    assert len(capture.outages) == 1


def test_another_mask_is_in_force_at_once_under_load(start: Start) -> None:
    capture = start(rate=32_000)
    reader = Reader(capture)
    reader.until(lambda: reader.frames > 1000)
    took_ms = []
    for turn in range(10):
        name = f"turn-{turn:02}"
        asked_ns = CLOCK.boot_ns()
        threading.Thread(target=capture.adopt, args=(OPERATION if turn % 2 else BOTH, name)).start()
        reader.until(lambda name=name: reader.masks[-1].endswith(name))  # type: ignore[misc]
        took_ms.append((CLOCK.boot_ns() - asked_ns) / 1e6)
        reader.until(lambda name=name: reader.batches[-1].mask.endswith(name))  # type: ignore[misc]
    names = [mask.rpartition("/")[2] for mask in reader.masks]
    assert names == sorted(names)
    for batch in reader.batches:
        number = batch.mask.rpartition("-")[2]
        open_now = number.isdigit() and int(number) % 2 == 0
        assert {bytes(row) for row in batch.data[:, 4:]} == {canary("secret") if open_now else bytes(4)}
    assert sorted(took_ms)[len(took_ms) // 2] < 500


def test_a_process_that_does_not_take_up_another_mask_is_killed(start: Start) -> None:
    told: list[Notice] = []
    capture = start(rate=1000, stubborn=True, notify=told.append)
    reader = Reader(capture)
    reader.until(lambda: reader.frames > 0)
    asked_ns = CLOCK.boot_ns()
    capture.adopt(BOTH, "second")
    reader.until(lambda: bool(told))
    assert "did not take up" in told[0].text
    assert CLOCK.boot_ns() - asked_ns < 2_000_000_000
    reader.until(lambda: reader.masks[-1].endswith("/second") and bool(len(reader.batches[-1])))
    assert Account.of(capture.hops()).balanced


def test_a_stop_of_the_whole_service_leaves_it_to_the_parent_when_capture_ends(start: Start) -> None:
    capture = start(rate=1000)
    reader = Reader(capture)
    assert capture.pid is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(capture.pid, number)
    before = reader.frames
    reader.until(lambda: reader.frames > before + 100)
    capture.close()
    reader.to_the_end()
    assert reader.numbers == list(range(reader.hop("bus pt").left))
    assert "crashes of capture" not in reader.hop(HOP).facts


def test_the_end_does_not_wait_for_a_process_that_is_only_starting(start: Start) -> None:
    told: list[Notice] = []
    capture = start(rate=1000, notify=told.append)
    reader = Reader(capture)
    first = capture.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    reader.until(lambda: capture.pid not in {None, first})
    second = capture.pid
    assert second is not None
    os.kill(second, signal.SIGSTOP)
    capture.close()
    assert capture.read(0) is None
    assert not _runs(second)
    assert Account.of(capture.hops()).balanced


def test_what_is_not_read_after_the_end_is_counted(tmp_path: Path) -> None:
    with CaptureProcess(plan(tmp_path, rate=32_000), OPERATION, "first", clock=CLOCK) as capture:
        reader = Reader(capture)
        reader.until(lambda: reader.frames > 0)
        threading.Event().wait(0.2)
    hop = reader.hop(HOP)
    assert hop.balanced
    assert (hop.left, hop.set_aside[UNREAD]) == (reader.frames, hop.entered - reader.frames)
    assert hop.set_aside[UNREAD] > 1000
    assert capture.pid is None


PARENT = """
import sys
from pathlib import Path
from edge.capturing.process import CaptureProcess
from edge.clock import SystemClock
from tests.capturing.sources import OPERATION, plan
capture = CaptureProcess(plan(Path(sys.argv[1]), rate=1000), OPERATION, "first", clock=SystemClock())
print(capture.pid, flush=True)
capture.read(3600)
while True:
    capture.read(1)
"""


def test_capture_does_not_outlive_the_core(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, 0)
        parent.kill()
        parent.wait()
        end_s = time.monotonic() + 10
        while _runs(pid):
            assert time.monotonic() < end_s
            threading.Event().wait(0.01)


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
