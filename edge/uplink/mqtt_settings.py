"""Where a broker is and how it is spoken to: what a person sets for one link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge.uplink.dialling import Resolve, look_up
from edge.uplink.permit import OPEN
from edge.uplink.tls import TlsSettings


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, when the connection breaks.

    Attributes:
        topic: where.
        make_payload: makes the payload, at each connect.
    """

    topic: str
    make_payload: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """How to reach one broker.

    Attributes:
        host: name or address; nothing else is ever resolved or connected to, no proxy and no redirect.
        port: TCP port.
        client_id: names this gateway's session at the broker; unique there.
        protocol: MQTT version.
        tls: transport security; None for none.
        username: empty for none.
        password_file: its content, without line ends at the end, is the password; read at each connect.
        will: the last will.
        keep_alive_s: after so long without traffic the connection is tested.
        session_expiry_s: how long the broker keeps the session while the gateway is away (MQTT 5; with 3.1.1
            the broker decides).
        connect_timeout_s: how long TCP and TLS may each take to open.
        unsent_bytes: how many bytes the kernel takes beyond those that are on their way (TCP_NOTSENT_LOWAT),
            so that a connection that is given up leaves no more than that to be sent in front of the next
            one's. A send buffer (SO_SNDBUF) so small would allow only so much for each round trip: 16 KB in
            100 ms are 1.3 Mbit/s.
        send_buffer_bytes: size of the socket's send buffer; None for the system's choice.
        address_refused: see `edge.uplink.permit.Permit`; asked of every address of the host, at each connect.
        resolve: looks the host up.
    """

    host: str
    port: int
    client_id: str
    protocol: Literal["5", "3.1.1"] = "5"
    tls: TlsSettings | None = field(default_factory=TlsSettings)
    username: str = ""
    password_file: Path | None = None
    will: Will | None = None
    keep_alive_s: int = 30
    session_expiry_s: int = 7 * 86_400
    connect_timeout_s: float = 10.0
    unsent_bytes: int = 16_384
    send_buffer_bytes: int | None = None
    address_refused: Callable[[str], str] = OPEN.address_refused
    resolve: Resolve = look_up

    @property
    def where(self) -> str:
        """The broker as a person knows it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
