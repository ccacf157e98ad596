"""`BlockingWire`: a TCP or TLS connection that is waited for, for tools; a gateway's own is never."""

from __future__ import annotations

import contextlib
import socket
import ssl

from edge.errors import UplinkError
from edge.uplink.dialling import Resolve, dial, look_up
from edge.uplink.gbt.login_test import Wire
from edge.uplink.tls import TlsSettings, tls_context

_AT_ONCE = 65_536


class BlockingWire(Wire):
    """A connection that stands.

    Args:
        connected: the socket.
        timeout_s: how long sending may take.
    """

    def __init__(self, connected: socket.socket, timeout_s: float) -> None:
        self._socket = connected
        self._timeout_s = timeout_s

    def send(self, data: bytes) -> None:
        """See `Wire.send`."""
        self._socket.settimeout(self._timeout_s)
        self._socket.sendall(data)

    def receive(self, timeout_s: float) -> bytes | None:
        """See `Wire.receive`."""
        self._socket.settimeout(timeout_s)
        try:
            return self._socket.recv(_AT_ONCE)
        except TimeoutError:
            return None

    def close(self) -> None:
        """See `Wire.close`."""
        with contextlib.suppress(OSError):
            self._socket.close()


def connect(
    host: str, port: int, tls: TlsSettings | None, timeout_s: float, resolve: Resolve = look_up
) -> BlockingWire:
    """Open a connection.

    Args:
        host: name or address.
        port: TCP port.
        tls: None for a plain connection.
        timeout_s: how long each address may take.
        resolve: asked for addresses.

    Raises:
        UplinkError: the platform's certificate does not hold.
        OSError: nothing answers there.
    """
    try:
        plain = dial(host, port, resolve=resolve, address_refused=lambda _: "", timeout_s=timeout_s)
    except (TimeoutError, UnicodeError) as error:
        raise UplinkError(
            "nobody answers", where=f"{host}:{port}", todo="Check host, port and firewall"
        ) from error
    if tls is None:
        return BlockingWire(plain, timeout_s)
    try:
        return BlockingWire(tls_context(tls).wrap_socket(plain, server_hostname=host), timeout_s)
    except ssl.SSLError as error:
        plain.close()
        raise UplinkError(
            f"no TLS: {getattr(error, 'reason', None) or error}",
            where=f"{host}:{port}",
            todo="Check the authorities (ca_file); does the platform speak TLS at this port at all?",
        ) from error
    except OSError:
        plain.close()
        raise
