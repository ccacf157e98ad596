"""`nevgate platform serve`: runs the platform at a broker and shows what comes in."""

from __future__ import annotations

import json
import ssl
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

from edge.cli.ending import stop_on_signal
from edge.cli.program import Finite
from edge.clock import SystemClock
from edge.errors import ConfigError, KeyFileError
from edge.uplink.tls import TlsSettings, tls_context
from edge.wire.key_files import public_path
from simulator.broker import LOOPBACK, EmbeddedBroker
from simulator.platform.assembly import open_platform, own_key
from simulator.platform.console import show, summarise
from simulator.platform.intake import Alert
from simulator.platform.keyring import load_keys
from simulator.platform.serve import BrokerAccess, PlatformService

GREATEST_PORT = 65_535


@click.command()
@click.option("--broker", metavar="HOST:PORT", help="The broker to connect to.")
@click.option("--with-broker", is_flag=True, help="Start a broker on loopback instead, and say where.")
@click.option(
    "--port",
    type=click.IntRange(1, GREATEST_PORT),
    help="With --with-broker: its port, so that a configuration can name it; without one a free port.",
)
@click.option(
    "--keys",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of keys: VEHICLE.pub.pem of each vehicle, VEHICLE.device.pem of a telemetry node.",
)
@click.option(
    "--store", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The SQLite file."
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
@click.option("--client-id", default="nevgate-platform", show_default=True, help="Name of the session.")
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
@click.option("--json", "as_json", is_flag=True, help="A line of JSON a second; also when piped.")
def command(
    *,
    broker: str | None,
    with_broker: bool,
    port: int | None,
    keys: Path,
    store: Path,
    key_file: Path | None,
    username: str | None,
    password_file: Path | None,
    client_id: str,
    tls: bool,
    tls_ca: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    receipt_interval_s: float,
    as_json: bool,
) -> None:
    """Receive vehicles' messages from a broker, check and store them, and answer with receipts.

    Runs until Ctrl-C and ends with its account. A message is acknowledged to the broker only once its records
    are on disk.

    \b
    Examples:
      nevgate platform serve --with-broker --keys keys/ --store platform.db
      nevgate platform serve --with-broker --port 18830 --keys keys/ --store platform.db
      nevgate platform serve --broker broker.example:8883 --tls --keys keys/ --store platform.db
      nevgate platform serve --broker 127.0.0.1:1883 --keys keys/ --store platform.db | jq .records
    """
    if with_broker == (broker is not None):
        raise ConfigError(
            "name a broker or start one", todo="Give either --broker HOST:PORT or --with-broker"
        )
    if port is not None and not with_broker:
        raise ConfigError(
            "--port is that of the broker to start", todo="Give --with-broker, or --broker HOST:PORT alone"
        )
    screen, errors = Console(), Console(stderr=True, highlight=False)
    as_json = as_json or not screen.is_terminal
    key_file = key_file or store.with_name("platform.pem")
    key, made = own_key(key_file)
    vehicles = load_keys(keys, own=key.public)
    if made:
        errors.print(f"made the platform's key; vehicles check receipts with {public_path(key_file)}")
    with ExitStack() as stack:
        if with_broker:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="nevgate-broker-"))
            own_broker = stack.enter_context(EmbeddedBroker(Path(folder), port=port))
            host, broker_port = LOOPBACK, own_broker.port()
        else:
            host, broker_port = _address(broker or "")
        access = BrokerAccess(
            host=host,
            port=broker_port,
            client_id=client_id,
            username=username,
            password=None if password_file is None else password_file.read_text("utf-8").rstrip("\r\n"),
            tls=_tls(tls_ca, tls_certificate, tls_key) if tls or tls_ca or tls_certificate else None,
        )

        def warn(alert: Alert) -> None:
            errors.print(f"{alert.vehicle}, stream {alert.stream.hex()}: {alert.text}")

        platform = stack.enter_context(
            open_platform(
                keys=vehicles, store=store, key=key, receipt_interval_s=receipt_interval_s, on_alert=warn
            )
        )
        stop = stack.enter_context(stop_on_signal())
        if with_broker:
            click.echo(_section(broker_port, public_path(key_file)), err=True)
        with PlatformService(platform, access) as service:
            errors.print(
                f"platform at {access.where}, vehicles: {len(vehicles)}, store {store}; Ctrl-C ends it"
            )
            show(service, screen, SystemClock(), stop, as_json=as_json)
        summarise(service, screen, as_json=as_json)
        service.raise_failure()


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


def _address(broker: str) -> tuple[str, int]:
    host, _, port = broker.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= GREATEST_PORT:
        raise ConfigError(f"'{broker}' is no address of a broker", where="--broker", todo="Write HOST:PORT")
    return host.strip("[]"), int(port)
