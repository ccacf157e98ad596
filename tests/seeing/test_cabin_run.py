"""A whole `nevgate run` with a camera in the cabin: its system calls show when the device was open."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from edge.wire.key_files import write_signing_key
from edge.wire.keys import SigningKey
from simulator.broker import free_ports
from tests.vision_faults.planted import Planted

cv2 = pytest.importorskip("cv2")

PROJECT = Path(__file__).parents[2]
LONGEST_S = 90.0
WITHOUT_S = 2.0
"""So long the gateway runs before anybody agrees."""

CALL = re.compile(r"^(?P<pid>\d+) +(?P<at>\d+\.\d+) (?P<what>.*)$")

pytestmark = [
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
    pytest.mark.skipif(not os.environ.get("NEVGATE_VISION_SHOWS"), reason="NEVGATE_VISION_SHOWS is not set"),
]


@dataclass(frozen=True, slots=True)
class Opened:
    """A time that the device was open.

    Attributes:
        pid: of the thread that opened it.
        from_s: Unix time.
        to_s: when the process that had it open was no more; None while it is.
    """

    pid: str
    from_s: float
    to_s: float | None


class Run:
    """A gateway under strace, and the person in the vehicle."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self._folder = folder
        self._process = process

    @property
    def device(self) -> Path:
        """What stands in for the camera."""
        return self._folder / "cabin.avi"

    def lines(self) -> list[re.Match[str]]:
        """What strace has written so far."""
        text = (self._folder / "calls").read_text()
        return [found for line in text.splitlines() if (found := CALL.match(line))]

    def opened(self) -> list[Opened]:
        """The times that the device was open, in order."""
        lines = self.lines()
        ends = {line["pid"]: float(line["at"]) for line in lines if line["what"].startswith("+++")}
        found: dict[str, Opened] = {}
        for line in lines:
            # One process opens a film more than once; it is closed when the process is gone.
            if f'"{self.device}"' in line["what"] and line["pid"] not in found:
                found[line["pid"]] = Opened(line["pid"], float(line["at"]), ends.get(line["pid"]))
        return list(found.values())

    def says(self, *words: str) -> dict[str, Any]:
        """Run `nevgate consent` as the person in the vehicle does."""
        done = subprocess.run(
            [sys.executable, "-m", "edge", "consent", *words, "--config", "nevgate.toml", "--json"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self._folder,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        end_s = time.monotonic() + LONGEST_S
        while not condition():
            assert time.monotonic() < end_s, self.said()
            assert self._process.poll() is None, self.said()
            time.sleep(0.05)

    def ended(self) -> dict[str, Any]:
        """End the gateway in order; the account."""
        os.kill(int(self.lines()[0]["pid"]), signal.SIGTERM)
        printed, _ = self._process.communicate(timeout=LONGEST_S)
        account: dict[str, Any] = json.loads(printed)
        return account

    def said(self) -> str:
        """The gateway's log."""
        return (self._folder / "said").read_text()

    def asked_s(self, what: str) -> float:
        """When the gateway was asked for something last, Unix time, as its log says."""
        line = next(line for line in reversed(self.said().splitlines()) if f"asks for '{what}'" in line)
        return datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp()

    def open_times(self, count: int) -> list[Opened]:
        """Wait until the device has been opened so often, and closed again."""
        self.until(lambda: len(self.opened()) == count and self.opened()[-1].to_s is not None)
        return self.opened()


@contextmanager
def running(folder: Path) -> Iterator[Run]:
    """Run the gateway with a cabin camera."""
    (port,) = free_ports(1)
    write_signing_key(folder / "vehicle.pem", SigningKey.seeded(b"vehicle"))
    (folder / "nevgate.toml").write_text(
        '[vehicle]\nvin = "LNVGATE00XDEM0001"\n'
        f'[[bus]]\nname = "powertrain"\ninterface = "udp_multicast"\nchannel = "239.74.163.9"\n'
        f"options = {{ port = {port} }}\nfd = true\n"
        f'[[bus.database]]\nfile = "{PROJECT}/dbc/nev-powertrain.dbc"\n'
        '[policy]\nprofile = "gbt44464"\n'
        '[journal]\nfolder = "journal"\n'
        f'[[camera]]\nname = "cabin"\nsource = "file:{folder}/cabin.avi"\nclass = "cabin"\nevery_s = 0.2\n'
        "[vision]\ncpu_share = 2.0\n"
        f'[uplink]\nhost = "127.0.0.1"\nport = {port}\ntls.enabled = false\nacknowledge = "puback"\n'
        '[signing]\nkey = "vehicle.pem"\n'
    )
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [
                *("strace", "-f", "--seccomp-bpf", "-ttt", "-e", "trace=open,openat,openat2", "-o", "calls"),
                *(sys.executable, "-m", "edge", "run", "--config", "nevgate.toml", "--no-live", "--json"),
                *("--drain", "0"),
            ],
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            cwd=folder,
        )
        try:
            yield Run(folder, process)
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Lay a film where the camera is to be, and run a gateway that may look at it."""
    film = cv2.VideoWriter(str(tmp_path / "cabin.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 5, (224, 176))
    frames = [Planted(5).frame(number) for number in range(10)]
    for number in range(1500):
        film.write(frames[number % 10])
    film.release()
    with running(tmp_path) as one:
        one.until((tmp_path / "journal/control.sock").is_socket)
        yield one


def test_the_device_is_open_only_from_a_consent_until_a_second_after_its_end(run: Run) -> None:
    end_s = time.monotonic() + WITHOUT_S
    run.until(lambda: time.monotonic() > end_s)
    assert run.opened() == []

    run.says("grant", "cabin", "recording", "--for", "1h")
    run.until(lambda: len(run.opened()) == 1)
    needed_s = time.time() - run.asked_s("grant")
    run.says("withdraw", "cabin", "recording")
    (first,) = run.open_times(1)
    assert first.to_s is not None
    assert first.from_s > run.asked_s("grant")
    withdrawn_s = run.asked_s("withdraw")
    assert 0 < first.to_s - withdrawn_s < 1

    term_s = round(2 * needed_s + 3)
    run.says("grant", "cabin", "recording", "--for", f"{term_s}s")
    over_s = run.asked_s("grant") + term_s
    _, second = run.open_times(2)
    assert second.to_s is not None
    assert second.from_s > run.asked_s("grant")
    # Its log and strace tell the time to the millisecond, each its own way.
    assert -0.01 < second.to_s - over_s < 1, run.said()
    print(  # noqa: T201 - for docs/vision.md
        f"\nclosed {first.to_s - withdrawn_s:.2f} s after the withdrawal, "
        f"{second.to_s - over_s:.2f} s after the end of a term of {term_s} s"
    )
    end_s = time.monotonic() + WITHOUT_S
    run.until(lambda: time.monotonic() > end_s)
    assert len(run.opened()) == 2

    account = run.ended()
    assert account["balanced"]
    (seen,) = [hop for hop in account["hops"] if hop["name"] == "seen by cabin"]
    assert seen["left"] > 0, account["hops"]
    assert seen["facts"]["times opened"] == 2
