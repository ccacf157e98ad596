"""Confines the process of capture once all is open: it may take in, and send to nobody but the core."""

from __future__ import annotations

import ctypes
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.capturing.needs import Need, Needed, told
from edge.capturing.receive_only import receive_only
from edge.capturing.rights import CAP_NET_RAW
from edge.capturing.seccomp import Instruction, packed
from edge.capturing.system_calls import this_machine

_LIBC = ctypes.CDLL(None, use_errno=True)
_SET_MODE_FILTER = 1
_TSYNC, _SPEC_ALLOW = 1, 4
_FILTERED = "2"
_STDERR = 2
_DESCRIPTORS = 1024
_THREADS = Path("/proc/self/task")


class _Program(ctypes.Structure):
    """``struct sock_fprog`` (linux/filter.h)."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def confine(needed: Sequence[Needed], core: int) -> tuple[str, ...]:
    """Refuse this process, in all of its threads and for good, what neither it nor its devices need.

    To be called when sources and sensors are open. New privileges have to be forbidden by then
    (``PR_SET_NO_NEW_PRIVS``), and capabilities given up (`edge.capturing.rights`). What is left is said at
    `receive_only`.

    Args:
        needed: what sources and sensors need while they run.
        core: descriptor of the connection to the core.

    Returns:
        A sentence for each thing that the kernel did not refuse, and for each that is open because of a need.
    """
    needs = frozenset(one.need for one in needed)
    machine = this_machine()
    if machine is None:
        return (f"capture's system calls are not filtered: nobody knows those of {os.uname().machine} here",)
    _have_stderr()
    writable = {_STDERR, core}
    if Need.LINK_STATE in needs:
        writable |= set(_link_sockets())
    try:
        install(
            receive_only(machine, needs, writable=writable, process=os.getpid()), machine.calls["seccomp"]
        )
    except OSError as error:
        return (f"capture's system calls are not filtered: {error.strerror}",)
    return (*unconfined(Need.PACKET_SOCKETS in needs), *told(needed))


def install(program: Sequence[Instruction], seccomp: int) -> None:
    """Put all threads of this process under a filter.

    Args:
        program: of the filter.
        seccomp: number of the system call seccomp(2).

    Raises:
        OSError: the kernel does not take it.
    """
    filter_ = packed(program)
    argument = _Program(len(program), filter_)
    # Without _SPEC_ALLOW, kernels before 5.16 slow down every load of a filtered process (spectre.rst).
    for flags in (_TSYNC | _SPEC_ALLOW, _TSYNC):
        outcome = _LIBC.syscall(
            ctypes.c_long(seccomp),
            ctypes.c_ulong(_SET_MODE_FILTER),
            ctypes.c_ulong(flags),
            ctypes.byref(argument),
        )
        if outcome == 0:
            return
    error = ctypes.get_errno()
    raise OSError(error, f"thread {outcome} cannot be confined" if outcome > 0 else os.strerror(error))


def _have_stderr() -> None:
    """Have something at descriptor 2, or what is opened there later could be written to."""
    try:
        os.fstat(_STDERR)
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        if null != _STDERR:
            os.dup2(null, _STDERR)
            os.close(null)


def _link_sockets() -> Iterator[int]:
    """Open sockets on which the kernel is asked about links."""
    for number in range(_DESCRIPTORS):
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            one = socket.socket(fileno=number)
        except OSError:
            continue
        if one.family == socket.AF_NETLINK:
            yield number
        one.detach()


def unconfined(packet_sockets: bool = False, *, who: str = "capture") -> Iterator[str]:
    """What threads say of themselves that should be otherwise now.

    Args:
        packet_sockets: whether ``CAP_NET_RAW`` is theirs.
        who: the process, for people.
    """
    allowed = 1 << CAP_NET_RAW if packet_sockets else 0
    for thread in sorted(_THREADS.iterdir()):
        try:
            lines = (thread / "status").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            # It has ended.
            continue
        says = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if says["Seccomp"] != _FILTERED:
            yield f"thread {thread.name} of {who} is not filtered"
        if int(says["CapPrm"], 16) & ~allowed:
            yield f"thread {thread.name} of {who} has capabilities that it does not need"
