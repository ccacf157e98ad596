"""Makes what a session of GB/T 32960.3 needs beside its rules, out of the configuration and its files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from edge.clock import Clock
from edge.config.gbt import GbtSection
from edge.errors import ConfigError
from edge.gbt_destination.files import GbtFiles
from edge.uplink.gbt.activation import Activation, Identity
from edge.uplink.gbt.data_keys import DataKeys
from edge.uplink.gbt.durable_file import DurableFile
from edge.uplink.gbt.secrecy import Secrecy
from edge.wire.gbt.security.ciphers import BlockUnitCipher
from edge.wire.gbt.security.keys import SymmetricKey, public_half, public_key_bytes, signer_of


def durable_file(folder: Path, destination: str, what: str) -> DurableFile:
    """A small file of one destination in the journal's folder.

    Args:
        folder: of the journal.
        destination: its name.
        what: such as ``sessions``.
    """
    return DurableFile(folder / f"gbt-{destination}-{what}.json")


def secrecy_of(
    section: GbtSection, files: GbtFiles, vin: str, clock: Clock, draw: Callable[[int], bytes]
) -> Secrecy:
    """What encrypts data units: an agreed key, exchanged ones, or nothing."""
    if section.data_keys is None:
        return Secrecy(files.cipher)
    rules = section.data_keys.rules
    keys = DataKeys(
        vin.encode("ascii"),
        rules,
        partial(BlockUnitCipher, rules.encryption),
        clock,
        draw,
        own=files.own,
        peer=files.peer,
    )
    return Secrecy(keys=keys)


def activation_of(
    section: GbtSection, files: GbtFiles, vin: str, clock: Clock, file: DurableFile
) -> Activation | None:
    """How the terminal is activated; None where it is not.

    Raises:
        ConfigError: the chip's key is none that signs.
    """
    if section.activation is None or files.chip is None:
        return None
    if isinstance(files.chip, SymmetricKey):
        raise ConfigError("a security chip has a private key of SM2, RSA or ECC", where="activation.key")
    identity = Identity(
        section.activation.chip_id, vin.encode("ascii"), public_key_bytes(public_half(files.chip))
    )
    return Activation(
        identity,
        signer_of(files.chip),
        file,
        clock,
        section.options.options,
        already_active_counts=section.activation.already_active_counts,
    )
