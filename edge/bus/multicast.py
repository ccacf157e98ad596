"""Virtual buses over UDP multicast: each needs a port of its own, or Linux mixes them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from edge.errors import ConfigError

INTERFACE = "udp_multicast"
DEFAULT_PORT = 43113
"""python-can's own."""

_WITH_PORT = re.compile(r"(?P<group>[0-9.]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")


def group_and_port(channel: str) -> tuple[str, int | None]:
    """Take ``239.74.163.2:43114`` or ``[ff15::1]:43114`` apart; the port is None where there is none."""
    found = _WITH_PORT.fullmatch(channel)
    if found is None:
        return channel, None
    return found["group"].strip("[]"), int(found["port"])


def refuse_shared_ports(ports: Mapping[str, int]) -> None:
    """Refuse buses that share a UDP port.

    A socket that is bound to a port gets what is sent to every multicast group that any socket of the machine
    has joined there, so that a frame of one bus would come in on all.

    Args:
        ports: by bus name.

    Raises:
        ConfigError: if two buses have the same.
    """
    users: dict[int, str] = {}
    for bus, port in ports.items():
        if port in users:
            raise ConfigError(
                f"the buses '{users[port]}' and '{bus}' share the UDP port {port} "
                "and would get each other's frames",
                todo=f'Give each a port of its own, such as channel = "239.74.163.2:{port + 1}"',
            )
        users[port] = bus
