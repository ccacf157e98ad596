"""Where the control socket is, and how a fresh one is put there."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

from edge.config.policy import ControlSection
from edge.errors import ControlError

SOCKET_FILE = "control.sock"
PATH_BYTES = 107
"""What the kernel takes: 108 with the zero at the end (unix(7))."""


def socket_path(section: ControlSection, journal_folder: Path | None) -> Path | None:
    """The path that a configuration means; None where it has neither socket nor journal."""
    if section.socket is not None:
        return section.socket
    return None if journal_folder is None else journal_folder / SOCKET_FILE


def check_length(path: Path) -> None:
    """See that the kernel takes a path.

    Raises:
        ControlError: it is too long.
    """
    size = len(os.fsencode(path))
    if size > PATH_BYTES:
        raise ControlError(
            f"the path of the control socket has {size} bytes, and at most {PATH_BYTES} are possible",
            where=str(path),
            todo="Set control.socket to a shorter path, such as /run/nevgate/control.sock",
        )


def listen(path: Path, mode: int, backlog: int) -> socket.socket:
    """A listening socket at a path, with rights set before anybody can connect.

    A socket that nobody listens on is replaced; anything else at the path is left alone.

    Args:
        path: where.
        mode: its rights, as chmod takes them.
        backlog: connections that may wait.

    Raises:
        ControlError: somebody listens there, it is no socket, or it cannot be made.
    """
    check_length(path)
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(mode)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise ControlError(f"the control socket cannot be made: {error.strerror}", where=str(path)) from error
    return listener


def remove(path: Path, inode: int) -> None:
    """Delete a socket, if it is still the one with this number."""
    with contextlib.suppress(OSError):
        if path.lstat().st_ino == inode:
            path.unlink()


def _clear(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ControlError(f"cannot be looked at: {error.strerror}", where=str(path)) from error
    if not stat.S_ISSOCK(kind):
        raise ControlError(
            "there is something else where the control socket belongs", where=str(path), todo="Move it away"
        )
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            probe.connect(str(path))
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ControlError(
            f"it cannot be told whether somebody listens: {error.strerror or error}", where=str(path)
        ) from error
    else:
        raise ControlError(
            "another process listens on the control socket", where=str(path), todo="Stop the other gateway"
        )
