"""The vehicles' public keys, from a folder, and what they say of a signed message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from edge.errors import KeyFileError, WireError
from edge.wire.cose import Role, Verified, Verifier
from edge.wire.key_files import read_verifying_key
from edge.wire.keys import VerifyingKey
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.strict_cbor import Fields, read_cbor
from simulator.platform.rejected import Cause, RejectedError

PUBLIC_ENDING = ".pub.pem"
_SIGN1_HEAD = 0xD2
_KEY_ID_LABEL = 4


def load_keys(folder: Path, *, own: VerifyingKey | None = None) -> dict[str, list[VerifyingKey]]:
    """The public keys of a folder by vehicle: ``VIN.pub.pem``, or ``VIN/anything.pub.pem`` for several.

    Other files, private keys among them, are not looked at, and the platform's `own` key is left out.

    Raises:
        KeyFileError: if the folder cannot be read, holds no such file, or one of them is no public key.
    """
    keys: dict[str, list[VerifyingKey]] = {}
    try:
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                for each in sorted(path.glob(f"*{PUBLIC_ENDING}")):
                    keys.setdefault(path.name, []).append(read_verifying_key(each))
            elif path.name.endswith(PUBLIC_ENDING):
                key = read_verifying_key(path)
                if own is None or key.key_id != own.key_id:
                    keys.setdefault(path.name.removesuffix(PUBLIC_ENDING), []).append(key)
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


class Keyring:
    """Which keys each vehicle signs with.

    Args:
        keys: the public keys by vehicle.
        limits: what a message may cost at most.
    """

    def __init__(self, keys: Mapping[str, Iterable[VerifyingKey]], limits: Limits = DEFAULT_LIMITS) -> None:
        self._keys = {vehicle: list(each) for vehicle, each in keys.items()}
        self._verifier = Verifier(self._keys, limits)

    def knows(self, vehicle: str) -> bool:
        """Whether there is a key of `vehicle`."""
        return vehicle in self._keys

    def open(self, vehicle: str, signed: bytes, role: Role = Role.UP) -> Verified:
        """Check a message's signature and take it off.

        Raises:
            RejectedError: unsigned, unknown vehicle, unknown key, malformed, or wrongly signed.
        """
        if signed[:1] != bytes([_SIGN1_HEAD]):
            raise RejectedError(Cause.UNSIGNED, "the payload is no tagged COSE_Sign1")
        if vehicle not in self._keys:
            raise RejectedError(Cause.UNKNOWN_VEHICLE, f"there is no key of {vehicle!r}")
        try:
            return self._verifier.verify(signed, vehicle=vehicle, role=role)
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
        if any(key.key_id == key_id for key in self._keys[vehicle]):
            return Cause.TAMPERED
        return Cause.UNKNOWN_KEY
