"""Compares with the public peer and prints figures: ``python -m tests.gbt.oracle``."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter

from tests.gbt.oracle.cases import CASES
from tests.gbt.oracle.compare import EXCUSES, DifferenceError, compare_case
from tests.gbt.oracle.peer import VARIABLE, Peer

ENOUGH = 1_000


def main() -> int:
    """Compare every case."""
    parser = argparse.ArgumentParser(prog="python -m tests.gbt.oracle", description=__doc__)
    parser.add_argument("--messages", type=int, default=ENOUGH, help="of each case")
    parser.add_argument("--seed", type=int, default=32960)
    asked = parser.parse_args()
    python = os.environ.get(VARIABLE)
    if not python:
        say(f"{VARIABLE} names no Python that has rtm-con")
        return 1
    excused: Counter[str] = Counter()
    differ = False
    say(f"{'case':18} {'compared':>9} {'fields':>9} {'written':>9}  passed over, excused fields")
    with Peer(python) as peer:
        for case in CASES:
            try:
                tally = compare_case(case, peer, asked.messages, asked.seed)
            except DifferenceError as error:
                differ = True
                say(str(error))
                continue
            known = tally.passed_over + tally.excused
            excused += known
            words = ", ".join(f"{name} {count:,}" for name, count in sorted(known.items()))
            say(f"{case!s:18} {tally.compared:9,} {tally.fields:9,} {tally.written:9,}  {words}")
    say("")
    for excuse in EXCUSES:
        say(f"{excuse.name} ({excused[excuse.name]:,}): {excuse.why}")
    return int(differ)


def say(line: str) -> None:
    """Print a line at once: this takes minutes."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
