"""SM2: signatures (GB/T 32918.2) and encryption (GB/T 32918.4) over the curve of GB/T 32918.5-2017."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import Self

from edge.wire.gbt.security import der
from edge.wire.gbt.security.choices import Sm2Format
from edge.wire.gbt.security.curve import (
    SCALAR_BYTES,
    A,
    B,
    G,
    N,
    Point,
    RandomBytes,
    combine_open,
    is_on_curve,
    multiply_secret,
)
from edge.wire.gbt.security.faults import DecryptionError
from edge.wire.gbt.security.sm3 import SM3_BYTES, key_stream, sm3

POINT_BYTES = 1 + 2 * SCALAR_BYTES
_UNCOMPRESSED = 4
_NONCE_LABEL = b"nevgate sm2 nonce"
_ASN1_OVERHEAD_BYTES = 112
"""Of SM2Cipher at most: 4 of the sequence, twice 35, 34, and 4 of the cipher text's element."""


@dataclass(frozen=True, slots=True)
class Sm2PublicKey:
    """A public key.

    Attributes:
        point: on the curve; `x` and `y`.
    """

    point: Point

    def __post_init__(self) -> None:
        if not is_on_curve(self.point):
            raise ValueError("no point of the curve of SM2")

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read 04, x, y.

        Raises:
            ValueError: it is none, or no point of the curve.
        """
        return cls(_read_point(data))

    def to_bytes(self) -> bytes:
        """The point as 04, x, y."""
        return _write_point(self.point)

    def digest(self, message: bytes, signer_id: bytes) -> int:
        """What is signed of a message: the hash of the signer's data ZA, and of the message behind it."""
        x, y = self.point
        constants = b"".join(number.to_bytes(SCALAR_BYTES) for number in (A, B, *G, x, y))
        about_signer = sm3((8 * len(signer_id)).to_bytes(2), signer_id, constants)
        return int.from_bytes(sm3(about_signer, message))

    def holds(self, message: bytes, signer_id: bytes, r: int, s: int) -> bool:
        """Whether the signature is that of the message by this key's owner."""
        if not (0 < r < N and 0 < s < N) or (r + s) % N == 0:
            return False
        found = combine_open(s, (r + s) % N, self.point)
        return found is not None and (self.digest(message, signer_id) + found[0]) % N == r

    def encrypt(self, unit: bytes, form: Sm2Format, random_bytes: RandomBytes = secrets.token_bytes) -> bytes:
        """Encrypt bytes for this key's owner."""
        while True:
            done = self.encrypt_under(_draw(random_bytes), unit, form, random_bytes)
            if done is not None:
                return done

    def encrypt_under(
        self, nonce: int, unit: bytes, form: Sm2Format, random_bytes: RandomBytes
    ) -> bytes | None:
        """Encrypt with this number, used once and never told; None where the standard asks for another."""
        begun = multiply_secret(nonce, None, random_bytes)
        x2, y2 = _pair(multiply_secret(nonce, self.point, random_bytes))
        stream = key_stream(x2 + y2, len(unit))
        if unit and not any(stream):
            return None
        return _join(begun, sm3(x2, unit, y2), _xor(unit, stream), form)


