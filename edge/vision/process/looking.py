"""The rules of what the process of a camera may do: look, and hand to the gateway."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from errno import EACCES, EPERM

from edge.capturing.receive_only import (
    ALWAYS_FREE,
    IOCTLS,
    NEVER,
    ON_DESCRIPTORS,
    concerning_itself,
)
from edge.capturing.seccomp import Equals, Instruction, Rule, build, refuse
from edge.capturing.system_calls import Machine

_EPERM, _EACCES = refuse(EPERM), refuse(EACCES)
_NOTHING_DONE = refuse(0)
_ACCESS, _CREATE, _TRUNCATE, _TEMPORARY = 0o3, 0o100, 0o1000, 0o20000000
"""``O_ACCMODE``, ``O_CREAT``, ``O_TRUNC``, ``__O_TMPFILE``."""

_INTERNET, _STREAM, _TYPE, _TCP = (2, 10), 1, 0xF, 6
_V4L2, _KIND_OF_IOCTL = 0x5600, 0xFF00
"""All requests of V4L2 (linux/videodev2.h) have ``V`` in their second byte."""


class Way(Enum):
    """How a camera is reached."""

    DEVICE = "v4l2"
    STREAM = "rtsp"
    FILE = "file"

    @classmethod
    def of(cls, scheme: str) -> Way:
        """The way of a source's scheme; one that is not known needs nothing."""
        return {way.value: way for way in cls}.get(scheme, cls.FILE)


def looking_only(
    machine: Machine,
    way: Way,
    *,
    writable: Collection[int],
    sockets: Collection[int],
    process: int,
    opening: bool,
) -> tuple[Instruction, ...]:
    """The program of a filter; what is not named is refused.

    One is put in force before the camera is opened, and one that leaves less when it is open, before the
    first picture is read. Of both, the stricter answer counts.

    Args:
        machine: whose calls they are.
        way: how the camera is reached.
        writable: descriptors that may be written to; they cannot be closed or replaced.
        sockets: connected ones, on which a stream is asked to go on.
        process: its own id, to which alone it may send signals.
        opening: whether the camera is yet to be opened.
    """
    kept, streams = tuple(sorted(writable)), tuple(sorted(sockets))
    rules = [
        Rule(("write", "writev"), (Equals(0, kept),)),
        Rule(("close",), (Equals(0, kept),), _NOTHING_DONE),
        Rule(("close",)),
        Rule(ALWAYS_FREE),
        *_files(way, opening),
        *_network(way, streams, opening),
        Rule(("ioctl",), (Equals(1, IOCTLS),)),
        *([Rule(("ioctl",), (Equals(1, (_V4L2,), mask=_KIND_OF_IOCTL),))] if way is Way.DEVICE else []),
        Rule(("fcntl", "fcntl64"), (Equals(1, ON_DESCRIPTORS),)),
        *concerning_itself(process),
        *([Rule(("seccomp",))] if opening else []),
        Rule(NEVER, verdict=_EPERM),
    ]
    return build(machine, rules, _EPERM)


def _files(way: Way, opening: bool) -> list[Rule]:
    forbidden = _CREATE | _TRUNCATE | _TEMPORARY
    if not (opening and way is Way.DEVICE):
        forbidden |= _ACCESS
    return [
        Rule(("openat",), (Equals(2, (0,), mask=forbidden),)),
        Rule(("open",), (Equals(1, (0,), mask=forbidden),)),
        Rule(("openat", "open"), verdict=_EACCES),
    ]


def _network(way: Way, streams: tuple[int, ...], opening: bool) -> list[Rule]:
    if way is not Way.STREAM:
        return []
    if opening:
        return [
            Rule(
                ("socket",),
                (Equals(0, _INTERNET), Equals(1, (_STREAM,), mask=_TYPE), Equals(2, (0, _TCP))),
            ),
            Rule(("connect", "setsockopt")),
            Rule(("sendto",), (Equals(4, (0,), whole=True),)),
            Rule(("send",)),
        ]
    if not streams:
        return []
    return [
        Rule(("sendto",), (Equals(0, streams), Equals(4, (0,), whole=True))),
        Rule(("send", "setsockopt"), (Equals(0, streams),)),
    ]
