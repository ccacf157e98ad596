"""Keeps the process of a camera from writing any file, by Landlock (landlock(7)), where the kernel has it."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls, the same on every machine."""

_ASK_VERSION = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_EXECUTE, _WRITE_FILE = 1 << 0, 1 << 1
_MAKE_AND_REMOVE = sum(1 << place for place in range(4, 13))
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_BIND_TCP, _CONNECT_TCP = 1, 2
_SCOPED = 3
"""Neither abstract sockets nor signals reach outside."""

_WITH_REFER, _WITH_TRUNCATE, _WITH_NETWORK, _WITH_SCOPES = 2, 3, 4, 6
_THREADS = Path("/proc/self/task")


def keep_from_writing(*, devices: tuple[str, ...] = (), ports: tuple[int, ...] = ()) -> str:
    """Refuse this process to write, make, remove or execute any file, and to connect to other TCP ports.

    To be called while there is one thread: others keep what they may. New privileges have to be forbidden by
    then.

    Args:
        devices: paths that may be opened for writing all the same.
        ports: TCP ports that may be connected to.

    Returns:
        Why that is not so; empty if it is.
    """
    version = _LIBC.syscall(
        ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION)
    )
    if version < 1:
        return f"the kernel has no Landlock ({os.strerror(ctypes.get_errno())})"
    if len(list(_THREADS.iterdir())) != 1:
        return "there are other threads already"
    files = _EXECUTE | _WRITE_FILE | _MAKE_AND_REMOVE
    files |= (_REFER if version >= _WITH_REFER else 0) | (_TRUNCATE if version >= _WITH_TRUNCATE else 0)
    attributes = struct.pack("=Q", files)
    if version >= _WITH_NETWORK:
        attributes += struct.pack("=Q", _BIND_TCP | _CONNECT_TCP)
    if version >= _WITH_SCOPES:
        attributes += struct.pack("=Q", _SCOPED)
    try:
        ruleset = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
        try:
            for device in devices:
                _allow_device(ruleset, device)
            if version >= _WITH_NETWORK:
                for port in ports:
                    _call(
                        *(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_NET_PORT)),
                        *(struct.pack("=QQ", _CONNECT_TCP, port), ctypes.c_uint32(0)),
                    )
            _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
        finally:
            os.close(ruleset)
    except OSError as error:
        return f"Landlock failed ({error.strerror})"
    return ""


def _allow_device(ruleset: int, device: str) -> None:
    try:
        descriptor = os.open(device, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        # Opening it will tell.
        return
    try:
        _call(
            *(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH)),
            *(struct.pack("=Qi", _WRITE_FILE, descriptor), ctypes.c_uint32(0)),
        )
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result = int(_LIBC.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
