"""What a connection tells the session of its end, and of what went wrong."""

from __future__ import annotations

import errno
import socket
import ssl
import threading

import pytest

from edge.uplink.failures import Peer, connect_failure
from edge.uplink.gbt.connection import ENDED, Connection
from edge.uplink.gbt.events import Closed, Opened
from edge.uplink.gbt.link import TcpLink
from edge.uplink.gbt.tcp_settings import TcpSettings
from edge.uplink.reasons import STOPPED


def _certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "in words"
    return error


def _tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    "error",
    [
        *(_certificate(code) for code in (1, 9, 10, 18, 23, 62)),
        *(_tls(reason) for reason in ("HTTP_REQUEST", "UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_UNKNOWN_CA")),
        *(_tls(reason) for reason in ("UNEXPECTED_EOF_WHILE_READING", "OTHER")),
        socket.gaierror(socket.EAI_NONAME, "no address"),
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        ConnectionResetError(errno.ECONNRESET, "reset"),
        TimeoutError(),
        OSError(errno.EMFILE, "too many open files"),
    ],
    ids=lambda error: f"{type(error).__name__} {getattr(error, 'verify_code', '') or error.args[-1:]}",
)
def test_a_trouble_names_the_platform_and_its_section(error: OSError) -> None:
    peer = Peer("platform", "destination 'city'", tls_port=None)
    reason = connect_failure(error, host="city.example", ca_file=None, timeout_s=10, peer=peer)
    said = f"{reason.what} {reason.todo}"
    assert not any(word in said for word in ("broker", "uplink", "8883"))


class Breaking(socket.socket):
    """A socket to a platform that has ended the connection while something was still to be sent."""

    error: OSError = BrokenPipeError(errno.EPIPE, "broken pipe")

    def send(self, *_: object) -> int:
        raise self.error


class OverBreaking(Connection):
    """A connection over one."""

    error: OSError

    def _open(self) -> socket.socket:
        near, self.far = socket.socketpair()
        breaking = Breaking(fileno=near.detach())
        breaking.error = self.error
        breaking.setblocking(False)
        return breaking


@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError(errno.EPIPE, "broken pipe"),
        ConnectionResetError(errno.ECONNRESET, "reset"),
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
        ssl.SSLZeroReturnError(6, "closed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_platform_that_hangs_up_has_ended_the_connection_however_it_shows(error: OSError) -> None:
    """It may have done so for the report that was being sent, which is given up only if it is blamed."""
    connection = OverBreaking(TcpSettings(tls=None), "here", 1, threading.Event())
    connection.error = error
    connection.send(b"report")
    connection.run()
    connection.far.close()
    assert connection.take() == [Opened(), Closed(ENDED, by_peer=True)]


class Late(Connection):
    """A connection that stands only after it was closed."""

    def _open(self) -> socket.socket:
        self.close()
        near, self.far = socket.socketpair()
        return near


def test_nothing_comes_after_the_end_of_a_connection() -> None:
    connection = Late(TcpSettings(tls=None), "here", 1, threading.Event())
    connection.run()
    connection.far.close()
    assert connection.take() == [Closed(STOPPED)]
    assert connection.take() == []


@pytest.mark.parametrize("what", ["socketpair", "thread"])
def test_a_connection_for_which_the_machine_has_nothing_left_does_not_open(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_sockets() -> tuple[socket.socket, socket.socket]:
        raise OSError(errno.EMFILE, "Too many open files")

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    link = TcpLink(TcpSettings(tls=None))
    if what == "socketpair":
        monkeypatch.setattr(socket, "socketpair", no_sockets)
    else:
        monkeypatch.setattr(threading.Thread, "start", no_thread)
    link.open("127.0.0.1", 9)
    (closed,) = link.poll()
    assert isinstance(closed, Closed)
    assert link.poll() == ()
    assert link.unsent() == 0
