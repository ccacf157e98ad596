"""`nevgate gbt serve`: a platform that speaks GB/T 32960.3, on this machine."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from edge.catalogue.item import Edition
from edge.cli.console import page
from edge.cli.ending import stop_on_signal
from edge.cli.gbt_choices import gbt_options
from edge.cli.program import Finite
from edge.clock import SystemClock
from edge.errors import ConfigError
from edge.wire.gbt.options import Options
from edge.wire.gbt.profile import Profile
from simulator.gbt.asks import Ask, parse_ask
from simulator.gbt.checks import LoginFaults
from simulator.gbt.serving import Serving, run
from simulator.gbt.settings import Answers, PlatformSettings, SecondLogin, SessionNumbers, Signatures

GREATEST_PORT = 65_535
_VIN_CHARACTERS = 17


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, GREATEST_PORT),
    default=0,
    help="Port to listen at; without one a free port, which is told.",
)
@click.option(
    "--edition",
    type=click.Choice(["any", "2016", "2025"]),
    default="any",
    show_default=True,
    help="Which edition is spoken.",
)
@click.option(
    "--vehicles",
    "register_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file of the vehicles and platforms that are known; without one all are.",
)
@click.option("--store", type=click.Path(dir_okay=False, path_type=Path), help="SQLite file of reports.")
@click.option(
    "--second-login",
    type=click.Choice([one.value for one in SecondLogin]),
    default=SecondLogin.DROP_OLD.value,
    show_default=True,
    help="What a second login of one VIN or user does.",
)
@click.option(
    "--answers",
    type=click.Choice([one.value for one in Answers]),
    default=Answers.ERRORS.value,
    show_default=True,
    help="Which reports are answered.",
)
@click.option(
    "--login-faults",
    type=click.Choice([one.value for one in LoginFaults]),
    default=LoginFaults.SILENCE.value,
    show_default=True,
    help="2016: what answers a vehicle's login that fails a check.",
)
@click.option(
    "--session-numbers",
    type=click.Choice([one.value for one in SessionNumbers]),
    default=SessionNumbers.TOLD.value,
    show_default=True,
    help="What a session number does that does not rise.",
)
@click.option(
    "--signatures",
    type=click.Choice([one.value for one in Signatures]),
    default=Signatures.REGISTERED.value,
    show_default=True,
    help="2025: which reports need a signature that is right.",
)
@click.option(
    "--whole-answers", is_flag=True, help="Answers keep the whole data unit (2016, annex B), not its time."
)
@click.option(
    "--silence",
    "silence_s",
    type=Finite(min=1),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="A session in which nothing is heard for so long is dropped.",
)
@click.option(
    "--tls-certificate",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TLS with this certificate (PEM).",
)
@click.option(
    "--tls-key",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Its key (PEM); not needed if it is in the certificate's file.",
)
@click.option(
    "--tls-clients",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TLS that asks for a client's certificate from these authorities (PEM).",
)
@click.option(
    "--ask",
    "asked",
    multiple=True,
    metavar="'VIN COMMAND'",
    help="Send a command at a vehicle's first login and show the answer; more than once if wanted.",
)
@click.option("--once", is_flag=True, help="End when the first connection has ended.")
@click.option("--for", "for_s", type=Finite(min=0), metavar="SECONDS", help="End after so long.")
@gbt_options
@click.option("--json", "as_json", is_flag=True, help="A line of JSON an event, and one at the end.")
def command(
    *,
    host: str,
    port: int,
    edition: str,
    register_file: Path | None,
    store: Path | None,
    second_login: str,
    answers: str,
    login_faults: str,
    session_numbers: str,
    signatures: str,
    whole_answers: bool,
    silence_s: float,
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_clients: Path | None,
    asked: tuple[str, ...],
    once: bool,
    for_s: float | None,
    as_json: bool,
    options: Options,
    profile: Profile | None,
) -> None:
    """Be the platform: take logins and reports of terminals and platforms, check, answer and judge them.

    Runs until Ctrl-C, or as --once and --for say, and ends with its account and the figures by which a
    platform judges vehicles. On a terminal it shows a table, else a line an event.

    \b
    Examples:
      nevgate gbt serve                                            # a free port on loopback, everybody known
      nevgate gbt serve --port 32960 --vehicles vehicles.toml --store reports.db
      nevgate gbt serve --tls-certificate server.pem --tls-key server-key.pem --host 0.0.0.0 --port 32960
      nevgate gbt serve --ask 'LNVGATE00XDEM0001 query 02 09' --ask 'LNVGATE00XDEM0001 set 02=10' --once
      nevgate gbt serve --for 60 --json | jq .kpis
    """
    del profile
    settings = PlatformSettings(
        editions=frozenset(Edition) if edition == "any" else frozenset({Edition(int(edition))}),
        second_login=SecondLogin(second_login),
        answers=Answers(answers),
        login_faults=LoginFaults(login_faults),
        session_numbers=SessionNumbers(session_numbers),
        signatures=Signatures(signatures),
        answers_whole=whole_answers,
        silence_s=silence_s,
        options=options,
    )
    if tls_certificate is None and (tls_key is not None or tls_clients is not None):
        raise ConfigError("TLS needs the platform's certificate", todo="Give --tls-certificate")
    serving = Serving(
        host=host,
        port=port,
        register_file=register_file,
        store=store,
        settings=settings,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        tls_clients=tls_clients,
        asks=tuple(_asked(one) for one in asked),
        once=once,
        for_s=for_s,
        as_json=as_json,
    )
    with stop_on_signal() as stop:
        run(serving, SystemClock(), stop, Console(), page())


def _asked(text: str) -> tuple[bytes, Ask]:
    vin, _, words = text.strip().partition(" ")
    if len(vin) != _VIN_CHARACTERS or not vin.isascii():
        what = f"'{vin}' is no VIN of {_VIN_CHARACTERS} characters"
        raise ConfigError(what, where="--ask", todo="Write the VIN first, then the command")
    return vin.encode("ascii"), parse_ask(words)
