"""`nevgate run`: the gateway in the vehicle, or on a bench with virtual buses."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

import click

from edge import process_memory
from edge.bus.condition import Conditions
from edge.bus.source import FrameSource
from edge.capture import MaskedSource
from edge.capturing.opening import observed_items, plan_of
from edge.capturing.process import CaptureProcess
from edge.cli.running import log_to_stderr, make_gateway, run_watched, watching_options
from edge.clock import SystemClock, kernel_boot_id
from edge.config.configuration import load_config
from edge.devices import open_buses, open_sensors
from edge.loading import load
from edge.power.board_line import BoardLine
from edge.power.following import PowerFollower
from edge.power.line import PowerLine


@click.command()
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=Path("nevgate.toml"),
    show_default=True,
    help="The configuration.",
)
@watching_options(drain_s=10.0)
def command(config_path: Path, drain_s: float, live: bool, as_json: bool, verbose: bool) -> None:
    """Run the gateway until SIGINT or SIGTERM, then send what waits and print the account.

    \b
    Examples:
      nevgate run
      nevgate run --config /etc/nevgate/nevgate.toml --no-live
      nevgate run --json > account.json

    Exit status: 0 everything acknowledged and balanced, 3 something was left, 5 the supervisor of power has
    asked for the end (docs/supervisor.md), 1 or 2 an error.
    """
    log_to_stderr(verbose=verbose)
    loaded = load(load_config(config_path))
    clock = SystemClock()
    conditions = Conditions()
    with ExitStack() as stack:
        if not loaded.config.capture.own_process:
            sensors = open_sensors(loaded.config, clock, stack)
            board = BoardLine()
            source: FrameSource | MaskedSource = stack.enter_context(
                open_buses(loaded.config, clock, conditions, board)
            )
            line: PowerLine = board
            observed = tuple(item for sensor in sensors for item in sensor.items)
            gateway = make_gateway(loaded, clock, observed, boot=kernel_boot_id())
        else:
            sensors = ()
            observed = observed_items(loaded.config, clock)
            gateway = make_gateway(loaded, clock, observed, boot=kernel_boot_id())
            plan = plan_of(config_path, loaded.config, gateway.choice.policy.areas)
            now = gateway.collecting.in_force.now
            source = line = stack.enter_context(
                CaptureProcess(plan, gateway.collecting.collect(now), now.name, clock=clock)
            )
        stack.callback(line.hang_up)
        power = None
        if loaded.config.power is not None:
            power = PowerFollower(line, loaded.config.power.rules, clock)
            gateway.beside, gateway.cabin.power = power.hops, power.state
        logging.getLogger("nevgate").info(
            "vehicle %s, policy %s, mask %s, up to %d items a record; end with Ctrl-C",
            gateway.identity.vehicle,
            gateway.choice.policy.title,
            gateway.door.mask,
            len(gateway.sampler.items),
        )
        process_memory.settle()
        run_watched(
            gateway,
            loaded,
            source,
            clock=clock,
            title=f"vehicle {gateway.identity.vehicle}",
            drain_s=drain_s,
            live=live,
            as_json=as_json,
            sensors=sensors,
            conditions=conditions,
            power=power,
        )
