"""The signature of a report: beside it, over its hash, by the vehicle whose journal it is of."""

from __future__ import annotations

import hashlib

from edge.errors import ReportError, WireError
from edge.wire.cose import Role, Signer, Verifier
from edge.wire.keys import SigningKey, VerifyingKey
from edge.wire.strict_cbor import Fields, read_cbor, write_cbor

LARGEST_BYTES = 4_096

_WHAT, _DIGEST = 1, 2
_SIGNED = "policy report"
_DIGEST_BYTES = 32


def digest_of(content: bytes) -> bytes:
    """SHA-256 of the JSON file, which its signature and its HTML name."""
    return hashlib.sha256(content).digest()


def sign_report(content: bytes, key: SigningKey, vehicle: str) -> bytes:
    """Sign the bytes of a report's JSON.

    Returns:
        A tagged COSE_Sign1 (RFC 9052) over ``{1: "policy report", 2: SHA-256 of the bytes}``. Its external
        data are ``nev/v1/{vehicle}/report``, which no message has.
    """
    signer = Signer(key, vehicle=vehicle, role=Role.REPORT)
    return signer.sign(write_cbor({_WHAT: _SIGNED, _DIGEST: digest_of(content)}))


def check_report(content: bytes, signature: bytes, key: VerifyingKey, vehicle: str, *, where: str) -> None:
    """Make sure that `signature` is one of `key` over `content`, for a report of `vehicle`.

    Args:
        content: the bytes of the JSON.
        signature: the bytes of its signature's file.
        key: of the vehicle.
        vehicle: VIN or pseudonym.
        where: the signature's file, for complaints.

    Raises:
        ReportError: it is none, of another key or vehicle, for something else, or over other bytes.
    """
    try:
        payload = Verifier({vehicle: [key]}).verify(signature, vehicle=vehicle, role=Role.REPORT).payload
        fields = Fields(read_cbor(payload), "report signature")
        what, digest = fields.text(_WHAT, 64), fields.octets(_DIGEST, _DIGEST_BYTES)
        fields.finish()
    except WireError as error:
        raise ReportError(
            f"is no signature of this vehicle over a report: {error.what}", where=where
        ) from error
    if what != _SIGNED:
        raise ReportError(f"signs '{what}', no report", where=where)
    if digest != digest_of(content):
        raise ReportError(
            "signs another report than this one, or this one before it was changed",
            where=where,
            todo="Ask for the report as it was made",
        )
