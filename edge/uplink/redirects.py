"""What a broker's wish to send this gateway elsewhere comes to: only the configured host is connected to."""

from __future__ import annotations

from dataclasses import replace

from edge.uplink.reasons import Reason

REDIRECTS = frozenset({0x9C, 0x9D})
"""*Use another server* and *server moved*, in a CONNACK or DISCONNECT (MQTT 5.0, 4.11)."""

_LONGEST_SHOWN = 100

CONNECT_AGAIN = Reason("connect-again", "the broker asks to connect to the same server again")


def redirected(reason: Reason, reference: str, *, host: str, port: int) -> Reason:
    """A redirect with what it refers to.

    Args:
        reason: of one of `REDIRECTS`.
        reference: the broker's Server Reference: hosts, with or without a port, between spaces; empty where
            it gave none.
        host: the configured one.
        port: the configured one.

    Returns:
        What was refused; or, where the configured host and port are among those named, that the broker asks
        for a new connection, which is made as after any other end.
    """
    if any(_same(one, host, port) for one in reference.split()):
        return CONNECT_AGAIN
    shown = f"; it named {reference[:_LONGEST_SHOWN]!r}, which was refused" if reference else ""
    return replace(reason, what=reason.what + shown)


def _same(reference: str, host: str, port: int) -> bool:
    """Whether one reference is to the configured host and port; written in another way it is refused."""
    name, _, number = reference.rpartition(":")
    if number.isdecimal() and not name.endswith(":"):
        return _bare(name) == _bare(host) and number == str(port)
    return _bare(reference) == _bare(host)


def _bare(name: str) -> str:
    return name.removeprefix("[").removesuffix("]").removesuffix(".").casefold()
