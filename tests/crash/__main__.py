"""Kills gateways at random instants and prints what held: ``python -m tests.crash``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from simulator.broker import Broker, EmbeddedBroker, MosquittoBroker
from tests.crash.flaws import FLAWS
from tests.crash.lane import Lane
from tests.crash.life import Figures, Verdict, live, vehicle_named
from tests.crash.witness import Bench, set_up

FEWEST_KILLS, MOST_KILLS = 10, 20


def say(line: str) -> None:
    """Print a line at once: this takes minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def lives(rounds: int, seed: int) -> list[int]:
    """How many kills each life has, at least so many together."""
    random = Random(seed)  # noqa: S311 - a seed must replay the run
    kills: list[int] = []
    while (left := rounds - sum(kills)) > 0:
        kills.append(min(left, random.randint(FEWEST_KILLS, MOST_KILLS)))
    return kills


def crash(bench: Bench, kills: list[int], *, seed: int, lanes: int, flaw: str) -> Iterator[Verdict]:
    """Live all lives, so many at a time."""
    numbers = iter(enumerate(kills))
    lock = threading.Lock()

    def work(place: int) -> list[Verdict]:
        verdicts: list[Verdict] = []
        with Lane(bench.folder, bench.port, f"lane{place}") as lane:
            while True:
                with lock:
                    number, count = next(numbers, (-1, 0))
                if number < 0:
                    return verdicts
                verdict = live(bench, lane, number, seed=seed, kills=count, flaw=flaw)
                if verdict.faults:
                    tell(verdict)
                verdicts.append(verdict)

    with ThreadPoolExecutor(lanes, "lane") as threads:
        for verdicts in threads.map(work, range(lanes)):
            yield from verdicts


def tell(verdict: Verdict) -> None:
    """Print what does not hold of a life, and how it went."""
    rounds = "\n".join(
        f"    {place}: to be killed {one.orders.kill}; ended {one.ended} while {one.phase},"
        f" records {one.records[0][0]} to {one.records[-1][0]}"
        if one.records
        else f"    {place}: to be killed {one.orders.kill}; ended {one.ended} while {one.phase}, no records"
        for place, one in enumerate(verdict.outcomes)
    )
    faults = "\n".join(f"  {fault}" for fault in verdict.faults[:12])
    say(f"life {verdict.vehicle}: {len(verdict.faults)} faults\n{faults}\n{rounds}")


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2_000, help="that end by a kill")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=2, help="gateways that run at a time")
    parser.add_argument("--broker", choices=("embedded", "mosquitto"), default="embedded")
    parser.add_argument("--break", dest="flaw", choices=FLAWS, default="", help="break the product first")
    parser.add_argument("--keep", type=Path, help="an empty folder in which broken journals are left")
    asked = parser.parse_args()
    began_s = time.monotonic()
    kills = lives(asked.rounds, asked.seed)
    figures, broken = Figures(), 0
    with tempfile.TemporaryDirectory(prefix="nevgate-crash-") as scratch:
        folder = asked.keep or Path(scratch)
        make: type[Broker] = MosquittoBroker if asked.broker == "mosquitto" else EmbeddedBroker
        say(f"{asked.rounds} kills in {len(kills)} lives, seed {asked.seed}, {asked.broker} broker")
        with set_up(folder, make(folder / "broker"), map(vehicle_named, range(len(kills)))) as bench:
            for verdict in crash(bench, kills, seed=asked.seed, lanes=asked.lanes, flaw=asked.flaw):
                figures.add(verdict.figures)
                broken += bool(verdict.faults)
    for line in figures.lines():
        say(line)
    say(f"  {time.monotonic() - began_s:>9,.0f}  seconds")
    say("every claim held" if not broken else f"{broken} lives broke a claim")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
