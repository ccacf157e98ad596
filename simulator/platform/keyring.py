"""The vehicles' keys, from a folder, and what they say of a signed or authenticated message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from edge.errors import KeyFileError, WireError
from edge.wire.cose import Role, Verified, Verifier
from edge.wire.device_keys import DeviceKey
from edge.wire.key_files import read_device_key, read_verifying_key
from edge.wire.keys import VerifyingKey
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.mac0 import MAC0_HEAD, DeviceVerifier
from edge.wire.strict_cbor import Fields, read_cbor
from simulator.platform.rejected import Cause, RejectedError

PUBLIC_ENDING = ".pub.pem"
DEVICE_ENDING = ".device.pem"
_SIGN1 = b"\xd2"
_MAC0 = bytes([MAC0_HEAD])
_KEY_ID_LABEL = 4

VehicleKey = VerifyingKey | DeviceKey
"""What a vehicle's messages are checked with: the public half of a gateway's key, or the key of a device."""


def load_keys(folder: Path, *, own: VerifyingKey | None = None) -> dict[str, list[VehicleKey]]:
    """The keys of a folder by vehicle: ``VIN.pub.pem``, or ``VIN/anything.pub.pem`` for several.

    Keys of devices are called ``VIN.device.pem`` or ``VIN/anything.device.pem``. Other files, private keys
    among them, are not looked at, and the platform's `own` key is left out.

    Raises:
        KeyFileError: if the folder cannot be read, holds no such file, or one of them is no such key, or a
            device's key can be read by others.
    """
    keys: dict[str, list[VehicleKey]] = {}
    try:
        for path in sorted(folder.iterdir()):
            inside = sorted(path.iterdir()) if path.is_dir() else [path]
            for each in inside:
                found = _load(each)
                if found is None or (own is not None and found.key_id == own.key_id):
                    continue
                vehicle = path.name
                if each is path:
                    vehicle = vehicle.removesuffix(PUBLIC_ENDING).removesuffix(DEVICE_ENDING)
                keys.setdefault(vehicle, []).append(found)
    except OSError as error:
        raise KeyFileError(
            f"the folder of keys cannot be read: {error.strerror}", where=str(folder)
        ) from error
    if not keys:
        raise KeyFileError(
            f"there is no file VEHICLE{PUBLIC_ENDING}",
            where=str(folder),
            todo="Put each vehicle's public key there; 'nevgate keys make' makes both halves",
        )
    return keys


def _load(path: Path) -> VehicleKey | None:
    if path.name.endswith(PUBLIC_ENDING):
        return read_verifying_key(path)
    return read_device_key(path) if path.name.endswith(DEVICE_ENDING) else None


class Keyring:
    """Which keys each vehicle and its devices use.

    Args:
        keys: the keys by vehicle.
        limits: what a message may cost at most.
    """

    def __init__(self, keys: Mapping[str, Iterable[VehicleKey]], limits: Limits = DEFAULT_LIMITS) -> None:
        held = {vehicle: list(each) for vehicle, each in keys.items()}
        self._ids = {vehicle: {key.key_id for key in each} for vehicle, each in held.items()}
        self._signing = {
            vehicle for vehicle, each in held.items() if any(isinstance(key, VerifyingKey) for key in each)
        }
        self._signatures = Verifier(
            {
                vehicle: [key for key in each if isinstance(key, VerifyingKey)]
                for vehicle, each in held.items()
            },
            limits,
        )
        self._devices = DeviceVerifier(
            {vehicle: [key for key in each if isinstance(key, DeviceKey)] for vehicle, each in held.items()},
            limits,
        )

    def knows(self, vehicle: str) -> bool:
        """Whether there is a key of `vehicle`."""
        return vehicle in self._ids

    def signs(self, vehicle: str) -> bool:
        """Whether the vehicle has a key that signs: a gateway."""
        return vehicle in self._signing

    def device(self, vehicle: str, key_id: bytes) -> DeviceKey | None:
        """The key of one of the vehicle's devices."""
        return self._devices.key(vehicle, key_id)

    def open(self, vehicle: str, signed: bytes, role: Role = Role.UP) -> Verified:
        """Check a message's signature or code and take it off.

        Raises:
            RejectedError: neither signed nor authenticated, unknown vehicle or key, malformed, or wrong.
        """
        if signed[:1] not in {_SIGN1, _MAC0}:
            raise RejectedError(Cause.UNSIGNED, "the payload is no tagged COSE_Sign1 or COSE_Mac0")
        if vehicle not in self._ids:
            raise RejectedError(Cause.UNKNOWN_VEHICLE, f"there is no key of {vehicle!r}")
        try:
            if signed[:1] == _MAC0:
                return self._devices.verify(signed, vehicle=vehicle, role=role)
            return self._signatures.verify(signed, vehicle=vehicle, role=role)
        except WireError as error:
            raise RejectedError(self._cause(vehicle, signed), str(error)) from error

    def _cause(self, vehicle: str, signed: bytes) -> Cause:
        """Why a message with the right first byte was refused."""
        try:
            match read_cbor(signed, 1):
                case [bytes(protected), {**unprotected}, bytes(), bytes()] if not unprotected:
                    key_id = Fields(read_cbor(protected), "protected header").octets(_KEY_ID_LABEL)
                case _:
                    return Cause.MALFORMED
        except WireError:
            return Cause.MALFORMED
        return Cause.TAMPERED if key_id in self._ids[vehicle] else Cause.UNKNOWN_KEY
