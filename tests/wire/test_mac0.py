"""Codes of devices: what a second implementation makes of them, and that nothing else passes for one."""

from __future__ import annotations

import stat
from pathlib import Path

import cbor2
import cwt
import pycddl
import pytest
from cwt.enums import COSEAlgs

import edge.wire
from edge.errors import KeyFileError, WireError
from edge.wire.cose import Role, Signer, Verifier, binding
from edge.wire.device_keys import DeviceKey
from edge.wire.key_files import holds_device_key, read_device_key, write_device_key, write_signing_key
from edge.wire.keys import SigningKey
from edge.wire.limits import Limits
from edge.wire.mac0 import Authenticator, DeviceVerifier

CDDL = (Path(edge.wire.__file__).parent / "nevgate.cddl").read_text()
SCHEMA = pycddl.Schema("root = authenticated\n" + CDDL)
HEADER_SCHEMA = pycddl.Schema("root = protected-mac-header\n" + CDDL)
VEHICLE = "LNEVGATE000000001"
KEY = DeviceKey(bytes(range(32)))
OTHER = DeviceKey(bytes(32))
PAYLOAD = bytes(range(256)) * 3


def made(payload: bytes = PAYLOAD, key: DeviceKey = KEY, role: Role = Role.UP) -> bytes:
    return Authenticator(key, vehicle=VEHICLE, role=role).authenticate(payload)


def verifier(limits: Limits | None = None) -> DeviceVerifier:
    return DeviceVerifier({VEHICLE: [KEY]}, limits or Limits())


def test_a_code_is_that_of_a_second_implementation_and_of_the_schema() -> None:
    message = made()
    SCHEMA.validate_cbor(message)
    HEADER_SCHEMA.validate_cbor(cbor2.loads(message).value[0])
    theirs = cwt.COSEKey.from_symmetric_key(alg="HS256", key=KEY.secret, kid=KEY.key_id)
    read = cwt.COSE.new().decode(message, theirs, external_aad=binding(VEHICLE, Role.UP))
    assert read == PAYLOAD
    again = cwt.COSE.new(deterministic_header=True).encode_and_mac(
        PAYLOAD,
        theirs,
        protected={1: COSEAlgs.HS256, 3: 60, 4: KEY.key_id},
        external_aad=binding(VEHICLE, Role.UP),
    )
    assert again == message


def test_a_message_under_a_known_key_is_taken_and_is_not_provable() -> None:
    verified = verifier().verify(made(), vehicle=VEHICLE)
    assert (verified.payload, verified.key_id, verified.provable) == (PAYLOAD, KEY.key_id, False)


def test_every_changed_byte_is_refused() -> None:
    message = made(b"short")
    for place in range(len(message)):
        changed = bytearray(message)
        changed[place] ^= 1
        with pytest.raises(WireError):
            verifier().verify(bytes(changed), vehicle=VEHICLE)
        with pytest.raises(WireError):
            verifier().verify(message[:place], vehicle=VEHICLE)
    with pytest.raises(WireError):
        verifier().verify(message + b"\0", vehicle=VEHICLE)


@pytest.mark.parametrize("role", [Role.DOWN, Role.STATUS])
def test_a_code_is_bound_to_vehicle_role_and_key(role: Role) -> None:
    with pytest.raises(WireError, match="does not hold"):
        verifier().verify(made(), vehicle=VEHICLE, role=role)
    with pytest.raises(WireError, match="not known"):
        verifier().verify(made(), vehicle="ANOTHER")
    with pytest.raises(WireError, match="not known"):
        verifier().verify(made(key=OTHER), vehicle=VEHICLE)
    with pytest.raises(WireError, match="exceeds"):
        verifier(Limits(message_bytes=100)).verify(made(), vehicle=VEHICLE)


@pytest.mark.parametrize("algorithm", [4, 6, -8, 1])
def test_another_algorithm_is_refused_though_the_code_is_right(algorithm: int) -> None:
    protected = cbor2.dumps({1: algorithm, 3: 60, 4: KEY.key_id})
    theirs = Authenticator(KEY, vehicle=VEHICLE)
    theirs._protected = protected
    with pytest.raises(WireError, match="field 1"):
        verifier().verify(theirs.authenticate(PAYLOAD), vehicle=VEHICLE)


def test_neither_kind_of_message_passes_for_the_other() -> None:
    signing = SigningKey.seeded(b"vehicle")
    signed = Signer(signing, vehicle=VEHICLE).sign(PAYLOAD)
    with pytest.raises(WireError, match="no tagged COSE_Mac0"):
        verifier().verify(signed, vehicle=VEHICLE)
    with pytest.raises(WireError):
        verifier().verify(b"\xd1" + signed[1:], vehicle=VEHICLE)
    with pytest.raises(WireError, match="no tagged COSE_Sign1"):
        Verifier({VEHICLE: [signing.public]}).verify(made(), vehicle=VEHICLE)


def test_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "node.device.pem"
    write_device_key(path, KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_device_key(path) == KEY
    assert holds_device_key(path)
    assert KEY.secret.hex() not in repr(KEY)
    with pytest.raises(KeyFileError, match="exists"):
        write_device_key(path, OTHER)
    path.chmod(0o644)
    with pytest.raises(KeyFileError, match="by others"):
        read_device_key(path)
    signing = tmp_path / "vehicle.pem"
    write_signing_key(signing, SigningKey.seeded(b"vehicle"))
    with pytest.raises(KeyFileError, match="no device key"):
        read_device_key(signing)
    assert not holds_device_key(signing)
    assert len({DeviceKey.generate().secret for _ in range(3)}) == 3
