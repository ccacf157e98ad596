"""What a connection tells the session of its end, and of what went wrong."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from edge.uplink.failures import Peer, connect_failure


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
