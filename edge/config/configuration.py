"""The one file of configuration: what it may say, checked before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    Discriminator,
    Tag,
    field_validator,
    model_validator,
)

from edge.config.bus import BusSection
from edge.config.camera import CameraSection, VisionSection
from edge.config.capture import CaptureSection
from edge.config.events import COLLISION, CollisionSection, EventSection
from edge.config.gbt import GBT, GbtDestinationSection, GbtSection, tongue_of
from edge.config.page import PageSection
from edge.config.policy import ControlSection, PolicySection
from edge.config.power import PowerSection
from edge.config.sampling import SamplingSection
from edge.config.section import Section
from edge.config.sensor import SensorSection
from edge.config.uplink import DestinationSection, UplinkSection
from edge.config.vehicle import SigningSection, VehicleSection
from edge.config.vlink import VLINK, VlinkOptions
from edge.errors import ConfigError
from edge.journal.section import JournalSection
from edge.tomlfile import read_toml, validate

MAIN_DESTINATION = "platform"
"""What the journal calls the platform of the table [uplink]."""

AnyPlatform = UplinkSection | GbtSection
"""A platform by either tongue; those of further destinations too."""

AnyUplink = Annotated[
    Annotated[UplinkSection, Tag("mqtt")] | Annotated[GbtSection, Tag(GBT)], Discriminator(tongue_of)
]
AnyDestination = Annotated[
    Annotated[DestinationSection, Tag("mqtt")] | Annotated[GbtDestinationSection, Tag(GBT)],
    Discriminator(tongue_of),
]


class Config(Section):
    """The whole configuration."""

    vehicle: VehicleSection
    bus: tuple[BusSection, ...]
    sensor: tuple[SensorSection, ...] = ()
    capture: CaptureSection = CaptureSection()
    policy: PolicySection = PolicySection()
    control: ControlSection = ControlSection()
    sampling: SamplingSection = SamplingSection()
    event: tuple[EventSection, ...] = ()
    collision: CollisionSection | None = None
    camera: tuple[CameraSection, ...] = ()
    vision: VisionSection = VisionSection()
    uplink: AnyUplink
    destination: tuple[AnyDestination, ...] = ()
    journal: JournalSection | None = None
    page: PageSection | None = None
    power: PowerSection | None = None
    signing: SigningSection

    @property
    def journal_folder(self) -> Path | None:
        """Where the journal lies; None where there is none."""
        return None if self.journal is None else self.journal.folder

    @property
    def power_bus(self) -> str | None:
        """A bus whose board is the supervisor of power; None where there is no table [power]."""
        if self.power is None:
            return None
        boards = {
            bus.name: (bus.channel, VlinkOptions.of(bus.options).speed)
            for bus in self.bus
            if bus.interface == VLINK
        }
        return self.power.bus_of(boards)

    @model_validator(mode="after")
    def _power_has_a_board(self) -> Self:
        _ = self.power_bus
        return self

    @field_validator("bus")
    @classmethod
    def _names_differ(cls, buses: tuple[BusSection, ...]) -> tuple[BusSection, ...]:
        if not buses:
            raise ValueError("no bus is configured; add a table [[bus]]")
        names = [bus.name for bus in buses]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two buses are called '{name}'; each needs a name of its own")
        return buses

    @field_validator("bus")
    @classmethod
    def _boards_agree(cls, buses: tuple[BusSection, ...]) -> tuple[BusSection, ...]:
        told: dict[tuple[str, int], str] = {}
        speeds: dict[str, tuple[str, int]] = {}
        for bus in buses:
            if bus.interface != VLINK:
                continue
            options = VlinkOptions.of(bus.options)
            other = told.setdefault((bus.channel, options.bus), bus.name)
            if other != bus.name:
                raise ValueError(
                    f"buses '{other}' and '{bus.name}' are the same bus of one board; give each its own "
                    "options = { bus = 0 }, { bus = 1 } …"
                )
            first, speed = speeds.setdefault(bus.channel, (bus.name, options.speed))
            if speed != options.speed:
                raise ValueError(f"buses '{first}' and '{bus.name}' give one board two speeds")
        return buses

    @model_validator(mode="after")
    def _destinations_need_a_journal(self) -> Self:
        names = [MAIN_DESTINATION, *(one.name for one in self.destination)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two destinations are called '{name}'; each needs a name of its own")
        if self.destination and self.journal is None:
            raise ValueError("further destinations need a journal; add a table [journal] with a folder")
        if isinstance(self.uplink, GbtSection) and self.journal is None:
            raise ValueError(
                "a platform of GB/T 32960.3 is told later what it missed, so that it needs a journal; "
                "add a table [journal] with a folder"
            )
        return self

    @model_validator(mode="after")
    def _packs_can_be_told(self) -> Self:
        for section in (self.uplink, *self.destination):
            if not isinstance(section, GbtSection):
                continue
            try:
                section.terminal(self.vehicle.vin, self.vehicle.iccid, self.vehicle.packs)
            except ConfigError as error:
                raise ValueError(f"vehicle: {error.what} ({section.protocol})") from error
        return self

    @field_validator("event")
    @classmethod
    def _events_differ(cls, events: tuple[EventSection, ...]) -> tuple[EventSection, ...]:
        names = [event.name for event in events]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two events are called '{name}'; each needs a name of its own")
        return events

    @field_validator("camera")
    @classmethod
    def _cameras_differ(cls, cameras: tuple[CameraSection, ...]) -> tuple[CameraSection, ...]:
        names = [camera.name for camera in cameras]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two cameras are called '{name}'; each needs a name of its own")
        return cameras

    @model_validator(mode="after")
    def _cameras_can_keep(self) -> Self:
        if self.camera and self.journal is None:
            raise ValueError("pictures are kept in the journal alone; add a table [journal] with a folder")
        known = {event.name for event in self.event} | ({COLLISION} if self.collision is not None else set())
        for camera in self.camera:
            for name in camera.events:
                if name not in known:
                    raise ValueError(
                        f"camera '{camera.name}' waits for '{name}', which is no [[event]] and no [collision]"
                    )
        return self

    @model_validator(mode="after")
    def _receipts_need_a_key(self) -> Self:
        mqtt = isinstance(self.uplink, UplinkSection)
        if mqtt and self.uplink.acknowledge == "receipt" and self.signing.platform is None:
            raise ValueError(
                "receipts are checked with the platform's public key; set signing.platform, "
                'or uplink.acknowledge = "puback" to take the broker\'s word'
            )
        return self


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: one line a complaint: the key, what is wrong, and what would be right.
    """
    return validate(read_toml(path, ConfigError), Config, ConfigError, context={"folder": path.parent})
