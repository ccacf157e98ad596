"""`SecurityOptions`: what GB/T 32960.3 leaves open about ciphers and signatures, with defaults."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.wire.gbt.faults import GbtError

BLOCK_BYTES = 16
_SM2_ID_BYTES_MAX = 8_191


class BlockMode(StrEnum):
    """How AES-128 and SM4 go on from block to block; the padding is that of PKCS #7 in each."""

    CBC = "cbc"
    """Cipher block chaining; 16 random bytes stand before the blocks of each data unit. Equal data units look
    different, and no other agreement is needed than the key."""

    CBC_FIXED_IV = "cbc-fixed-iv"
    """Cipher block chaining from 16 agreed bytes, which are not sent: data units that begin alike show it."""

    ECB = "ecb"
    """Each block for itself, the default of many Java programs: equal blocks show as equal, as between two
    reports of a parked vehicle."""


class RsaPadding(StrEnum):
    """How RSA pads the pieces of a data unit (RFC 8017)."""

    PKCS1_V15 = "pkcs1-v1.5"
    """RSAES-PKCS1-v1_5: modulus less 11 bytes a piece."""

    OAEP_SHA1 = "oaep-sha1"
    """RSAES-OAEP with SHA-1 and MGF1 with SHA-1: modulus less 42 bytes a piece."""

    OAEP_SHA256 = "oaep-sha256"
    """RSAES-OAEP with SHA-256 and MGF1 with SHA-256: modulus less 66 bytes a piece."""


class Sm2Format(StrEnum):
    """How the parts of an SM2 cipher text stand: the point C1, the check value C3, the cipher text C2."""

    C1C3C2 = "c1c3c2"
    """The point as 04, x, y; then check value, cipher text (GB/T 32918.4-2016)."""

    C1C2C3 = "c1c2c3"
    """The point as 04, x, y; then cipher text, check value (before GM/T 0003-2012)."""

    ASN1 = "asn1"
    """SM2Cipher in DER (GM/T 0009, GB/T 35276)."""


@dataclass(frozen=True, slots=True)
class SecurityOptions:
    """What both sides have to agree on beside the key.

    Attributes:
        block_mode: of AES-128 and SM4.
        fixed_iv: the agreed bytes, where the mode has them.
        rsa_padding: of data units that RSA encrypts.
        sm2_format: of data units that SM2 encrypts.
        sm2_id: the signer's id in SM2 signatures; the default is that of GM/T 0009.
    """

    block_mode: BlockMode = BlockMode.CBC
    fixed_iv: bytes = b""
    rsa_padding: RsaPadding = RsaPadding.PKCS1_V15
    sm2_format: Sm2Format = Sm2Format.C1C3C2
    sm2_id: bytes = b"1234567812345678"

    def __post_init__(self) -> None:
        wanted = BLOCK_BYTES if self.block_mode is BlockMode.CBC_FIXED_IV else 0
        if len(self.fixed_iv) != wanted:
            raise GbtError(
                f"the mode {self.block_mode} takes a fixed IV of {wanted} bytes, not {len(self.fixed_iv)}"
            )
        if len(self.sm2_id) > _SM2_ID_BYTES_MAX:
            raise GbtError(f"an SM2 id has at most {_SM2_ID_BYTES_MAX:,} bytes")


DEFAULT_SECURITY = SecurityOptions()
