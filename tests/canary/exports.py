"""Everything that a person can have handed out of a journal: exports, and the owner's data to take along."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
from click.testing import CliRunner

from edge.archive.opening import open_archive
from edge.catalogue.catalogue import builtin
from edge.cli.journal_export import command
from edge.journal.keys.key_provider import FileKeyProvider
from edge.page.taking import Taking
from edge.policy.rules import Purpose
from tests.canary.bus import AMID_NAMES
from tests.canary.oracle import RECORDS
from tests.canary.planting import SHIFT

_FRAMES, _EVENTS = (Purpose.RECORDING,), (Purpose.EVENT,)
_ASKED: tuple[tuple[str, tuple[Purpose, ...], tuple[str, ...]], ...] = (
    ("frames.log", _FRAMES, ()),
    ("frames.parquet", _FRAMES, ("--kind", "frames")),
    ("events.log", _EVENTS, ("--kind", "event-frames")),
    ("signals.csv", _FRAMES, ("--decode",)),
    ("signals.jsonl", _FRAMES, ("--decode",)),
    ("signals.parquet", _FRAMES, ("--decode",)),
    ("records.csv", RECORDS, ()),
    ("records.parquet", RECORDS, ("--kind", "records")),
)
ALL = tuple(name for name, _, _ in _ASKED)

NEVER_ZERO = frozenset(
    {"Driver", "Plate", "Track", "Rear", "Key", "Name1", "Name2", "Name3", "Owner1", "Owner2", "Lon", "Lat"}
    | AMID_NAMES
)
"""Signals that are never sent as 0: a 0 in an export stands for one that was removed."""


def exported(
    config: Path, folder: Path, names: Collection[str] = ALL
) -> Iterator[tuple[str, tuple[Purpose, ...], bytes]]:
    """Each export: its name, the purposes for which data are in it, and what it says."""
    folder.mkdir()
    for name, purposes, options in _ASKED:
        if name not in names:
            continue
        out = folder / name
        done = CliRunner().invoke(command, [str(out), "--config", str(config), "--json", *options])
        if done.exception is not None:
            raise RuntimeError(f"{name}: {done.output}") from done.exception
        yield f"export {name}", purposes, (readable(out) if out.exists() else b"")
        yield f"said of {name}", (), done.output.encode()
        for beside in folder.glob(f"{name}.about.json"):
            yield f"said of {name}", (), beside.read_bytes()


def readable(path: Path) -> bytes:
    """A file's content, unpacked."""
    if path.suffix != ".parquet":
        return path.read_bytes()
    table = pq.read_table(path)
    octets: list[bytes] = []
    for name in table.column_names:
        values = table.column(name).to_pylist()
        if any(isinstance(one, bytes) for one in values):
            octets += filter(None, values)
            table = table.drop_columns([name])
    return b"\n".join(
        [
            *(repr(row).encode() for row in table.to_pylist()),
            repr(pq.ParquetFile(path).metadata.metadata).encode(),
            *octets,
        ]
    )


def taken_along(journal: Path) -> Iterator[tuple[str, tuple[Purpose, ...], bytes]]:
    """What the owner takes along, by member of the file."""
    taking = Taking(lambda: open_archive(journal, FileKeyProvider(journal, os.urandom), builtin()), builtin())
    with closing(taking.begin({})) as pieces:
        whole = b"".join(pieces)
    purposes = {"records.csv": RECORDS, "frames.csv": _FRAMES, "event-frames.csv": _EVENTS}
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        for name in file.namelist():
            yield f"taken along {name}", purposes.get(name, ()), file.read(name)


def read_as_zero(folder: Path) -> list[str]:
    """Rows of the decoded signals that give a removed signal a value."""
    rows = csv.DictReader(io.StringIO((folder / "signals.csv").read_text()))
    lines = (json.loads(line) for line in (folder / "signals.jsonl").read_text().splitlines())
    found = []
    for row in (*rows, *lines):
        value = row.get("value")
        if row.get("signal") in NEVER_ZERO and value not in {None, "", "not collected"}:
            number = float(value)
            if number in {0.0, SHIFT}:
                found.append(str(row))
    return found
