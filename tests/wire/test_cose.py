"""Signatures: what a second implementation makes of them, and that nothing tampered with passes."""

from __future__ import annotations

from pathlib import Path

import cbor2
import pycddl
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

import edge.wire
from edge.errors import WireError
from edge.wire.cose import Role, Signer, Verifier, binding
from edge.wire.keys import Algorithm, SigningKey
from edge.wire.limits import Limits

CDDL = (Path(edge.wire.__file__).parent / "nevgate.cddl").read_text()
SCHEMA = pycddl.Schema("root = signed\n" + CDDL)
HEADER_SCHEMA = pycddl.Schema("root = protected-header\n" + CDDL)
VEHICLE = "LNEVGATE000000001"
PAYLOAD = bytes(range(256)) * 3
CODES = {Algorithm.ED25519: -8, Algorithm.ES256: -7}


@pytest.fixture(params=list(Algorithm))
def key(request: pytest.FixtureRequest) -> SigningKey:
    return SigningKey.seeded(b"cose", request.param)


def header(key: SigningKey, **changes: object) -> bytes:
    fields: dict[object, object] = {1: CODES[key.public.algorithm], 3: 60, 4: key.public.key_id}
    fields.update({int(name.removeprefix("f")): value for name, value in changes.items()})
    return cbor2.dumps({label: value for label, value in fields.items() if value is not None})


def sign_by_hand(
    key: SigningKey,
    payload: bytes = PAYLOAD,
    *,
    protected: bytes | None = None,
    external: bytes | None = None,
) -> bytes:
    """RFC 9052 section 4.4, straight from its text, without the library that the product uses."""
    protected = header(key) if protected is None else protected
    external = binding(VEHICLE, Role.UP) if external is None else external
    to_sign = cbor2.dumps(["Signature1", protected, external, payload])
    if isinstance(key.private, Ed25519PrivateKey):
        signature = key.private.sign(to_sign)
    else:
        r, s = utils.decode_dss_signature(key.private.sign(to_sign, ec.ECDSA(hashes.SHA256())))
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]))


def check_by_hand(key: SigningKey, data: bytes) -> None:
    message = cbor2.loads(data)
    protected, unprotected, payload, signature = message.value
    assert (message.tag, unprotected) == (18, {})
    to_check = cbor2.dumps(["Signature1", protected, binding(VEHICLE, Role.UP), payload])
    public = load_pem_public_key(key.public.pem)
    if isinstance(public, ec.EllipticCurvePublicKey):
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        public.verify(utils.encode_dss_signature(r, s), to_check, ec.ECDSA(hashes.SHA256()))
    else:
        public.verify(signature, to_check)  # type: ignore[union-attr, call-arg] # Ed25519, as the fixture made it


def test_a_second_implementation_accepts_what_we_sign(key: SigningKey) -> None:
    data = Signer(key, vehicle=VEHICLE).sign(PAYLOAD)
    SCHEMA.validate_cbor(data)
    HEADER_SCHEMA.validate_cbor(cbor2.loads(data).value[0])
    check_by_hand(key, data)
    with pytest.raises(InvalidSignature):
        check_by_hand(key, data[:-1] + bytes([data[-1] ^ 1]))


def test_we_accept_what_a_second_implementation_signs(key: SigningKey) -> None:
    verified = Verifier({VEHICLE: [key.public]}).verify(sign_by_hand(key), vehicle=VEHICLE)
    assert (verified.payload, verified.key_id) == (PAYLOAD, key.public.key_id)


def test_ed25519_gives_the_bytes_that_rfc_9052_gives() -> None:
    key = SigningKey.seeded(b"cose")
    assert Signer(key, vehicle=VEHICLE).sign(PAYLOAD) == sign_by_hand(key)


def test_no_single_byte_can_be_changed_and_no_end_cut_off(key: SigningKey) -> None:
    data = Signer(key, vehicle=VEHICLE).sign(b"short payload")
    verifier = Verifier({VEHICLE: [key.public]})
    for place in range(len(data)):
        with pytest.raises(WireError):
            verifier.verify(data[:place], vehicle=VEHICLE)
        for flip in (0x01, 0x20, 0x80, 0xFF):
            changed = bytearray(data)
            changed[place] ^= flip
            with pytest.raises(WireError):
                verifier.verify(bytes(changed), vehicle=VEHICLE)
    with pytest.raises(WireError):
        verifier.verify(data + b"\0", vehicle=VEHICLE)


