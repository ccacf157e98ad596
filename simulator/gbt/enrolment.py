"""Activation and data keys of 2025 at the platform: commands 0x09 and 0x0B."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.catalogue.item import Edition
from edge.errors import KeyFileError
from edge.wire.gbt.beijing import unix_seconds
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.layout import layouts
from edge.wire.gbt.options import ActivationCodes
from edge.wire.gbt.security.choices import SecurityOptions
from edge.wire.gbt.security.faults import SignatureError
from edge.wire.gbt.security.keys import cipher_of, key_from_exchange, verifier_of
from edge.wire.gbt.security.signatures import read_signature
from edge.wire.gbt.steps import Raws
from simulator.gbt.checks import Fault, RefusedError
from simulator.gbt.keys import DataKey, activated_key
from simulator.gbt.vehicle_state import VehicleState

if TYPE_CHECKING:
    from simulator.gbt.platform import GbtPlatform

_DONE, _FAILED = 1, 2
_ACTIVATED, _CHIP_ACTIVE, _VIN_DUPLICATE = 0, 1, 2


def activate(platform: GbtPlatform, state: VehicleState, raws: Raws) -> tuple[int, int]:
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


def take_data_key(state: VehicleState, raws: Raws, options: SecurityOptions) -> None:
    """Take a data key.

    Raises:
        RefusedError: it is none, or its term is none.
    """
    code, _, key, begins, ends = raws
    from_s, to_s = unix_seconds(begins), unix_seconds(ends)
    if from_s is None or to_s is None or to_s <= from_s:
        raise RefusedError(Fault.STRUCTURE, f"{begins.hex()} to {ends.hex()} is no term")
    try:
        cipher = cipher_of(key_from_exchange(code, key), options)
    except (KeyFileError, GbtError) as error:
        raise RefusedError(Fault.STRUCTURE, error.what) from error
    state.keys.take(DataKey(cipher, from_s, to_s))
