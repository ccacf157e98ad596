"""`read_account`: how to get into another platform, from a file that others cannot read."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from edge.errors import ConfigError, KeyFileError
from edge.tomlfile import parse_toml, validate
from edge.uplink.tls import TlsSettings, tls_context
from edge.wire.gbt.faults import GbtError
from edge.wire.key_files import read_key_bytes
from simulator.conversion.forward_rules import PlatformAccount


class _Tls(BaseModel):
    model_config = ConfigDict(extra="forbid")

    enabled: bool = True
    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class _Account(BaseModel):
    model_config = ConfigDict(extra="forbid")

    identity: str
    user: str
    password: str
    tls: _Tls = _Tls()


@dataclass(frozen=True, slots=True)
class PlatformAccess:
    """How to get into another platform.

    Attributes:
        account: who logs in.
        tls: what to trust and show; None for plain TCP, which has to be asked for.
    """

    account: PlatformAccount
    tls: ssl.SSLContext | None


def read_account(path: Path) -> PlatformAccess:
    """Read a file with ``identity``, ``user`` and ``password``, and a table ``[tls]`` where it is needed.

    Paths in it are relative to it. Without ``[tls]`` the system's authorities are trusted.

    Raises:
        KeyFileError: it is not there, others can read it, or what it names cannot be used.
        ConfigError: it says what cannot be.
    """
    content = read_key_bytes(path, private=True)
    asked = validate(parse_toml(path, content, ConfigError), _Account, ConfigError)
    try:
        account = PlatformAccount(asked.identity, asked.user, asked.password)
    except GbtError as error:
        raise ConfigError(error.what, where=str(path)) from error
    if not asked.tls.enabled:
        return PlatformAccess(account, None)
    ca_file, certificate, key = (
        None if one is None else path.parent / one
        for one in (asked.tls.ca_file, asked.tls.certificate, asked.tls.key)
    )
    try:
        return PlatformAccess(account, tls_context(TlsSettings(ca_file, certificate, key or certificate)))
    except KeyFileError as error:
        raise KeyFileError(error.what, where=error.where, todo=f"Check [tls] in {path}") from error
