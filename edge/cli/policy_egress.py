"""`nevgate policy egress`: the standard's test whether the vehicle sends anything where it must not."""

from __future__ import annotations

import ipaddress
import os
import select
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from edge.cli.chosen_policy import chosen_policy
from edge.cli.console import page
from edge.cli.ending import stop_on_signal
from edge.cli.place import progress_bar
from edge.cli.program import Finite, complete_file, emit_json
from edge.clock import Clock, SystemClock
from edge.config.configuration import load_config
from edge.egress.assembling import Yardstick, assemble, count_phase, missing_interfaces, shared_time
from edge.egress.capture_writer import CaptureWriter
from edge.egress.flows import FlowTable, Network
from edge.egress.judge import destinations_of
from edge.egress.judged_file import FileFacts
from edge.egress.packet_socket import PacketSocket, Take
from edge.egress.result import STANDARD_S, EgressResult, Phase, PhaseResult, Verdict
from edge.egress.table import flow_table, headline, phase_table, sentences
from edge.egress.trial import Trial
from edge.errors import SourceError
from edge.policy.jurisdictions import jurisdiction_fault

EXITS = {Verdict.PASS: 0, Verdict.NOT_PROVEN: 3, Verdict.FAIL: 4}
ASKS = {
    Phase.POWER_OFF: "Switch the vehicle off",
    Phase.POWER_ON: "Switch the vehicle on",
    Phase.ALL_FUNCTIONS: "Switch all functions on",
}


