"""Keys for the tests: one of each kind, made once, the RSA one short so that tests stay quick."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from edge.wire.gbt.frame import Encryption
from edge.wire.gbt.message import Message, Report, read_message
from edge.wire.gbt.security.keys import KeyKind, PrivateKey, SymmetricKey
from edge.wire.gbt.security.sm2 import Sm2PrivateKey
from tests.gbt.test_golden import MESSAGE_2025

_RSA_BITS = 1_024


def seeded(seed: int) -> random.Random:
    """A source of bytes that gives the same ones each run."""
    return random.Random(seed)  # noqa: S311 - keys of tests


@cache
def private_key(kind: KeyKind, seed: int = 0) -> PrivateKey:
    """A private key of this kind; another seed gives another one."""
    if kind is KeyKind.SM2:
        return Sm2PrivateKey.generate(seeded(seed).randbytes)
    if kind is KeyKind.ECC:
        return ec.derive_private_key(seeded(seed).getrandbits(250) + 1, ec.SECP256R1())
    return rsa.generate_private_key(65_537, _RSA_BITS)


def symmetric_key(code: Encryption, seed: int = 0) -> SymmetricKey:
    """A key of AES-128 or SM4."""
    return SymmetricKey(code, seeded(seed).randbytes(16))


def report() -> tuple[Message, Report]:
    """A real-time message of 2025 with many bodies and no signature, and its report."""
    message = read_message(MESSAGE_2025)
    assert isinstance(message.content, Report)
    plain = replace(message.content, signature=None)
    return replace(message, content=plain), plain
