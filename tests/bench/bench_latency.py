"""How soon a condition is evaluated after its frame, at 32,000 frames/s on four virtual cables."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.bench.comparison import Comparison

ASKED_MS = {"normal": 100.0, "low": 10.0}


def measure() -> list[Comparison]:
    """The worst of a hundred events, and what both modes take of a core.

    It runs as a program of its own, which moves into a network of its own. Without root there is nothing.
    """
    found = []
    for latency, asked_ms in ASKED_MS.items():
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.peers.latency", latency],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.stderr.write(f"no latency measured: {done.stderr.strip().splitlines()[-1:]}\n")
            return []
        said = json.loads(done.stdout)
        found.append(
            Comparison(
                name=f"frame to event begun, 32,000 frames/s, {latency} latency: worst of {said['events']}, "
                f"median {said['median_ms']:.1f} ms, {said['percent']:.1f} % of a core, {said['lost']} lost",
                ours=said["worst_ms"],
                peer=asked_ms,
                unit="ms",
                peer_name="asked",
                ratio=asked_ms / said["worst_ms"],
                asked=f"at most {asked_ms:.0f} ms",
            )
        )
    return found
