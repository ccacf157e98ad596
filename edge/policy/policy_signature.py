"""The signature of a policy file: beside it, over its hash, by whoever may issue policies."""

from __future__ import annotations

import hashlib

from edge.errors import PolicyError, WireError
from edge.wire.cose import Role, Signer, Verifier, unverified_payload
from edge.wire.keys import SigningKey, VerifyingKey
from edge.wire.strict_cbor import Fields, read_cbor, write_cbor

LARGEST_BYTES = 4_096

_EVERY_VEHICLE = "any"
_WHAT, _DIGEST = 1, 2
_SIGNED = "policy file"
_DIGEST_BYTES = 32


def sign_policy(content: bytes, key: SigningKey) -> bytes:
    """Sign the bytes of a policy file.

    Returns:
        A tagged COSE_Sign1 (RFC 9052) over ``{1: "policy file", 2: SHA-256 of the bytes}``. Its external data
        are ``nev/v1/any/policy``, which no message has.
    """
    digest = hashlib.sha256(content).digest()
    signer = Signer(key, vehicle=_EVERY_VEHICLE, role=Role.POLICY)
    return signer.sign(write_cbor({_WHAT: _SIGNED, _DIGEST: digest}))


def check_signature(content: bytes, signature: bytes, key: VerifyingKey, *, where: str) -> None:
    """Make sure that `signature` is one of `key` over `content`.

    Args:
        content: the bytes of the policy file.
        signature: the bytes of its signature's file.
        key: of whoever may issue policies.
        where: the signature's file, for complaints.

    Raises:
        PolicyError: it is none, of another key, for something else than a policy, or over other bytes.
    """
    again = "Have the policy signed with 'nevgate policy sign' by its issuer"
    try:
        unverified_payload(signature)
    except WireError as error:
        raise PolicyError(f"is no signature: {error.what}", where=where, todo=again) from error
    verifier = Verifier({_EVERY_VEHICLE: [key]})
    try:
        payload = verifier.verify(signature, vehicle=_EVERY_VEHICLE, role=Role.POLICY).payload
    except WireError as error:
        raise PolicyError(
            f"is no signature of a policy by the key {key.key_id.hex()}, which the configuration names",
            where=where,
            todo=again,
        ) from error
    try:
        fields = Fields(read_cbor(payload), "policy signature")
        what, digest = fields.text(_WHAT, 64), fields.octets(_DIGEST, _DIGEST_BYTES)
        fields.finish()
    except WireError as error:
        raise PolicyError(f"is no signature of a policy: {error.what}", where=where, todo=again) from error
    if what != _SIGNED:
        raise PolicyError(f"signs '{what}', no policy", where=where, todo=again)
    if digest != hashlib.sha256(content).digest():
        raise PolicyError(
            "signs another file than this one, or this one before it was changed", where=where, todo=again
        )
