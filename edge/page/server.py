"""The web server of the page: waitress, with limits that slow or greedy visitors run into."""

from __future__ import annotations

import logging
import socket
import time
from threading import Event
from typing import TYPE_CHECKING

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

from edge.errors import ConfigError
from edge.page.server_limits import LARGEST_BODY_BYTES

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication


_LARGEST_HEAD_BYTES = 16_384
_CONNECTIONS = 48
_CONNECTIONS_OF_ONE = 24
_THREADS = 4
_IDLE_S = 30
_REQUEST_S = 15.0
_STALLED_S = 60.0
_BUFFER_BYTES = 512 * 1024
_LOOP_S = 0.5


class _Channel(HTTPChannel):
    """One connection, which knows since when it has been sending a request."""

    began_s: float = 0.0

    def received(self, data: bytes) -> bool:
        """Take bytes in; see `waitress.channel.HTTPChannel`."""
        taken = super().received(data)
        if self.request is None:
            self.began_s = 0.0
        elif not self.began_s:
            self.began_s = time.monotonic()
        return bool(taken)


class PageServer(TcpWSGIServer):
    """Serves an application until it is told to stop.

    A request that is not whole after 15 seconds, a visitor who takes nothing of an answer for a minute, and
    one who is idle for half a minute are let go, however many bytes now and then they send.

    Args:
        application: of WSGI.
        host: address to listen on.
        port: 0 for any that is free.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    channel_class = _Channel
    active_channels: dict[int, _Channel]  # type: ignore[assignment] # the stubs take it for one channel

    def __init__(self, application: WSGIApplication, host: str, port: int) -> None:
        adjustments = Adjustments(
            host=host,
            port=port,
            threads=_THREADS,
            connection_limit=_CONNECTIONS,
            channel_timeout=_IDLE_S,
            cleanup_interval=1,
            max_request_header_size=_LARGEST_HEAD_BYTES,
            max_request_body_size=LARGEST_BODY_BYTES,
            outbuf_overflow=2 * _BUFFER_BYTES,
            outbuf_high_watermark=_BUFFER_BYTES,
            channel_request_lookahead=0,
            clear_untrusted_proxy_headers=True,
            expose_tracebacks=False,
            log_socket_errors=False,
            asyncore_loop_timeout=1,
            ident=None,
        )
        self._sockets: dict[int, socket.socket] = {}
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sockinfo = (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, (host, port))
        try:
            super().__init__(application, map=self._sockets, adj=adjustments, sockinfo=sockinfo)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host} port {port}: {error.strerror}",
                where="page",
                todo="Set host to an address of this machine and port to one that is free",
            ) from error
        self._port = int(self.getsockname()[1])
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)

    @property
    def bound_port(self) -> int:
        """The port that it listens on."""
        return self._port

    def handle_accept(self) -> None:
        """Take a connection, unless its other end has too many already."""
        super().handle_accept()
        newest: dict[str, list[_Channel]] = {}
        for channel in self.active_channels.values():
            newest.setdefault(str(channel.addr[0]), []).append(channel)
        for channels in newest.values():
            for channel in channels[_CONNECTIONS_OF_ONE:]:
                channel.will_close = True

    def maintenance(self, now: int) -> None:
        """Let go of who is idle, who dribbles a request, and who takes nothing of the answer."""
        super().maintenance(now)
        for channel in self.active_channels.values():
            dribbles = channel.began_s and time.monotonic() - channel.began_s > _REQUEST_S
            stalls = (
                channel.requests and channel.total_outbufs_len and channel.last_activity < now - _STALLED_S
            )
            if dribbles or stalls:
                channel.will_close = True

    def serve(self, stop: Event) -> None:
        """Serve until `stop` is set."""
        try:
            while not stop.is_set():
                wasyncore.loop(timeout=_LOOP_S, map=self._sockets, count=1)
        finally:
            self.task_dispatcher.shutdown(timeout=2)
            wasyncore.close_all(self._sockets, ignore_all=True)
