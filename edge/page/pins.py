"""PINs of the page's roles: kept as scrypt hashes in a file for its owner alone."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import KeyFileError

MODE = 0o600
LONGEST = 128
_LARGEST_BYTES = 16_384
_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SALT_BYTES = 16
_MEMORY_BYTES = 160 * 1024 * 1024
_KEY_BYTES = 32


class Role(StrEnum):
    """Who is at the page."""

    DRIVER = "driver"
    """Agrees, refuses, withdraws."""

    OWNER = "owner"
    """Erases, and takes data along."""

    INSPECTOR = "inspector"
    """Looks at all that the gateway says of itself."""


SHORTEST = {Role.DRIVER: 4, Role.OWNER: 6, Role.INSPECTOR: 6}
"""Characters that a PIN of a role has at least."""


@dataclass(frozen=True, slots=True)
class Cost:
    """How much a guess costs (RFC 7914).

    Attributes:
        n: a power of two; memory is 128 * n * r bytes.
        r: block size.
        p: how often.
    """

    n: int = 2**15
    r: int = 8
    p: int = 1


class _Hash(BaseModel):
    model_config = ConfigDict(extra="forbid")

    n: Annotated[int, Field(gt=1, le=2**17)]
    r: Annotated[int, Field(ge=1, le=8)]
    p: Annotated[int, Field(ge=1, le=16)]
    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    def of(self, pin: str) -> bytes:
        return hashlib.scrypt(
            pin.encode(),
            salt=bytes.fromhex(self.salt),
            n=self.n,
            r=self.r,
            p=self.p,
            maxmem=_MEMORY_BYTES,
            dklen=_KEY_BYTES,
        )


class _PinFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    roles: dict[Role, _Hash] = {}


class Pins:
    """The PINs in one file, which is read anew each time so that a new PIN counts at once.

    Args:
        path: of the file; one that is not there holds no PIN.
        draw: gives so many random bytes.
        cost: of a guess, for PINs that are set from now on.
    """

    def __init__(self, path: Path, draw: Callable[[int], bytes], cost: Cost | None = None) -> None:
        self.path = path
        self._draw = draw
        self._cost = cost or Cost()

    def roles(self) -> frozenset[Role]:
        """The roles that have a PIN.

        Raises:
            KeyFileError: the file cannot be used.
        """
        return frozenset(self._read().roles)

    def fits(self, role: Role, pin: str) -> bool:
        """Whether a PIN is that of a role; takes about as long where the role has none.

        Raises:
            KeyFileError: the file cannot be used.
        """
        held = self._read().roles.get(role)
        if held is None or len(pin) > LONGEST:
            self._hash("").of("")
            return False
        return hmac.compare_digest(held.of(pin), bytes.fromhex(held.hash))

    def set(self, role: Role, pin: str) -> None:
        """Give a role a PIN, in place of the one it has.

        Raises:
            KeyFileError: the PIN is too short or too plain, or the file cannot be used.
        """
        check(role, pin)
        held = self._read()
        held.roles[role] = self._hash(pin)
        self._write(held)

    def _hash(self, pin: str) -> _Hash:
        cost = self._cost
        blank = _Hash(
            n=cost.n, r=cost.r, p=cost.p, salt=self._draw(_SALT_BYTES).hex(), hash="0" * 2 * _KEY_BYTES
        )
        return blank.model_copy(update={"hash": blank.of(pin).hex()}) if pin else blank

    def _read(self) -> _PinFile:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return _PinFile()
        except OSError as error:
            raise KeyFileError(
                f"the file of PINs cannot be read: {error.strerror}", where=str(self.path)
            ) from error
        with os.fdopen(descriptor, "rb") as file:
            seen = os.fstat(file.fileno())
            if not stat.S_ISREG(seen.st_mode) or seen.st_mode & _OPEN_TO_OTHERS:
                raise KeyFileError(
                    f"the file of PINs is open to others (mode {stat.S_IMODE(seen.st_mode):04o})",
                    where=str(self.path),
                    todo=f"Run 'chmod 600 {self.path}', and set the PINs anew if others may have changed it",
                )
            content = file.read(_LARGEST_BYTES)
        try:
            return _PinFile.model_validate_json(content)
        except ValidationError as error:
            raise KeyFileError(
                "is no file of PINs",
                where=str(self.path),
                todo="Remove it, and set the PINs anew with 'nevgate page pin set'",
            ) from error

    def _write(self, held: _PinFile) -> None:
        write_private(self.path, held.model_dump_json(indent=2) + "\n")


def check(role: Role, pin: str) -> None:
    """See that a PIN is none that everybody tries first.

    Raises:
        KeyFileError: it is too short, too long or too plain.
    """
    least = SHORTEST[role]
    if not least <= len(pin) <= LONGEST:
        raise KeyFileError(f"a PIN of the {role} has {least} to {LONGEST} characters")
    steps = {ord(after) - ord(before) for before, after in pairwise(pin)}
    if len(steps) == 1 and steps <= {-1, 0, 1}:
        raise KeyFileError("a PIN of equal or consecutive characters is guessed at once", todo="Take another")


def write_private(path: Path, text: str) -> None:
    """Write a file for its owner alone, whole or not at all.

    Raises:
        KeyFileError: it cannot be written.
    """
    waiting = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        waiting.unlink(missing_ok=True)
        descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        waiting.replace(path)
    except OSError as error:
        waiting.unlink(missing_ok=True)
        raise KeyFileError(f"cannot be written: {error.strerror}", where=str(path)) from error


def plain_json(path: Path) -> object:
    """What a file of JSON says; None where it is not there, or says nothing that can be read."""
    try:
        with path.open("rb") as file:
            return json.loads(file.read(_LARGEST_BYTES))
    except (OSError, ValueError):
        return None
