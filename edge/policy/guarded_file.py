"""Files that decide over privacy: read once, and only if nobody else could have put them there."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

from edge.errors import PolicyError

_READABLE = 0o644
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_guarded(path: Path, most_bytes: int, *, owners: Collection[int] | None = None) -> bytes:
    """Read a file whole.

    Args:
        path: of the file itself; folders on the way there may be links.
        most_bytes: a larger file is refused.
        owners: user ids to whom it may belong; None for root and whoever runs this.

    Raises:
        PolicyError: it is not there, cannot be read, is no plain file, is too large, may be written by
            everybody, or belongs to somebody else.
    """
    trusted = {0, os.geteuid()} if owners is None else owners
    try:
        # Looked at before it is opened: opening a device may already do something.
        _judge(path, path.lstat(), trusted)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            _judge(path, os.fstat(descriptor), trusted)
            content = file.read(most_bytes + 1)
    except FileNotFoundError:
        raise PolicyError("there is no such file", where=str(path), todo="Check the path") from None
    except OSError as fault:
        raise PolicyError(f"cannot be read: {fault.strerror}", where=str(path)) from fault
    except ValueError as fault:
        raise PolicyError(f"is no path: {fault}", where=repr(str(path))) from fault
    if len(content) > most_bytes:
        raise PolicyError(f"has more than {most_bytes} bytes", where=str(path), todo="Is it the right file?")
    return content


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that everybody may read, beside its place first, so that no reader sees a part of it.

    Raises:
        PolicyError: it cannot be written.
    """
    waiting = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _READABLE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            waiting.replace(path)
        except OSError:
            waiting.unlink()
            raise
    except OSError as fault:
        raise PolicyError(f"cannot be written: {fault.strerror}", where=str(path)) from fault


def _judge(path: Path, state: os.stat_result, owners: Collection[int]) -> None:
    if not stat.S_ISREG(state.st_mode):
        kind = _KINDS.get(stat.S_IFMT(state.st_mode), "something else")
        raise PolicyError(f"is {kind}, not a file", where=str(path), todo="Name the file itself")
    if state.st_mode & stat.S_IWOTH:
        raise PolicyError(
            f"may be written by everybody (mode {stat.S_IMODE(state.st_mode):04o})",
            where=str(path),
            todo=f"Look through it, then run 'chmod o-w {path}'",
        )
    if state.st_uid not in owners:
        raise PolicyError(
            f"belongs to user {state.st_uid}, neither to root nor to whom the gateway runs as",
            where=str(path),
            todo=f"Look through it, then run 'chown root {path}'",
        )
