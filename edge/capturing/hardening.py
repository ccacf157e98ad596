"""Hardens the process that sees raw frames: no core dump of it, no new rights, no life after its parent."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_GET_DUMPABLE, _PR_SET_NAME = 1, 4, 3, 15
_PR_SET_NO_NEW_PRIVS = 38
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_STANDARD_STREAMS = 3

_DESCRIPTORS = Path("/proc/self/fd")
_FILTER = Path("/proc/self/coredump_filter")
_SWAPS = Path("/proc/swaps")


class Unavailable(Exception):  # noqa: N818 - no error: `harden` tells of it
    """The kernel does not do something; `str()` says why."""


def harden(parent: int, *, keep: Collection[int], who: str = "capture", lock: bool = True) -> tuple[str, ...]:
    """Harden this process; to be called before it has read any frame or picture.

    Every step is taken even where another is not to be had:

    - descriptors that were inherited are closed;
    - a core dump holds none of the process's memory (``coredump_filter`` 0, core(5)), has no room
      (``RLIMIT_CORE`` 0), and is not made at all (``PR_SET_DUMPABLE`` 0); the latter also keeps
      everybody without ``CAP_SYS_PTRACE`` from attaching and from reading ``/proc/PID/mem`` (ptrace(2));
    - no program that it starts has more rights than it (``PR_SET_NO_NEW_PRIVS``);
    - it is killed when the thread that started it ends (``PR_SET_PDEATHSIG``);
    - where the machine swaps, its memory is locked (mlockall(2)).

    Args:
        parent: process id of the parent; if that has ended already, this process ends too.
        keep: descriptors that stay open beside the standard streams.
        who: the process, for people.
        lock: whether its memory is locked where the machine swaps; if not, `lock_where_swapped` may do so.

    Returns:
        A sentence for each step that the kernel did not take, and why; none if all were.
    """
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("inherited descriptors stay open", lambda: _close_others(keep)),
        ("a core dump that is forced would hold memory", _empty_core_dumps),
        ("the limit of core dumps is not 0", _forbid_core_files),
        (f"programs that {who} starts could gain rights", _forbid_new_rights),
        (f"{who} would outlive the gateway", lambda: _die_with(parent)),
        ("what is read before the door can be swapped to disk", lock_where_swapped if lock else lambda: None),
        (f"{who}'s memory can be dumped and read by its user", _forbid_dumps),
    )
    missing: list[str] = []
    for lacking, step in steps:
        try:
            step()
        except (OSError, ValueError, Unavailable) as error:
            missing.append(f"{lacking}: {error}")
    return tuple(missing)


def name_process(name: str) -> None:
    """Give this process a name of up to 15 bytes for ps(1) and top(1); where that fails it keeps its own."""
    _LIBC.prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()[:15]), 0, 0, 0)


def dumpable() -> bool:
    """Whether the kernel would dump this process, and let others of its user read it."""
    return bool(_LIBC.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0))


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise Unavailable(os.strerror(ctypes.get_errno()))


def _close_others(keep: Collection[int]) -> None:
    for name in sorted(path.name for path in _DESCRIPTORS.iterdir()):
        descriptor = int(name)
        if descriptor >= _STANDARD_STREAMS and descriptor not in keep:
            with suppress(OSError):
                os.close(descriptor)


def _empty_core_dumps() -> None:
    # Before PR_SET_DUMPABLE, after which only root may write to it.
    _FILTER.write_text("0", encoding="ascii")


def _forbid_core_files() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _forbid_new_rights() -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _die_with(parent: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It ended before the kernel was told, and will not end again.
        sys.exit(0)


def _forbid_dumps() -> None:
    _prctl(_PR_SET_DUMPABLE, 0)
    if dumpable():
        raise Unavailable("the kernel does not say so afterwards")


def lock_where_swapped() -> None:
    """Lock this process's memory, now and later, if the machine swaps at all (mlockall(2)).

    Raises:
        Unavailable: it cannot be locked.
        OSError: the kernel does not say whether it swaps.
    """
    if len(_SWAPS.read_text(encoding="utf-8").splitlines()) <= 1:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if hard != resource.RLIM_INFINITY and os.geteuid() != 0:
        # A lock that is limited would fail later, when memory is asked for.
        raise Unavailable("RLIMIT_MEMLOCK is limited; LimitMEMLOCK=infinity in the service lifts it")
    if _LIBC.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT):
        raise Unavailable(os.strerror(ctypes.get_errno()))
