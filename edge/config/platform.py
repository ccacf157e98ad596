"""What all tables of the configuration that name a platform have in common: [uplink] and [[destination]]."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge.config.section import ConfigPath, Section
from edge.policy.rules import Purpose


class TlsSection(Section):
    """Transport security; on unless the platform is on this machine."""

    enabled: bool = True
    ca_file: ConfigPath | None = Field(default=None, description="without one, the system's authorities")
    certificate: ConfigPath | None = Field(default=None, description="client certificate, PEM")
    key: ConfigPath | None = Field(default=None, description="its private key, PEM")

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client certificate needs 'certificate' and 'key' both")
        return self


class PlatformSection(Section):
    """A platform, whatever it speaks."""

    host: Annotated[str, Field(min_length=1)]
    purpose: Literal[Purpose.REGULATED, Purpose.SERVICE] = Field(
        default=Purpose.REGULATED, description="what its platform gets records for, as the policy knows it"
    )
    jurisdiction: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = Field(
        default="",
        description="where its machines stand, ISO 3166-1 alpha-2; a machine of the vehicle has none",
    )
    account_period_s: Annotated[float, Field(ge=10, le=86_400)] = Field(
        default=3600.0, description="the account of the whole road goes up so often"
    )
    queue_messages: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    queue_bytes: Annotated[int, Field(ge=10_000, le=1_000_000_000)] = 32_000_000
    tls: TlsSection = TlsSection()

    @property
    def protected(self) -> bool:
        """Whether what goes there cannot be read on the way."""
        return self.tls.enabled


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
