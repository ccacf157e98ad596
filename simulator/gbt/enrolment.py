"""Activation and data keys of 2025 at the platform: commands 0x09 and 0x0B."""

from __future__ import annotations

from typing import NamedTuple

from edge.catalogue.item import Edition
from edge.errors import KeyFileError
from edge.wire.gbt.beijing import time_bytes, unix_seconds
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Encryption, Frame, Response
from edge.wire.gbt.layout import layouts
from edge.wire.gbt.options import ActivationCodes
from edge.wire.gbt.security.choices import BLOCK_BYTES
from edge.wire.gbt.security.faults import DecryptionError, SignatureError
from edge.wire.gbt.security.keys import cipher_of, key_from_exchange, verifier_of
from edge.wire.gbt.security.signatures import read_signature
from edge.wire.gbt.steps import Raws
from simulator.gbt.books import Books
from simulator.gbt.checks import Fault, RefusedError
from simulator.gbt.keys import DataKey, activated_key
from simulator.gbt.vehicle_state import VehicleState

_SYMMETRIC = frozenset({Encryption.AES, Encryption.SM4})
_DONE, _FAILED = 1, 2
_ACTIVATED, _CHIP_ACTIVE, _VIN_DUPLICATE = 0, 1, 2


class OfferedKey(NamedTuple):
    """A data key that the platform has made, and the terminal has not answered yet.

    Attributes:
        frame: the message that says it.
        key: what holds from the answer on.
    """

    frame: Frame
    key: DataKey


def activate(platform: Books, state: VehicleState, raws: Raws) -> tuple[int, int]:
    """Take an activation.

    The signature covers all before it: time, chip, key and VIN, under the key that it brings.

    Returns:
        Status and reason, as the result (0x0A) says them.

    Raises:
        RefusedError: the key or the signature is none, does not hold, or the VIN is another than the frame's.
    """
    _, chip, _, key, vin, signature = raws
    if vin != state.entry.vin:
        raise RefusedError(Fault.VIN_OTHER, vin.decode("ascii", "backslashreplace"))
    covered = layouts(Edition.Y2025)["command 09"].write((*raws[:5], b""))
    try:
        parts = read_signature(signature)
        public = activated_key(parts[0], key)
        verifier = verifier_of(public, platform.register.security)
        verifier.check(covered, parts)
    except SignatureError as error:
        raise RefusedError(Fault.SIGNATURE, error.what) from error
    except GbtError as error:
        raise RefusedError(Fault.STRUCTURE, error.what) from error
    base = 1 if platform.settings.options.activation_codes is ActivationCodes.FROM_ONE else 0
    if platform.chips.get(chip) is not None:
        return _FAILED, base + _CHIP_ACTIVE
    if state.chip is not None or state.entry.chip not in {None, chip}:
        return _FAILED, base + _VIN_DUPLICATE
    platform.chips[chip] = vin
    state.chip = chip
    state.keys.public, state.keys.verifier = public, verifier
    return _DONE, base + _ACTIVATED


def take_data_key(platform: Books, state: VehicleState, raws: Raws, *, encrypted: bool) -> None:
    """Take a data key that the terminal has made.

    A key of AES or SM4 may be encrypted in its field under one of the platform's own keys, or stand plain in
    a data unit that is encrypted as a whole.

    Args:
        platform: whose keys are tried.
        state: the vehicle.
        raws: of the message.
        encrypted: whether its data unit came encrypted.

    Raises:
        RefusedError: it is none, came in plain, or its term is none.
    """
    code, _, key, begins, ends = raws
    options = platform.register.security
    from_s, to_s = unix_seconds(begins), unix_seconds(ends)
    if from_s is None or to_s is None or to_s <= from_s:
        raise RefusedError(Fault.STRUCTURE, f"{begins.hex()} to {ends.hex()} is no term")
    if code in _SYMMETRIC and len(key) != BLOCK_BYTES:
        key = _opened_field(platform, key)
    elif code in _SYMMETRIC and not (encrypted or platform.settings.plain_data_keys):
        raise RefusedError(Fault.DECRYPTION, "a data key came in plain")
    try:
        cipher = cipher_of(key_from_exchange(code, key), options)
    except (KeyFileError, GbtError) as error:
        raise RefusedError(Fault.STRUCTURE, error.what) from error
    state.keys.take(DataKey(cipher, from_s, to_s))


def _opened_field(platform: Books, field: bytes) -> bytes:
    for cipher in platform.register.own.values():
        try:
            return cipher.decrypt(field)
        except DecryptionError:
            continue
    raise RefusedError(Fault.DECRYPTION, "the data key is under none of the platform's own keys")


def offer_data_key(
    platform: Books, state: VehicleState, code: Encryption, unix_s: int, secret: bytes
) -> OfferedKey:
    """Make a data key for a vehicle, encrypted in its field under the public key that it was activated with.

    Args:
        platform: names the ciphers' options and the term.
        state: the vehicle.
        code: AES or SM4.
        unix_s: from when on it holds.
        secret: 16 random bytes.

    Raises:
        GbtError: no public key is known of the vehicle, it encrypts nothing, or `code` is none of both.
    """
    if code not in _SYMMETRIC:
        raise GbtError("a data key is one of AES or SM4")
    if state.keys.public is None:
        raise GbtError(f"{state.name} has activated no public key to encrypt a data key with")
    options = platform.register.security
    try:
        field = cipher_of(state.keys.public, options).encrypt(secret)
        cipher = cipher_of(key_from_exchange(code, secret), options)
    except KeyFileError as error:
        raise GbtError(error.what) from error
    to_s = unix_s + platform.settings.data_key_s
    unit = layouts(Edition.Y2025)["command 0B"].write(
        (int(code), len(field), field, time_bytes(unix_s), time_bytes(to_s))
    )
    frame = Frame(Edition.Y2025, Command.DATA_KEY, Response.COMMAND, state.entry.vin, Encryption.NONE, unit)
    return OfferedKey(frame, DataKey(cipher, unix_s, to_s))
