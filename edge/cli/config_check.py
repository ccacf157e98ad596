"""`nevgate config check`: a configuration and every file that it names, before anything starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import click

from edge.cli.program import emit_json
from edge.config import load_config
from edge.decode.plan import DecodePlan
from edge.loading import Loaded, load
from edge.policy.door import Door
from edge.vehicle.sampler import Sampler
from edge.watching import event_watch


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("nevgate.toml"))
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(path: Path, as_json: bool) -> None:
    """Check the configuration PATH (nevgate.toml): keys, databases, classes, bindings, certificates.

    \b
    Examples:
      nevgate config check
      nevgate config check /etc/nevgate/nevgate.toml --json

    Exit status: 0 usable, 1 or 2 not; the error names file, line, what is wrong and what would be right.
    """
    loaded = load(load_config(path))
    door = Door(loaded.databases, frozenset(loaded.config.door.collect))
    sampler = Sampler(loaded.bindings, loaded.catalogue, withheld=door.withheld(), admits=door.admits)
    DecodePlan(loaded.plain_databases(), wanted=sampler.wanted, withheld=door.withheld())
    event_watch(loaded.config, loaded.plain_databases(), door.withheld())
    warnings = [
        f"{database.path}:{defect.line}: {defect.code}: {defect.text}"
        for database, defect in loaded.defects()
    ]
    buses = [_summary(bus, loaded, door) for bus in loaded.databases]
    if as_json:
        emit_json(
            {
                "mask": door.mask,
                "buses": [asdict(bus) for bus in buses],
                "items": sorted(sampler.items),
                "warnings": warnings,
            }
        )
        return
    for warning in warnings:
        click.echo(f"warning: {warning}")
    for bus in buses:
        click.echo(
            f"bus {bus.name}: {bus.messages} messages, {bus.signals} signals, "
            f"{bus.collected} of them collected, {bus.bound} items bound"
        )
    click.echo(f"{len(sampler.items)} items go into each record under mask {door.mask}")
    click.echo(f"{path}: can be run")


@dataclass(frozen=True, slots=True)
class BusSummary:
    """What a bus offers and how much of it passes."""

    name: str
    messages: int
    signals: int
    collected: int
    bound: int


def _summary(bus: str, loaded: Loaded, door: Door) -> BusSummary:
    messages = [message for one in loaded.databases[bus] for message in one.database.messages]
    signals = sum(len(message.signals) for message in messages)
    withheld = sum(ref.bus == bus for ref in door.withheld())
    bound = sum(len(tuple(binding)) for binding in loaded.bindings[bus])
    return BusSummary(bus, len(messages), signals, signals - withheld, bound)
