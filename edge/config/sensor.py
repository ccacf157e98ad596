"""The tables of the configuration about item sources beside CAN."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edge.config.section import ConfigPath, Section


class NmeaSection(Section):
    """A satellite receiver that speaks NMEA 0183 on a serial port."""

    kind: Literal["nmea"]
    device: str = Field(description="serial port such as /dev/ttyAMA0")
    baud: Annotated[int, Field(ge=1200, le=921_600)] = 9600


class GpsdSection(Section):
    """A satellite receiver behind gpsd."""

    kind: Literal["gpsd"]
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 2947


class IioSection(Section):
    """An accelerometer of the kernel's industrial I/O subsystem."""

    kind: Literal["iio"]
    folder: ConfigPath = Field(description="such as /sys/bus/iio/devices/iio:device0")
    period_s: Annotated[float, Field(ge=0.005, le=10)] = 0.05


SensorSection = Annotated[NmeaSection | GpsdSection | IioSection, Field(discriminator="kind")]
