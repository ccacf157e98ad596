"""Signatures of reports (GB/T 32960.3-2025, 7.2.2, table 8): made and checked by SM2, RSA or ECC."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from dataclasses import replace
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from edge.catalogue.item import Edition
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Encryption
from edge.wire.gbt.layout import layouts
from edge.wire.gbt.message import REPORTS, SIGNATURE_MARK, Message, Report, write_report
from edge.wire.gbt.options import DEFAULT_OPTIONS, Options
from edge.wire.gbt.security.choices import DEFAULT_SECURITY, SecurityOptions
from edge.wire.gbt.security.curve import SCALAR_BYTES, RandomBytes
from edge.wire.gbt.security.faults import SignatureError, SignatureMissingError
from edge.wire.gbt.security.sm2 import Sm2PrivateKey, Sm2PublicKey
from edge.wire.gbt.steps import Raws


class SignatureAlgorithm(IntEnum):
    """The first byte of a signature."""

    SM2 = 0x01
    RSA = 0x02
    ECC = 0x03


class ReportSigner(ABC):
    """Signs for one vehicle. Where a security chip holds the key, a member of this family asks the chip.

    Attributes:
        algorithm: how it signs.
        signature_bytes: how many bytes R and S have together.
    """

    algorithm: SignatureAlgorithm
    signature_bytes: int

    def sign(self, covered: bytes) -> Raws:
        """Sign bytes: algorithm, length of R, R, length of S, S."""
        r, s = self._sign(covered)
        return (int(self.algorithm), len(r), r, len(s), s)

    @abstractmethod
    def _sign(self, covered: bytes) -> tuple[bytes, bytes]: ...


class ReportVerifier(ABC):
    """Checks the signatures of one vehicle.

    Attributes:
        algorithm: the only one that it takes.
    """

    algorithm: SignatureAlgorithm

    def check(self, covered: bytes, signature: Raws) -> None:
        """Check that a signature is of these bytes.

        Raises:
            SignatureError: it is not, it is of another algorithm, or R or S has another length than it has.
        """
        algorithm, r, s = signature[0], signature[2], signature[4]
        if algorithm != self.algorithm:
            raise SignatureError(
                f"is signed by {algorithm_name(algorithm)}, the key is one of {self.algorithm.name}"
            )
        self._check(covered, r, s)

    @abstractmethod
    def _check(self, covered: bytes, r: bytes, s: bytes) -> None: ...


class Sm2Signer(ReportSigner):
    """SM2 with SM3; R and S have 32 bytes each."""

    algorithm = SignatureAlgorithm.SM2
    signature_bytes = 2 * SCALAR_BYTES

    def __init__(
        self,
        key: Sm2PrivateKey,
        options: SecurityOptions = DEFAULT_SECURITY,
        random_bytes: RandomBytes = secrets.token_bytes,
    ) -> None:
        self._key, self._signer_id, self._random_bytes = key, options.sm2_id, random_bytes

    def _sign(self, covered: bytes) -> tuple[bytes, bytes]:
        return _fixed(*self._key.sign(covered, self._signer_id, self._random_bytes))


class Sm2Verifier(ReportVerifier):
    """SM2 with SM3."""

    algorithm = SignatureAlgorithm.SM2

    def __init__(self, key: Sm2PublicKey, options: SecurityOptions = DEFAULT_SECURITY) -> None:
        self._key, self._signer_id = key, options.sm2_id

    def _check(self, covered: bytes, r: bytes, s: bytes) -> None:
        _require_scalars(r, s)
        if not self._key.holds(covered, self._signer_id, int.from_bytes(r), int.from_bytes(s)):
            raise SignatureError("the signature does not hold")


class RsaSigner(ReportSigner):
    """RSASSA-PKCS1-v1_5 with SHA-256 in R; S is empty."""

    algorithm = SignatureAlgorithm.RSA

    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key
        self.signature_bytes = (key.key_size + 7) // 8

    def _sign(self, covered: bytes) -> tuple[bytes, bytes]:
        return self._key.sign(covered, PKCS1v15(), SHA256()), b""


class RsaVerifier(ReportVerifier):
    """RSASSA-PKCS1-v1_5 with SHA-256 in R; S is empty."""

    algorithm = SignatureAlgorithm.RSA

    def __init__(self, key: RSAPublicKey) -> None:
        self._key = key
        self._bytes = (key.key_size + 7) // 8

    def _check(self, covered: bytes, r: bytes, s: bytes) -> None:
        if s or len(r) != self._bytes:
            raise SignatureError(
                f"R of {len(r)} and S of {len(s)} bytes, where this RSA key makes {self._bytes} and none"
            )
        try:
            self._key.verify(r, covered, PKCS1v15(), SHA256())
        except InvalidSignature as error:
            raise SignatureError("the signature does not hold") from error


class EcdsaSigner(ReportSigner):
    """ECDSA over P-256 with SHA-256; R and S have 32 bytes each."""

    algorithm = SignatureAlgorithm.ECC
    signature_bytes = 2 * SCALAR_BYTES

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def _sign(self, covered: bytes) -> tuple[bytes, bytes]:
        return _fixed(*decode_dss_signature(self._key.sign(covered, ec.ECDSA(SHA256()))))


class EcdsaVerifier(ReportVerifier):
    """ECDSA over P-256 with SHA-256."""

    algorithm = SignatureAlgorithm.ECC

    def __init__(self, key: ec.EllipticCurvePublicKey) -> None:
        self._key = key

    def _check(self, covered: bytes, r: bytes, s: bytes) -> None:
        _require_scalars(r, s)
        encoded = encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
        try:
            self._key.verify(encoded, covered, ec.ECDSA(SHA256()))
        except InvalidSignature as error:
            raise SignatureError("the signature does not hold") from error


def signed(message: Message, signer: ReportSigner, options: Options = DEFAULT_OPTIONS) -> Message:
    """The report with its signature.

    Raises:
        GbtError: it is no real-time or reissue message of 2025 whose unit is plain, has a signature already,
            or ends with what the edition does not describe, where no reader would find the signature.
    """
    report = _signable(message)
    if report is None:
        raise GbtError("only plain real-time and reissue messages of 2025 are signed")
    if report.signature is not None:
        raise GbtError("the message is signed already")
    if report.rest:
        raise GbtError("nobody would find a signature behind an unknown information type")
    return replace(message, content=replace(report, signature=signer.sign(_covered(report, options))))


def check_signature(message: Message, verifier: ReportVerifier, options: Options = DEFAULT_OPTIONS) -> None:
    """Check a report's signature.

    It covers the time and the information bodies: neither the VIN nor the command, so that a reissue keeps
    it. Whose it is follows from the key alone, that of the vehicle which the frame names.

    Raises:
        SignatureMissingError: it has none, or is no message that could have one.
        SignatureError: it does not hold.
    """
    report = _signable(message)
    if report is None:
        raise SignatureMissingError("only plain real-time and reissue messages of 2025 are signed")
    if report.signature is None:
        where = ", as far as it can be read before an unknown information type" if report.rest else ""
        raise SignatureMissingError(f"has no signature{where}")
    verifier.check(_covered(report, options), report.signature)


def is_signable(message: Message) -> bool:
    """Whether the standard wants a signature in this message: a plain report of 2025."""
    return _signable(message) is not None


def write_signature(signature: Raws) -> bytes:
    """A signature as bytes, as it stands in an activation too (2025, table B.3)."""
    return layouts(Edition.Y2025)["signature"].write(signature)


def read_signature(data: bytes) -> Raws:
    """Read a signature that fills `data`.

    Raises:
        SignatureError: it is none.
    """
    try:
        signature, end = layouts(Edition.Y2025)["signature"].read(data)
    except GbtError as error:
        raise SignatureError(f"is no signature: {error.what}", offset=error.offset) from error
    if end != len(data):
        raise SignatureError(f"{len(data) - end} bytes follow the signature", offset=end)
    return signature


def algorithm_name(code: int) -> str:
    """How a signature's first byte is called."""
    return next((one.name for one in SignatureAlgorithm if one == code), f"no known algorithm ({code:02X})")


def _signable(message: Message) -> Report | None:
    content = message.content
    plain = message.edition is Edition.Y2025 and message.encryption == Encryption.NONE
    return content if plain and message.command in REPORTS and isinstance(content, Report) else None


def _covered(report: Report, options: Options) -> bytes:
    mark = bytes((SIGNATURE_MARK,)) if options.signature_covers_mark else b""
    return write_report(replace(report, signature=None), Edition.Y2025) + mark


def _fixed(r: int, s: int) -> tuple[bytes, bytes]:
    return r.to_bytes(SCALAR_BYTES), s.to_bytes(SCALAR_BYTES)


def _require_scalars(r: bytes, s: bytes) -> None:
    if len(r) != SCALAR_BYTES or len(s) != SCALAR_BYTES:
        raise SignatureError(f"R of {len(r)} and S of {len(s)} bytes, where each has {SCALAR_BYTES}")
