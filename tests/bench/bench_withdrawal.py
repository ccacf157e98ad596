"""A withdrawal under full load: how long anything is still collected, and how long until nothing of it opens.

A whole gateway in processes of its own, a broker with TLS and a platform; once with buses that are as full as
UDP multicast gets here, once with a source of 32,000 frames/s in the process of capture.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from simulator.broker import free_ports
from tests.bench.comparison import Comparison
from tests.live_canary.blast import Blast
from tests.live_canary.drive import GROUP
from tests.live_canary.withdrawal import Busy, Load, Withdrawal, busy, load_of, withdrawals

RATE = 32_000
TIMES = 10
STEPS = range(2_000, 34_000, 2_000)
STEP_S = 2.0
ARRIVED, HOPELESS = 0.98, 0.9
_MS = 1e6


def measure() -> list[Comparison]:
    """Ten withdrawals on multicast buses, ten at 32,000 frames/s: medians and worst."""
    with tempfile.TemporaryDirectory() as folder, _on_multicast(Path(folder)) as (at_work, rate):
        made = withdrawals(at_work, TIMES)
        load = load_of(at_work, made)
    rows = _rows(f"multicast, {rate:,} frames/s", made, load)
    with tempfile.TemporaryDirectory() as folder, busy(Path(folder), frames_per_s=RATE) as at_work:
        made = withdrawals(at_work, TIMES)
        load = load_of(at_work, made)
    taken = load.frames / load.seconds
    return rows + _rows(f"source of {RATE:,} frames/s ({taken:,.0f} taken in)", made, load)


@contextmanager
def _on_multicast(folder: Path) -> Iterator[tuple[Busy, int]]:
    """A gateway on multicast buses that are as full as they can be without losing frames, and how full."""
    ports = dict(zip(("pt", "body"), free_ports(2), strict=True))
    lines = {
        name: f'interface = "udp_multicast"\nfd = true\nchannel = "{GROUP}:{port}"\n'
        for name, port in ports.items()
    }
    with busy(folder, buses=lines) as at_work, Blast(GROUP, ports) as blast:
        carried = STEPS.start
        for rate in STEPS:
            before, rounds = _received(at_work), blast.rounds
            blast.frames_per_s = rate
            time.sleep(STEP_S)
            blast.frames_per_s = 0
            time.sleep(STEP_S)
            share = (_received(at_work) - before) / (blast.rounds - rounds)
            carried = rate if share >= ARRIVED else carried
            if share < HOPELESS:
                break
        blast.frames_per_s = carried
        yield at_work, carried


def _received(at_work: Busy) -> float:
    """Rounds of frames of which the door has seen the two messages with operation."""
    state = at_work.gateway.ask(do="state")
    (kept,) = (one["frames"] for one in state["kept"] if one["class"] == "operation")
    return float(kept) / 2


def _rows(what: str, made: Sequence[Withdrawal], load: Load) -> list[Comparison]:
    rows: list[Comparison] = []

    def row(name: str, measured: Callable[[Withdrawal], int], asked: str) -> None:
        values = [(measured(one) - one.asked_ns) / _MS for one in made]
        worst = max(values)
        rows.append(
            Comparison(
                f"{what}: request to {name}", statistics.median(values), worst, "ms", "the worst", None, asked
            )
        )

    row("answer", lambda one: one.answered_ns, f"{len(made)} withdrawals; {load.too_slow:,} frames given up")
    row("last frame with a bit of it through the door", lambda one: one.came_ns, "1,000 ms")
    row("last such frame in the core, which drops it", lambda one: one.came_at_ns, "1,000 ms")
    row("last time of a frame or record that is kept", lambda one: one.kept_ns, "below the answer")
    row("last block of it committed", lambda one: one.committed_ns, "1,000 ms")
    row("last record of it in a message", lambda one: one.sent[0], "below the answer")
    row("last message with it handed on by the broker", lambda one: one.sent[1], "1,000 ms")
    row("'erased' in the ledger", lambda one: one.erased_ns, "the policy's erase_within_s")
    rows.append(
        Comparison(
            f"{what}: blocks of it that open then, of {sum(one.blocks for one in made)}",
            sum(one.readable for one in made),
            None,
            "blocks",
            "",
            None,
            "0",
        )
    )
    return rows
