"""`nevgate replay`: a recording through the whole gateway, door and uplink included."""

from __future__ import annotations

from pathlib import Path

import click

from edge.bus.channels import MatchedChannels
from edge.bus.merge import merge
from edge.bus.pace import paced
from edge.bus.recording import open_recording
from edge.cli.program import Finite
from edge.cli.running import log_to_stderr, make_gateway, run_watched, watching_options
from edge.clock import SystemClock
from edge.config.bus import BusSection
from edge.config.configuration import load_config
from edge.loading import load


def channel_names(buses: tuple[BusSection, ...]) -> dict[str, str]:
    """Which label of a recording's channel is which bus: `recording_channel`, or the name itself."""
    return {bus.recording_channel or bus.name: bus.name for bus in buses}


@click.command()
@click.argument("recording", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), required=True, help="The configuration."
)
@click.option("--speed", type=Finite(min=0, min_open=True), help="Times real time; as fast as it goes.")
@watching_options(drain_s=60.0)
def command(
    recording: Path,
    config_path: Path,
    speed: float | None,
    drain_s: float,
    live: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Send RECORDING through the gateway of a configuration to its platform.

    The channels of the recording are matched to buses by 'recording_channel' in the configuration. Frames
    pass the same door as live ones. The account at the end names every frame, record and message.

    \b
    Examples:
      nevgate replay drive.csv --config nevgate.toml
      nevgate replay drive.mf4 --config nevgate.toml --speed 1
      nevgate replay drive.log --config nevgate.toml --json | jq .balanced

    Exit status: 0 everything acknowledged and balanced, 3 something was left, 1 or 2 an error.
    """
    log_to_stderr(verbose=verbose)
    loaded = load(load_config(config_path))
    clock = SystemClock()
    ordered = merge(
        [open_recording(recording, buses=channel_names(loaded.config.bus))],
        horizon_s=loaded.config.sampling.reorder_horizon_s,
    )
    source = MatchedChannels(ordered, [bus.name for bus in loaded.config.bus], recording.name)
    run_watched(
        make_gateway(loaded, clock),
        loaded,
        paced(source, clock=clock, speed=speed),
        clock=clock,
        title=f"replay of {recording.name}",
        drain_s=drain_s,
        live=live,
        as_json=as_json,
    )
