"""Confines the process of a camera, in two steps: before the camera is opened, and before it is read."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from edge.capturing.confinement import install, unconfined
from edge.capturing.system_calls import this_machine
from edge.vision.plan import VisionPlan
from edge.vision.process.landlock import keep_from_writing
from edge.vision.process.looking import Way, looking_only

_RTSP_PORT = 554
_DESCRIPTORS = 1024


class Confinement:
    """What is refused to this process, more with each step and for good.

    Args:
        plan: of its camera.
        writable: descriptors that lead to the gateway.
    """

    def __init__(self, plan: VisionPlan, writable: Collection[int]) -> None:
        self._who = f"the process of camera {plan.name}"
        self._writable = frozenset(writable)
        self._way = Way.of(plan.source.partition(":")[0])
        self._source = plan.source

    def of_files(self) -> tuple[str, ...]:
        """While there is one thread: refuse all writing to files, and all ports but the camera's.

        Returns:
            A sentence for each thing that is not refused.
        """
        devices = (self._source.removeprefix("v4l2:"),) if self._way is Way.DEVICE else ()
        lacking = keep_from_writing(devices=devices, ports=self._ports())
        return (f"{self._who} is kept from files by its filter alone: {lacking}",) if lacking else ()

    def before_opening(self) -> tuple[str, ...]:
        """Refuse what opening the camera does not need."""
        return self._filter(sockets=(), opening=True)

    def before_reading(self) -> tuple[str, ...]:
        """Refuse what reading it does not need: above all, to reach any network in any new way."""
        streams = tuple(_streams(self._writable)) if self._way is Way.STREAM else ()
        return (*self._filter(sockets=streams, opening=False), *unconfined(who=self._who))

    def _filter(self, *, sockets: Collection[int], opening: bool) -> tuple[str, ...]:
        machine = this_machine()
        if machine is None:
            kernel = os.uname().machine
            return (f"system calls of {self._who} are not filtered: nobody knows those of {kernel} here",)
        program = looking_only(
            machine,
            self._way,
            writable=self._writable,
            sockets=sockets,
            process=os.getpid(),
            opening=opening,
        )
        try:
            install(program, machine.calls["seccomp"])
        except OSError as error:
            return (f"system calls of {self._who} are not filtered: {error.strerror}",)
        return ()

    def _ports(self) -> tuple[int, ...]:
        if self._way is not Way.STREAM:
            return ()
        try:
            return (urlsplit(self._source).port or _RTSP_PORT,)
        except ValueError:
            # Opening it will tell.
            return ()


def _streams(writable: Collection[int]) -> Iterator[int]:
    """Sockets of the Internet's families that are open."""
    for number in range(_DESCRIPTORS):
        try:
            if number in writable or not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            one = socket.socket(fileno=number)
        except OSError:
            continue
        if one.family in {socket.AF_INET, socket.AF_INET6}:
            yield number
        one.detach()
