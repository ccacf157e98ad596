"""Sealing of one block: encrypted under its data key, bound to its clear header, committed to with a salt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from edge.errors import JournalError
from edge.journal.block import commit

KEY_BYTES = 32
NONCE_BYTES = 12
SALT_BYTES = 16
TAG_BYTES = 16
OVERHEAD_BYTES = NONCE_BYTES + SALT_BYTES + TAG_BYTES
"""How much longer a ciphertext is than its plaintext."""

Draw = Callable[[int], bytes]
"""A source of randomness: so many unpredictable bytes, like `os.urandom`."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed plaintext and the public commitment to it.

    Attributes:
        ciphertext: nonce (12 bytes), then salt (16 bytes) and plaintext encrypted, then the tag (16 bytes).
        commitment: SHA-256 over salt and plaintext, 32 bytes.
    """

    ciphertext: bytes
    commitment: bytes


def drawn(draw: Draw, size: int) -> bytes:
    """Draw random bytes, and see that the source gave them all.

    Raises:
        JournalError: the source gave fewer or more.
    """
    content = draw(size)
    if len(content) != size:
        raise JournalError(f"the source of randomness gave {len(content)} bytes instead of {size}")
    return content


def cipher(key: bytes) -> ChaCha20Poly1305:
    """The authenticated cipher under a key of 32 bytes.

    Raises:
        JournalError: the key has another length.
    """
    if len(key) != KEY_BYTES:
        raise JournalError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    return ChaCha20Poly1305(key)


def seal(key: bytes, header: bytes, plaintext: bytes, draw: Draw) -> Sealed:
    """Encrypt with ChaCha20-Poly1305 (RFC 8439), the header authenticated beside.

    The nonce is drawn, never counted: a number could come back after a power cut, and a nonce used twice
    under one key gives both plaintexts away. At a block a second, a day's key draws the same nonce twice
    with a probability under 2**-60.

    Args:
        key: the data key, 32 bytes.
        header: the clear header's bytes, authenticated but not encrypted.
        plaintext: the block's content.
        draw: where nonce (first, 12 bytes) and salt (then, 16 bytes) come from.

    Raises:
        JournalError: the key has not 32 bytes, the source of randomness fails its promise, or a part is too
            large for the cipher.
    """
    sealing = cipher(key)
    nonce = drawn(draw, NONCE_BYTES)
    salt = drawn(draw, SALT_BYTES)
    try:
        encrypted = sealing.encrypt(nonce, salt + plaintext, header)
    except OverflowError as error:
        raise JournalError("a block is too large to be sealed", todo="Shorten the block period") from error
    return Sealed(nonce + encrypted, commit(salt, plaintext))


def open_sealed(key: bytes, header: bytes, ciphertext: bytes) -> tuple[bytes, bytes]:
    """Decrypt what `seal` made, and see that neither it nor its header was changed.

    Args:
        key: the data key, 32 bytes.
        header: the clear header's bytes, as they were when it was sealed.
        ciphertext: nonce, encrypted salt and plaintext, tag.

    Returns:
        The salt (16 bytes) and the plaintext. Compare `commitment` of both with the block's: the cipher alone
        does not keep who has the key from making one ciphertext that opens under two.

    Raises:
        JournalError: the key has not 32 bytes, the ciphertext is too short, or key, header and ciphertext do
            not belong together.
    """
    opening = cipher(key)
    if len(ciphertext) < OVERHEAD_BYTES:
        raise JournalError(f"a sealed block has at least {OVERHEAD_BYTES} bytes, not {len(ciphertext)}")
    try:
        content = opening.decrypt(ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], header)
    except InvalidTag as error:
        raise JournalError("a sealed block was changed, or header or key are another's") from error
    except OverflowError as error:
        raise JournalError("a sealed block is larger than its cipher allows") from error
    return content[:SALT_BYTES], content[SALT_BYTES:]
