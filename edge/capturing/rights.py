"""Gives up the rights that capture does not need, before it has a thread or has read anything.

Imports the standard library only: a thread of another library that was there before would keep what is given
up here, for capabilities belong to threads (capabilities(7)).
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_CAPBSET_DROP = 4, 8, 24
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_VERSION_3 = 0x2008_0522
CAP_SETPCAP, CAP_NET_RAW = 8, 13
_LAST = Path("/proc/sys/kernel/cap_last_cap")
_HEADER, _SETS = struct.Struct("=Ii"), struct.Struct("=6I")
"""``cap_user_header_t``, and two ``cap_user_data_t``: effective, permitted, inheritable, of 32 bits each."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody whom root can become.

    Attributes:
        uid: user.
        gid: group.
        groups: further groups.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rights:
    """What capture may do that not everybody may.

    Attributes:
        packet_sockets: whether it keeps ``CAP_NET_RAW``, if it has it.
        user: whom it becomes; None: it stays who it is.
    """

    packet_sockets: bool = False
    user: User | None = None

    def text(self) -> str:
        """As one argument of a command."""
        return json.dumps(asdict(self))


def of_text(text: str) -> Rights:
    """What `Rights.text` wrote."""
    plain = json.loads(text)
    user = plain["user"]
    return Rights(
        plain["packet_sockets"],
        None if user is None else User(user["uid"], user["gid"], tuple(user["groups"])),
    )


def give_up(rights: Rights) -> tuple[str, ...]:
    """Keep these rights and no others; to be called by a process's only thread.

    All capabilities but ``CAP_NET_RAW`` go from the effective and the permitted set, and from the bounding
    set where that may be changed; from the inheritable and the ambient set that one goes too.

    Returns:
        A sentence for each step that the kernel did not take, and why; none if all were.
    """
    kept = 1 << CAP_NET_RAW if rights.packet_sockets else 0
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("programs could gain capabilities that capture has not", lambda: _bound(kept)),
        ("capture runs as the gateway's user", lambda: _become(rights.user)),
        ("capture has capabilities that it does not need", lambda: _keep(kept)),
    )
    missing: list[str] = []
    for lacking, step in steps:
        try:
            step()
        except OSError as error:
            missing.append(f"{lacking}: {error.strerror}")
    return tuple(missing)


def _capabilities() -> tuple[int, int, int]:
    """The effective, permitted and inheritable sets of this thread."""
    header = ctypes.create_string_buffer(_HEADER.pack(_VERSION_3, 0))
    data = ctypes.create_string_buffer(_SETS.size)
    _check(_LIBC.capget(header, data))
    low = _SETS.unpack(data.raw[: _SETS.size])
    return low[0] | low[3] << 32, low[1] | low[4] << 32, low[2] | low[5] << 32


def _keep(kept: int) -> None:
    effective, permitted, inheritable = _capabilities()
    kept &= permitted
    if (effective, permitted, inheritable) == (kept, kept, 0):
        # So it is with most users, some of whom a filter of the service's keeps from saying so again.
        return
    halves = (kept & 0xFFFF_FFFF, kept >> 32)
    data = _SETS.pack(halves[0], halves[0], 0, halves[1], halves[1], 0)
    _check(
        _LIBC.capset(
            ctypes.create_string_buffer(_HEADER.pack(_VERSION_3, 0)), ctypes.create_string_buffer(data)
        )
    )
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)


def _bound(kept: int) -> None:
    effective, _, _ = _capabilities()
    if not effective >> CAP_SETPCAP & 1:
        # Without it a process may not lower the bound; kept from new rights, it is of no use to it either.
        return
    for number in range(int(_LAST.read_text(encoding="ascii")) + 1):
        if not kept >> number & 1:
            _prctl(_PR_CAPBSET_DROP, number)


def _become(user: User | None) -> None:
    if user is None:
        return
    _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups(user.groups)
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    _prctl(_PR_SET_KEEPCAPS, 0)
    # Becoming somebody took that, and with it what hardening writes to in /proc.
    _prctl(_PR_SET_DUMPABLE, 1)


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _check(_LIBC.prctl(option, ctypes.c_ulong(value), zero, zero, zero))


def _check(status: int) -> None:
    if status:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
