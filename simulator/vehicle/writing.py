"""Writes a vehicle's frames into a recording through python-can's writers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from edge.errors import ConfigError, SourceError
from edge.frames import FrameBatch
from edge.lean_can import can
from simulator.vehicle.player import message_of

ENDINGS = (".log", ".asc", ".blf", ".trc", ".csv")
CLASSIC_ONLY = frozenset({".trc", ".csv"})
"""Formats in which python-can's writers leave CAN FD out."""

ONE_BUS = frozenset({".csv"})
"""Formats in which they do not say which bus a frame is of."""


def check_path(path: Path, buses: Collection[str], fd_buses: Collection[str]) -> None:
    """Check that a recording of `buses` at `path` would lose nothing.

    Raises:
        ConfigError: if no format goes by the path's ending, or it cannot hold the buses.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ConfigError(
            f"no recording format goes by the ending {path.suffix!r}",
            where=str(path),
            todo=f"Choose one of: {', '.join(ENDINGS)}",
        )
    if ending in CLASSIC_ONLY and set(buses) & set(fd_buses):
        raise ConfigError(
            f"a {ending} recording does not hold CAN FD, and {', '.join(sorted(fd_buses))} is such a bus",
            where=str(path),
            todo="Choose .log, .asc or .blf, or leave the bus out with --bus",
        )
    if ending in ONE_BUS and len(buses) > 1:
        raise ConfigError(
            f"a {ending} recording does not say which bus a frame is of",
            where=str(path),
            todo="Choose .log, .asc or .blf, or one bus with --bus",
        )


def write_recording(path: Path, batches: Iterable[FrameBatch], buses: Collection[str]) -> Counter[str]:
    """Write the frames of `buses`, the bus's place as channel number; return the frames written by bus.

    Raises:
        SourceError: if the file cannot be written.
    """
    written: Counter[str] = Counter(dict.fromkeys(buses, 0))
    try:
        with can.Logger(path) as writer:
            for batch in batches:
                for place, bus in enumerate(batch.bus.tolist()):
                    if batch.buses[bus] in buses:
                        writer.on_message_received(message_of(batch, place, channel=bus))
                        written[batch.buses[bus]] += 1
    except OSError as error:
        raise SourceError(f"cannot be written ({error.strerror})", where=str(path)) from error
    return written
