"""`make bench-peers`: nevgate and its peers on the same frames in turn; writes docs/benchmarks.md.

Needs root, for a network namespace of its own with four virtual cables, and Mosquitto.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.bench.peers import cables, gateway, report, traffic
from tests.bench.peers.cost import cost_of
from tests.bench.peers.report import Run
from tests.road.conftest import Bench as Platform

HERE = Path(__file__).parent
WARM_S = 2.0
SETTLE_S = 0.5
LISTENERS = ("pipeline", "queued", "asc", "blf")
NO_CAN = (
    "needs AF_CAN, which this kernel has not; it runs in the virtual machine only, "
    "where function is tested and not time"
)
BULK = ("asammdf", "can-decoder", "opendbc")


@dataclass(frozen=True, slots=True)
class Offer:
    """Frames on their way.

    Attributes:
        process: the sender.
        alarm_at_s: after its start.
    """

    process: subprocess.Popen[str]

    def end(self) -> dict[str, float]:
        """Wait until all are sent; what the sender says."""
        told, _ = self.process.communicate()
        return dict(json.loads(told))


class Bench:
    """One run of the bench.

    Args:
        folder: scratch.
        seconds: how long each contender is measured.
        peers: a Python with the packages that nevgate's environment has not.
    """

    def __init__(self, folder: Path, seconds: float, peers: Path) -> None:
        self._folder = folder
        self._seconds = seconds
        self._peers = peers
        made = traffic.made()
        self._frames = made.frames
        np.save(folder / "frames.npy", made.frames)
        np.save(folder / "alarmed.npy", made.alarmed)
        (folder / "databases").mkdir()
        self._files = traffic.databases(folder / "databases")
        self.missing: dict[str, str] = {"candump -l": NO_CAN}

    def offer(self, turn: int) -> Offer:
        """Begin to send; the alarm comes at another phase of the second in each turn."""
        alarm_s = WARM_S + self._seconds / 2 + 0.37 * turn % 1
        links = [cables.far(place) for place in range(len(traffic.BUSES))]
        rate, seconds = traffic.RATE * len(traffic.BUSES), WARM_S + self._seconds + 1
        words = ["frames.npy", "alarmed.npy", rate, seconds, alarm_s, *links]
        return Offer(
            subprocess.Popen(
                [sys.executable, str(HERE / "sender.py"), *map(str, words)],
                stdout=subprocess.PIPE,
                text=True,
                cwd=self._folder,
            )
        )

    def nobody(self, turn: int) -> Run:
        """What sending alone costs."""
        del turn
        sent = self.offer(99).end()
        return Run(sender_us=sent["cpu_s"] / sent["sent"] * 1e6)

    def nevgate(self, turn: int, platform: Platform, watch: gateway.AlarmWatch) -> Run:
        """The whole of `nevgate run`."""
        config = gateway.configure(platform, self._files, journal=f"journal{turn}")
        running = gateway.Gateway(config, self._folder / f"log{turn}")
        try:
            time.sleep(SETTLE_S)
            watch.arm()
            offer = self.offer(turn)
            cpu_s, seconds, memory = self._measured([running.pid])
            sent = offer.end()
            time.sleep(2.5)
            hops = running.stop()
        finally:
            running.kill()
        into = next(hop for name, hop in hops.items() if name == "merged buses/frames")
        journal = hops["journal/frames"]
        aside = {cause: count for cause, count in into["set_aside"].items() if count}
        lost = sent["sent"] - into["entered"] + sum(aside.values())
        return Run(
            us=cpu_s / seconds / (traffic.RATE * 4) * 1e6,
            percent=100 * cpu_s / seconds,
            lost_percent=100 * lost / sent["sent"],
            bytes_a_frame=hops["journal/records"]["facts"]["bytes of blocks"] / max(1, journal["left"]),
            memory_mb=memory / 1e6,
            alarm_ms=(watch.boot_ns - sent["alarm_ns"]) / 1e6 if watch.seen.is_set() else None,
            sender_us=sent["cpu_s"] / sent["sent"] * 1e6,
        )

    def listener(self, kind: str, turn: int, port: int) -> Run:
        """A peer with a process for each bus."""
        processes = []
        try:
            for place, bus in enumerate(traffic.BUSES):
                output = self._folder / f"{kind}{place}"
                words = [kind, cables.near(place), self._files[bus], output, port if place == 0 else 0]
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "tests.bench.peers.listener", *map(str, words)],
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
            for process in processes:
                assert process.stdout is not None
                process.stdout.readline()
            before = sum(cost_of(process.pid).cpu_s for process in processes)
            offer = self.offer(turn)
            _, _, memory = self._measured([process.pid for process in processes])
            sent = offer.end()
            time.sleep(2.5)
            cpu_s = sum(cost_of(process.pid).cpu_s for process in processes) - before
            for process in processes:
                process.send_signal(signal.SIGINT)
            said = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
        handled = sum(one["frames"] for one in said)
        answered_ns = said[0].get("alarm_ns", 0)
        return Run(
            us=cpu_s / handled * 1e6,
            percent=100 * cpu_s / handled * traffic.RATE * 4,
            lost_percent=100 * (1 - handled / sent["sent"]),
            bytes_a_frame=sum(one["bytes"] for one in said) / handled if "bytes" in said[0] else None,
            memory_mb=memory / 1e6,
            alarm_ms=(answered_ns - sent["alarm_ns"]) / 1e6 if answered_ns else None,
            sender_us=sent["cpu_s"] / sent["sent"] * 1e6,
        )

    def bulk(self, kind: str) -> Run | None:
        """A peer's one step in memory; None if it is not to be had."""
        python = sys.executable if kind == "asammdf" else str(self._peers)
        words = [kind, self._folder / "frames.npy", self._files["powertrain"], self._folder / kind]
        try:
            done = subprocess.run(
                [python, str(HERE / "bulk.py"), *map(str, words)], check=True, capture_output=True, text=True
            )
        except (OSError, subprocess.CalledProcessError) as error:
            lines = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            self.missing[kind] = lines[-1]
            return None
        said = json.loads(done.stdout)
        return Run(
            us=said["cpu_s"] / said["frames"] * 1e6,
            bytes_a_frame=said["bytes"] / said["frames"] if "bytes" in said else None,
        )

    def _measured(self, pids: list[int]) -> tuple[float, float, int]:
        """Processor time of processes over the seconds of the bench, how many those were, and memory."""
        time.sleep(WARM_S)
        before, begin_s = [cost_of(pid) for pid in pids], time.monotonic()
        time.sleep(self._seconds)
        after, end_s = [cost_of(pid, memory=True) for pid in pids], time.monotonic()
        cpu_s = sum(one.cpu_s for one in after) - sum(one.cpu_s for one in before)
        return cpu_s, end_s - begin_s, sum(one.memory_bytes for one in after)


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument(
        "--peers", type=Path, default=Path(".venv/peers/bin/python"), help="a Python with peers"
    )
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"))
    parser.add_argument("--only", nargs="*", help="these alone, and no page")
    arguments = parser.parse_args()
    peers = arguments.peers.absolute()
    runs: dict[str, list[Run]] = defaultdict(list)

    def wanted(name: str) -> bool:
        return not arguments.only or name in arguments.only

    cables.move_out()
    cables.lay(len(traffic.BUSES))
    with tempfile.TemporaryDirectory() as folder, gateway.platform() as platform:
        bench = Bench(Path(folder), arguments.seconds, peers)
        watch = gateway.AlarmWatch(platform.port, "nev/v1/+/up/alarm")
        for turn in range(arguments.rounds):
            for name, run in _contenders(bench, turn, platform, watch):
                if not wanted(name):
                    continue
                found = run()
                if found is not None:
                    runs[name].append(found)
                    print(f"{turn + 1} of {arguments.rounds}: {name}: {found}", file=sys.stderr, flush=True)  # noqa: T201 - a program speaks
        watch.close()
        dropped = cables.dropped()
    text, figure = report.page(runs, bench.missing, seconds=arguments.seconds, dropped=dropped)
    print(text)  # noqa: T201 - a program speaks
    if not arguments.only:
        arguments.page.write_text(text)
        arguments.page.with_suffix(".svg").write_text(figure)


def _contenders(
    bench: Bench, turn: int, platform: Platform, watch: gateway.AlarmWatch
) -> Iterator[tuple[str, Callable[[], Run | None]]]:
    yield "nobody", lambda: bench.nobody(turn)
    yield "nevgate", lambda: bench.nevgate(turn, platform, watch)
    for kind in LISTENERS:
        yield kind, lambda kind=kind: bench.listener(kind, turn, platform.port)  # type: ignore[misc]
    for kind in BULK:
        yield kind, lambda kind=kind: bench.bulk(kind)  # type: ignore[misc]


if __name__ == "__main__":
    main()
