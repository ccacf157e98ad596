"""`make bench-vision-drive`: four CAN buses at full rate and two cameras: losses, and who takes what.

Needs root, for a network namespace of its own with four virtual cables, and Mosquitto.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.peers import cables, gateway, traffic
from tests.bench.peers.cost import cost_of
from tests.policy.signed import OPERATION_AND_POSITION, signed_policy

_SENDER = Path(__file__).parent / "peers" / "sender.py"
_OPENING_S = 25.0
_NO_CAMERA = '[[deny]]\nclass = "exterior"\n'
_CAMERA = """
[[camera]]
name = "{name}"
source = "simulator:street?seed={seed}&rate={rate}"
class = "exterior"
rate_hz = {rate}
every_s = 0.2
"""


def main() -> None:
    """Run, and print what came of every frame and picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=int, default=5, help="frames a second of each camera")
    parser.add_argument("--share", type=float, default=0.6, help="cores that both cameras together may take")
    asked = parser.parse_args()
    cables.move_out()
    cables.lay(len(traffic.BUSES))
    with tempfile.TemporaryDirectory() as name, gateway.platform() as platform:
        folder = Path(name)
        made = traffic.made()
        np.save(folder / "frames.npy", made.frames)
        np.save(folder / "alarmed.npy", made.alarmed)
        (folder / "databases").mkdir()
        files = traffic.databases(folder / "databases")
        cameras = "".join(
            _CAMERA.format(name=one, seed=seed, rate=asked.rate) for seed, one in enumerate(("front", "rear"))
        )
        vision = f"{cameras}[vision]\ncpu_share = {asked.share}\n"
        config = gateway.configure(platform, files, journal="journal", extra=vision)
        signed_policy(platform.folder, OPERATION_AND_POSITION.replace(_NO_CAMERA, ""))
        running = gateway.Gateway(config, folder / "log")
        try:
            _agree(config)
            time.sleep(_OPENING_S)
            before, begin_s = cost_of(running.pid), time.monotonic()
            sent = _drive(folder, asked.seconds)
            after, end_s = cost_of(running.pid, memory=True), time.monotonic()
            time.sleep(2.5)
            hops = running.stop()
        finally:
            running.kill()
        dropped = cables.dropped()
    print(json.dumps(_told(hops), indent=1))  # noqa: T201 - a program speaks
    for process, cpu_s in sorted(after.by_process.items()):
        share = 100 * (cpu_s - before.by_process.get(process, 0.0)) / (end_s - begin_s)
        print(f"{process:24} {share:6.1f} % of a core")  # noqa: T201 - the same
    into = hops["merged buses/frames"]
    print(  # noqa: T201 - the same
        f"sent {sent['sent']:.0f} frames in {asked.seconds:.0f} s; entered {into['entered']}, set aside "
        f"{into['set_aside']}, dropped by the cables {dropped}; memory {after.memory_bytes / 1e6:.0f} MB"
    )


def _agree(config: Path) -> None:
    words = ["consent", "grant", "exterior", "recording", "--for", "1h", "--config", str(config)]
    subprocess.run([sys.executable, "-m", "edge", *words], check=True, stdout=subprocess.DEVNULL)


def _drive(folder: Path, seconds: float) -> dict[str, float]:
    links = [cables.far(place) for place in range(len(traffic.BUSES))]
    words = ["frames.npy", "alarmed.npy", traffic.RATE * len(links), seconds, seconds / 2, *links]
    told = subprocess.run(
        [sys.executable, str(_SENDER), *map(str, words)],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
    ).stdout
    return dict(json.loads(told))


def _told(hops: dict[str, Any]) -> dict[str, Any]:
    """Of each hop what came, went and was set aside."""
    return {
        name: {"entered": hop["entered"], "left": hop["left"], **hop["set_aside"]}
        for name, hop in hops.items()
    }


if __name__ == "__main__":
    main()
