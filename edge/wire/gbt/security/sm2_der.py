"""SM2 keys in PKCS #8 and SubjectPublicKeyInfo (GM/T 0010, RFC 5915), which `cryptography` does not read."""

from __future__ import annotations

from edge.wire.gbt.security import der
from edge.wire.gbt.security.curve import SCALAR_BYTES
from edge.wire.gbt.security.sm2 import Sm2PrivateKey, Sm2PublicKey

SM2_ALGORITHM = der.write(
    der.SEQUENCE,
    der.write(der.OBJECT_ID, bytes.fromhex("2a8648ce3d0201")),
    der.write(der.OBJECT_ID, bytes.fromhex("2a811ccf5501822d")),
)
"""An elliptic curve key (1.2.840.10045.2.1) on the curve sm2p256v1 (1.2.156.10197.1.301)."""
_EC_PRIVATE_VERSION = 1
_PARAMETERS_TAG = 0xA0
_PUBLIC_TAG = 0xA1


def write_public(key: Sm2PublicKey) -> bytes:
    """Write SubjectPublicKeyInfo in DER."""
    return der.write(der.SEQUENCE, SM2_ALGORITHM, der.write(der.BIT_STRING, b"\0", key.to_bytes()))


def read_public(content: bytes) -> Sm2PublicKey:
    """Read SubjectPublicKeyInfo in DER.

    Raises:
        ValueError: it is none of a key of SM2.
    """
    inner = der.read_only(content, der.SEQUENCE)
    if not inner.startswith(SM2_ALGORITHM):
        raise ValueError("its algorithm is another")
    bits = der.read_only(inner[len(SM2_ALGORITHM) :], der.BIT_STRING)
    if bits[:1] != b"\0":
        raise ValueError("its point has no whole number of bytes")
    return Sm2PublicKey.from_bytes(bits[1:])


def write_private(key: Sm2PrivateKey) -> bytes:
    """Write PKCS #8 in DER, with the public half."""
    point = der.write(der.BIT_STRING, b"\0", key.public.to_bytes())
    inner = der.write(
        der.SEQUENCE,
        der.write_integer(_EC_PRIVATE_VERSION),
        der.write(der.OCTET_STRING, key.secret.to_bytes(SCALAR_BYTES)),
        der.write(_PUBLIC_TAG, point),
    )
    return der.write(der.SEQUENCE, der.write_integer(0), SM2_ALGORITHM, der.write(der.OCTET_STRING, inner))


def read_private(content: bytes) -> Sm2PrivateKey:
    """Read PKCS #8 around ECPrivateKey, with or without its curve and its public half.

    Raises:
        ValueError: it is none of a key of SM2, or its halves do not belong together.
    """
    version, rest = der.read_integer(der.read_only(content, der.SEQUENCE))
    if version or not rest.startswith(SM2_ALGORITHM):
        raise ValueError("its algorithm is another")
    wrapped, _ = der.read(rest[len(SM2_ALGORITHM) :], der.OCTET_STRING)
    version, rest = der.read_integer(der.read_only(wrapped, der.SEQUENCE))
    secret, rest = der.read(rest, der.OCTET_STRING)
    if version != _EC_PRIVATE_VERSION or len(secret) != SCALAR_BYTES:
        raise ValueError(f"its secret has no {SCALAR_BYTES} bytes")
    key = Sm2PrivateKey.of(int.from_bytes(secret))
    if rest[:1] == bytes((_PARAMETERS_TAG,)):
        _, rest = der.read(rest, _PARAMETERS_TAG)
    if rest:
        bits = der.read_only(der.read_only(rest, _PUBLIC_TAG), der.BIT_STRING)
        if bits[1:] != key.public.to_bytes():
            raise ValueError("its public half is that of another key")
    return key
