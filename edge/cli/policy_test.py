"""`nevgate policy test`: by experiment, whether anything behind the door depends on a forbidden bit."""

from __future__ import annotations

import random
import secrets
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from edge.bus.channels import MatchedChannels
from edge.bus.merge import merge
from edge.bus.recording import open_recording
from edge.bus.source import FrameSource
from edge.catalogue.catalogue import builtin
from edge.cli.chosen_policy import chosen_policy
from edge.cli.console import counted
from edge.cli.place import DEFAULT_CONFIG, progress_bar
from edge.cli.program import emit_json
from edge.cli.replay import channel_names
from edge.clock import SystemClock
from edge.collecting import Described
from edge.config.configuration import Config, load_config
from edge.explaining.situation import observed_items
from edge.loading import load_buses
from edge.proving.finding import Counterexample, Tally
from edge.proving.proof import Proof

FOUND_EXIT = 4
_SEED_BITS = 32


@click.command()
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The gateway's configuration.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1, max=10_000),
    default=16,
    show_default=True,
    help="Random payloads for each id, beside edges and one for each value of a multiplexer.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), help="Repeats a run; without one it is drawn, and told at the end."
)
@click.option(
    "--recording",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Try with the payloads of a recording too; none of them is shown.",
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(config_path: Path, frames: int, seed: int | None, recording: Path | None, as_json: bool) -> None:
    """Try by experiment whether what leaves the door ever depends on a bit that the policy forbids.

    For every id of every database payloads are drawn, each forbidden bit is flipped, the checksums over it
    vary freely with it, and frame, decoded signals, records and account must stay the same. J1939 transport
    sessions and diagnostic messages are tried likewise, and ids that no database describes, of which nothing
    may leave: by law alone, with each class that can be agreed to, with all, and in each area of the policy.
    What is forbidden is read from databases and class files by code of its own, not by the door's.

    It needs no key, no bus and no platform, and changes nothing.

    \b
    Examples:
      nevgate policy test
      nevgate policy test -c /etc/nevgate/nevgate.toml --frames 100
      nevgate policy test --recording drive.blf --json
      nevgate policy test --seed 7

    Exit status: 0 nothing was found, 4 a forbidden bit shows, and the counterexample is printed; 1 or 2 it
    could not be tried.
    """
    config = load_config(config_path)
    catalogue = builtin()
    databases, bindings = load_buses(config, catalogue)
    described = Described(databases, bindings, catalogue, tuple(observed_items(config)))
    choice = chosen_policy(config, SystemClock())
    seed = secrets.randbits(_SEED_BITS) if seed is None else seed
    proof = Proof(
        choice.policy,
        described,
        frames=frames,
        chance=random.Random(seed),  # noqa: S311 - a seed repeats the experiment
        recording=None if recording is None else _Opening(config, recording),
    )
    with progress_bar("flipping forbidden bits", proof.steps) as progress:
        finding = proof.run(progress)
    found = finding.counterexample
    if choice.complaint is not None:
        click.echo(f"nevgate: {choice.complaint}", err=True)
    if as_json:
        emit_json(
            {
                "policy": choice.policy.title,
                "seed": seed,
                "passed": found is None,
                "counterexample": None if found is None else asdict(found),
                "tried": asdict(finding.tally),
            }
        )
    else:
        click.echo(f"policy {click.style(choice.policy.title, bold=True)}, seed {seed}")
        for line in _words(finding.tally, recording):
            click.echo(f"  {line}")
        if found is None:
            verdict = click.style("PASS", fg="green", bold=True)
            click.echo(f"{verdict}: nothing that left the door depended on a forbidden bit")
        else:
            verdict = click.style("FAIL", fg="red", bold=True)
            click.echo(f"{verdict}: what leaves the door depends on a forbidden bit")
            for line in _counterexample(found):
                click.echo(f"  {line}")
    if found is not None:
        sys.exit(FOUND_EXIT)


class _Opening:
    """Opens a recording in order of time, its channels named as the configuration's buses.

    Channels that are none are told of once, at the end of the first reading.
    """

    def __init__(self, config: Config, path: Path) -> None:
        self._config = config
        self._path = path
        self._told = False

    def __call__(self) -> FrameSource:
        buses = self._config.bus
        recording = open_recording(self._path, buses=channel_names(buses))
        ordered = merge([recording], horizon_s=self._config.sampling.reorder_horizon_s)
        if self._told:
            return ordered
        self._told = True
        return MatchedChannels(ordered, [bus.name for bus in buses], self._path.name)


def _words(tally: Tally, recording: Path | None) -> Iterator[str]:
    """What was tried."""
    yield f"collected {'; '.join(tally.occasions)}"
    yield (
        f"{counted(tally.ids, 'id')} with {counted(tally.payloads, 'payload')}: {tally.flips:,} forbidden "
        f"bits flipped one by one, and many at once in {tally.together:,} frames"
    )
    yield f"{tally.messages:,} segmented messages, diagnostics and containers"
    yield f"{tally.unknown_ids:,} ids that no database describes"
    if recording is not None:
        yield f"{tally.recorded:,} frames of {recording.name}, each with its forbidden bits drawn anew"
    yield (
        f"{tally.frames:,} frames through each of two doors, {tally.left:,} left; "
        f"{tally.values:,} decoded values and {tally.records:,} records compared"
    )


def _counterexample(found: Counterexample) -> Iterator[str]:
    yield f"when       collected {found.occasion}"
    if found.bus:
        mark = "x" if found.extended else ""
        bit = "" if found.bit is None else f", bit {found.bit // 8}.{found.bit % 8}"
        yield f"where      {found.kind} {found.bus}:0x{found.arbitration_id:X}{mark}{bit}"
    if found.bit is not None:
        yield f"signal     {', '.join(found.signals) or 'none: no signal describes it'}"
    yield f"shows in   {found.depends}"
    if found.before:
        yield f"sent       {found.before}, left {_left(found.left_before)}"
        yield f"and        {found.after}, left {_left(found.left_after)}"
    yield "This is a fault of nevgate: please report it with the seed and the database"


def _left(payload: str | None) -> str:
    return "not at all" if payload is None else payload or "without data"
