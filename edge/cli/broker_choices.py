"""Options of the commands that run a platform at a broker, and the platform that they ask for."""

from __future__ import annotations

import functools
import json
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from edge.cli.program import Finite
from edge.errors import ConfigError, KeyFileError
from edge.uplink.tls import TlsSettings, tls_context
from edge.wire.key_files import public_path
from simulator.broker import LOOPBACK, EmbeddedBroker
from simulator.platform.assembly import open_platform, own_key
from simulator.platform.intake import Alert
from simulator.platform.keyring import load_keys
from simulator.platform.serve import BrokerAccess, PlatformService

GREATEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class BrokerChoice:
    """What the options of `broker_options` say.

    Attributes:
        broker: host and port of the broker; None for another way in.
        with_broker: whether to start one instead.
        port: of the one to start; None for a free one.
        keys: folder of the vehicles' keys.
        key_file: the platform's own key; None for one beside the store.
        username: name at the broker.
        password_file: holds the password at the broker.
        client_id: name of the session.
        tls: what to trust and show; None for plain TCP.
        receipt_interval_s: longest wait of a message for its receipt.
    """

    broker: str | None
    with_broker: bool
    port: int | None
    keys: Path | None
    key_file: Path | None
    username: str | None
    password_file: Path | None
    client_id: str
    tls: ssl.SSLContext | None
    receipt_interval_s: float

    @property
    def asked(self) -> bool:
        """Whether there is to be a platform at a broker."""
        return self.with_broker or self.broker is not None


def broker_options(*, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of a broker and of the platform at it; the command gets `choice`.

    Args:
        required: whether the keys have to be named, since there is no other way in.
    """

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @click.option("--broker", metavar="HOST:PORT", help="The broker to connect to.")
        @click.option(
            "--with-broker", is_flag=True, help="Start a broker on loopback instead, and say where."
        )
        @click.option(
            "--port",
            type=click.IntRange(1, GREATEST_PORT),
            help="With --with-broker: its port, so that a configuration can name it; else a free port.",
        )
        @click.option(
            "--keys",
            required=required,
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Folder of keys: VEHICLE.pub.pem of each vehicle, VEHICLE.device.pem of a telemetry node.",
        )
        @click.option(
            "--key",
            "key_file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="The platform's own key, which signs receipts; made beside the store when it is not there.",
        )
        @click.option("--username", help="Name at the broker.")
        @click.option(
            "--password-file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="File that holds the password at the broker.",
        )
        @click.option(
            "--client-id", default="nevgate-platform", show_default=True, help="Name of the session."
        )
        @click.option("--tls", is_flag=True, help="TLS, the broker verified by the system's authorities.")
        @click.option(
            "--tls-ca",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="TLS, the broker verified by these authorities (PEM).",
        )
        @click.option(
            "--tls-certificate",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="The platform's own certificate (PEM).",
        )
        @click.option(
            "--tls-key",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Its key (PEM); not needed if it is in the certificate's file.",
        )
        @click.option(
            "--receipt-interval",
            "receipt_interval_s",
            type=Finite(min=0),
            default=1.0,
            show_default=True,
            metavar="SECONDS",
            help="Longest wait of a message for its receipt.",
        )
        @functools.wraps(command)
        def wrapped(
            *,
            broker: str | None,
            with_broker: bool,
            port: int | None,
            keys: Path | None,
            key_file: Path | None,
            username: str | None,
            password_file: Path | None,
            client_id: str,
            tls: bool,
            tls_ca: Path | None,
            tls_certificate: Path | None,
            tls_key: Path | None,
            receipt_interval_s: float,
            **rest: Any,  # noqa: ANN401 - the command's own
        ) -> None:
            secured = tls or tls_ca or tls_certificate
            choice = BrokerChoice(
                broker,
                with_broker,
                port,
                keys,
                key_file,
                username,
                password_file,
                client_id,
                _tls(tls_ca, tls_certificate, tls_key) if secured else None,
                receipt_interval_s,
            )
            command(choice=choice, **rest)

        return wrapped

    return add


@contextmanager
def serving(choice: BrokerChoice, store: Path, errors: Console) -> Iterator[PlatformService]:
    """Run the platform that is asked for, which writes `store`.

    Args:
        choice: at which broker, with which keys.
        store: the SQLite file.
        errors: where people are told what to know.

    Raises:
        NevgateError: something of it cannot be had.
    """
    if choice.with_broker == (choice.broker is not None):
        raise ConfigError(
            "name a broker or start one", todo="Give either --broker HOST:PORT or --with-broker"
        )
    if choice.port is not None and not choice.with_broker:
        raise ConfigError(
            "--port is that of the broker to start", todo="Give --with-broker, or --broker HOST:PORT alone"
        )
    if choice.keys is None:
        raise ConfigError("the vehicles' keys are not named", todo="Give their folder with --keys")
    key_file = choice.key_file or store.with_name("platform.pem")
    key, made = own_key(key_file)
    vehicles = load_keys(choice.keys, own=key.public)
    if made:
        errors.print(f"made the platform's key; vehicles check receipts with {public_path(key_file)}")

    def warn(alert: Alert) -> None:
        errors.print(f"{alert.vehicle}, stream {alert.stream.hex()}: {alert.text}")

    with ExitStack() as stack:
        if choice.with_broker:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nevgate-broker-"))
            own_broker = stack.enter_context(EmbeddedBroker(Path(folder), port=choice.port))
            host, port = LOOPBACK, own_broker.port()
        else:
            host, port = host_and_port(choice.broker or "", "--broker")
        password = choice.password_file
        access = BrokerAccess(
            host=host,
            port=port,
            client_id=choice.client_id,
            username=choice.username,
            password=None if password is None else password.read_text("utf-8").rstrip("\r\n"),
            tls=choice.tls,
        )
        platform = stack.enter_context(
            open_platform(
                keys=vehicles,
                store=store,
                key=key,
                receipt_interval_s=choice.receipt_interval_s,
                on_alert=warn,
            )
        )
        if choice.with_broker:
            click.echo(_section(port, public_path(key_file)), err=True)
        with PlatformService(platform, access) as service:
            errors.print(
                f"platform at {access.where}, vehicles: {len(vehicles)}, store {store}; Ctrl-C ends it"
            )
            yield service


def host_and_port(text: str, option: str) -> tuple[str, int]:
    """What HOST:PORT says.

    Raises:
        ConfigError: it says neither.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= GREATEST_PORT:
        raise ConfigError(f"'{text}' is no address of a broker", where=option, todo="Write HOST:PORT")
    return host.strip("[]"), int(port)


def _section(port: int, public_key: Path) -> str:
    """What a vehicle's configuration says to reach the broker that was started."""
    return (
        f'a configuration reaches this broker with\n\n[uplink]\nhost = "{LOOPBACK}"\nport = {port}\n\n'
        "[uplink.tls]\nenabled = false\n\n"
        f"# and in [signing]\n# platform = {json.dumps(str(public_key.resolve()), ensure_ascii=False)}\n"
    )


def _tls(ca_file: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    try:
        return tls_context(TlsSettings(ca_file, certificate, key or certificate))
    except KeyFileError as error:
        todo = "Check --tls-ca, --tls-certificate and --tls-key"
        raise KeyFileError(error.what, where=error.where, todo=todo) from error
