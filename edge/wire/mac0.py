"""Authenticated messages of microcontrollers: COSE_Mac0 (RFC 9052) with HMAC-SHA-256, in exactly one form."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping

from edge.errors import WireError
from edge.wire.cose import Role, Verified, binding
from edge.wire.device_keys import DeviceKey
from edge.wire.keys import KEY_ID_BYTES
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.strict_cbor import Fields, read_cbor, write_cbor

HMAC_256 = 5
"""The algorithm's number: HMAC 256/256 (RFC 9053, section 3.1)."""

TAG_BYTES = 32
MAC0_HEAD = 0xD1
"""The first byte of a tagged COSE_Mac0."""

_ALG, _CONTENT_TYPE, _KID = 1, 3, 4
_CBOR_CONTENT_FORMAT = 60


class Authenticator:
    """Authenticates for one vehicle and one role.

    Args:
        key: what device and platform share.
        vehicle: VIN or pseudonym.
        role: of the topic that the messages go to.
    """

    def __init__(self, key: DeviceKey, *, vehicle: str, role: Role = Role.UP) -> None:
        self._key = key
        self._binding = binding(vehicle, role)
        self._protected = write_cbor({_ALG: HMAC_256, _CONTENT_TYPE: _CBOR_CONTENT_FORMAT, _KID: key.key_id})

    def authenticate(self, payload: bytes) -> bytes:
        """Wrap a payload: a tagged COSE_Mac0. Equal payloads give equal bytes."""
        tag = _code(self._key, self._protected, self._binding, payload)
        return bytes([MAC0_HEAD]) + write_cbor([self._protected, {}, payload, tag])


class DeviceVerifier:
    """Checks codes with the device keys that are known for each vehicle.

    It is no `Verifier`, which takes signatures alone, so that nothing that asks for proof is content with a
    code that its own checker could have made.

    Args:
        keys: the device keys by vehicle.
        limits: what a message may cost at most.
    """

    def __init__(self, keys: Mapping[str, Iterable[DeviceKey]], limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._keys = {(vehicle, key.key_id): key for vehicle, each in keys.items() for key in each}

    def key(self, vehicle: str, key_id: bytes) -> DeviceKey | None:
        """The vehicle's device key of that id."""
        return self._keys.get((vehicle, key_id))

    def verify(self, data: bytes, *, vehicle: str, role: Role = Role.UP) -> Verified:
        """Check a message and take its code off.

        Args:
            data: a tagged COSE_Mac0.
            vehicle: whose topic it came on.
            role: the topic's role.

        Returns:
            The payload, and the key that it is authenticated under; it is not provable.

        Raises:
            WireError: malformed, not in the one accepted form, of an unknown key, or with a wrong code.
        """
        if len(data) > self._limits.message_bytes:
            raise WireError(f"message of {len(data)} bytes exceeds {self._limits.message_bytes}")
        protected, payload, tag = _parts(data)
        header = Fields(read_cbor(protected), "protected header")
        header.integer(_ALG, HMAC_256, HMAC_256)
        header.integer(_CONTENT_TYPE, _CBOR_CONTENT_FORMAT, _CBOR_CONTENT_FORMAT)
        key_id = header.octets(_KID, KEY_ID_BYTES)
        header.finish()
        key = self.key(vehicle, key_id)
        if key is None:
            raise WireError(
                f"device key {key_id.hex()} is not known for this vehicle",
                where=vehicle,
                todo="Give the platform the device's key",
            )
        if not hmac.compare_digest(_code(key, protected, binding(vehicle, role), payload), tag):
            raise WireError(
                f"code of device key {key_id.hex()} does not hold for this payload and topic", where=vehicle
            )
        return Verified(payload, key_id, provable=False)


def _parts(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Protected header, payload and code of a tagged COSE_Mac0 in deterministic encoding."""
    if not data or data[0] != MAC0_HEAD:
        raise WireError("message is no tagged COSE_Mac0")
    match read_cbor(data, 1):
        case [bytes(protected), {**unprotected}, bytes(payload), bytes(tag)] if not unprotected:
            if len(tag) != TAG_BYTES:
                raise WireError(f"code has {len(tag)} bytes, not {TAG_BYTES}")
            return protected, payload, tag
        case _:
            raise WireError("message is no COSE_Mac0 with an empty unprotected header")


def _code(key: DeviceKey, protected: bytes, external: bytes, payload: bytes) -> bytes:
    """HMAC-SHA-256 of the MAC_structure (RFC 9052, section 6.3)."""
    return hmac.digest(key.secret, write_cbor(["MAC0", protected, external, payload]), "sha256")
