"""What counts as the signature of a policy file."""

from __future__ import annotations

import hashlib

import pytest

from edge.errors import PolicyError
from edge.policy.policy_signature import check_signature, sign_policy
from edge.wire.cose import Role, Signer
from edge.wire.keys import SigningKey
from edge.wire.strict_cbor import CborValue, write_cbor

ISSUER = SigningKey.seeded(b"issuer of these tests")
CONTENT = b"format = 1\n"
DIGEST = hashlib.sha256(CONTENT).digest()


def signed(payload: bytes, *, role: Role = Role.POLICY, vehicle: str = "any") -> bytes:
    return Signer(ISSUER, vehicle=vehicle, role=role).sign(payload)


def complaint(signature: bytes, content: bytes = CONTENT) -> str:
    with pytest.raises(PolicyError) as caught:
        check_signature(content, signature, ISSUER.public, where="policy.toml.sig")
    assert caught.value.where == "policy.toml.sig"
    return str(caught.value)


def test_a_signature_is_over_what_the_file_is_and_its_hash() -> None:
    check_signature(CONTENT, sign_policy(CONTENT, ISSUER), ISSUER.public, where="")
    check_signature(CONTENT, signed(write_cbor({1: "policy file", 2: DIGEST})), ISSUER.public, where="")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({1: "policy file", 2: DIGEST, 3: "for test benches only"}, id="more than is understood"),
        pytest.param({1: "policy file"}, id="no hash"),
        pytest.param({2: DIGEST}, id="for nothing"),
        pytest.param({1: "policy file", 2: DIGEST[:31]}, id="a part of a hash"),
        pytest.param({1: 7, 2: DIGEST}, id="for a number"),
        pytest.param(["policy file", DIGEST], id="a list"),
    ],
)
def test_a_signature_over_something_else_is_none(fields: CborValue) -> None:
    assert "is no signature of a policy: " in complaint(signed(write_cbor(fields)))


def test_a_signature_over_no_fields_at_all_is_none() -> None:
    assert "is no signature of a policy: " in complaint(signed(b"trust me"))


def test_a_signature_is_for_one_purpose() -> None:
    assert "signs 'report', no policy" in complaint(signed(write_cbor({1: "report", 2: DIGEST})))


def test_a_signature_is_for_one_file() -> None:
    assert "signs another file than this one" in complaint(sign_policy(CONTENT, ISSUER), CONTENT + b"\n")


@pytest.mark.parametrize(("role", "vehicle"), [(Role.UP, "any"), (Role.POLICY, "V1")])
def test_a_message_of_a_vehicle_is_no_signature(role: Role, vehicle: str) -> None:
    payload = write_cbor({1: "policy file", 2: DIGEST})
    said = complaint(signed(payload, role=role, vehicle=vehicle))
    assert f"is no signature of a policy by the key {ISSUER.public.key_id.hex()}" in said
