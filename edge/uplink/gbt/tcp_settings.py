"""How connections to a platform are opened: what a person sets for one link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge.uplink.dialling import Resolve, look_up
from edge.uplink.permit import OPEN
from edge.uplink.tls import TlsSettings


@dataclass(frozen=True, slots=True)
class TcpSettings:
    """How connections to a platform are opened.

    Attributes:
        tls: transport security; None for none, which is for loopback, or where nobody on the way can read
            what goes there: it holds the vehicle's position.
        open_timeout_s: how long TCP and TLS may each take to open.
        user_timeout_s: what the other side has not confirmed for so long ends the connection
            (TCP_USER_TIMEOUT), also where nobody is there any more to end it.
        unsent_bytes: how many bytes the kernel takes beyond those that are on their way (TCP_NOTSENT_LOWAT).
        close_s: how long what was sent may take to go once the connection is to end.
        section: of the configuration, named in what people read.
        address_refused: see `edge.uplink.permit.Permit`; asked of every address of the host.
        resolve: looks the host up.
    """

    tls: TlsSettings | None = field(default_factory=TlsSettings)
    open_timeout_s: float = 10.0
    user_timeout_s: float = 60.0
    unsent_bytes: int = 16_384
    close_s: float = 2.0
    section: str = "uplink"
    address_refused: Callable[[str], str] = OPEN.address_refused
    resolve: Resolve = look_up
