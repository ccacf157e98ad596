"""`UnitCipher`: data units encrypted and decrypted, by each algorithm that GB/T 32960.3 names."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from dataclasses import replace

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding as rsa_paddings
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from edge.catalogue.item import Edition
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import UNIT_BYTES_MAX, Encryption, Frame
from edge.wire.gbt.security.choices import (
    BLOCK_BYTES,
    DEFAULT_SECURITY,
    BlockMode,
    RsaPadding,
    SecurityOptions,
    Sm2Format,
)
from edge.wire.gbt.security.curve import RandomBytes
from edge.wire.gbt.security.faults import DecryptionError
from edge.wire.gbt.security.sm2 import Sm2PrivateKey, Sm2PublicKey, overhead_bytes

NAMES = {
    Encryption.NONE: "none",
    Encryption.RSA: "RSA",
    Encryption.AES: "AES-128",
    Encryption.SM2: "SM2",
    Encryption.SM4: "SM4",
}

_OF_2016 = frozenset({Encryption.RSA, Encryption.AES})
_PKCS1_OVERHEAD_BYTES = 11


class UnitCipher(ABC):
    """Encrypts and decrypts data units under one key.

    Attributes:
        code: how the frame marks it.
        longest: the longest data unit whose encryption fits a frame.
    """

    code: Encryption
    longest: int

    def encrypt(self, unit: bytes) -> bytes:
        """Encrypt a data unit.

        Raises:
            GbtError: what comes out would be longer than a data unit may be.
        """
        if len(unit) > self.longest:
            raise GbtError(
                f"a data unit of {len(unit)} bytes does not fit a frame under {NAMES[self.code]}",
                todo=f"It has at most {self.longest:,} bytes; lower unit_bytes",
            )
        return self._encrypt(unit)

    def decrypt(self, unit: bytes) -> bytes:
        """Decrypt a data unit.

        Raises:
            DecryptionError: it is none under this key, or only the public half of the key is here.
        """
        if len(unit) > UNIT_BYTES_MAX:
            raise DecryptionError(f"a data unit of {len(unit)} bytes is longer than {UNIT_BYTES_MAX}")
        return self._decrypt(unit)

    @abstractmethod
    def _encrypt(self, unit: bytes) -> bytes: ...

    @abstractmethod
    def _decrypt(self, unit: bytes) -> bytes: ...


class BlockUnitCipher(UnitCipher):
    """AES-128 (FIPS 197) and SM4 (GB/T 32907), with padding of PKCS #7.

    Args:
        code: which of both.
        secret: 16 bytes.
        options: names the mode.
        random_bytes: where the first bytes of each unit come from, in the mode that has them.

    Raises:
        GbtError: the key has another length, or the OpenSSL below was built without SM4.
    """

    def __init__(
        self,
        code: Encryption,
        secret: bytes,
        options: SecurityOptions = DEFAULT_SECURITY,
        random_bytes: RandomBytes = secrets.token_bytes,
    ) -> None:
        if code not in {Encryption.AES, Encryption.SM4}:
            raise GbtError(f"{NAMES.get(code, code)} is no block cipher")
        if len(secret) != BLOCK_BYTES:
            raise GbtError(f"a key of {NAMES[code]} has {BLOCK_BYTES} bytes, not {len(secret)}")
        self.code = code
        self._algorithm = algorithms.AES128(secret) if code is Encryption.AES else algorithms.SM4(secret)
        self._options = options
        self._random_bytes = random_bytes
        self._first_bytes = BLOCK_BYTES if options.block_mode is BlockMode.CBC else 0
        self.longest = UNIT_BYTES_MAX // BLOCK_BYTES * BLOCK_BYTES - self._first_bytes - 1
        try:
            self._context(bytes(BLOCK_BYTES)).encryptor()
        except UnsupportedAlgorithm as error:
            raise GbtError(
                f"this build of OpenSSL has no {NAMES[code]}",
                todo="Install the wheel of 'cryptography' from PyPI",
            ) from error

    def _context(self, first: bytes) -> Cipher[modes.ECB | modes.CBC]:
        if self._options.block_mode is BlockMode.ECB:
            return Cipher(self._algorithm, modes.ECB())  # noqa: S305 - for platforms that ask for it
        return Cipher(self._algorithm, modes.CBC(first or self._options.fixed_iv))

    def _encrypt(self, unit: bytes) -> bytes:
        first = self._random_bytes(self._first_bytes) if self._first_bytes else b""
        padder = PKCS7(8 * BLOCK_BYTES).padder()
        running = self._context(first).encryptor()
        return first + running.update(padder.update(unit) + padder.finalize()) + running.finalize()

    def _decrypt(self, unit: bytes) -> bytes:
        blocks = unit[self._first_bytes :]
        if not blocks or len(blocks) % BLOCK_BYTES:
            raise DecryptionError(f"{len(unit)} bytes are no data unit under {NAMES[self.code]}")
        running = self._context(unit[: self._first_bytes]).decryptor()
        unpadder = PKCS7(8 * BLOCK_BYTES).unpadder()
        try:
            return unpadder.update(running.update(blocks) + running.finalize()) + unpadder.finalize()
        except ValueError as error:
            raise DecryptionError(f"does not decrypt under this key of {NAMES[self.code]}") from error


class RsaUnitCipher(UnitCipher):
    """RSA (RFC 8017): a unit is cut into pieces as long as the padding leaves room, each encrypted alone.

    With padding of PKCS #1 v1.5 OpenSSL from 3.2 on gives other bytes instead of an error for wrong ones, so
    that nobody can ask for plain text piece by piece: a wrong key then shows as a data unit that is none.

    Args:
        key: the private key, or the public one, which only encrypts.
        options: names the padding.
    """

    code = Encryption.RSA

    def __init__(
        self, key: RSAPrivateKey | RSAPublicKey, options: SecurityOptions = DEFAULT_SECURITY
    ) -> None:
        self._private = key if isinstance(key, RSAPrivateKey) else None
        self._public = key.public_key() if isinstance(key, RSAPrivateKey) else key
        self._modulus_bytes = (self._public.key_size + 7) // 8
        self._padding, overhead = _rsa_padding(options.rsa_padding)
        self._piece_bytes = self._modulus_bytes - overhead
        if self._piece_bytes < 1:
            raise GbtError(
                f"an RSA key of {self._public.key_size} bits is too short for {options.rsa_padding}"
            )
        self.longest = UNIT_BYTES_MAX // self._modulus_bytes * self._piece_bytes

    def _encrypt(self, unit: bytes) -> bytes:
        starts = range(0, len(unit) or 1, self._piece_bytes)
        pieces = (unit[start : start + self._piece_bytes] for start in starts)
        return b"".join(self._public.encrypt(piece, self._padding) for piece in pieces)

    def _decrypt(self, unit: bytes) -> bytes:
        if self._private is None:
            raise DecryptionError("only the public half of this RSA key is here")
        if not unit or len(unit) % self._modulus_bytes:
            raise DecryptionError(
                f"{len(unit)} bytes are no pieces of {self._modulus_bytes} under this RSA key"
            )
        starts = range(0, len(unit), self._modulus_bytes)
        try:
            return b"".join(
                self._private.decrypt(unit[start : start + self._modulus_bytes], self._padding)
                for start in starts
            )
        except ValueError as error:
            raise DecryptionError("does not decrypt under this RSA key") from error


class Sm2UnitCipher(UnitCipher):
    """SM2 (GB/T 32918.4): the whole unit at once, with its check value.

    Args:
        key: the private key, or the public one, which only encrypts.
        options: names the form.
        random_bytes: where the numbers used once and the blinding come from.
    """

    code = Encryption.SM2

    def __init__(
        self,
        key: Sm2PrivateKey | Sm2PublicKey,
        options: SecurityOptions = DEFAULT_SECURITY,
        random_bytes: RandomBytes = secrets.token_bytes,
    ) -> None:
        self._private = key if isinstance(key, Sm2PrivateKey) else None
        self._public = key.public if isinstance(key, Sm2PrivateKey) else key
        self._form: Sm2Format = options.sm2_format
        self._random_bytes = random_bytes
        self.longest = UNIT_BYTES_MAX - overhead_bytes(self._form)

    def _encrypt(self, unit: bytes) -> bytes:
        return self._public.encrypt(unit, self._form, self._random_bytes)

    def _decrypt(self, unit: bytes) -> bytes:
        if self._private is None:
            raise DecryptionError("only the public half of this SM2 key is here")
        return self._private.decrypt(unit, self._form, self._random_bytes)


def require_mark(edition: Edition, cipher: UnitCipher) -> None:
    """See that messages of an edition can be encrypted by a cipher.

    Raises:
        GbtError: the edition has no mark for it.
    """
    if edition is Edition.Y2016 and cipher.code not in _OF_2016:
        raise GbtError(
            f"the edition of 2016 has no mark for {NAMES[cipher.code]}",
            todo="It has RSA and AES-128; SM2 and SM4 are of 2025",
        )


def encrypted(frame: Frame, cipher: UnitCipher) -> Frame:
    """The frame with its data unit encrypted; an empty one stays empty, and the frame as it is.

    The check code is made of the encrypted unit, when the frame is written (6.2).

    Raises:
        GbtError: the unit is encrypted already, or too long, or the edition has no mark for the cipher.
    """
    if frame.encryption != Encryption.NONE:
        raise GbtError("the data unit is encrypted already")
    require_mark(frame.edition, cipher)
    if not frame.unit:
        return frame
    return replace(frame, encryption=cipher.code, unit=cipher.encrypt(frame.unit))


def decrypted(frame: Frame, cipher: UnitCipher) -> Frame:
    """The frame with its data unit decrypted; one that is not encrypted as it is.

    Raises:
        DecryptionError: it is not encrypted as `cipher` would have it, or not under its key.
    """
    if frame.encryption == Encryption.NONE:
        return frame
    if frame.encryption != cipher.code:
        raise DecryptionError(
            f"is encrypted by {encryption_name(frame.encryption)}, not {NAMES[cipher.code]}"
        )
    unit = cipher.decrypt(frame.unit) if frame.unit else b""
    return replace(frame, encryption=Encryption.NONE, unit=unit)


def encryption_name(code: int) -> str:
    """How an encryption mark is called."""
    return next((name for one, name in NAMES.items() if one == code), f"no known algorithm ({code:02X})")


def _rsa_padding(choice: RsaPadding) -> tuple[rsa_paddings.AsymmetricPadding, int]:
    if choice is RsaPadding.PKCS1_V15:
        return rsa_paddings.PKCS1v15(), _PKCS1_OVERHEAD_BYTES
    algorithm: hashes.HashAlgorithm = (
        hashes.SHA1() if choice is RsaPadding.OAEP_SHA1 else hashes.SHA256()  # noqa: S303 - a choice, not a hash of data
    )
    oaep = rsa_paddings.OAEP(rsa_paddings.MGF1(algorithm), algorithm, label=None)
    return oaep, 2 * algorithm.digest_size + 2
