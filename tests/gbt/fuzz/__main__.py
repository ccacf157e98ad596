"""Fuzzes GB/T 32960.3: ``python -m tests.gbt.fuzz``; once more with ``--hex`` or ``--chunk``."""

from __future__ import annotations

import argparse
import secrets
import sys
import time

from tests.gbt.fuzz.checks import Counts, check
from tests.gbt.fuzz.run import Fault, Outcome, run, run_chunk

INPUTS = 10_000_000
GROWTH_KIB = 8 * 1024
"""How much a process may grow behind its first tenth: what a heap breathes, far less than a leak shows."""

_SHOWN_EVERY_S = 20.0


def say(line: str) -> None:
    """Print a line at once: this takes minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.gbt.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, help="of the inputs; a new one if none is given")
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--chunk", type=int, help="check this chunk of the seed alone")
    parser.add_argument("--hex", help="check this input alone")
    asked = parser.parse_args()
    if asked.hex is not None:
        check(bytes.fromhex(asked.hex), Counts())
        say("holds")
        return 0
    seed = secrets.randbits(32) if asked.seed is None else asked.seed
    say(f"seed {seed}")
    if asked.chunk is not None:
        counts, fault = run_chunk(seed, asked.chunk)
        return tell(Outcome(counts, fault, 1.0, (), ()), seed)
    return tell(run(seed, asked.inputs, asked.workers, _Shown()), seed)


class _Shown:
    """Prints where a run stands, now and then."""

    def __init__(self) -> None:
        self._last_s = time.monotonic()

    def __call__(self, counts: Counts, took_s: float) -> None:
        if time.monotonic() - self._last_s >= _SHOWN_EVERY_S:
            self._last_s = time.monotonic()
            say(f"{counts.inputs:,} inputs, {counts.inputs / took_s:,.0f} a second")


def tell(outcome: Outcome, seed: int) -> int:
    """Print what came of a run; 0 if all was well."""
    counts = outcome.counts
    rate = counts.inputs / outcome.took_s
    say(f"{counts.inputs:,} inputs in {outcome.took_s:,.0f} s, {rate:,.0f} a second")
    say(f"{counts.messages:,} messages written back, {counts.records:,} read as records")
    say(f"{counts.said_again:,} of these said again and read once more")
    say(f"streams: {counts.frames:,} frames, {counts.skipped_bytes:,} bytes skipped")
    grown = [end - start for start, end in zip(outcome.start_kib, outcome.end_kib, strict=True)]
    for number, (start, end) in enumerate(zip(outcome.start_kib, outcome.end_kib, strict=True), 1):
        say(f"process {number}: {start:,} KiB behind its first tenth, {end:,} KiB at its end")
    if outcome.fault is not None:
        tell_fault(outcome.fault, seed)
        return 1
    if any(one > GROWTH_KIB for one in grown):
        say(f"memory grew by more than {GROWTH_KIB:,} KiB")
        return 1
    return 0


def tell_fault(fault: Fault, seed: int) -> None:
    """Print an input that failed, and how to try it again."""
    say(fault.what)
    say(f"chunk {fault.chunk}, input {fault.place}: {fault.data.hex()}")
    say(f"again: python -m tests.gbt.fuzz --seed {seed} --chunk {fault.chunk}")
    if fault.place >= 0:
        say(f"alone: python -m tests.gbt.fuzz --hex {fault.data.hex()}")


if __name__ == "__main__":
    sys.exit(main())
