"""The one file of configuration: what it may say, checked before anything starts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from edge.config_events import CollisionSection, EventSection
from edge.config_gbt import GBT, GbtDestinationSection, GbtSection, tongue_of
from edge.config_page import PageSection
from edge.config_platform import PlatformSection, is_loopback
from edge.config_policy import ControlSection, PolicySection
from edge.config_power import PowerSection
from edge.config_section import ConfigPath
from edge.config_section import Section as _Section
from edge.config_socketcan import SOCKETCAN, SocketCanOptions
from edge.config_vlink import VLINK, VlinkOptions, is_channel
from edge.errors import ConfigError
from edge.journal.section import JournalSection
from edge.tomlfile import read_toml, validate

_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")
MAIN_DESTINATION = "platform"
"""What the journal calls the platform of the table [uplink]."""

_BUS_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


def _vin(text: str) -> str:
    if not _VIN.fullmatch(text):
        raise ValueError("a VIN has 17 capital letters and digits, without I, O and Q (GB 16735)")
    return text


def _bus_name(text: str) -> str:
    if not _BUS_NAME.fullmatch(text):
        raise ValueError("a bus name begins with a letter and has up to 32 letters, digits, '-' and '_'")
    return text


class VehicleSection(_Section):
    """Who is speaking."""

    vin: Annotated[str, AfterValidator(_vin)] = Field(description="vehicle identification number, GB 16735")
    pseudonym: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = Field(
        default="", description="used in topics instead of the VIN; the platform must know it"
    )

    iccid: Annotated[str, Field(pattern=r"^([0-9A-Za-z]{20})?$")] = Field(
        default="", description="20 characters of the SIM card, told at each login of GB/T 32960.3"
    )
    packs: tuple[tuple[str, ...], ...] = Field(
        default=(),
        description="codes of the battery packs under each management system (GB/T 34014: 24 characters), "
        "told at each login of GB/T 32960.3",
    )

    @property
    def topic_name(self) -> str:
        """What stands for the vehicle in MQTT topics and messages."""
        return self.pseudonym or self.vin


class DatabaseSection(_Section):
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


class BusSection(_Section):
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


class NmeaSection(_Section):
    """A satellite receiver that speaks NMEA 0183 on a serial port."""

    kind: Literal["nmea"]
    device: str = Field(description="serial port such as /dev/ttyAMA0")
    baud: Annotated[int, Field(ge=1200, le=921_600)] = 9600


class GpsdSection(_Section):
    """A satellite receiver behind gpsd."""

    kind: Literal["gpsd"]
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 2947


class IioSection(_Section):
    """An accelerometer of the kernel's industrial I/O subsystem."""

    kind: Literal["iio"]
    folder: ConfigPath = Field(description="such as /sys/bus/iio/devices/iio:device0")
    period_s: Annotated[float, Field(ge=0.005, le=10)] = 0.05


SensorSection = Annotated[NmeaSection | GpsdSection | IioSection, Field(discriminator="kind")]


class CaptureSection(_Section):
    """How buses and sensors are read."""

    own_process: bool = Field(
        default=True,
        description="in a process that nobody can look into and that hands on masked frames only; "
        "if false, in the gateway's own, for a bench where the interface is of that process",
    )
    latency: Literal["normal", "low"] = Field(
        default="normal",
        description="how often live buses are read while a condition waits for frames: every 70 ms, or every "
        "4 ms, which takes most of a core on a busy vehicle",
    )
    user: str = Field(
        default="",
        description="whom that process becomes where the gateway was started as root; has to be able to read "
        "this file and those named in it, and to open the devices",
    )


class SamplingSection(_Section):
    """When records are made and sent (GB/T 32960.2 and .3)."""

    collect_period_s: Annotated[float, Field(ge=0.01, le=30)] = 1.0
    uplink_period_s: Annotated[float, Field(ge=0.01, le=30)] = 10.0
    reorder_horizon_s: Annotated[float, Field(ge=0, le=10)] = Field(
        default=0.2, description="how long a frame may wait for an older one of another bus"
    )

    edition: Literal["2016", "2025"] = Field(
        default="2025", description="of GB/T 32960.3: when an alarm window and the watch after power-off end"
    )
    alarm_before_s: Annotated[float, Field(ge=30, le=600)] = Field(
        default=30.0, description="how far back the records of an alarm of level 3 or 4 reach"
    )
    alarm_after_s: Annotated[float, Field(ge=30, le=600)] = Field(
        default=30.0,
        description="2016: how long its window lasts; 2025: how long an unknown level counts as up",
    )
    report_after_off_s: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=180.0, description="records go on for so long after high voltage was switched off"
    )
    after_off_s: Annotated[float, Field(ge=30, le=86_400)] | None = Field(
        default=None,
        description="the vehicle is watched for so long after that, the last 30 s are reported, and then no "
        "records are made until it wakes; 3600 for 2025, report_after_off_s for 2016",
    )
    event_ring_bytes: Annotated[int, Field(ge=1_000_000, le=1_000_000_000)] = Field(
        default=16_000_000, description="memory for the raw frames that precede an event"
    )

    @model_validator(mode="after")
    def _uplink_not_faster(self) -> Self:
        if self.uplink_period_s < self.collect_period_s:
            raise ValueError("uplink_period_s must not be shorter than collect_period_s")
        return self


class UplinkSection(PlatformSection):
    """The platform's broker."""

    port: Annotated[int, Field(ge=1, le=65_535)] = 8883
    protocol: Literal["5", "3.1.1"] = "5"
    username: str = ""
    password_file: ConfigPath | None = None
    keep_alive_s: Annotated[int, Field(ge=5, le=240)] = 30
    in_flight: Annotated[int, Field(ge=1, le=100)] = 20
    acknowledge: Literal["receipt", "puback"] = "receipt"

    @model_validator(mode="after")
    def _plain_only_at_home(self) -> Self:
        if not self.tls.enabled and not is_loopback(self.host):
            raise ValueError(
                f"without TLS only a broker on this machine may be used, not '{self.host}' "
                "(GB/T 44464-2024 5.6.1); set tls.enabled = true"
            )
        return self


class DestinationSection(UplinkSection):
    """A further platform; each has its own place in the journal."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")] = Field(
        description="what the journal and the account call it"
    )
    platform: ConfigPath | None = Field(
        default=None, description="its public key, which its receipts are checked with"
    )

    @model_validator(mode="after")
    def _receipts_need_its_key(self) -> Self:
        if self.acknowledge == "receipt" and self.platform is None:
            raise ValueError(
                f"the receipts of '{self.name}' are checked with its public key; set platform, "
                'or acknowledge = "puback" to take the broker\'s word'
            )
        return self


class SigningSection(_Section):
    """What signs the messages."""

    key: ConfigPath = Field(description="private key made by 'nevgate keys make'")
    platform: ConfigPath | None = Field(
        default=None, description="the platform's public key, which its receipts are checked with"
    )


AnyPlatform = UplinkSection | GbtSection
"""A platform by either tongue; those of further destinations too."""

AnyUplink = Annotated[
    Annotated[UplinkSection, Tag("mqtt")] | Annotated[GbtSection, Tag(GBT)], Discriminator(tongue_of)
]
AnyDestination = Annotated[
    Annotated[DestinationSection, Tag("mqtt")] | Annotated[GbtDestinationSection, Tag(GBT)],
    Discriminator(tongue_of),
]


class Config(_Section):
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
