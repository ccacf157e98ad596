"""A made-up candump log of any size with its database, and what scripts do with a sample of it."""

from __future__ import annotations

import importlib
import importlib.util
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import can
import cantools.database
import numpy as np

BUSES = ("powertrain", "chassis", "body", "battery")
MESSAGES = 25
DATABASE, SAMPLE, SAMPLE_MF4 = "car.dbc", "sample.log", "sample.mf4"
CANTOOLS = "python-can reader, cantools decode_message a frame"
ASAMMDF = "asammdf extract_bus_logging of the sample as MF4"
BLOCK_LINES = 40_000
_BEGIN_US = 1_700_000_000_000_000
_STEP_US = 31
_STAMP = "(0000000000.000000)"


def write_database(folder: Path) -> None:
    """Write ``car.dbc``: 25 messages of 8 signals, both byte orders, scaled and not."""
    lines = ['VERSION ""', "BS_:", "BU_:"]
    for number in range(MESSAGES):
        lines.append(f"BO_ {256 + number} M{number}: 8 XXX")
        order, sign = ("1", "+") if number % 2 else ("0", "-")
        for place in range(8):
            start = 8 * place + (0 if order == "1" else 7)
            scale = ("1,0", "0.1,-40", "0.5,0", "2,10")[place % 4]
            lines.append(f' SG_ S{place} : {start}|8@{order}{sign} ({scale}) [0|0] "" XXX')
    (folder / DATABASE).write_text("\n".join(lines))


def write_log(path: Path, size: int) -> int:
    """Write a log of `size` bytes and somewhat more, a block of 40,000 lines at a time.

    The payloads are those of one block over and over, the times go on.

    Returns:
        How many frames that is, at least one block.
    """
    source = random.Random(1)  # noqa: S311 - to be repeated, not secret
    lines = [
        f"{_STAMP} {source.choice(BUSES)} {256 + source.randrange(MESSAGES):03X}"
        f"#{source.randbytes(8).hex().upper()}\n"
        for _ in range(BLOCK_LINES)
    ]
    block = np.frombuffer("".join(lines).encode("ascii"), np.uint8).copy()
    begins = np.cumsum([0, *map(len, lines[:-1])])
    digits = np.array([place for place, letter in enumerate(_STAMP) if letter == "0"])
    powers = 10 ** np.arange(len(digits) - 1, -1, -1, dtype=np.int64)
    frames = 0
    with path.open("wb") as file:
        while not frames or file.tell() < size:
            t_us = _BEGIN_US + _STEP_US * np.arange(frames + 1, frames + BLOCK_LINES + 1, dtype=np.int64)
            block[begins[:, np.newaxis] + digits] = t_us[:, np.newaxis] // powers % 10 + ord("0")
            file.write(block.tobytes())
            frames += BLOCK_LINES
    return frames


def write_sample(folder: Path, size: int = 0) -> int:
    """Write ``sample.log``, which is the beginning of every such log, and how asammdf wants it.

    Returns:
        How many frames it has.
    """
    frames = write_log(folder / SAMPLE, size)
    if importlib.util.find_spec("asammdf") is not None:
        # nevgate keeps asammdf out of the python-can of its own process.
        subprocess.run([sys.executable, "-m", __spec__.name, str(folder)], check=True)
    return frames


def _write_mf4(folder: Path) -> None:
    with can.MF4Writer(folder / SAMPLE_MF4, str(folder / DATABASE)) as writer:
        for message in can.LogReader(folder / SAMPLE):
            message.channel = BUSES.index(str(message.channel)) + 1
            writer.on_message_received(message)


def peers(folder: Path) -> dict[str, Callable[[], None]]:
    """What decodes all signals of the sample, by name, as far as it is installed."""
    found: dict[str, Callable[[], None]] = {CANTOOLS: lambda: _cantools(folder)}
    if (folder / SAMPLE_MF4).exists():
        found[ASAMMDF] = lambda: _asammdf(folder)
    return found


def _cantools(folder: Path) -> None:
    """What a script does that reads a recording by python-can and decodes by cantools."""
    database = cantools.database.load_file(folder / DATABASE)
    for message in can.LogReader(folder / SAMPLE):
        database.decode_message(message.arbitration_id, bytes(message.data), decode_choices=False)  # type: ignore[union-attr]


def _asammdf(folder: Path) -> None:
    """What asammdf does with bus logging: all signals of all messages of all buses."""
    mdf_module: Any = importlib.import_module("asammdf")
    with mdf_module.MDF(folder / SAMPLE_MF4) as mdf:
        buses = [(str(folder / DATABASE), 0)]
        with mdf.extract_bus_logging({"CAN": buses}) as extracted:
            for group in range(len(extracted.groups)):
                extracted.select(
                    [(None, group, at) for at in range(1, len(extracted.groups[group].channels))]
                )


if __name__ == "__main__":
    _write_mf4(Path(sys.argv[1]))
