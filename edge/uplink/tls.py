"""How the broker is trusted: the TLS settings, and the context made of them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from edge.errors import KeyFileError


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Transport security of one link; the broker's certificate and name are always checked.

    Attributes:
        ca_file: PEM file of the authorities to trust; None for the system's.
        certificate: PEM file of the client certificate, with its chain.
        key: PEM file of its private key, not encrypted.
        alpn: protocol names to offer, such as ``mqtt``; the order counts.
    """

    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    alpn: tuple[str, ...] = ()


def tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """Read the files and make the context: TLS 1.2 or newer, certificate and host name verified.

    Raises:
        KeyFileError: if a file is not there, is no PEM, is encrypted, or certificate and key do not match.
    """
    context = _trusting(settings.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.alpn:
        context.set_alpn_protocols(list(settings.alpn))
    if settings.certificate is not None and settings.key is not None:
        _load_client(context, settings.certificate, settings.key)
    return context


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except ssl.SSLError as error:
        raise KeyFileError(
            "holds no certificate",
            where=str(ca_file),
            todo="Set uplink.tls.ca_file to the authority's certificate in PEM form",
        ) from error
    except OSError as error:
        raise KeyFileError(
            f"cannot be read ({error.strerror})", where=str(ca_file), todo="Check uplink.tls.ca_file"
        ) from error


def _load_client(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    for path in (certificate, key):
        try:
            path.read_bytes()
        except OSError as error:
            raise KeyFileError(
                f"cannot be read ({error.strerror})",
                where=str(path),
                todo="Check uplink.tls.certificate and uplink.tls.key",
            ) from error
    try:
        # Without a password of our own, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password=b"")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise KeyFileError(
                f"is not the key of {certificate}",
                where=str(key),
                todo="Set uplink.tls.certificate and uplink.tls.key to a pair",
            ) from error
        raise KeyFileError(
            f"cannot be used with {certificate}: no PEM file, or the key is encrypted",
            where=str(key),
            todo="Give both as PEM, the key without a passphrase",
        ) from error