def _networks(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[Network, ...]:
    """Read addresses and networks."""
    try:
        return tuple(ipaddress.ip_network(text, strict=False) for text in value)
    except ValueError as fault:
        raise click.BadParameter(f"{fault}; write an address, or such as 10.0.0.0/8", ctx, param) from fault


def _phases(ctx: click.Context, param: click.Parameter, value: str) -> tuple[Phase, ...]:
    """Read a list of phases."""
    names = [name.strip() for name in value.split(",")]
    unknown = [name for name in names if name not in {one.value for one in Phase}]
    if unknown or len(set(names)) < len(names):
        allowed = ",".join(one.value for one in Phase)
        raise click.BadParameter(f"'{value}' should be of {allowed}, each once.", ctx, param)
    return tuple(Phase(name) for name in names)


def _home(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Check jurisdictions."""
    for word in value:
        fault = jurisdiction_fault(word)
        if fault:
            raise click.BadParameter(fault, ctx, param)
    return value


@click.command()
@click.option(
    "-c", "--config", "config_path", type=click.Path(path_type=Path), required=True, help="The configuration."
)
@click.option(
    "--seconds",
    type=Finite(min=0, min_open=True),
    default=STANDARD_S,
    show_default=True,
    help="How long each phase is captured.",
)
@click.option(
    "--phases",
    callback=_phases,
    default=",".join(one.value for one in Phase),
    show_default=True,
    help="Which phases, in which order.",
)
@click.option("--interface", default="any", show_default=True, help="Only these, such as eth0,wlan0.")
@click.option("--pcap-out", type=click.Path(path_type=Path), help="Keep the packets in FILE.<phase>.pcapng.")
@click.option(
    "--pcap",
    "captures",
    multiple=True,
    metavar="[PHASE=]FILE",
    shell_complete=complete_file,
    help="Judge this capture, made elsewhere; may be repeated.",
)
@click.option(
    "--lasted",
    type=Finite(min=0),
    default=0.0,
    help="With --pcap: each phase was captured for so many seconds, by your word.",
)
@click.option(
    "--vehicle", multiple=True, callback=_networks, help="An address or network of the vehicle itself."
)
@click.option("--resolver", multiple=True, callback=_networks, help="A DNS resolver that you answer for.")
@click.option(
    "--home",
    multiple=True,
    callback=_home,
    default=("CN",),
    show_default=True,
    help="A jurisdiction that is not abroad; * for all.",
)
@click.option("--phase-command", help="Called with the phase's name before each, to bring it about.")
@click.option("--no-wait", is_flag=True, help="Do not ask for the vehicle to be switched between phases.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    config_path: Path,
    seconds: float,
    phases: tuple[Phase, ...],
    interface: str,
    pcap_out: Path | None,
    captures: tuple[str, ...],
    lasted: float,
    vehicle: tuple[Network, ...],
    resolver: tuple[Network, ...],
    home: tuple[str, ...],
    phase_command: str | None,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Capture every packet in and out of this machine, and judge where they went (GB/T 44464-2024, D.8).

    The standard asks for three phases of an hour each: power off, power on, all functions on. On a terminal
    you are asked to switch the vehicle before each. Needs root or CAP_NET_RAW, but not with --pcap, which is
    how a laboratory does it: tcpdump on a tap outside the vehicle sees what the gateway itself cannot.

    \b
    Examples:
      nevgate policy egress -c nevgate.toml
      nevgate policy egress -c nevgate.toml --seconds 60 --phases power-on --json
      nevgate policy egress -c nevgate.toml --phase-command ./bench-switch --pcap-out proof
      nevgate policy egress -c nevgate.toml --pcap power-off=off.pcapng --pcap power-on=on.pcapng

    Exit status: 0 pass, 4 something went where it must not, 3 nothing did but the test does not prove it (too
    short, packets lost), 1 or 2 an error.
    """
    clock = SystemClock()
    config = load_config(config_path)
    choice = chosen_policy(config, clock)
    policy = choice.policy
    by = Yardstick(policy, destinations_of(policy, config), home, resolver, vehicle)
    remarks = [] if choice.complaint is None else [choice.why]
    table = FlowTable(vehicle)
    if captures:
        if pcap_out or phase_command or interface != "any":
            raise click.UsageError("--pcap goes with neither --pcap-out, --phase-command nor --interface.")
        result = _from_files(table, by, _of_phases(captures, phases), seconds, lasted, clock, remarks)
    else:
        if lasted:
            raise click.UsageError("--lasted goes with --pcap.")
        only = [] if interface == "any" else [name.strip() for name in interface.split(",") if name.strip()]
        if only:
            remarks.append(f"only these interfaces were captured: {', '.join(only)}")
        with PacketSocket(clock, only) as source, stop_on_signal() as stop:
            started_ns = clock.wall_ns()
            trial = Trial(source, table, clock, stop.is_set)
            found = _capture(trial, phases, seconds, clock, pcap_out, _switch(phase_command, no_wait=no_wait))
        doubts = missing_interfaces(only, found)
        result = assemble(table, found, by, started_ns=started_ns, doubts=doubts, remarks=remarks)
    if as_json:
        emit_json(result.as_json())
    else:
        _show(result)
    raise SystemExit(EXITS[result.verdict])


def _from_files(
    table: FlowTable,
    by: Yardstick,
    files: dict[Phase, list[Path]],
    seconds: float,
    lasted: float,
    clock: Clock,
    remarks: list[str],
) -> EgressResult:
    phases: list[PhaseResult] = []
    doubts: list[str] = []
    facts: dict[Phase, list[FileFacts]] = {}
    for phase, paths in files.items():
        result, facts[phase] = count_phase(table, phase, paths, asked_s=seconds, stated_s=lasted)
        phases.append(result)
        doubts += [doubt for one in facts[phase] for doubt in one.doubts]
    doubts += shared_time(facts)
    spans = [one.span_ns for files in facts.values() for one in files if one.span_ns is not None]
    started_ns = min((start_ns for start_ns, _ in spans), default=clock.wall_ns())
    return assemble(table, phases, by, started_ns=started_ns, doubts=doubts, remarks=remarks)


def _of_phases(captures: Sequence[str], phases: tuple[Phase, ...]) -> dict[Phase, list[Path]]:
    """Which capture files are of which phase; a file without one is of the only phase, or they go in turn."""
    named: dict[Phase, list[Path]] = {}
    bare: list[Path] = []
    for text in captures:
        name, equals, file = text.partition("=")
        if equals and name in {one.value for one in Phase}:
            named.setdefault(Phase(name), []).append(Path(file))
        else:
            bare.append(Path(text))
    if bare and len(phases) != 1 and (named or len(bare) != len(phases)):
        raise click.UsageError(
            f"Of which phase is {bare[0]}? Write --pcap {Phase.POWER_ON.value}={bare[0]}, or --phases."
        )
    for place, path in enumerate(bare):
        named.setdefault(phases[min(place, len(phases) - 1)], []).append(path)
    return {phase: named[phase] for phase in (*phases, *Phase) if phase in named}


Switch = Callable[[Phase], Callable[[], bool]]
"""Begins to bring a phase about; what it returns tells whether that is done."""


def _switch(phase_command: str | None, *, no_wait: bool) -> Switch:
    if phase_command is not None:
        return lambda phase: _commanded(phase_command, phase)
    if no_wait or not sys.stdin.isatty():
        return lambda _: lambda: True
    return _asked


def _asked(phase: Phase) -> Callable[[], bool]:
    click.echo(f"{ASKS[phase]}, then press Enter: phase {phase.value}.", err=True)

    def pressed() -> bool:
        if not select.select([sys.stdin], [], [], 0)[0]:
            return False
        sys.stdin.readline()
        return True

    return pressed


def _commanded(phase_command: str, phase: Phase) -> Callable[[], bool]:
    words = [*shlex.split(phase_command), phase.value]
    try:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=sys.stderr)  # noqa: S603 - the caller's own command
    except OSError as fault:
        raise SourceError(f"cannot be run ({fault.strerror or fault})", where=words[0]) from fault

    def ended() -> bool:
        code = process.poll()
        if code:
            raise SourceError(f"ended with {code} for phase {phase.value}", where=words[0])
        return code == 0

    return ended


def _capture(
    trial: Trial,
    phases: tuple[Phase, ...],
    seconds: float,
    clock: Clock,
    pcap_out: Path | None,
    switch: Switch,
) -> list[PhaseResult]:
    """Capture the phases; a signal ends the test, and what was captured is judged.

    Raises:
        click.Abort: it ended before the first phase had begun.
    """
    found: list[PhaseResult] = []
    for phase in phases:
        with _recording(pcap_out, phase) as writer:
            result = _capture_phase(trial, phase, seconds, clock, writer, switch)
        if result is not None:
            found.append(result)
        if result is None or result.lasted_s < seconds:
            break
    if not found:
        raise click.Abort
    return found


def _capture_phase(
    trial: Trial, phase: Phase, seconds: float, clock: Clock, writer: CaptureWriter | None, switch: Switch
) -> PhaseResult | None:
    """Capture one phase; None if the test ended before it had begun."""
    record: Take | None = None if writer is None else writer.write
    if not trial.wait(phase, switch(phase), record):
        return None
    begun_ns = clock.wall_ns()
    with progress_bar(phase.value, round(seconds)) as advance:
        result = trial.run(phase, seconds, record=record, progress=lambda done: advance(round(done)))
    if writer is not None:
        writer.close(begun_ns=begun_ns, ended_ns=clock.wall_ns(), lost=result.lost or 0)
    return result


@contextmanager
def _recording(pcap_out: Path | None, phase: Phase) -> Iterator[CaptureWriter | None]:
    """Open the file of a phase, which must not be there yet; only its owner may read it."""
    if pcap_out is None:
        yield None
        return
    path = pcap_out.with_name(f"{pcap_out.name.removesuffix('.pcapng')}.{phase.value}.pcapng")
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as fault:
        raise SourceError("is there already", where=str(path), todo="Give another --pcap-out") from fault
    with os.fdopen(number, "wb") as stream:
        yield CaptureWriter(stream, "nevgate policy egress")


def _show(result: EgressResult) -> None:
    console = page()
    console.print(headline(result))
    for line in sentences(result):
        console.print(line, soft_wrap=True)
    console.print()
    console.print(phase_table(result))
    if result.flows:
        console.print()
        console.print(flow_table(result))
    click.echo(f"judged by policy {result.policy}; not abroad: {', '.join(result.home)}")