def test_a_message_holds_for_one_vehicle_and_one_role(key: SigningKey) -> None:
    verifier = Verifier({VEHICLE: [key.public], "other": [key.public]})
    data = Signer(key, vehicle=VEHICLE, role=Role.DOWN).sign(PAYLOAD)
    assert verifier.verify(data, vehicle=VEHICLE, role=Role.DOWN).payload == PAYLOAD
    for vehicle, role in ((VEHICLE, Role.UP), (VEHICLE, Role.STATUS), ("other", Role.DOWN)):
        with pytest.raises(WireError, match="does not hold"):
            verifier.verify(data, vehicle=vehicle, role=role)


def test_each_vehicle_has_keys_of_its_own_until_they_are_removed() -> None:
    old, new = (SigningKey.seeded(name) for name in (b"old", b"new"))
    verifier = Verifier({VEHICLE: [old.public, new.public], "other": []})
    for key in (old, new):
        assert verifier.verify(sign_by_hand(key), vehicle=VEHICLE).key_id == key.public.key_id
        with pytest.raises(WireError, match="not known"):
            verifier.verify(sign_by_hand(key), vehicle="other")
    verifier.remove(VEHICLE, old.public.key_id)
    with pytest.raises(WireError, match="not known"):
        verifier.verify(sign_by_hand(old), vehicle=VEHICLE)
    assert verifier.verify(sign_by_hand(new), vehicle=VEHICLE).payload == PAYLOAD


def test_the_algorithm_is_the_key_s_own(key: SigningKey) -> None:
    verifier = Verifier({VEHICLE: [key.public]})
    for code in (-7, -8, -19, -37, 5, 0):
        if code != CODES[key.public.algorithm]:
            with pytest.raises(WireError, match="signs with"):
                verifier.verify(sign_by_hand(key, protected=header(key, f1=code)), vehicle=VEHICLE)


@pytest.mark.parametrize(
    "changes",
    [
        {"f1": None},
        {"f3": None},
        {"f4": None},
        {"f3": 61},
        {"f4": b"short"},
        {"f1": "EdDSA"},
        {"f2": [1]},
        {"f5": b""},
    ],
)
def test_a_protected_header_has_one_form(key: SigningKey, changes: dict[str, object]) -> None:
    verifier = Verifier({VEHICLE: [key.public]})
    with pytest.raises(WireError):
        verifier.verify(sign_by_hand(key, protected=header(key, **changes)), vehicle=VEHICLE)


def test_a_correctly_signed_message_of_another_form_is_refused(key: SigningKey) -> None:
    verifier = Verifier({VEHICLE: [key.public]})
    protected, _, payload, signature = cbor2.loads(sign_by_hand(key)).value
    others: list[object] = [
        [protected, {}, payload, signature],
        cbor2.CBORTag(98, [protected, {}, payload, signature]),
        cbor2.CBORTag(17, [protected, {}, payload, signature]),
        cbor2.CBORTag(18, [protected, {4: key.public.key_id}, payload, signature]),
        cbor2.CBORTag(18, [protected, {}, None, signature]),
        cbor2.CBORTag(18, [protected, {}, payload]),
        cbor2.CBORTag(18, [protected, {}, payload, signature, b""]),
        cbor2.CBORTag(18, [protected, {}, payload, signature[:63]]),
        cbor2.CBORTag(18, [protected, [], payload, signature]),
        cbor2.CBORTag(55799, cbor2.CBORTag(18, [protected, {}, payload, signature])),
    ]
    for other in others:
        with pytest.raises(WireError):
            verifier.verify(cbor2.dumps(other), vehicle=VEHICLE)


def test_an_oversized_message_is_refused_unread(key: SigningKey) -> None:
    verifier = Verifier({VEHICLE: [key.public]}, Limits(message_bytes=500))
    with pytest.raises(WireError, match="exceeds 500"):
        verifier.verify(sign_by_hand(key), vehicle=VEHICLE)
