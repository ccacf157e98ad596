"""The process of one camera: hardens itself, opens its camera, confines itself, and serves the gateway."""

from __future__ import annotations

import logging
import os
import resource
import select
import signal
import socket
import sys
import threading
import time

from edge import process_memory
from edge.capturing.hardening import Unavailable, harden, lock_where_swapped, name_process
from edge.capturing.quoting import quote_nothing
from edge.clock import NS_PER_S, Clock, SystemClock
from edge.errors import VisionError
from edge.policy.classes import DataClass
from edge.vision.plan import VisionPlan
from edge.vision.process.channel import Channel
from edge.vision.process.confinement import Confinement
from edge.vision.process.messages import Messages, PlanOrder, Ready, Said, encode
from edge.vision.process.said import TEXT_MAX, failed_of, line_of, plain

WAITED_OUT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPWR)
"""Signals that go to a whole service or terminal: the gateway decides when a camera ends."""

NICE = 10
LEASE_S = {DataClass.CABIN: 0.9}
"""A camera of such a class ends this long after the gateway has said last that it may go on."""

LEASE_USUALLY_S = 10.0
_ORDER_S = 60.0
_STANDARD_STREAMS = (1, 2)
_UMASK = 0o077
_UNLEASED = 3


def main(descriptor: int, lease: int, parent: int, opening: str, lacking: tuple[str, ...]) -> None:
    """Be the process of a camera.

    Args:
        descriptor: of the socket to the gateway.
        lease: of a pipe on which the gateway says again and again that the camera may go on.
        parent: process id of the gateway.
        opening: see `edge.vision.process.opening.opening_of`.
        lacking: what of its rights it could not give up, a sentence each.
    """
    os.umask(_UMASK)
    lacking += harden(parent, keep=[descriptor, lease], who="the process of a camera", lock=False)
    name_process("nevgate-camera")
    os.nice(NICE)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    for number in WAITED_OUT:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WAITED_OUT)
    child = _Child(Channel(socket.socket(fileno=descriptor), Messages.to_child()), descriptor, lacking)
    sys.exit(child.run(lease, opening, SystemClock()))


class _Child:
    """What the process is doing, so that an error in it is told with what may be said then."""

    def __init__(self, channel: Channel, descriptor: int, lacking: tuple[str, ...]) -> None:
        self._channel = channel
        self._descriptor = descriptor
        self._lacking = lacking
        self._final = True
        self.seen = False

    def run(self, lease: int, opening: str, clock: Clock) -> int:
        """Open, confine and serve; tell the exit status."""
        quote_nothing(_LogToGateway(self._channel, self))
        plan = self._plan()
        if plan is None:
            return 1
        try:
            self._work(plan, lease, opening, clock)
        except Exception as error:  # noqa: BLE001 - its text might quote a picture: its kind and place are told
            final = self._final and isinstance(error, VisionError)
            self._channel.send(encode(failed_of(error, seen=self.seen, final=final)))
            end_ns = clock.boot_ns() + NS_PER_S
            while self._channel.unsent_bytes and not self._channel.ended and clock.boot_ns() < end_ns:
                self._channel.receive(0.1)
            return 1
        return 0

    def _work(self, plan: VisionPlan, lease: int, opening: str, clock: Clock) -> None:
        confinement = Confinement(plan, {*_STANDARD_STREAMS, self._descriptor})
        self._lacking += confinement.of_files()
        threading.Thread(
            target=_end_without, args=(lease, LEASE_S.get(plan.data_class, LEASE_USUALLY_S)), daemon=True
        ).start()
        resource.setrlimit(resource.RLIMIT_DATA, (plan.memory_bytes, plan.memory_bytes))
        self._lacking += _locked(plan)
        from edge.vision.process.opening import opening_of  # noqa: PLC0415 - what it opens needs the extra
        from edge.vision.process.serving import Serving  # noqa: PLC0415 - the same
        from edge.vision.work import CameraWork  # noqa: PLC0415 - the same

        parts = opening_of(opening)
        detectors = parts.detectors(plan)
        self._final = False
        self._lacking += confinement.before_opening()
        self.seen = True
        with parts.camera(plan, clock) as camera:
            self._lacking += confinement.before_reading()
            self._channel.send(encode(Ready(lacking=tuple(plain(one) for one in self._lacking[:32]))))
            work = CameraWork(plan, camera, detectors, clock=clock, cpu_s=time.process_time)
            serving = Serving(self._channel, work, plan.name, clock)
            process_memory.settle()
            try:
                serving.run()
            except VisionError:
                serving.fail()
                raise

    def _plan(self) -> VisionPlan | None:
        """What the gateway says first; None if it is gone."""
        end_s = time.monotonic() + _ORDER_S
        while not self._channel.ended and time.monotonic() < end_s:
            for message, _ in self._channel.receive(_ORDER_S):
                return VisionPlan.of_json(dict(message.plan)) if isinstance(message, PlanOrder) else None
        return None


def _end_without(lease: int, lease_s: float) -> None:
    """End the process at once, whatever it does, where the gateway does not say that it may go on."""
    poll = select.poll()
    poll.register(lease, select.POLLIN)
    while poll.poll(lease_s * 1000) and os.read(lease, 1024):
        pass
    os._exit(_UNLEASED)


def _locked(plan: VisionPlan) -> tuple[str, ...]:
    """Lock memory where the machine swaps; a sentence where that is not to be had, and need not be.

    Raises:
        VisionError: it is not to be had, and is asked for.
    """
    try:
        lock_where_swapped()
    except (Unavailable, OSError) as error:
        if plan.lock_memory:
            raise VisionError(
                f"its memory may be swapped to disk: {error}",
                where=f"camera {plan.name}",
                todo='Turn swap off, or say swap = "allow"',
            ) from error
        return (f"pictures can be swapped to disk: {error}",)
    return ()


class _LogToGateway(logging.Handler):
    """Hands lines of our log to the gateway, harmless ones; of other people's, who logged and where."""

    _BYTES_MOST = 1 << 20

    def __init__(self, channel: Channel, child: _Child) -> None:
        super().__init__(logging.INFO)
        self._channel = channel
        self._child = child

    def emit(self, record: logging.LogRecord) -> None:
        if self._channel.unsent_bytes > self._BYTES_MOST or threading.current_thread() is not _MAIN:
            return
        if record.name.partition(".")[0] in {"edge", "nevgate"}:
            arguments = record.args if isinstance(record.args, tuple) else ()
            text = line_of(str(record.msg), arguments, seen=self._child.seen)
        else:
            text = f"{record.name} at {record.pathname}:{record.lineno}"
        level = min(max(record.levelno, 0), logging.CRITICAL)
        self._channel.send(encode(Said(level=level, text=text[:TEXT_MAX])))


_MAIN = threading.main_thread()
