"""Options of a bus behind a microcontroller that speaks vlink (docs/vlink-host.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from edge.config.section import Section

VLINK = "vlink"
AUTO = "auto"


class VlinkOptions(Section):
    """What the table ``options`` of a bus with ``interface = "vlink"`` may hold."""

    bus: Annotated[int, Field(ge=0, le=254)] = Field(
        default=0, description="which of the board's buses, in the order in which it names them"
    )
    speed: Annotated[int, Field(ge=9600, le=4_000_000)] = Field(
        default=921_600, description="bit/s of a UART; USB takes no notice of it"
    )

    @classmethod
    def of(cls, options: Mapping[str, object]) -> VlinkOptions:
        """Read a table of options.

        Raises:
            ValidationError: of pydantic; a key is unknown or its value wrong.
        """
        return cls.model_validate(dict(options))


def wanted_serial_number(channel: str) -> str:
    """The serial number in a channel ``auto:NUMBER``; empty in others."""
    head, _, number = channel.partition(":")
    return number if head == AUTO else ""


def is_channel(channel: str) -> bool:
    """Whether a channel is a device, ``auto``, or ``auto:`` with a serial number."""
    return channel.startswith("/") or channel == AUTO or bool(wanted_serial_number(channel))
