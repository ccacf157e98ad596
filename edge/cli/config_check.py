"""`nevgate config check`: a configuration and every file that it names, before anything starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import click

from edge.cli.chosen_policy import chosen_policy, policy_lines
from edge.cli.program import emit_json
from edge.clock import SystemClock
from edge.collecting import Collecting, Described
from edge.config.configuration import load_config
from edge.decode.plan import DecodePlan
from edge.governing import served_purposes
from edge.loading import Loaded, load
from edge.watching import event_watch


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("nevgate.toml"))
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(path: Path, as_json: bool) -> None:
    """Check the configuration PATH (nevgate.toml): keys, databases, classes, bindings, policy, certificates.

    A policy that is refused is a warning: the gateway runs, and collects by the profile 'strict'.

    \b
    Examples:
      nevgate config check
      nevgate config check /etc/nevgate/nevgate.toml --json

    Exit status: 0 usable, 1 or 2 not; the error names file, line, what is wrong and what would be right.
    """
    loaded = load(load_config(path))
    choice = chosen_policy(loaded.config, SystemClock())
    described = Described(
        loaded.databases, loaded.bindings, loaded.catalogue, served=served_purposes(loaded.config)
    )
    collecting = Collecting(choice.policy, described)
    sampler = collecting.sampler()
    never = collecting.widest.withheld()
    DecodePlan(loaded.plain_databases(), wanted=sampler.wanted, withheld=never)
    event_watch(loaded.config, loaded.plain_databases(), collecting.withheld_at_times())
    mask = collecting.door.mask
    items = collecting.limits(mask).items
    by_consent = frozenset(sampler.items) - items
    warnings = [] if choice.complaint is None else [choice.why]
    warnings += [
        f"{database.path}:{defect.line}: {defect.code}: {defect.text}"
        for database, defect in loaded.defects()
    ]
    buses = [_summary(bus, loaded, collecting) for bus in loaded.databases]
    if as_json:
        emit_json(
            {
                "policy": choice.policy.title,
                "signature": choice.signature,
                "mask": mask,
                "buses": [asdict(bus) for bus in buses],
                "items": sorted(items),
                "items_by_consent": sorted(by_consent),
                "warnings": warnings,
            }
        )
        return
    for warning in warnings:
        click.echo(f"warning: {warning}")
    for bus in buses:
        click.echo(
            f"bus {bus.name}: {bus.messages} messages, {bus.signals} signals, "
            f"{bus.collected} of them collected and {bus.by_consent} more by consent, {bus.bound} items bound"
        )
    click.echo(f"policy {choice.policy.title}:")
    for line in policy_lines(choice.policy):
        click.echo(line)
    click.echo(
        f"{len(items)} items go into each record under mask {mask}, and {len(by_consent)} more by consent"
    )
    click.echo(f"{path}: can be run")


@dataclass(frozen=True, slots=True)
class BusSummary:
    """What a bus offers and how much of it passes: now, and besides if everybody agrees to everything."""

    name: str
    messages: int
    signals: int
    collected: int
    by_consent: int
    bound: int


def _summary(bus: str, loaded: Loaded, collecting: Collecting) -> BusSummary:
    messages = [message for one in loaded.databases[bus] for message in one.database.messages]
    signals = len(
        {
            (one.name, signal.name)
            for message in messages
            for one in (message, *message.contained)
            for signal in one.signals
        }
    )
    withheld = sum(ref.bus == bus for ref in collecting.door.withheld())
    never = sum(ref.bus == bus for ref in collecting.widest.withheld())
    bound = sum(len(tuple(binding)) for binding in loaded.bindings[bus])
    return BusSummary(bus, len(messages), signals, signals - withheld, withheld - never, bound)
