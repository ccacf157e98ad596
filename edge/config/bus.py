"""The tables of the configuration about one CAN bus and its databases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from edge.config.section import ConfigPath, Section
from edge.config.socketcan import SOCKETCAN, SocketCanOptions
from edge.config.vlink import VLINK, VlinkOptions, is_channel

_BUS_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


def _bus_name(text: str) -> str:
    if not _BUS_NAME.fullmatch(text):
        raise ValueError("a bus name begins with a letter and has up to 32 letters, digits, '-' and '_'")
    return text


class DatabaseSection(Section):
    """One database of a bus, with the files that stand beside it."""

    file: ConfigPath = Field(description="DBC, KCD, ARXML or SYM file")
    classes: ConfigPath | None = Field(
        default=None, description="class file; without one, <file without ending>.classes.toml"
    )
    binding: ConfigPath | None = Field(
        default=None,
        description="binding file; without one, <file without ending>.binding.toml if it is there",
    )

    @property
    def class_file(self) -> Path:
        """The class file in force; without it nothing of this database is collected."""
        return self.classes or self.file.with_suffix(".classes.toml")

    @property
    def binding_file(self) -> Path | None:
        """The binding file in force, or None where there is none."""
        beside = self.file.with_suffix(".binding.toml")
        return self.binding or (beside if beside.exists() else None)


class BusSection(Section):
    """One CAN bus."""

    name: Annotated[str, AfterValidator(_bus_name)]
    interface: str = Field(
        default="",
        description="python-can interface such as socketcan, slcan, gs_usb, virtual, udp_multicast; "
        "or vlink: a board with nevgate's firmware (docs/vlink-host.md)",
    )
    channel: str = Field(
        default="", description="the interface's channel such as can0; of vlink a serial port, or auto"
    )
    bitrate: Annotated[int, Field(ge=10_000, le=1_000_000)] | None = None
    data_bitrate: Annotated[int, Field(ge=10_000, le=8_000_000)] | None = None
    fd: bool = False
    options: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        description="further options of the python-can interface; for socketcan see docs/socketcan.md, "
        "for vlink docs/vlink-host.md",
    )
    recording_channel: str = Field(
        default="", description="label of this bus in recordings; without one, its name"
    )
    database: tuple[DatabaseSection, ...] = ()

    @model_validator(mode="after")
    def _live_needs_channel(self) -> Self:
        if self.interface and not self.channel:
            raise ValueError(
                f"bus '{self.name}' has an interface but no channel; add channel = \"can0\" or such"
            )
        return self

    @model_validator(mode="after")
    def _known_options(self) -> Self:
        kinds: dict[str, type[SocketCanOptions | VlinkOptions]] = {
            SOCKETCAN: SocketCanOptions,
            VLINK: VlinkOptions,
        }
        kind = kinds.get(self.interface)
        if kind is not None:
            try:
                kind.of(self.options)
            except ValidationError as error:
                faults = "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
                known = ", ".join(kind.model_fields)
                raise ValueError(f"options of bus '{self.name}': {faults}; there are {known}") from error
        return self

    @model_validator(mode="after")
    def _vlink_channel(self) -> Self:
        if self.interface == VLINK and not is_channel(self.channel):
            raise ValueError(
                f"channel of bus '{self.name}' has to be a port such as /dev/ttyACM0, auto for the one board "
                f"that is plugged in, or auto:SERIALNUMBER, not '{self.channel}'"
            )
        return self
