"""The tables of the configuration that say who is speaking, and what signs it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from edge.config.section import ConfigPath, Section

_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")


def _vin(text: str) -> str:
    if not _VIN.fullmatch(text):
        raise ValueError("a VIN has 17 capital letters and digits, without I, O and Q (GB 16735)")
    return text


class VehicleSection(Section):
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


class SigningSection(Section):
    """What signs the messages."""

    key: ConfigPath = Field(description="private key made by 'nevgate keys make'")
    platform: ConfigPath | None = Field(
        default=None, description="the platform's public key, which its receipts are checked with"
    )
