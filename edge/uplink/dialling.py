"""Opens a TCP connection to an address that was checked, and looks its name up only once."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from edge.errors import UplinkError

Resolve = Callable[[str], Sequence[str]]
"""Gives the addresses of a host name, the preferred one first; raises `OSError` where it finds none."""


class AddressRefusedError(UplinkError):
    """A host has an address that may not be connected to."""


def look_up(host: str) -> Sequence[str]:
    """Ask this machine's resolver, which also knows ``/etc/hosts``.

    Raises:
        OSError: it knows no address, or cannot be reached.
        UnicodeError: the host is no name that can be looked up.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    return list(dict.fromkeys(socket.getnameinfo(sockaddr, numeric)[0] for *_, sockaddr in found))


def dial(
    host: str,
    port: int,
    *,
    resolve: Resolve,
    address_refused: Callable[[str], str],
    timeout_s: float,
) -> socket.socket:
    """Connect to the first of a host's addresses that answers.

    A single address that may not be connected to ends the attempt before any packet: a name server that gives
    it is mistaken or lies, and nobody knows which of its other answers are right. Since the addresses that
    were checked are connected to as they are, another answer to a second look-up (DNS rebinding) counts for
    nothing.

    Args:
        host: name or address.
        port: TCP port.
        resolve: asked once.
        address_refused: see `edge.uplink.permit.Permit`.
        timeout_s: how long each address may take to answer.

    Raises:
        AddressRefusedError: an address may not be connected to.
        OSError: there is no address, or none that answers; the last one's error.
        UnicodeError: the host is no name that can be looked up.
    """
    addresses = resolve(host)
    for address in addresses:
        why = _no_address(address) or address_refused(address)
        if why:
            raise AddressRefusedError(f"DNS answered {address} for {host}, {why}: refused")
    failure: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout_s)
        except OSError as error:
            failure = error
    raise failure


def _no_address(text: str) -> str:
    """Keep a name from being looked up once more."""
    try:
        ip_address(text)
    except ValueError:
        return "which is no address"
    return ""
