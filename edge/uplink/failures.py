"""Why a connection could not be opened, in words: from the exceptions of sockets and of OpenSSL."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from edge.uplink.reasons import Pace, Reason

_EXPIRED, _NOT_YET_VALID, _REVOKED = 10, 9, 23
_UNTRUSTED = frozenset({2, 18, 19, 20, 21, 24, 27})
_WRONG_NAME = frozenset({62, 64})
_NO_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
)
_TOO_OLD = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"})
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})


@dataclass(frozen=True, slots=True)
class Peer:
    """What is connected to, as people know it.

    Attributes:
        name: what it is.
        section: of the configuration that says how it is reached.
        tls_port: where it speaks TLS as a rule; None where there is no such rule.
    """

    name: str = "broker"
    section: str = "uplink"
    tls_port: int | None = 8883


BROKER = Peer()


def connect_failure(
    error: OSError, *, host: str, ca_file: Path | None, timeout_s: float, peer: Peer = BROKER
) -> Reason:
    """What stood in the way of a TCP or TLS connection.

    Args:
        error: what `socket` or `ssl` raised (`ssl.SSLError` is an `OSError`).
        host: the peer's configured host.
        ca_file: the configured authorities; None for the system's.
        timeout_s: how long an answer was waited for.
        peer: what was connected to.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_failure(error, host, ca_file, peer)
    if isinstance(error, ssl.SSLError):
        return _tls_failure(error.reason or "", peer)
    if isinstance(error, socket.gaierror):
        return no_such_host(host, peer)
    return _socket_failure(error, timeout_s, peer)


def no_such_host(host: str, peer: Peer = BROKER) -> Reason:
    """The name server knows no address of `host`, or there is no name server."""
    return Reason(
        "no-such-host",
        f"the host name '{host}' cannot be resolved",
        f"Check {peer.section}.host, and whether this machine reaches a name server",
    )


def no_connack(protocol: str) -> Reason:
    """The connection was closed before the broker answered CONNECT."""
    other = "3.1.1" if protocol == "5" else "5"
    return Reason(
        "no-connack",
        f"the broker closed the connection without an answer to CONNECT (MQTT {protocol})",
        f'Check uplink.port; if the broker speaks another version, set uplink.protocol = "{other}"; if it '
        "wants a user name and password, TLS or a client certificate, check those",
    )


def lost_connection(log_line: str) -> Reason | None:
    """What paho's last log line says about a connection that broke; None if it says nothing special."""
    if "certificate" in log_line.lower() and "alert" in log_line.lower():
        return _client_certificate_refused(BROKER)
    return None


def _client_certificate_refused(peer: Peer) -> Reason:
    return Reason(
        "client-certificate",
        f"the {peer.name} does not accept this gateway's client certificate, or wants one",
        f"Check {peer.section}.tls.certificate and {peer.section}.tls.key",
        Pace.LATE,
    )


def _closed_while_opening(peer: Peer) -> Reason:
    return Reason(
        "closed-while-opening",
        "the connection was closed while it was being opened",
        f"Check that {peer.section}.port is the {peer.name}'s and that tls.enabled fits it; "
        f"see the {peer.name}'s log",
    )


def _socket_failure(error: OSError, timeout_s: float, peer: Peer) -> Reason:
    match error:
        case ConnectionRefusedError():
            return Reason(
                "connection-refused",
                "nothing listens there",
                f"Check {peer.section}.host and {peer.section}.port, and whether the {peer.name} runs",
            )
        case TimeoutError():
            return Reason(
                "no-answer",
                f"no answer within {timeout_s:g} s",
                f"Check the network, firewalls, {peer.section}.host and {peer.section}.port",
            )
        case ConnectionError():
            return _closed_while_opening(peer)
    if error.errno in _NO_ROUTE:
        return Reason("no-route", "there is no way to it from this machine", "Check the network")
    return Reason(
        f"os-{error.errno}",
        f"the connection cannot be opened: {error.strerror or error}",
        "Check the network",
    )


def _certificate_failure(
    error: ssl.SSLCertVerificationError, host: str, ca_file: Path | None, peer: Peer
) -> Reason:
    code = error.verify_code
    if code == _EXPIRED:
        return Reason(
            "certificate-expired",
            f"the {peer.name}'s certificate has expired",
            "Have it renewed; if it is valid, this machine's clock is wrong",
            Pace.LATE,
        )
    if code == _NOT_YET_VALID:
        return Reason(
            "certificate-not-yet-valid",
            f"the {peer.name}'s certificate is not valid yet",
            "Set this machine's clock; it is probably wrong",
            Pace.LATE,
        )
    if code == _REVOKED:
        return Reason(
            "certificate-revoked",
            f"the {peer.name}'s certificate has been revoked",
            "Have it replaced",
            Pace.LATE,
        )
    if code in _WRONG_NAME:
        return Reason(
            "certificate-name",
            f"the {peer.name}'s certificate is not for '{host}'",
            f"Set {peer.section}.host to a name that the certificate holds, or have it issued for this one",
            Pace.LATE,
        )
    if code in _UNTRUSTED:
        trusted = "the system's authorities" if ca_file is None else str(ca_file)
        return Reason(
            "certificate-untrusted",
            f"the {peer.name}'s certificate comes from no authority in {trusted}",
            f"Set {peer.section}.tls.ca_file to the certificate of the authority that issued it",
            Pace.LATE,
        )
    return Reason(
        f"certificate-{code}",
        f"the {peer.name}'s certificate is not valid: {error.verify_message}",
        "Have it replaced",
        Pace.LATE,
    )


def _tls_failure(reason: str, peer: Peer) -> Reason:
    if reason in _NO_TLS:
        usual = "" if peer.tls_port is None else f", as a rule {peer.tls_port}"
        return Reason(
            "no-tls",
            "what listens there does not speak TLS",
            f"Set {peer.section}.port to the {peer.name}'s TLS port{usual}",
            Pace.LATE,
        )
    if reason in _TOO_OLD:
        return Reason(
            "tls-too-old",
            f"the {peer.name} speaks only TLS older than 1.2",
            f"Have the {peer.name} updated",
            Pace.LATE,
        )
    if "ALERT" in reason and ("CERTIFICATE" in reason or reason.endswith("UNKNOWN_CA")):
        return _client_certificate_refused(peer)
    if reason == "UNEXPECTED_EOF_WHILE_READING":
        return _closed_while_opening(peer)
    return Reason(
        f"tls-{reason.lower()}",
        f"the TLS handshake failed: {reason.replace('_', ' ').lower()}",
        f"See the {peer.name}'s log",
        Pace.LATE,
    )
