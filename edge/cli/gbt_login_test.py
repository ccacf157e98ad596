"""`nevgate gbt login-test`: log in to a platform of GB/T 32960.3 and out again, step by step."""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from edge.catalogue.catalogue import builtin
from edge.catalogue.item import Edition
from edge.cli.program import Finite, emit_json
from edge.clock import NS_PER_S, SystemClock
from edge.config.configuration import MAIN_DESTINATION, Config, load_config
from edge.config.gbt import GbtSection
from edge.config.platform import is_loopback
from edge.errors import ConfigError
from edge.gbt_destination.files import open_gbt_files
from edge.gbt_destination.session_parts import activation_of, durable_file, secrecy_of
from edge.loading import tls_settings
from edge.uplink.gbt.blocking_wire import connect
from edge.uplink.gbt.login_test import Caller, LoginTest, Step
from edge.uplink.gbt.secrecy import Secrecy
from edge.uplink.gbt.session_numbers import MOST
from edge.uplink.gbt.terminal import Terminal
from edge.uplink.tls import TlsSettings
from edge.wire.gbt.security.keys import cipher_of, read_gbt_key

_DAY_S = 86_400
_BEIJING_S = 8 * 3600
_BYTES_A_LINE = 32


@dataclass(frozen=True, slots=True)
class _Aim:
    """Where to, and as whom."""

    host: str
    port: int
    tls: TlsSettings | None
    caller: Caller


@click.command()
@click.argument("platform", metavar="[HOST:PORT]", required=False)
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="Names the platform and all.")
@click.option("--destination", metavar="NAME", help="Which one; without it, the only one of GB/T 32960.3.")
@click.option("--edition", type=click.Choice(["2016", "2025"]), default="2025", show_default=True)
@click.option("--vin", help="17 characters.")
@click.option("--iccid", default="", help="Of the SIM card, 20 characters.")
@click.option("--pack", "packs", multiple=True, metavar="CODE", help="Code of a battery pack.")
@click.option(
    "--number",
    type=click.IntRange(1, MOST),
    help="Of the session; without it, one that follows the time of day.",
)
@click.option("--plain", is_flag=True, help="Without TLS; a platform on this machine is so anyway.")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Authorities to trust (PEM).")
@click.option("--key", "key_file", type=click.Path(path_type=Path), help="Encrypt data units with this key.")
@click.option("--timeout", "timeout_s", type=Finite(min=0.1), default=10.0, show_default=True, metavar="S")
@click.option("-v", "--verbose", is_flag=True, help="Show the bytes of each step.")
@click.option("--json", "as_json", is_flag=True, help="Print the steps as JSON.")
def command(
    *,
    platform: str | None,
    config_path: Path | None,
    destination: str | None,
    edition: str,
    vin: str | None,
    iccid: str,
    packs: tuple[str, ...],
    number: int | None,
    plain: bool,
    ca_file: Path | None,
    key_file: Path | None,
    timeout_s: float,
    verbose: bool,
    as_json: bool,
) -> None:
    """Connect, activate and agree upon a key where that is asked for, log in, beat once, log out.

    With --config all is as the gateway has it. Nothing that was collected goes: VIN, ICCID and the codes of
    battery packs do. A platform has one session a vehicle, so that a gateway at work would lose its own: stop
    it first. Exits with 1 if a step fails.

    \b
    Examples:
      nevgate gbt login-test --config /etc/nevgate/nevgate.toml --destination city
      nevgate gbt login-test gbt.example:32960 --edition 2016 --vin LNVGATE00XDEM0001 --verbose
      nevgate gbt login-test 127.0.0.1:32960 --vin LNVGATE00XDEM0001
    """
    if (config_path is None) == (platform is None):
        raise ConfigError("needs a platform", todo="Give either HOST:PORT or --config FILE")
    number = number or _number_of_the_day()
    if config_path is not None:
        aim = _configured(load_config(config_path), destination, number)
    else:
        if vin is None:
            raise ConfigError("needs a VIN", todo="Give --vin with 17 characters")
        host, port = _address(platform or "")
        terminal = Terminal(Edition(int(edition)), vin, iccid, (packs,) if packs else ())
        secrecy = Secrecy(None if key_file is None else cipher_of(read_gbt_key(key_file)))
        tls = None if plain or is_loopback(host) else TlsSettings(ca_file)
        aim = _Aim(host, port, tls, Caller(terminal, number, secrecy))
    test = LoginTest(
        aim.caller, lambda: connect(aim.host, aim.port, aim.tls, timeout_s), SystemClock(), timeout_s
    )
    console = Console(soft_wrap=True)
    if not as_json:
        how = "TLS" if aim.tls else "plain TCP"
        edition_told = int(aim.caller.terminal.edition)
        console.print(Text(f"{aim.host}:{aim.port}  {how}, GB/T 32960.3-{edition_told}, session {number}"))
    steps: list[Step] = []
    for step in test.run():
        steps.append(step)
        if not as_json:
            _show(console, step, verbose=verbose)
    if as_json:
        emit_json({"ok": all(one.ok for one in steps), "session": number, "steps": list(map(_json, steps))})
    if not all(one.ok for one in steps):
        sys.exit(1)


def _configured(config: Config, name: str | None, number: int) -> _Aim:
    sections = {MAIN_DESTINATION: config.uplink, **{one.name: one for one in config.destination}}
    known = {one: section for one, section in sections.items() if isinstance(section, GbtSection)}
    if name is None and len(known) == 1:
        name = next(iter(known))
    section = known.get(name or "")
    if section is None:
        there = f"There are: {', '.join(known)}" if known else "The configuration names none"
        what = f"'{name}' is" if name else "which one is meant is not said; there is"
        raise ConfigError(f"{what} no platform of GB/T 32960.3", where="--destination", todo=there)
    files = open_gbt_files(section, builtin())
    clock, vehicle = SystemClock(), config.vehicle
    secrecy = secrecy_of(section, files, vehicle.vin, clock, secrets.token_bytes)
    folder = config.journal_folder
    activation = (
        None
        if folder is None
        else activation_of(section, files, vehicle.vin, clock, durable_file(folder, name or "", "activation"))
    )
    terminal = section.terminal(vehicle.vin, vehicle.iccid, vehicle.packs)
    caller = Caller(terminal, number, secrecy, activation)
    return _Aim(section.host, section.port, tls_settings(section), caller)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ConfigError(f"'{text}' is no HOST:PORT", todo="Write it like gbt.example:32960")
    return host, int(port)


def _number_of_the_day() -> int:
    """One that rises over a Beijing day, as those of a gateway do whose own count cannot be read."""
    return (SystemClock().wall_ns() // NS_PER_S + _BEIJING_S) % _DAY_S // 2 + 1


def _show(console: Console, step: Step, *, verbose: bool) -> None:
    line = Text()
    line.append("ok     " if step.ok else "failed ", style="green" if step.ok else "bold red")
    line.append(f"{step.name:<10}", style="bold")
    line.append(f"{1000 * step.took_s:8.1f} ms  {step.words}")
    console.print(line)
    if verbose:
        for mark, data in (("→", step.sent), ("←", step.received)):
            for start in range(0, len(data), _BYTES_A_LINE):
                sign = mark if start == 0 else " "
                text = data[start : start + _BYTES_A_LINE].hex(" ")
                console.print(Text(f"       {sign} {text}", style="dim"))


def _json(step: Step) -> dict[str, object]:
    return {
        "step": step.name,
        "ok": step.ok,
        "words": step.words,
        "ms": round(1000 * step.took_s, 3),
        "sent": step.sent.hex(),
        "received": step.received.hex(),
    }
