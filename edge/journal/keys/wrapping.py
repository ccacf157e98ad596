"""Wrapping of one key by another, bound to what the wrapped key is for."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.exceptions import InvalidTag

from edge.errors import JournalError
from edge.journal.keys.sealing import KEY_BYTES, NONCE_BYTES, TAG_BYTES, Draw, cipher, drawn
from edge.wire.strict_cbor import CborValue, write_cbor

WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES


def wrap(wrapping_key: bytes, identity: Sequence[CborValue], key: bytes, draw: Draw) -> bytes:
    """Encrypt a key with ChaCha20-Poly1305 (RFC 8439) under a drawn nonce.

    Args:
        wrapping_key: 32 bytes.
        identity: what the key is for; the wrapped key opens with the same alone. Authenticated as a CBOR
            array.
        key: 32 bytes.
        draw: where the nonce comes from.

    Returns:
        Nonce (12 bytes), encrypted key (32), tag (16).

    Raises:
        JournalError: a key has another length, or the source of randomness fails.
    """
    if len(key) != KEY_BYTES:
        raise JournalError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    nonce = drawn(draw, NONCE_BYTES)
    return nonce + cipher(wrapping_key).encrypt(nonce, key, write_cbor(list(identity)))


def unwrap(wrapping_key: bytes, identity: Sequence[CborValue], wrapped: bytes) -> bytes:
    """Decrypt what `wrap` made.

    Raises:
        JournalError: wrapping key, identity and wrapped key do not belong together, or one was changed.
    """
    opening = cipher(wrapping_key)
    if len(wrapped) != WRAPPED_BYTES:
        raise JournalError(f"a wrapped key has {WRAPPED_BYTES} bytes, not {len(wrapped)}")
    try:
        return opening.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], write_cbor(list(identity)))
    except InvalidTag as error:
        raise JournalError(
            "a wrapped key does not open: it was changed, or the wrapping key is another"
        ) from error
