"""Where wrapping keys come from: in generations, so that with an old one goes all that it alone opens."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edge.errors import JournalError
from edge.journal.keys.generation_files import GenerationFiles
from edge.journal.keys.sealing import KEY_BYTES, Draw, drawn
from edge.journal.keys.wrapping import unwrap, wrap

_CREDENTIAL_LARGEST_BYTES = 16_384


class KeyProvider(ABC):
    """Keeps the wrapping keys of a key store, numbered by generation.

    A key is durable when `make` returns, and gone, as far as the provider can make it so, when `destroy`
    does. A number is never given to two keys. All raise `JournalError` alone.
    """

    @abstractmethod
    def generations(self) -> tuple[int, ...]:
        """Numbers of the generations that exist, rising.

        Raises:
            JournalError: they cannot be listed.
        """

    @abstractmethod
    def wrapping_key(self, generation: int) -> bytes:
        """The key of a generation, 32 bytes.

        Raises:
            JournalError: there is none, or it cannot or must not be used.
        """

    @abstractmethod
    def make(self, generation: int) -> bytes:
        """Make the key of a new generation and put it on the disk.

        Args:
            generation: as `next_generation` names it.

        Returns:
            The key, 32 bytes.

        Raises:
            JournalError: the generation exists, or the key cannot be kept.
        """

    @abstractmethod
    def destroy(self, generation: int) -> None:
        """Destroy the key of a generation; no complaint where there is none.

        Raises:
            JournalError: it could not be destroyed.
        """

    def next_generation(self, above: int) -> int:
        """The number for a new generation.

        Args:
            above: the highest number that the key store ever used; 0 for none.

        Raises:
            JournalError: the generations cannot be listed.
        """
        return max(above, 0, *self.generations()) + 1


class MemoryKeyProvider(KeyProvider):
    """Wrapping keys in memory alone: for replay, simulation and tests.

    Erasure is worth what the process's memory is: with its end everything is gone.
    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._keys: dict[int, bytes] = {}

    def generations(self) -> tuple[int, ...]:
        """See `KeyProvider.generations`."""
        return tuple(sorted(self._keys))

    def wrapping_key(self, generation: int) -> bytes:
        """See `KeyProvider.wrapping_key`."""
        try:
            return self._keys[generation]
        except KeyError:
            raise JournalError(f"there is no wrapping key of generation {generation}") from None

    def make(self, generation: int) -> bytes:
        """See `KeyProvider.make`."""
        if generation in self._keys:
            raise JournalError(f"the wrapping key of generation {generation} exists already")
        self._keys[generation] = drawn(self._draw, KEY_BYTES)
        return self._keys[generation]

    def destroy(self, generation: int) -> None:
        """See `KeyProvider.destroy`."""
        self._keys.pop(generation, None)


class FileKeyProvider(KeyProvider):
    """Wrapping keys in plain files of one folder, mode 0600, checked at every reading.

    What it protects: nothing against who has the medium, since the keys lie on it. Put the folder on another
    medium than the journal where there is one.

    What erasure is worth: the file is overwritten, synced and removed, so through the file system nobody
    reads it again. On flash (SD card, eMMC, SSD) the controller keeps the old page until it reuses it: who
    reads the chips in a laboratory before that, or copied the medium before the erasure, can still open what
    was erased.
    """

    def __init__(self, folder: Path, draw: Draw) -> None:
        self._files = GenerationFiles(folder)
        self._draw = draw

    def generations(self) -> tuple[int, ...]:
        """See `KeyProvider.generations`."""
        return self._files.generations()

    def wrapping_key(self, generation: int) -> bytes:
        """See `KeyProvider.wrapping_key`."""
        key = self._files.read(generation)
        if len(key) != KEY_BYTES:
            raise JournalError(
                f"a wrapping key has {KEY_BYTES} bytes, not {len(key)}",
                where=str(self._files.path(generation)),
            )
        return key

    def make(self, generation: int) -> bytes:
        """See `KeyProvider.make`."""
        key = drawn(self._draw, KEY_BYTES)
        self._files.write(generation, key)
        return key

    def destroy(self, generation: int) -> None:
        """See `KeyProvider.destroy`."""
        self._files.destroy(generation)


