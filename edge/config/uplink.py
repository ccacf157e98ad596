"""The tables of the configuration about platforms that are reached by MQTT."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edge.config.platform import PlatformSection, is_loopback
from edge.config.section import ConfigPath


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
