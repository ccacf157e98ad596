"""Measures two ways of doing the same work in turn, so that a noisy machine treats both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Comparison:
    """One line of the bench table.

    Attributes:
        name: what was measured.
        ours: our median, in `unit`.
        peer: the peer's median, in `unit`; None where there is no peer but a stated figure.
        unit: such as ``frames/s`` or ``bytes/record``.
        peer_name: who the peer is.
        ratio: how many times better ours is (None without a peer).
        asked: the figure to reach, in words.
    """

    name: str
    ours: float
    peer: float | None
    unit: str
    peer_name: str
    ratio: float | None
    asked: str


def alternate(
    ours: Callable[[], object], peer: Callable[[], object], *, rounds: int = 7
) -> tuple[float, float]:
    """Run both in turn `rounds` times after one warm-up each; return their median times in seconds."""
    ours()
    peer()
    ours_s: list[float] = []
    peer_s: list[float] = []
    for _ in range(rounds):
        for work, times in ((ours, ours_s), (peer, peer_s)):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
    return statistics.median(ours_s), statistics.median(peer_s)
