"""`Register`: the vehicles and platforms that a platform knows, with their keys; read from a TOML file."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from edge.catalogue.item import Edition
from edge.errors import ConfigError
from edge.tomlfile import TomlFile, read_toml, validate
from edge.wire.gbt.security.choices import BlockMode, RsaPadding, SecurityOptions, Sm2Format
from edge.wire.gbt.security.ciphers import UnitCipher
from edge.wire.gbt.security.keys import cipher_of, read_gbt_key, verifier_of
from edge.wire.gbt.security.signatures import ReportVerifier


def _no_ciphers() -> Mapping[int, UnitCipher]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class VehicleEntry:
    """A vehicle that is known.

    Attributes:
        vin: 17 bytes.
        type: of the vehicle, by which figures are added up; empty where nobody said.
        edition: the only one that it may speak; None for any.
        chip: id of its security chip, 16 bytes; None where it may activate any.
        ciphers: agreed beforehand, by how frames mark them.
        verifier: of its public key; None where none is registered.
    """

    vin: bytes
    type: str = ""
    edition: Edition | None = None
    chip: bytes | None = None
    ciphers: Mapping[int, UnitCipher] = field(default_factory=_no_ciphers)
    verifier: ReportVerifier | None = None


@dataclass(frozen=True, slots=True)
class PlatformEntry:
    """A platform that may log in (command 0x05).

    Attributes:
        user: its name, at most 12 bytes.
        password: at most 20 bytes.
        unique_id: the 17 bytes in its frames; None for any.
        vehicles: the only ones that it may forward; None for any.
        ciphers: agreed with it, by how frames mark them.
    """

    user: str
    password: str = field(repr=False)
    unique_id: bytes | None = None
    vehicles: frozenset[bytes] | None = None
    ciphers: Mapping[int, UnitCipher] = field(default_factory=_no_ciphers)

    def forwards(self, vin: bytes) -> bool:
        """Whether it may forward a vehicle."""
        return self.vehicles is None or vin in self.vehicles


@dataclass(frozen=True, slots=True)
class Register:
    """What a platform knows before anybody connects.

    Attributes:
        vehicles: by VIN.
        platforms: by user.
        any_vehicle: whether others are known too, as a bench wants it.
        any_platform: whether any user and password will do.
        own: ciphers of the platform's own private keys, by how frames mark them.
        security: what is agreed about ciphers and signatures.
    """

    vehicles: Mapping[bytes, VehicleEntry] = field(default_factory=lambda: MappingProxyType({}))
    platforms: Mapping[str, PlatformEntry] = field(default_factory=lambda: MappingProxyType({}))
    any_vehicle: bool = False
    any_platform: bool = False
    own: Mapping[int, UnitCipher] = field(default_factory=_no_ciphers)
    security: SecurityOptions = field(default_factory=SecurityOptions)

    def vehicle(self, vin: bytes) -> VehicleEntry | None:
        """The vehicle of a VIN; None where it is not known."""
        entry = self.vehicles.get(vin)
        known = self.any_vehicle and vin.isalnum() and vin.isascii()
        return VehicleEntry(vin) if entry is None and known else entry

    def platform(self, user: bytes, password: bytes, unique_id: bytes) -> PlatformEntry | None:
        """The platform that logs in so; None where it may not."""
        name = user.rstrip(b"\0 ").decode("gb18030", "backslashreplace")
        entry = self.platforms.get(name)
        if entry is None:
            return PlatformEntry(name, "") if self.any_platform and name else None
        given = password.rstrip(b"\0 ")
        if not hmac.compare_digest(given, entry.password.encode("gb18030")):
            return None
        if entry.unique_id is not None and entry.unique_id != unique_id:
            return None
        return entry


OPEN_REGISTER = Register(any_vehicle=True, any_platform=True)
"""For a bench: every vehicle and every platform is known."""

_Vin = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{17}$")]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=60)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class _Vehicle(_Section):
    vin: _Vin
    type: _Name | None = None
    edition: Literal["2016", "2025"] | None = None
    chip: Annotated[str, StringConstraints(min_length=1, max_length=16)] | None = None
    keys: tuple[Path, ...] = ()
    public_key: Path | None = None


class _Platform(_Section):
    user: Annotated[str, StringConstraints(min_length=1, max_length=12)]
    password: Annotated[str, StringConstraints(max_length=20)] | None = None
    password_file: Path | None = None
    id: Annotated[str, StringConstraints(pattern=r"^[!-~]{17}$")] | None = None
    vehicles: tuple[_Vin, ...] | None = None
    keys: tuple[Path, ...] = ()

    @model_validator(mode="after")
    def _one_password(self) -> _Platform:
        if (self.password is None) == (self.password_file is None):
            raise ValueError("give either password or password_file")
        return self


class _Security(_Section):
    block_mode: BlockMode = BlockMode.CBC
    fixed_iv: Annotated[str, StringConstraints(pattern=r"^([0-9A-Fa-f]{32})?$")] = ""
    rsa_padding: RsaPadding = RsaPadding.PKCS1_V15
    sm2_format: Sm2Format = Sm2Format.C1C3C2
    sm2_id: str = "1234567812345678"


class _File(_Section):
    any_vehicle: bool = False
    any_platform: bool = False
    keys: tuple[Path, ...] = ()
    security: _Security = _Security()
    vehicle: tuple[_Vehicle, ...] = Field(default=())
    platform: tuple[_Platform, ...] = Field(default=())


def load_register(path: Path) -> Register:
    """Read a register from a TOML file; files that it names are looked for beside it.

    Raises:
        ConfigError: the file cannot be used, with the line.
        KeyFileError: a key that it names cannot.
    """
    file = read_toml(path, ConfigError)
    said = validate(file, _File, ConfigError)
    options = SecurityOptions(
        block_mode=said.security.block_mode,
        fixed_iv=bytes.fromhex(said.security.fixed_iv),
        rsa_padding=said.security.rsa_padding,
        sm2_format=said.security.sm2_format,
        sm2_id=said.security.sm2_id.encode(),
    )
    vehicles: dict[bytes, VehicleEntry] = {}
    for place, one in enumerate(said.vehicle):
        vin = one.vin.encode("ascii")
        if vin in vehicles:
            raise ConfigError(f"{one.vin} stands there twice", where=file.where(("vehicle", place, "vin")))
        vehicles[vin] = VehicleEntry(
            vin,
            one.type or "",
            None if one.edition is None else Edition(int(one.edition)),
            None if one.chip is None else one.chip.encode("ascii", "replace").ljust(16),
            _ciphers(path, one.keys, options),
            None
            if one.public_key is None
            else verifier_of(read_gbt_key(path.parent / one.public_key), options),
        )
    platforms: dict[str, PlatformEntry] = {}
    for place, each in enumerate(said.platform):
        if each.user in platforms:
            raise ConfigError(
                f"{each.user} stands there twice", where=file.where(("platform", place, "user"))
            )
        platforms[each.user] = PlatformEntry(
            each.user,
            _password(file, place, each),
            None if each.id is None else each.id.encode("ascii"),
            None if each.vehicles is None else frozenset(vin.encode("ascii") for vin in each.vehicles),
            _ciphers(path, each.keys, options),
        )
    return Register(
        MappingProxyType(vehicles),
        MappingProxyType(platforms),
        said.any_vehicle,
        said.any_platform,
        _ciphers(path, said.keys, options),
        options,
    )


def _ciphers(path: Path, files: tuple[Path, ...], options: SecurityOptions) -> Mapping[int, UnitCipher]:
    made = [cipher_of(read_gbt_key(path.parent / one), options) for one in files]
    return MappingProxyType({int(cipher.code): cipher for cipher in made})


def _password(file: TomlFile, place: int, said: _Platform) -> str:
    if said.password_file is None:
        return said.password or ""
    try:
        return (file.path.parent / said.password_file).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "is no text in UTF-8"
        raise ConfigError(
            f"{said.password_file} cannot be read: {words}",
            where=file.where(("platform", place, "password_file")),
        ) from error
