"""Lets records that wait go: into an output, or to another platform, until none waits or it is stopped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator

from edge.clock import NS_PER_S, Clock
from simulator.conversion.converter import is_late, timed
from simulator.conversion.forwarding import ForwardSession
from simulator.conversion.forwarding_link import ForwardLink, PlatformAddress
from simulator.conversion.frame_output import FrameOutput
from simulator.conversion.waiting import LOOK_S, Given, Waiting
from simulator.platform.rows import StoredRecord

COMMIT_S = 0.5


def write_waiting(
    waiting: Waiting,
    output: FrameOutput,
    clock: Clock,
    stop: threading.Event,
    failed: Callable[[], bool] = lambda: False,
) -> None:
    """Write what waits. What was written since the last commit is written again after a crash.

    Args:
        waiting: the records.
        output: where to.
        clock: waits.
        stop: ends it.
        failed: whether what brings the records has ended, so that no more will come.

    Raises:
        NevgateError: the output or the store cannot be written.
    """
    committed_ns = clock.boot_ns()
    waiting.connect(up=True)
    while not stop.is_set():
        parcel = waiting.take(backlog=True)
        if parcel is not None:
            output.write(parcel.messages)
            waiting.settle(parcel)
        now_ns = clock.boot_ns()
        if parcel is None or now_ns >= committed_ns + COMMIT_S * NS_PER_S:
            output.commit()
            waiting.commit()
            committed_ns = now_ns
        if parcel is None:
            if waiting.exhausted or failed():
                break
            clock.wait(stop, LOOK_S)
    output.commit()
    waiting.commit()


def forward_waiting(
    session: ForwardSession, address: PlatformAddress, clock: Clock, stop: Callable[[], bool]
) -> None:
    """Carry a session to its end."""
    asyncio.run(ForwardLink(session, address, clock, stop).run())


def given(stored: Iterable[StoredRecord]) -> Iterator[Given]:
    """Records of a platform's store, with the best time that is known."""
    for one in stored:
        yield Given(one.vehicle, timed(one), is_late(one.kind, one.road))