class CredentialKeyProvider(KeyProvider):
    """Wrapping keys in files, each encrypted under a secret that systemd hands over as a credential.

    A credential is read-only and stays the same, so it cannot be rotated: the generations are second-level
    keys in files like `FileKeyProvider`'s, wrapped under a key derived from the credential (HKDF-SHA256, RFC
    5869).

    What it protects: a copy of the medium opens nothing without the credential's secret. That holds where the
    credential is encrypted to the TPM (``systemd-creds encrypt --with-key=tpm2``), or comes from elsewhere
    than the medium; with ``--with-key=host`` the host's key lies on the same medium, and it is no better
    than a file.

    What erasure is worth: the same as with `FileKeyProvider`, against fewer people. Who finds the removed
    file's old pages, or a copy from before, needs the credential as well; who has the running machine or its
    TPM has it.
    """

    def __init__(self, credential: Path, folder: Path, draw: Draw) -> None:
        self._credential = credential
        self._files = GenerationFiles(folder)
        self._draw = draw

    def generations(self) -> tuple[int, ...]:
        """See `KeyProvider.generations`."""
        return self._files.generations()

    def wrapping_key(self, generation: int) -> bytes:
        """See `KeyProvider.wrapping_key`."""
        content = self._files.read(generation)
        try:
            return unwrap(self._secret(), _second_level(generation), content)
        except JournalError as error:
            if error.where:
                raise
            raise JournalError(
                "the wrapping key does not open under this credential",
                where=str(self._files.path(generation)),
                todo=f"Give the credential '{self._credential.name}' the secret that it had",
            ) from error

    def make(self, generation: int) -> bytes:
        """See `KeyProvider.make`."""
        key = drawn(self._draw, KEY_BYTES)
        self._files.write(generation, wrap(self._secret(), _second_level(generation), key, self._draw))
        return key

    def destroy(self, generation: int) -> None:
        """See `KeyProvider.destroy`."""
        self._files.destroy(generation)

    def _secret(self) -> bytes:
        try:
            with self._credential.open("rb") as file:
                content = file.read(_CREDENTIAL_LARGEST_BYTES + 1)
        except OSError as error:
            raise JournalError(
                f"the credential cannot be read: {error.strerror}",
                where=str(self._credential),
                todo="Name it in the unit with LoadCredentialEncrypted= or LoadCredential=",
            ) from error
        if not KEY_BYTES <= len(content) <= _CREDENTIAL_LARGEST_BYTES:
            raise JournalError(
                f"a credential for wrapping keys has {KEY_BYTES} bytes or more",
                where=str(self._credential),
                todo="Make it with 'head -c 32 /dev/urandom | systemd-creds encrypt - FILE'",
            )
        return HKDF(SHA256(), KEY_BYTES, None, b"nevgate wrapping keys 1").derive(content)


def credential_path(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where systemd put a credential for this service.

    Args:
        name: as the unit names it.
        environ: the process's environment.

    Raises:
        JournalError: the process was started without credentials, or the name is none.
    """
    folder = environ.get("CREDENTIALS_DIRECTORY", "")
    if not name or "/" in name or name in {".", ".."}:
        raise JournalError(f"'{name}' cannot be the name of a credential")
    if not folder:
        raise JournalError(
            "systemd handed over no credentials",
            where=name,
            todo=f"Put LoadCredentialEncrypted={name}:FILE into the unit, or use wrapping keys in files",
        )
    return Path(folder) / name


def _second_level(generation: int) -> tuple[str, int]:
    return ("second-level", generation)
