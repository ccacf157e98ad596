"""Signed messages: COSE_Sign1 (RFC 9052) with Ed25519 or ES256, in exactly one form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import cwt
from cbor2 import CBORTag
from cwt.exceptions import CWTError

from edge.errors import WireError
from edge.wire.keys import KEY_ID_BYTES, Algorithm, SigningKey, VerifyingKey
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.strict_cbor import Fields, read_cbor

SIGNATURE_BYTES = 64

_ALG, _CONTENT_TYPE, _KID = 1, 3, 4
_CBOR_CONTENT_FORMAT = 60
_ALGORITHM_CODES = {Algorithm.ED25519: -8, Algorithm.ES256: -7}
_SIGN1_TAG = 18
_SIGN1_HEAD = 0xD2


class Role(StrEnum):
    """What a signed message is for; the word stands in the topic after the vehicle."""

    UP = "up"
    DOWN = "down"
    STATUS = "status"
    POLICY = "policy"
    """Of a policy file, which has no topic: no message is taken for its signature."""
    REPORT = "report"
    """Of an inspector's report, which has none either."""


def binding(vehicle: str, role: Role) -> bytes:
    """The externally supplied data of a signature: the topic up to the role, ``nev/v1/{vehicle}/up``.

    A message that is moved to another vehicle's topic, or a receipt that is played back as a status, does not
    verify. The topic's last word is left out on purpose: a message that could not be sent live goes as
    backlog with the same bytes.
    """
    return f"nev/v1/{vehicle}/{role}".encode()


class Signer:
    """Signs for one vehicle and one role.

    Attributes:
        key_id: the ``kid`` in each protected header.
    """

    def __init__(self, key: SigningKey, *, vehicle: str, role: Role = Role.UP) -> None:
        self.key_id = key.public.key_id
        self._binding = binding(vehicle, role)
        self._key: Any = cwt.COSEKey.from_pem(
            key.to_pem(), alg=_ALGORITHM_CODES[key.public.algorithm], kid=self.key_id
        )
        self._header = {
            _ALG: _ALGORITHM_CODES[key.public.algorithm],
            _CONTENT_TYPE: _CBOR_CONTENT_FORMAT,
            _KID: self.key_id,
        }
        self._cose: Any = cwt.COSE.new(deterministic_header=True)

    def sign(self, payload: bytes) -> bytes:
        """Wrap and sign a payload: a tagged COSE_Sign1, 89 bytes more than a payload of 256 bytes to 64 KB.

        Ed25519 signs equal payloads with equal bytes; ES256 draws a random number for each signature, so that
        what was signed must be kept to be sent again.
        """
        signed: bytes = self._cose.encode_and_sign(
            payload, self._key, protected=self._header, external_aad=self._binding
        )
        return signed


@dataclass(frozen=True, slots=True)
class Verified:
    """A payload whose signature or code holds.

    Attributes:
        payload: what was signed.
        key_id: the key that signed it, 8 bytes.
        provable: whether it convinces third parties: a signature does, the code of a key that is shared
            (`edge.wire.mac0`) does not.
    """

    payload: bytes
    key_id: bytes
    provable: bool = True


class Verifier:
    """Checks signatures with the keys that are known for each vehicle."""

    def __init__(
        self, keys: Mapping[str, Iterable[VerifyingKey]] | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._limits = limits
        self._keys: dict[tuple[str, bytes], tuple[Algorithm, Any]] = {}
        self._cose: Any = cwt.COSE.new(verify_kid=True)
        for vehicle, each in (keys or {}).items():
            for key in each:
                self.add(vehicle, key)

    def add(self, vehicle: str, key: VerifyingKey) -> None:
        """Trust `key` for `vehicle` from now on, beside the keys it has."""
        usable = cwt.COSEKey.from_pem(key.pem, alg=_ALGORITHM_CODES[key.algorithm], kid=key.key_id)
        self._keys[vehicle, key.key_id] = key.algorithm, usable

    def remove(self, vehicle: str, key_id: bytes) -> None:
        """Trust that key for `vehicle` no more; unknown ones are ignored."""
        self._keys.pop((vehicle, key_id), None)

    def verify(self, data: bytes, *, vehicle: str, role: Role = Role.UP) -> Verified:
        """Check a message and take its signature off.

        Args:
            data: a tagged COSE_Sign1.
            vehicle: whose topic it came on.
            role: the topic's role.

        Returns:
            The payload and the key that signed it.

        Raises:
            WireError: malformed, not in the one accepted form, of an unknown key, or wrongly signed.
        """
        if len(data) > self._limits.message_bytes:
            raise WireError(f"message of {len(data)} bytes exceeds {self._limits.message_bytes}")
        protected, payload, signature = _parts(data)
        header = Fields(read_cbor(protected), "protected header")
        algorithm_code = header.integer(_ALG)
        header.integer(_CONTENT_TYPE, _CBOR_CONTENT_FORMAT, _CBOR_CONTENT_FORMAT)
        key_id = header.octets(_KID, KEY_ID_BYTES)
        header.finish()
        known = self._keys.get((vehicle, key_id))
        if known is None:
            raise WireError(
                f"key {key_id.hex()} is not known for this vehicle",
                where=vehicle,
                todo="Give the platform the vehicle's public key",
            )
        algorithm, key = known
        if algorithm_code != _ALGORITHM_CODES[algorithm]:
            raise WireError(f"key {key_id.hex()} signs with {algorithm} only", where=vehicle)
        try:
            # The library gets what the strict reader has taken apart, so that its own parser sees no foreign
            # bytes but the protected header, which has just been read.
            self._cose.decode(
                CBORTag(_SIGN1_TAG, [protected, {}, payload, signature]),
                [key],
                external_aad=binding(vehicle, role),
            )
        except (CWTError, ValueError) as error:
            raise WireError(
                f"signature of key {key_id.hex()} does not hold for this payload and topic", where=vehicle
            ) from error
        return Verified(payload, key_id)


def unverified_payload(data: bytes) -> bytes:
    """The payload of a signed message whose signature nobody has checked: for one's own messages only.

    Raises:
        WireError: the bytes are no signed message in the one accepted form.
    """
    return _parts(data)[1]


def _parts(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Protected header, payload and signature of a tagged COSE_Sign1 in deterministic encoding."""
    if not data or data[0] != _SIGN1_HEAD:
        raise WireError("message is no tagged COSE_Sign1")
    match read_cbor(data, 1):
        case [bytes(protected), {**unprotected}, bytes(payload), bytes(signature)] if not unprotected:
            if len(signature) != SIGNATURE_BYTES:
                raise WireError(f"signature has {len(signature)} bytes, not {SIGNATURE_BYTES}")
            return protected, payload, signature
        case _:
            raise WireError("message is no COSE_Sign1 with an empty unprotected header")
