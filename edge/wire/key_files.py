"""Key files: written for their owner alone, and refused where others could have read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from edge.errors import KeyFileError
from edge.wire.device_keys import DeviceKey
from edge.wire.keys import SigningKey, VerifyingKey

PRIVATE_MODE = 0o600
PUBLIC_MODE = 0o644
_LARGEST_BYTES = 16_384
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def public_path(path: Path) -> Path:
    """Where the public half of a private key file lies: ``vehicle.pem`` has ``vehicle.pub.pem``."""
    return path.with_name(f"{path.stem}.pub{path.suffix or '.pem'}")


def write_signing_key(path: Path, key: SigningKey, *, force: bool = False) -> Path:
    """Write a private key for its owner alone, and its public half beside it.

    Args:
        path: the private key's file.
        key: the key.
        force: whether files that exist may be replaced.

    Returns:
        The public key's file.

    Raises:
        KeyFileError: a file exists and `force` is not given, or cannot be written.
    """
    beside = public_path(path)
    refuse_existing(path, beside, force=force)
    write_key_bytes(path, key.to_pem(), PRIVATE_MODE)
    write_key_bytes(beside, key.public.pem, PUBLIC_MODE)
    return beside


def refuse_existing(*paths: Path, force: bool) -> None:
    """Keep key files that exist.

    Raises:
        KeyFileError: one exists, and `force` is not given.
    """
    for path in paths:
        if not force and os.path.lexists(path):
            raise KeyFileError(
                "file exists already", where=str(path), todo="Name another, or replace it with --force"
            )


def write_key_bytes(path: Path, content: bytes, mode: int) -> None:
    """Write beside the place and move it there, so that no reader ever sees a part of it.

    Raises:
        KeyFileError: it cannot be written.
    """
    waiting = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            waiting.replace(path)
        except OSError:
            waiting.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise KeyFileError(f"cannot be written: {error.strerror}", where=str(path)) from error


def read_key_bytes(path: Path, *, private: bool) -> bytes:
    """Read what a key file holds.

    Args:
        path: the file.
        private: whether to refuse one that others could have read.

    Raises:
        KeyFileError: the file is not there, others can read it, or it is too large for a key.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if private and mode & _OPEN_TO_OTHERS:
                raise KeyFileError(
                    f"private key can be read or written by others (mode {stat.S_IMODE(mode):04o})",
                    where=str(path),
                    todo=f"Run 'chmod 600 {path}', and make a new key if others may have read it",
                )
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        todo = ""
        if isinstance(error, FileNotFoundError):
            todo = "'nevgate keys make' makes one" if private else "Copy it from where it was made"
        raise KeyFileError(f"cannot be read: {error.strerror}", where=str(path), todo=todo) from error
    if len(content) > _LARGEST_BYTES:
        raise KeyFileError("too large for a key file", where=str(path))
    return content


def read_signing_key(path: Path) -> SigningKey:
    """Read a private key.

    Raises:
        KeyFileError: the file is not there, others can read it, or it holds no usable private key.
    """
    content = read_key_bytes(path, private=True)
    try:
        return SigningKey.from_pem(content)
    except KeyFileError as error:
        raise KeyFileError(error.what, where=str(path), todo=error.todo) from error


def read_verifying_key(path: Path) -> VerifyingKey:
    """Read a public key.

    Raises:
        KeyFileError: the file is not there, or holds no usable public key.
    """
    content = read_key_bytes(path, private=False)
    try:
        return VerifyingKey.from_pem(content)
    except KeyFileError as error:
        raise KeyFileError(error.what, where=str(path), todo=error.todo) from error


def holds_private_key(path: Path) -> bool:
    """Whether a key file says that it holds a private key.

    Raises:
        KeyFileError: the file cannot be read.
    """
    return b"PRIVATE KEY" in read_key_bytes(path, private=False)


def read_public_half(path: Path) -> VerifyingKey:
    """Read the public key of a file that holds either half.

    Raises:
        KeyFileError: as `read_signing_key` and `read_verifying_key` say.
    """
    return read_signing_key(path).public if holds_private_key(path) else read_verifying_key(path)


def write_device_key(path: Path, key: DeviceKey, *, force: bool = False) -> None:
    """Write a device key for its owner alone.

    Args:
        path: the file.
        key: the key.
        force: whether a file that exists may be replaced.

    Raises:
        KeyFileError: the file exists and `force` is not given, or cannot be written.
    """
    refuse_existing(path, force=force)
    write_key_bytes(path, key.to_text(), PRIVATE_MODE)


def read_device_key(path: Path) -> DeviceKey:
    """Read a device key.

    Raises:
        KeyFileError: the file is not there, others can read it, or it holds no device key.
    """
    content = read_key_bytes(path, private=True)
    try:
        return DeviceKey.from_text(content)
    except KeyFileError as error:
        raise KeyFileError(error.what, where=str(path), todo=error.todo) from error


def holds_device_key(path: Path) -> bool:
    """Whether a key file says that it holds a device key.

    Raises:
        KeyFileError: the file cannot be read.
    """
    return b"NEVGATE DEVICE KEY" in read_key_bytes(path, private=False)
