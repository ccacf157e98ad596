"""The page's table in the configuration."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from edge.config.section import ConfigPath, Section


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(
            "an address of this machine is wanted, such as 127.0.0.1 or 192.168.7.1; names go into 'names'"
        ) from None


def _host_name(text: str) -> str:
    labels = text.lower().split(".")
    if len(text) > 253 or not all(  # noqa: PLR2004 - RFC 1035's limits
        0 < len(label) < 64 and label.replace("-", "a").isalnum() and label.isascii()  # noqa: PLR2004 - the same
        for label in labels
    ):
        raise ValueError("a host name without scheme and port is wanted, such as 'car.local'")
    return text.lower()


class PageSection(Section):
    """The driver's page, a web server in the vehicle."""

    host: Annotated[str, AfterValidator(_address)] = Field(
        default="127.0.0.1",
        description="address to listen on; other than loopback, who is in that network sees what is "
        "collected and may listen to PINs, since the page speaks HTTP without TLS",
    )
    port: Annotated[int, Field(ge=1, le=65_535)] = 8480
    names: tuple[Annotated[str, AfterValidator(_host_name)], ...] = Field(
        default=(), description="further host names by which browsers may call it; all others are refused"
    )
    driver_pin: bool = Field(
        default=True,
        description="false: whoever is at this machine's screen may agree, refuse and withdraw without a PIN",
    )
    pins: ConfigPath | None = Field(
        default=None, description="without one, page-pins.json in the journal's folder"
    )
    idle_s: Annotated[float, Field(ge=30, le=86_400)] = Field(
        default=600.0, description="a role is given up after so long without use"
    )

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ipaddress.ip_address(self.host).is_loopback

    @model_validator(mode="after")
    def _pin_less_only_on_this_machine(self) -> Self:
        if not self.driver_pin and not self.loopback:
            raise ValueError(
                f"driver_pin = false is for this machine's own screen, not for the network of {self.host}; "
                'set host = "127.0.0.1" or leave driver_pin away'
            )
        if ipaddress.ip_address(self.host).is_unspecified and not self.names:
            raise ValueError(
                f"{self.host} stands for all addresses; give in 'names' those by which browsers may call it"
            )
        return self

    @property
    def authorities(self) -> frozenset[str]:
        """What a browser may send as Host: the names and addresses, with the port."""
        names = set(self.names)
        address = ipaddress.ip_address(self.host)
        if not address.is_unspecified:
            names.add(f"[{self.host}]" if address.version == 6 else self.host)  # noqa: PLR2004 - IPv6
        if address.is_loopback:
            names.add("localhost")
        bare = names if self.port == 80 else set()  # noqa: PLR2004 - HTTP's own port
        return frozenset({f"{name}:{self.port}" for name in names} | bare)
