"""Forks a worker for each line of orders, kills it when its time has come, and says how it ended.

A process of its own without threads, with everything imported and the configuration loaded: so a round
costs a fork, and a worker is a whole gateway with threads, sockets and locks that die with it.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import time
import traceback
from mmap import mmap
from pathlib import Path

from tests.crash.drive import configured
from tests.crash.orders import Orders, Phase
from tests.crash.worker import COMMITTING, COMPOSING, PHASE, PHASES, PUBLISHING, Surroundings, work

TOLD = 1
"""The pipe to whoever started this is its standard output."""

LONGEST_S = 120.0


def main() -> None:
    """Serve until the standard input ends."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    loaded = configured(folder, vehicle="LNVCRASH000000000", journal=folder / "journals", port=port)
    # What is there already is shared with all workers; a collection would copy its pages in each.
    gc.freeze()
    left = mmap(-1, 16)
    for line in sys.stdin:
        orders = Orders(**json.loads(line))
        left[:] = bytes(len(left))
        hear, phases = os.pipe()
        around = Surroundings(loaded, folder / "journals", left, TOLD, phases)
        pid = os.fork()
        if pid == 0:
            os.close(hear)
            _live(orders, around)
        os.close(phases)
        status, late = _attend(pid, hear, orders)
        os.close(hear)
        around.tell(
            ended=os.waitstatus_to_exitcode(status),
            hung=late,
            phase=PHASES[left[PHASE]],
            committing=bool(left[COMMITTING]),
            composing=bool(left[COMPOSING]),
            publishing=bool(left[PUBLISHING]),
        )


def _live(orders: Orders, around: Surroundings) -> None:
    """Be a worker; never returns."""
    status = 1
    try:
        work(orders, around)
        status = 0
    except Exception:  # noqa: BLE001 - whatever it is, the round ends with it
        # The process that reads the round's end learns what happened from the log.
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _attend(pid: int, hear: int, orders: Orders) -> tuple[int, bool]:
    """Wait for a worker's end, bringing it about when ordered; tell also whether it had hung."""
    process = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(process, select.POLLIN)
    poll.register(hear, select.POLLIN)
    end_s = time.monotonic() + LONGEST_S
    kill_s: float | None = None
    late = False
    try:
        while True:
            due_s = end_s if kill_s is None else min(kill_s, end_s)
            ready = poll.poll(max(0.0, (due_s - time.monotonic()) * 1000))
            now_s = time.monotonic()
            if any(descriptor == process for descriptor, _ in ready):
                break
            entered = os.read(hear, 16) if ready else None
            if entered == b"":
                poll.unregister(hear)
            for each in entered or b"":
                if orders.phase and PHASES[each] is Phase(orders.phase):
                    kill_s = now_s + orders.delay_s
            if now_s >= due_s:
                late = now_s >= end_s
                os.kill(pid, signal.SIGKILL)
                kill_s, end_s = None, now_s + LONGEST_S
    finally:
        os.close(process)
    return os.waitpid(pid, 0)[1], late


if __name__ == "__main__":
    main()
