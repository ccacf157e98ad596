"""The time from a frame that makes a condition true until the core has begun the event, at full load.

    python -m tests.bench.peers.latency normal|low [EVENTS]

Moves into a network of its own, runs the gateway as `nevgate run` does with a journal of raw frames, a broker
and a platform, has a signal rise and fall again and again, and prints JSON: worst and median time in
milliseconds, frames lost, and what the gateway's processes take of a core.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.bench.peers import cables, gateway, traffic
from tests.bench.peers.cost import cost_of

HERE = Path(__file__).parent
EVENTS = 100
STRETCH_S = 0.0937
"""Between a rise and a fall; no multiple of any period of the gateway's."""
CONDITION = f"{traffic.ALARM_BUS}.{traffic.ALARM_MESSAGE}.{traffic.ALARM_LEVEL}"
EVENT = (
    f'[[event]]\nname = "level"\nall_of = ["{CONDITION} >= 4"]\npre_s = 0\npost_s = 0\nlongest_s = 1\n'
    f'most_per_hour = 3600\n[[event]]\nname = "never"\nall_of = ["{CONDITION} > 100"]\npre_s = 10\n'
)
"""One that comes about all the time, and one for which the frames of 10 s are held ready."""


def watched(config: str, output: str) -> None:
    """Be the gateway, and write down how long after its frame each event began."""
    from edge.cli.run import command  # noqa: PLC0415 - only this process is the gateway
    from edge.clock import SystemClock  # noqa: PLC0415
    from edge.journal_road import JournalRoad  # noqa: PLC0415
    from edge.vehicle.outcome import EventOutcome, EventStarted  # noqa: PLC0415

    clock, delays, take = SystemClock(), [], JournalRoad.take_event

    def timed(self: JournalRoad, event: EventOutcome) -> None:
        if isinstance(event, EventStarted):
            delays.append(clock.boot_ns() - event.at_ns)
        take(self, event)

    JournalRoad.take_event = timed  # type: ignore[method-assign]
    try:
        command(["--config", config, "--no-live", "--json"], standalone_mode=False)
    finally:
        Path(output).write_text(json.dumps(delays))


def measure(latency: str, events: int) -> dict[str, float]:
    """Run it once."""
    cables.move_out()
    cables.lay(len(traffic.BUSES))
    made = traffic.made()
    with tempfile.TemporaryDirectory() as name, gateway.platform() as platform:
        folder = Path(name)
        np.save(folder / "frames.npy", made.frames)
        np.save(folder / "alarmed.npy", made.alarmed)
        files = traffic.databases(folder)
        config = gateway.configure(platform, files, journal="journal", latency=latency, extra=EVENT)
        words = ["-m", "tests.bench.peers.latency", "watched", str(config), str(folder / "delays.json")]
        running = gateway.Gateway(config, folder / "log", words)
        try:
            seconds = 2 * STRETCH_S * (events + 2) + 1
            links = [cables.far(place) for place in range(len(traffic.BUSES))]
            rate = traffic.RATE * len(links)
            sender = subprocess.Popen(
                [
                    sys.executable,
                    str(HERE / "sender.py"),
                    *map(str, ("frames.npy", "alarmed.npy", rate, seconds, -STRETCH_S, *links)),
                ],
                stdout=subprocess.PIPE,
                cwd=folder,
            )
            time.sleep(1)
            before, begin_s = cost_of(running.pid), time.monotonic()
            time.sleep(seconds - 2)
            after, end_s = cost_of(running.pid), time.monotonic()
            sent = json.loads(sender.communicate()[0])["sent"]
            time.sleep(1)
            hops = running.stop()
        finally:
            running.kill()
        # What was up when it began counts as an event whose beginning nobody saw.
        delays = json.loads((folder / "delays.json").read_text())[1 : events + 1]
    merged = hops["merged buses/frames"]
    return {
        "events": len(delays),
        "worst_ms": max(delays) / 1e6,
        "median_ms": statistics.median(delays) / 1e6,
        "percent": 100 * (after.cpu_s - before.cpu_s) / (end_s - begin_s),
        "lost": sent - merged["left"],
    }


if __name__ == "__main__":
    if sys.argv[1] == "watched":
        signal.signal(signal.SIGINT, signal.default_int_handler)
        watched(*sys.argv[2:])
    else:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else EVENTS)))  # noqa: T201 - a program speaks
