"""What the parameters of a terminal may be: as configured, as on the wire, and as what they make it do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from edge.catalogue.item import Edition
from edge.errors import ConfigError
from edge.uplink.gbt.answered import LiveSettings
from edge.uplink.gbt.server_change import Server
from edge.wire.gbt.field import Field, table
from edge.wire.gbt.steps import PLAIN

STORAGE_PERIOD, REPORT_PERIOD, ALARM_PERIOD = 0x01, 0x02, 0x03
HOST_LENGTH, HOST, PORT = 0x04, 0x05, 0x06
HARDWARE, FIRMWARE = 0x07, 0x08
HEARTBEAT, TERMINAL_TIMEOUT, PLATFORM_TIMEOUT, LOGIN_PAUSE = 0x09, 0x0A, 0x0B, 0x0C
PUBLIC_HOST_LENGTH, PUBLIC_HOST, PUBLIC_PORT = 0x0D, 0x0E, 0x0F
SAMPLED = 0x10

LENGTH_OF = {HOST: HOST_LENGTH, PUBLIC_HOST: PUBLIC_HOST_LENGTH}
"""The parameter that tells the length of a name; it stands right before it."""

NAME_OF = {length: name for name, length in LENGTH_OF.items()}
READ_ONLY = frozenset({HARDWARE, FIRMWARE})
TOGETHER = (frozenset({HOST, PORT}), frozenset({PUBLIC_HOST, PUBLIC_PORT}))
"""Parameters that say one thing in two parts."""

_VERSION_BYTES = 5
_YES, _NO = 1, 2
_MS_PER_S = 1000
_LONGEST_HOST = 253
_HOST = re.compile(rb"[0-9A-Za-z]([0-9A-Za-z._-]*[0-9A-Za-z])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")

Raw = int | bytes


@dataclass(frozen=True, slots=True)
class ConfiguredParameters:
    """The parameters as the configuration has them; what a platform sets stands above them.

    Attributes:
        server: the platform.
        hardware: version, at most 5 ASCII characters.
        firmware: likewise.
        storage_period_ms: between two records that are kept.
        report_period_s: between two reports; of 2016 1 to 600, of 2025 1 to 30.
        alarm_period_ms: between two reports while an alarm holds; of 2025 0 or 1000.
        heartbeat_s: between two heartbeats.
        terminal_timeout_s: how long the terminal waits for an answer.
        platform_timeout_s: how long the platform waits for the terminal.
        login_pause_min: after three logins that failed.
        sampled: whether the vehicle is under sampling inspection.
        public_server: the public platform; None where there is none.
        user: values of the parameters that a profile describes.
    """

    server: Server
    hardware: str = ""
    firmware: str = ""
    storage_period_ms: int = 1000
    report_period_s: int = 10
    alarm_period_ms: int = 1000
    heartbeat_s: int = 60
    terminal_timeout_s: int = 60
    platform_timeout_s: int = 60
    login_pause_min: int = 30
    sampled: bool = False
    public_server: Server | None = None
    user: Mapping[int, Raw] = field(default_factory=dict)


def described(edition: Edition) -> dict[int, Field]:
    """The parameters of an edition by id."""
    parts = table(edition).parts
    return {
        int(part.split()[1], 16): rows[0] for part, rows in parts.items() if part.startswith("parameter ")
    }


def raw_values(edition: Edition, asked: ConfiguredParameters, fields: Mapping[int, Field]) -> dict[int, Raw]:
    """The configured values as on the wire, without the lengths of names.

    Raises:
        ConfigError: one is none of its edition.
    """
    alarm = asked.alarm_period_ms
    if edition is Edition.Y2025:
        if alarm % _MS_PER_S:
            raise ConfigError(f"an alarm's report period of {alarm} ms is no whole number of seconds")
        alarm //= _MS_PER_S
    raws: dict[int, Raw] = {
        STORAGE_PERIOD: asked.storage_period_ms,
        REPORT_PERIOD: asked.report_period_s,
        ALARM_PERIOD: alarm,
        HOST: _ascii(asked.server.host),
        PORT: asked.server.port,
        HARDWARE: _version(asked.hardware),
        FIRMWARE: _version(asked.firmware),
        HEARTBEAT: asked.heartbeat_s,
        TERMINAL_TIMEOUT: asked.terminal_timeout_s,
        PLATFORM_TIMEOUT: asked.platform_timeout_s,
        LOGIN_PAUSE: asked.login_pause_min,
        SAMPLED: _YES if asked.sampled else _NO,
        PUBLIC_HOST: b"",
        **asked.user,
    }
    if asked.public_server is not None:
        raws |= {PUBLIC_HOST: _ascii(asked.public_server.host), PUBLIC_PORT: asked.public_server.port}
    for key, raw in raws.items():
        why = fault(key, raw, fields)
        if why:
            raise ConfigError(why, todo=f"The edition of {edition.value} does not allow it")
    return raws


def fault(key: int, raw: Raw, fields: Mapping[int, Field]) -> str:  # noqa: PLR0911 - one line a rule
    """Why `raw` is no value of a parameter; empty if it is one."""
    row = fields.get(key)
    if row is None:
        return f"there is no parameter {key:02X}"
    if isinstance(raw, bytes) != (row.kind in PLAIN):
        return f"'{row.en}' ({key:02X}) is of another kind"
    if isinstance(raw, bytes):
        if key == PUBLIC_HOST and not raw:
            return ""
        if key in LENGTH_OF:
            good = len(raw) <= _LONGEST_HOST and _HOST.fullmatch(raw)
            return "" if good else f"'{row.en}' ({key:02X}) is no name or address of a server"
        if row.width and len(raw) != row.width:
            return f"'{row.en}' ({key:02X}) has {row.width} bytes, not {len(raw)}"
        return ""
    if key == PORT and not raw:
        return "there is no port 0"
    if not row.holds(raw):
        return f"'{row.en}' ({key:02X}) is {raw}, not {_range(row)}"
    return ""


def live_settings(edition: Edition, raws: Mapping[int, Raw]) -> LiveSettings:
    """What a terminal goes by under these values."""

    def number(key: int) -> int:
        raw = raws[key]
        return raw if isinstance(raw, int) else 0

    def server(host: int, port: int) -> Server | None:
        name = raws[host]
        told = raws.get(port)
        if not name or not isinstance(name, bytes) or not isinstance(told, int):
            return None
        return Server(name.decode("ascii"), told)

    alarm = number(ALARM_PERIOD)
    main = server(HOST, PORT)
    if main is None:
        raise ConfigError("names no server")
    return LiveSettings(
        report_period_s=number(REPORT_PERIOD),
        alarm_period_s=alarm if edition is Edition.Y2025 else alarm / _MS_PER_S,
        storage_period_s=number(STORAGE_PERIOD) / _MS_PER_S,
        heartbeat_s=number(HEARTBEAT),
        terminal_timeout_s=number(TERMINAL_TIMEOUT),
        platform_timeout_s=number(PLATFORM_TIMEOUT),
        login_pause_s=number(LOGIN_PAUSE) * 60,
        sampled=raws[SAMPLED] == _YES,
        server=main,
        public_server=server(PUBLIC_HOST, PUBLIC_PORT),
        user={key: raw for key, raw in raws.items() if key > SAMPLED},
    )


def _range(row: Field) -> str:
    least = 0 if row.least is None else row.least
    return f"{least} to {row.invalid if row.most is None else row.most}"


def _ascii(name: str) -> bytes:
    try:
        return name.encode("ascii")
    except UnicodeEncodeError:
        raise ConfigError(f"'{name}' is not ASCII", todo="Name the server by its A-label (xn--)") from None


def _version(text: str) -> bytes:
    octets = _ascii(text)
    if len(octets) > _VERSION_BYTES:
        raise ConfigError(f"the version '{text}' has more than {_VERSION_BYTES} characters")
    return octets.ljust(_VERSION_BYTES, b"\0")
