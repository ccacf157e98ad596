"""Measures how fast recordings are parsed, beside a plain CSV reader and python-can's candump reader."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import can

from edge.bus.merge import merge
from edge.bus.recording import open_recording
from edge.bus.source import FrameSource
from edge.frames import FrameBatch, FrameFlag
from tests.bench.comparison import Comparison, alternate

SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"
MADE_FRAMES = 40_000


def measure() -> list[Comparison]:
    """Parse the Kona recording, or where it is absent a made-up one, as GVRET CSV and as candump."""
    found = sorted((SHARED_DATA / "kona-ev").glob("230112-7-*.csv"))
    text = found[0].read_text() if found else made_up()
    with tempfile.TemporaryDirectory() as folder:
        gvret, candump = Path(folder, "r.csv"), Path(folder, "r.log")
        gvret.write_text(text)
        with open_recording(gvret) as source:
            batches = list(read(source))
        candump.write_text("".join(map(candump_of, batches)))
        frames = sum(map(len, batches))
        lines = [
            (
                "parse GVRET CSV",
                alternate(lambda: parse(gvret), lambda: plain_csv(gvret)),
                "csv.reader, one tuple a frame",
            ),
            (
                "parse candump",
                alternate(lambda: parse(candump), lambda: python_can(candump)),
                "python-can CanutilsLogReader",
            ),
            (
                "parse GVRET CSV and put it in order",
                alternate(lambda: parse_in_order(gvret), lambda: plain_csv_in_order(gvret)),
                "csv.reader and sorted()",
            ),
        ]
    return [
        Comparison(name, frames / ours_s, frames / peer_s, "frames/s", peer, peer_s / ours_s, asked)
        for (name, (ours_s, peer_s), peer), asked in zip(
            lines, ("39,546 frames in well under 100 ms", "", ""), strict=True
        )
    ]


def read(source: FrameSource) -> list[FrameBatch]:
    """All batches of a recording."""
    return list(iter(lambda: source.read(0), None))


def parse(path: Path) -> int:
    """Parse a recording to its end."""
    with open_recording(path) as source:
        return sum(map(len, read(source)))


def parse_in_order(path: Path) -> int:
    """Parse a recording to its end, in order of time."""
    with merge([open_recording(path)]) as source:
        return sum(map(len, read(source)))


def plain_csv(path: Path) -> list[tuple[int, int, str, bytes]]:
    """What a straightforward reader of the same lines does."""
    with path.open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return [
            (int(row[0]), int(row[1], 16), row[3], bytes.fromhex("".join(row[5 : 5 + int(row[4])])))
            for row in rows
        ]


def plain_csv_in_order(path: Path) -> list[tuple[int, int, str, bytes]]:
    """The same, put in order of time."""
    return sorted(plain_csv(path), key=lambda row: (row[0], row[2]))


def python_can(path: Path) -> int:
    """Read a candump log with python-can."""
    with can.CanutilsLogReader(path) as reader:
        return sum(1 for _ in reader)


def candump_of(batch: FrameBatch) -> str:
    """The frames of `batch` as lines of `candump -L`."""
    out = io.StringIO()
    extended = batch.has(FrameFlag.EXTENDED).tolist()
    for place, wide in enumerate(extended):
        frame = batch.frame(place)
        number = f"{frame.arbitration_id:08X}" if wide else f"{frame.arbitration_id:03X}"
        seconds, rest_ns = divmod(frame.t_ns, 10**9)
        out.write(f"({seconds}.{rest_ns // 1000:06d}) can{frame.bus} {number}#{frame.data.hex().upper()}\n")
    return out.getvalue()


def made_up() -> str:
    """A GVRET CSV of the Kona recording's size and shape."""
    rows = ["Time Stamp,ID,Extended,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8"]
    for number in range(MADE_FRAMES):
        data = ",".join(f"{(number * step) & 0xFF:02X}" for step in range(1, 9))
        rows.append(f"{1_953_613_500 + 270 * number},{number % 0x700:08X},false,{number % 2},8,{data}")
    return "\n".join(rows) + "\n"
