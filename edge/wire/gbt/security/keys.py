"""Keys of GB/T 32960.3 as values and files, and the cipher, signer and verifier that each makes."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from edge.errors import KeyFileError
from edge.wire.gbt.frame import Encryption
from edge.wire.gbt.security import der, sm2_der
from edge.wire.gbt.security.choices import BLOCK_BYTES, DEFAULT_SECURITY, SecurityOptions
from edge.wire.gbt.security.ciphers import (
    NAMES,
    BlockUnitCipher,
    RsaUnitCipher,
    Sm2UnitCipher,
    UnitCipher,
)
from edge.wire.gbt.security.curve import RandomBytes
from edge.wire.gbt.security.signatures import (
    EcdsaSigner,
    EcdsaVerifier,
    ReportSigner,
    ReportVerifier,
    RsaSigner,
    RsaVerifier,
    Sm2Signer,
    Sm2Verifier,
)
from edge.wire.gbt.security.sm2 import Sm2PrivateKey, Sm2PublicKey
from edge.wire.key_files import (
    PRIVATE_MODE,
    PUBLIC_MODE,
    public_path,
    read_key_bytes,
    refuse_existing,
    write_key_bytes,
)

RSA_BITS = 2_048

_MARKS = {"aes-128": Encryption.AES, "sm4": Encryption.SM4}
_SYMMETRIC = re.compile(rb"\s*(aes-128|sm4)\s+([0-9a-fA-F]+)\s*", re.IGNORECASE)
_PEM = re.compile(rb"-----BEGIN ((?:PRIVATE|PUBLIC) KEY)-----([A-Za-z0-9+/=\s]*)-----END \1-----")


@dataclass(frozen=True, slots=True)
class SymmetricKey:
    """A key of AES-128 or SM4; never printed.

    Attributes:
        code: which of both.
        secret: 16 bytes.
    """

    code: Encryption
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if self.code not in _MARKS.values():
            raise KeyFileError(f"{NAMES.get(self.code, self.code)} has no key of 16 bytes")
        if len(self.secret) != BLOCK_BYTES:
            raise KeyFileError(f"a key of {NAMES[self.code]} has {BLOCK_BYTES} bytes, not {len(self.secret)}")


PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Sm2PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Sm2PublicKey
GbtKey = SymmetricKey | PrivateKey | PublicKey


class KeyKind(StrEnum):
    """The keys that `make_key` makes."""

    AES = "aes"
    SM4 = "sm4"
    SM2 = "sm2"
    RSA = "rsa"
    ECC = "ecc"


def make_key(kind: KeyKind, random_bytes: RandomBytes = secrets.token_bytes) -> SymmetricKey | PrivateKey:
    """Make a new key: 16 bytes, SM2, RSA of 2,048 bits, or P-256.

    Args:
        kind: which.
        random_bytes: where it is drawn from; RSA and ECC take the operating system's, whatever is given.
    """
    if kind is KeyKind.RSA:
        return rsa.generate_private_key(65_537, RSA_BITS)
    if kind is KeyKind.ECC:
        return ec.generate_private_key(ec.SECP256R1())
    if kind is KeyKind.SM2:
        return Sm2PrivateKey.generate(random_bytes)
    code = Encryption.AES if kind is KeyKind.AES else Encryption.SM4
    return SymmetricKey(code, random_bytes(BLOCK_BYTES))


def cipher_of(
    key: GbtKey,
    options: SecurityOptions = DEFAULT_SECURITY,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> UnitCipher:
    """The cipher of a key; that of a public one only encrypts.

    Raises:
        KeyFileError: it is one of ECC, which encrypts nothing here.
        GbtError: the OpenSSL below was built without the algorithm, or the key is too short for the padding.
    """
    if isinstance(key, SymmetricKey):
        return BlockUnitCipher(key.code, key.secret, options, random_bytes)
    if isinstance(key, Sm2PrivateKey | Sm2PublicKey):
        return Sm2UnitCipher(key, options, random_bytes)
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return RsaUnitCipher(key, options)
    raise KeyFileError("a key of ECC signs, but encrypts no data unit", todo="Use AES-128, SM4, RSA or SM2")


def signer_of(
    key: GbtKey,
    options: SecurityOptions = DEFAULT_SECURITY,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> ReportSigner:
    """The signer of a private key.

    Raises:
        KeyFileError: it is no private key.
    """
    if isinstance(key, Sm2PrivateKey):
        return Sm2Signer(key, options, random_bytes)
    if isinstance(key, rsa.RSAPrivateKey):
        return RsaSigner(key)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return EcdsaSigner(key)
    raise KeyFileError("signing takes a private key", todo="Make one with 'nevgate gbt make-key'")


def verifier_of(key: GbtKey, options: SecurityOptions = DEFAULT_SECURITY) -> ReportVerifier:
    """The verifier of a public key, or of a private one's public half.

    Raises:
        KeyFileError: it is a key of AES-128 or SM4.
    """
    public = public_half(key)
    if isinstance(public, Sm2PublicKey):
        return Sm2Verifier(public, options)
    if isinstance(public, rsa.RSAPublicKey):
        return RsaVerifier(public)
    return EcdsaVerifier(public)


def public_half(key: GbtKey) -> PublicKey:
    """The public half of a key, or itself if it is one.

    Raises:
        KeyFileError: it is a key of AES-128 or SM4.
    """
    if isinstance(key, SymmetricKey):
        raise KeyFileError(f"a key of {NAMES[key.code]} has no public half")
    if isinstance(key, Sm2PrivateKey):
        return key.public
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return key.public_key()
    return key


def key_from_text(text: bytes) -> GbtKey:
    """Read a key: ``aes-128`` or ``sm4`` and 32 hex digits, PKCS #8 in PEM, or SubjectPublicKeyInfo in PEM.

    Raises:
        KeyFileError: it is none, is encrypted, or is one of another algorithm, curve or length.
    """
    plain = _SYMMETRIC.fullmatch(text)
    if plain is not None:
        try:
            return SymmetricKey(_MARKS[plain[1].decode().lower()], bytes.fromhex(plain[2].decode()))
        except ValueError as error:
            raise KeyFileError("no key: its hex digits are not even in number") from error
    found = _PEM.search(text)
    if found is not None:
        try:
            content = base64.b64decode(b"".join(found[2].split()), validate=True)
        except binascii.Error as error:
            raise KeyFileError("no key in PEM: its text is damaged") from error
        if sm2_der.SM2_ALGORITHM in content:
            try:
                return (
                    sm2_der.read_private(content)
                    if found[1] == b"PRIVATE KEY"
                    else sm2_der.read_public(content)
                )
            except ValueError as error:
                raise KeyFileError(f"no key of SM2: {error}") from error
    return _accepted(_load(text))


def _load(text: bytes) -> object:
    try:
        if b"PUBLIC KEY-----" in text:
            return load_pem_public_key(text)
        return load_pem_private_key(text, password=None)
    except TypeError as error:
        raise KeyFileError(
            "private key is encrypted", todo="Decrypt it with 'openssl pkey -in KEY -out PLAIN'"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(
            "no key: neither 'aes-128' or 'sm4' and 32 hex digits, nor a key of SM2, RSA or ECC in PEM",
            todo="Make one with 'nevgate gbt make-key'",
        ) from error


def _accepted(key: object) -> GbtKey:
    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) and isinstance(
        key.curve, ec.SECP256R1
    ):
        return key
    raise KeyFileError("key is none of SM2, RSA or ECC over P-256")


def key_to_text(key: GbtKey) -> bytes:
    """Write a key as `key_from_text` reads it; a private one unencrypted."""
    if isinstance(key, SymmetricKey):
        mark = next(mark for mark, code in _MARKS.items() if code == key.code)
        return f"{mark} {key.secret.hex()}\n".encode()
    if isinstance(key, Sm2PrivateKey):
        return _pem("PRIVATE KEY", sm2_der.write_private(key))
    if isinstance(key, Sm2PublicKey):
        return _pem("PUBLIC KEY", sm2_der.write_public(key))
    if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_key_bytes(key: PublicKey) -> bytes:
    """A public key as a message carries it: SM2 and ECC as 04, x, y; RSA as SubjectPublicKeyInfo in DER.

    The standard gives the field a length and no form.
    """
    if isinstance(key, Sm2PublicKey):
        return key.to_bytes()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_key_from_bytes(kind: KeyKind, data: bytes) -> PublicKey:
    """Read what `public_key_bytes` gives; SubjectPublicKeyInfo in DER is taken of each kind.

    Raises:
        KeyFileError: it is no public key of that kind.
    """
    try:
        key: object
        if kind is KeyKind.SM2:
            return (
                sm2_der.read_public(data)
                if data[:1] == bytes((der.SEQUENCE,))
                else Sm2PublicKey.from_bytes(data)
            )
        if kind is KeyKind.ECC and data[:1] != bytes((der.SEQUENCE,)):
            key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)
        else:
            key = load_der_public_key(data)
        accepted = _accepted(key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"no public key of {kind.upper()}") from error
    wanted = rsa.RSAPublicKey if kind is KeyKind.RSA else ec.EllipticCurvePublicKey
    if kind not in {KeyKind.RSA, KeyKind.ECC} or not isinstance(accepted, wanted):
        raise KeyFileError(f"no public key of {kind.upper()}")
    return public_half(accepted)


def key_from_exchange(code: int, data: bytes) -> SymmetricKey | PublicKey:
    """The key of a data-key exchange (2025, table 31): 16 bytes, or a public key (see `public_key_bytes`).

    Raises:
        KeyFileError: the type is none that encrypts, or the bytes are no key of it.
    """
    if code in _MARKS.values():
        return SymmetricKey(Encryption(code), data)
    if code == Encryption.RSA:
        return public_key_from_bytes(KeyKind.RSA, data)
    if code == Encryption.SM2:
        return public_key_from_bytes(KeyKind.SM2, data)
    raise KeyFileError(f"key type {code:02X} is none that encrypts")


def read_gbt_key(path: Path) -> GbtKey:
    """Read a key file; see `key_from_text`.

    Raises:
        KeyFileError: the file is not there, it holds no key, or others can read one that is not public.
    """
    content = read_key_bytes(path, private=False)
    if b"PUBLIC KEY-----" not in content:
        content = read_key_bytes(path, private=True)
    try:
        return key_from_text(content)
    except KeyFileError as error:
        raise KeyFileError(error.what, where=str(path), todo=error.todo) from error


def write_gbt_key(path: Path, key: SymmetricKey | PrivateKey, *, force: bool = False) -> Path | None:
    """Write a key for its owner alone, and its public half beside it.

    Returns:
        The public key's file; None for a key without a public half.

    Raises:
        KeyFileError: a file exists and `force` is not given, or cannot be written.
    """
    beside = None if isinstance(key, SymmetricKey) else public_path(path)
    refuse_existing(*((path,) if beside is None else (path, beside)), force=force)
    write_key_bytes(path, key_to_text(key), PRIVATE_MODE)
    if beside is not None:
        write_key_bytes(beside, key_to_text(public_half(key)), PUBLIC_MODE)
    return beside


def _pem(label: str, content: bytes) -> bytes:
    text = base64.b64encode(content).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()
