"""Signing and verifying keys as values: made, named, turned to PEM and back; `key_files` has the files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from edge.errors import KeyFileError

KEY_ID_BYTES = 8

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Algorithm(StrEnum):
    """How a key signs."""

    ED25519 = "ed25519"
    """EdDSA over Curve25519 (RFC 8032): the default; equal bytes give equal signatures."""

    ES256 = "es256"
    """ECDSA over P-256 with SHA-256: for secure elements and platforms that ask for it."""


_PrivateKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey
_PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey


def _algorithm(key: object) -> Algorithm:
    if isinstance(key, Ed25519PrivateKey | Ed25519PublicKey):
        return Algorithm.ED25519
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) and isinstance(
        key.curve, ec.SECP256R1
    ):
        return Algorithm.ES256
    raise KeyFileError(
        "key is neither Ed25519 nor ECDSA over P-256", todo="Make one with 'nevgate keys make'"
    )


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """The public half of a key.

    Attributes:
        algorithm: how it signs.
        key_id: the ``kid`` of its signatures: first 8 bytes of the SHA-256 of its DER SubjectPublicKeyInfo.
        pem: SubjectPublicKeyInfo in PEM (RFC 7468).
    """

    algorithm: Algorithm
    key_id: bytes
    pem: bytes

    @classmethod
    def of(cls, key: _PublicKey) -> Self:
        """Name a public key of the `cryptography` library."""
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return cls(
            _algorithm(key),
            hashlib.sha256(spki).digest()[:KEY_ID_BYTES],
            key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        )

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Read a public key.

        Raises:
            KeyFileError: the bytes are no public key of either algorithm.
        """
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyFileError(
                "no public key in PEM", todo="'nevgate keys public' prints that of a private key"
            ) from error
        _algorithm(key)
        return cls.of(key)  # type: ignore[arg-type] # _algorithm refuses every other type


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key; never printed.

    Attributes:
        private: the key as the `cryptography` library holds it.
        public: its public half.
    """

    private: _PrivateKey
    public: VerifyingKey

    def __repr__(self) -> str:
        return f"SigningKey({self.public.algorithm}, {self.public.key_id.hex()})"

    @classmethod
    def _of(cls, key: _PrivateKey) -> Self:
        return cls(key, VerifyingKey.of(key.public_key()))

    @classmethod
    def generate(cls, algorithm: Algorithm = Algorithm.ED25519) -> Self:
        """Make a new key from the operating system's randomness; the libraries take no other source."""
        if algorithm is Algorithm.ED25519:
            return cls._of(Ed25519PrivateKey.generate())
        return cls._of(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def seeded(cls, seed: bytes, algorithm: Algorithm = Algorithm.ED25519) -> Self:
        """Make the one key of a seed, for tests and the demo: whoever knows the seed knows the key."""
        digest = hashlib.sha512(b"nevgate key " + algorithm.encode() + b" " + seed).digest()
        if algorithm is Algorithm.ED25519:
            return cls._of(Ed25519PrivateKey.from_private_bytes(digest[:32]))
        scalar = int.from_bytes(digest, "big") % (_P256_ORDER - 1) + 1
        return cls._of(ec.derive_private_key(scalar, ec.SECP256R1()))

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Read a private key in PKCS #8 (RFC 5958).

        Raises:
            KeyFileError: the bytes are no unencrypted private key of either algorithm.
        """
        try:
            key = load_pem_private_key(pem, password=None)
        except TypeError as error:
            raise KeyFileError(
                "private key is encrypted",
                todo="Decrypt it with 'openssl pkey -in KEY -out PLAIN'; the gateway starts without a person",
            ) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyFileError("no private key in PEM", todo="Make one with 'nevgate keys make'") from error
        _algorithm(key)
        return cls._of(key)  # type: ignore[arg-type] # _algorithm refuses every other type

    def to_pem(self) -> bytes:
        """The private key in PKCS #8, unencrypted."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
