"""`VinBook`: which VIN belongs to the name under which a vehicle signs; GB/T 32960.3 knows no pseudonym."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from edge.errors import ConfigError
from edge.tomlfile import read_toml, validate
from edge.wire.gbt.frame import VIN_BYTES

_NONE: Mapping[str, bytes] = MappingProxyType({})


class _Book(BaseModel):
    model_config = ConfigDict(extra="forbid")

    vehicles: dict[str, str]


class VinBook:
    """VINs by the names of vehicles.

    Args:
        vins: 17 printable ASCII characters each, by pseudonym.
        only: whether a name that is not among them has no VIN; else one that looks like a VIN is its own.
    """

    def __init__(self, vins: Mapping[str, bytes] = _NONE, *, only: bool = False) -> None:
        self._vins = dict(vins)
        self._only = only

    def vin(self, vehicle: str) -> bytes | None:
        """The VIN of a vehicle; None where none is known."""
        known = self._vins.get(vehicle)
        if known is not None or self._only or not is_vin(vehicle):
            return known
        return vehicle.encode("ascii")


def is_vin(text: str) -> bool:
    """Whether a text can stand where a frame has its VIN: 17 ASCII letters or digits."""
    return len(text) == VIN_BYTES and text.isascii() and text.isalnum()


def load_vin_book(path: Path, *, only: bool = False) -> VinBook:
    """Read a file with a table ``[vehicles]`` of ``pseudonym = "VIN"``.

    Raises:
        ConfigError: it cannot be read, or a VIN is none or is there twice.
    """
    asked = validate(read_toml(path, ConfigError), _Book, ConfigError)
    vins: dict[str, bytes] = {}
    by_vin: dict[str, str] = {}
    for vehicle, vin in asked.vehicles.items():
        if not is_vin(vin):
            raise ConfigError(
                f"'{vin}' is no VIN", where=f"{path}: {vehicle}", todo="It has 17 letters and digits"
            )
        if vin in by_vin:
            raise ConfigError(f"has the VIN of '{by_vin[vin]}'", where=f"{path}: {vehicle}")
        by_vin[vin] = vehicle
        vins[vehicle] = vin.encode("ascii")
    return VinBook(vins, only=only)
