"""SM3 (GB/T 32905) and the key derivation of SM2 that is made of it (GB/T 32918.4, 5.4.3)."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SM3, Hash

from edge.wire.gbt.faults import GbtError

SM3_BYTES = 32


def sm3(*pieces: bytes) -> bytes:
    """The hash of the pieces, one behind the other.

    Raises:
        GbtError: the OpenSSL below the `cryptography` library was built without SM3.
    """
    hashing = _hash()
    for piece in pieces:
        hashing.update(piece)
    return hashing.finalize()


def key_stream(shared: bytes, length: int) -> bytes:
    """Derive `length` bytes from a shared secret.

    Raises:
        GbtError: as `sm3`.
    """
    begun = _hash()
    begun.update(shared)
    out = []
    for counter in range(1, -(-length // SM3_BYTES) + 1):
        hashing = begun.copy()
        hashing.update(counter.to_bytes(4))
        out.append(hashing.finalize())
    return b"".join(out)[:length]


def _hash() -> Hash:
    try:
        return Hash(SM3())
    except UnsupportedAlgorithm as error:
        raise GbtError(
            "this build of OpenSSL has no SM3", todo="Install the wheel of 'cryptography' from PyPI"
        ) from error
