"""An ext4 file system in a file, and what is found by who has every byte of it and knows what to look for."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from edge.errors import JournalError
from edge.journal.keys.sealing import KEY_BYTES, NONCE_BYTES, SALT_BYTES
from edge.journal.keys.wrapping import WRAPPED_BYTES, unwrap

IMAGE_BYTES = 16 << 20
_PAGE = 4_096
_SECTOR = 512
_COMPARED = 48
_PIECE = 16
_GENERATIONS = 12


@contextmanager
def mounted(image: Path, where: Path, *, options: str = "") -> Iterator[Path]:
    """Make an ext4 file system in a new file and mount it.

    Args:
        image: the file.
        where: a folder that is made.
        options: of the mount.

    Raises:
        PermissionError: this process may not mount.
    """
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    where.mkdir()
    _run("mkfs.ext4", "-q", "-F", "-m", "0", "-b", str(_PAGE), "-J", "size=4", str(image))
    try:
        _run("mount", "-o", ",".join(filter(None, ["loop", options])), str(image), str(where))
    except subprocess.CalledProcessError as error:
        raise PermissionError(error.stderr) from error
    try:
        yield where
    finally:
        _run("umount", str(where))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)


@dataclass(frozen=True, slots=True)
class SealedThing:
    """Something sealed whose content the test knows.

    Attributes:
        name: for the report.
        nonce: with which it was sealed; the ciphertext follows it.
        plaintext: what is in it, without the salt.
    """

    name: str
    nonce: bytes
    plaintext: bytes


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What names a row of the key store; the wrapped key behind it differs from generation to generation."""

    key_id: bytes
    data_class: str
    period: str
    purpose: str

    @property
    def content(self) -> bytes:
        """The row's first columns as SQLite writes them into a page."""
        return self.key_id + (self.data_class + self.period + self.purpose).encode()


@dataclass(slots=True)
class Found:
    """What an image gives away.

    Attributes:
        wrapping: wrapping keys, by what they were found as.
        blobs: how many places look like a wrapped key.
        keys: data keys that opened, by key id.
        opened: names of sealed things that opened under one of them, wherever they lay.
        ciphertexts: names of sealed things whose ciphertext is there, readable or not.
    """

    wrapping: set[bytes] = field(default_factory=set)
    blobs: int = 0
    keys: dict[bytes, bytes] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    ciphertexts: set[str] = field(default_factory=set)


class RawImage:
    """Every byte of an image, free space included; pages of zeros are left out.

    Args:
        content: the image.
    """

    def __init__(self, content: bytes) -> None:
        zeros = bytes(_PAGE)
        pages = (content[at : at + _PAGE] for at in range(0, len(content), _PAGE))
        kept: list[bytes] = []
        gap = False
        for page in pages:
            if page == zeros:
                gap = True
                continue
            if gap:
                kept.append(zeros)
            gap = False
            kept.append(page)
        self.content = b"".join(kept)

    def places(self, what: bytes) -> Iterator[int]:
        """Where some bytes are."""
        at = self.content.find(what)
        while at >= 0:
            yield at
            at = self.content.find(what, at + 1)

    def holds(self, secret: bytes) -> bool:
        """Whether a secret is there, as it is or in hexadecimal digits."""
        return any(one in self.content for one in (secret, secret.hex().encode()))

    def pieces(self, plaintexts: Iterable[bytes]) -> set[bytes]:
        """Pieces of 16 bytes of some plaintexts that are there in clear."""
        wanted = {
            text[at : at + _PIECE]
            for text in plaintexts
            for at in range(0, len(text) - _PIECE + 1, _PIECE // 2)
            if len(set(text[at : at + _PIECE])) > _PIECE // 2
        }
        return {piece for piece in wanted if piece in self.content}

    def search(self, things: Iterable[SealedThing], rows: Iterable[KeyRow], known: Iterable[bytes]) -> Found:
        """Look for wrapping keys, open what they wrapped, and with that whatever was sealed.

        A wrapping key is looked for where a sector begins that holds nothing else, and, since the test knows
        those that were ever used, anywhere. Rows are found in pages that were given up too.

        Args:
            things: what was ever sealed.
            rows: all that were ever in the key store.
            known: wrapping keys that were ever used.
        """
        found = Found(wrapping={key for key in known if key in self.content})
        found.wrapping |= set(self._lone_keys())
        for row in rows:
            for at in self.places(row.content):
                found.blobs += 1
                for wrapping_key in found.wrapping:
                    key = self._unwrapped(wrapping_key, row, at + len(row.content))
                    if key is not None:
                        found.keys[row.key_id] = key
        for thing in things:
            for at in self.places(thing.nonce):
                found.ciphertexts.add(thing.name)
                begin = at + NONCE_BYTES
                sealed = self.content[begin : begin + SALT_BYTES + _COMPARED]
                for key in found.keys.values():
                    # The key stream of ChaCha20-Poly1305 begins with block 1 (RFC 8439, section 2.8).
                    stream = ChaCha20(key, (1).to_bytes(4, "little") + thing.nonce)
                    text = Cipher(stream, mode=None).decryptor().update(sealed)[SALT_BYTES:]
                    if text[: len(thing.plaintext)] == thing.plaintext[:_COMPARED]:
                        found.opened.add(thing.name)
        return found

    def _lone_keys(self) -> Iterator[bytes]:
        for at in range(0, len(self.content), _SECTOR):
            key, behind = self.content[at : at + KEY_BYTES], self.content[at + KEY_BYTES : at + _SECTOR]
            if len(set(key)) > KEY_BYTES // 2 and not any(behind):
                yield key

    def _unwrapped(self, wrapping_key: bytes, row: KeyRow, begin: int) -> bytes | None:
        """The data key of a row; a generation of 1 takes no byte in it, a greater one takes one."""
        for generation in range(1, _GENERATIONS):
            identity = ("data key", row.key_id, row.data_class, row.period, row.purpose, generation)
            at = begin if generation == 1 else begin + 1
            try:
                return unwrap(wrapping_key, identity, self.content[at : at + WRAPPED_BYTES])
            except JournalError:
                continue
        return None
