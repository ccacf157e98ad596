"""Two buses of CAN FD at 20,000 frames/s of 64 bytes each: what is lost, and what it takes."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.bench.comparison import Comparison

SECONDS = 20
ASKED_MB = 200.0


def measure() -> list[Comparison]:
    """Frames lost of those sent, and memory.

    It runs as a program of its own, which moves into a network of its own. Without root there is nothing.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.peers.flexible", str(SECONDS)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(f"no CAN FD measured: {done.stderr.strip().splitlines()[-1:]}\n")
        return []
    said = json.loads(done.stdout)
    lost = said["sent"] - said["dropped_by_the_cables"] - said["in_the_journal"]
    title = f"two buses of CAN FD, 64 bytes, {said['rate']:,.0f} frames/s in all"
    return [
        Comparison(
            name=f"{title}: lost of {said['sent']:,}, {said['percent_of_a_core']:.0f} % of a core, "
            f"{said['us_a_frame']:.1f} µs/frame",
            ours=lost,
            peer=None,
            unit="frames",
            peer_name="",
            ratio=None,
            asked="0",
        ),
        Comparison(
            name=f"{title}: memory",
            ours=said["memory_mb"],
            peer=ASKED_MB,
            unit="MB",
            peer_name="asked",
            ratio=ASKED_MB / said["memory_mb"],
            asked=f"under {ASKED_MB:.0f} MB",
        ),
    ]