@dataclass(frozen=True, slots=True)
class Sm2PrivateKey:
    """A private key; never printed.

    Attributes:
        secret: 1 to N - 2.
        public: its public half.
    """

    secret: int = field(repr=False)
    public: Sm2PublicKey
    _inverse: int = field(repr=False)

    @classmethod
    def of(cls, secret: int, random_bytes: RandomBytes = secrets.token_bytes) -> Self:
        """The key of a secret number.

        Raises:
            ValueError: it is not from 1 to N - 2.
        """
        if not 1 <= secret <= N - 2:
            raise ValueError("no private key of SM2: not from 1 to the order less 2")
        public = Sm2PublicKey(multiply_secret(secret, None, random_bytes))
        blind = _draw(random_bytes)
        return cls(secret, public, pow((1 + secret) * blind, -1, N) * blind % N)

    @classmethod
    def generate(cls, random_bytes: RandomBytes = secrets.token_bytes) -> Self:
        """Draw a new key."""
        secret = _draw(random_bytes)
        while secret > N - 2:
            secret = _draw(random_bytes)
        return cls.of(secret, random_bytes)

    def sign(
        self, message: bytes, signer_id: bytes, random_bytes: RandomBytes = secrets.token_bytes
    ) -> tuple[int, int]:
        """Sign a message: R and S.

        The number used once is drawn from `random_bytes`, the key and the message together, so that weak
        randomness alone does not betray the key.
        """
        digest = self.public.digest(message, signer_id)
        key = self.secret.to_bytes(SCALAR_BYTES)
        while True:
            drawn = _NONCE_LABEL + random_bytes(SCALAR_BYTES) + digest.to_bytes(SCALAR_BYTES)
            nonce = int.from_bytes(hmac.digest(key, drawn, "sha512")) % (N - 1) + 1
            found = self.sign_under(nonce, digest, random_bytes)
            if found is not None:
                return found

    def sign_under(self, nonce: int, digest: int, random_bytes: RandomBytes) -> tuple[int, int] | None:
        """Sign with this number, used once and never told; None where the standard asks for another."""
        r = (digest + multiply_secret(nonce, None, random_bytes)[0]) % N
        s = (self._inverse * (nonce + r) - r) % N
        return (r, s) if r and s and r + nonce != N else None

    def decrypt(self, data: bytes, form: Sm2Format, random_bytes: RandomBytes = secrets.token_bytes) -> bytes:
        """Decrypt what was encrypted for this key.

        Raises:
            DecryptionError: it was not, or not in this form.
        """
        try:
            begun, check, hidden = _split(data, form)
        except ValueError as error:
            raise DecryptionError(f"is no cipher text of SM2 in the form {form}: {error}") from error
        x2, y2 = _pair(multiply_secret(self.secret, begun, random_bytes))
        stream = key_stream(x2 + y2, len(hidden))
        unit = _xor(hidden, stream)
        if (hidden and not any(stream)) or not hmac.compare_digest(sm3(x2, unit, y2), check):
            raise DecryptionError("does not decrypt under this SM2 key")
        return unit


def overhead_bytes(form: Sm2Format) -> int:
    """By how much a cipher text is longer than the plain one, at most."""
    return _ASN1_OVERHEAD_BYTES if form is Sm2Format.ASN1 else POINT_BYTES + SM3_BYTES


def _draw(random_bytes: RandomBytes) -> int:
    return int.from_bytes(random_bytes(SCALAR_BYTES + 8)) % (N - 1) + 1


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(len(one))


def _pair(point: Point) -> tuple[bytes, bytes]:
    return point[0].to_bytes(SCALAR_BYTES), point[1].to_bytes(SCALAR_BYTES)


def _write_point(point: Point) -> bytes:
    return bytes((_UNCOMPRESSED,)) + b"".join(_pair(point))


def _read_point(data: bytes) -> Point:
    if len(data) != POINT_BYTES or data[0] != _UNCOMPRESSED:
        raise ValueError("no point as 04, x, y")
    point = int.from_bytes(data[1 : 1 + SCALAR_BYTES]), int.from_bytes(data[1 + SCALAR_BYTES :])
    if not is_on_curve(point):
        raise ValueError("no point of the curve of SM2")
    return point


def _join(begun: Point, check: bytes, hidden: bytes, form: Sm2Format) -> bytes:
    if form is Sm2Format.C1C3C2:
        return _write_point(begun) + check + hidden
    if form is Sm2Format.C1C2C3:
        return _write_point(begun) + hidden + check
    numbers = [der.write_integer(number) for number in begun]
    return der.write(
        der.SEQUENCE, *numbers, der.write(der.OCTET_STRING, check), der.write(der.OCTET_STRING, hidden)
    )


def _split(data: bytes, form: Sm2Format) -> tuple[Point, bytes, bytes]:
    if form is Sm2Format.ASN1:
        x, rest = der.read_integer(der.read_only(data, der.SEQUENCE))
        y, rest = der.read_integer(rest)
        check, rest = der.read(rest, der.OCTET_STRING)
        hidden = der.read_only(rest, der.OCTET_STRING)
        if not is_on_curve((x, y)):
            raise ValueError("no point of the curve of SM2")
        if len(check) != SM3_BYTES:
            raise ValueError(f"a check value has {SM3_BYTES} bytes")
        return (x, y), check, hidden
    if len(data) < POINT_BYTES + SM3_BYTES:
        raise ValueError(f"shorter than {POINT_BYTES + SM3_BYTES} bytes")
    begun, rest = _read_point(data[:POINT_BYTES]), data[POINT_BYTES:]
    if form is Sm2Format.C1C3C2:
        return begun, rest[:SM3_BYTES], rest[SM3_BYTES:]
    return begun, rest[-SM3_BYTES:], rest[:-SM3_BYTES]
