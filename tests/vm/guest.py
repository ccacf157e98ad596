"""Runs inside the virtual machine: pytest over the cases that the host names, each told as it ends."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import pytest

from tests.vm.boot import mount_point
from tests.vm.machine import Line

LINE = "/dev/ttyS1"
LONG = "long: runs in the virtual machine only when all is asked for"
"""A marker."""

REWRITTEN = (
    *(f"tests.vm.cases_{name}" for name in ("conformance", "gateway", "kernel", "links")),
    "tests.socketcan.conformance",
    "tests.socketcan.on_vcan",
)
"""Modules whose failed assertions are to say what was compared."""

Monitor = Callable[[Mapping[str, object]], Mapping[str, object]]
"""Has qemu's monitor carry out a command (QMP), and returns its answer."""

_ALIVE_S = 2.0
_PIECE_BYTES = 65_536
_TOO_LONG_S = 5.0


class GuestLine:
    """The guest's end of the line: a line of JSON each way."""

    def __init__(self) -> None:
        self._descriptor = os.open(LINE, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._descriptor)
        self._received = b""
        self._whole = threading.Lock()

    def say(self, line: Line) -> None:
        """Tell the host."""
        text = json.dumps(line).encode() + b"\n"
        with self._whole:
            while text:
                text = text[os.write(self._descriptor, text) :]

    def keep_alive(self) -> None:
        """Say now and then, from a thread, that the guest works, so that it is not taken for dead."""

        def go_on() -> None:
            while True:
                time.sleep(_ALIVE_S)
                self.say({"alive": time.monotonic()})

        threading.Thread(target=go_on, daemon=True).start()

    def hear(self) -> dict[str, Any]:
        """Wait for what the host says."""
        while b"\n" not in self._received:
            self._received += os.read(self._descriptor, _PIECE_BYTES)
        text, self._received = self._received.split(b"\n", 1)
        heard: dict[str, Any] = json.loads(text)
        return heard


class TooLongError(Exception):
    """A case has taken longer than it may."""


class Teller:
    """Tells the host what came of each case, and ends one that takes too long."""

    def __init__(self, line: GuestLine, limit_s: float) -> None:
        self._line = line
        self._limit_s = limit_s
        self._config: pytest.Config | None = None
        # pytest captures what is written to standard error while a case runs; this is the console itself.
        self._console = os.dup(sys.stderr.fileno())

    def pytest_configure(self, config: pytest.Config) -> None:
        self._config = config
        config.addinivalue_line("markers", LONG)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._line.say({"loaded": len(session.items)})

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        assert self._config is not None
        told = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._line.say({"report": json.loads(json.dumps(told, default=str))})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._line.say({"broken": report.longreprtext})

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        def too_long(_number: int, _frame: FrameType | None) -> None:
            raise TooLongError(f"has taken {self._limit_s:.0f} s")

        signal.signal(signal.SIGALRM, too_long)
        # Again and again: what is raised while something is tidied up may be lost there.
        signal.setitimer(signal.ITIMER_REAL, self._limit_s, _TOO_LONG_S)
        faulthandler.dump_traceback_later(self._limit_s + 3 * _TOO_LONG_S, exit=True, file=self._console)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()

    @pytest.fixture(scope="session")
    def monitor(self) -> Monitor:
        """Hand out qemu's monitor, by which devices come and go."""

        def ask(command: Mapping[str, object]) -> Mapping[str, object]:
            self._line.say({"monitor": command})
            return self._line.hear()

        return ask


def main() -> None:
    """Say that the machine is there, run what the host names, and tell how it ended."""
    scratch = mount_point()
    os.environ |= {"TMPDIR": scratch, "HOME": scratch, "PYTHONDONTWRITEBYTECODE": "1"}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    line = GuestLine()
    line.say({"ready": time.clock_gettime(time.CLOCK_BOOTTIME)})
    line.keep_alive()
    orders = line.hear()
    pytest.register_assert_rewrite(*REWRITTEN)
    # The host's conftest.py files would load what no case needs, for seconds.
    options = ["-q", "--noconftest", "-p", "no:cacheprovider", "--basetemp", f"{scratch}/pytest"]
    status = pytest.main([*options, *orders["cases"]], plugins=[Teller(line, orders["limit_s"])])
    line.say({"ended": int(status)})


if __name__ == "__main__":
    main()
