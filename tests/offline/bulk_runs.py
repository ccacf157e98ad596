"""Whole runs of bulk decoding in pieces of one block, by whatever engine, and what they leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.bus.formats.lines import BLOCK_BYTES
from edge.offline.bulk import BulkDecode
from edge.offline.decoding import ANY_BUS
from edge.offline.engines import Engine
from edge.offline.inputs import find_inputs
from edge.offline.job import DecodeJob
from edge.offline.processes import Tell
from edge.offline.target import RecordingOutcome, Target
from tests.offline.recordings import DBC


def make_job(ending: str = ".parquet") -> DecodeJob:
    return DecodeJob(databases=((ANY_BUS, "car.dbc", DBC.encode()),), ending=ending)


def run(
    inputs: Path | str, out: Path | str, engine: Engine, *, resume: bool = False, tell: Tell = pytest.fail
) -> list[RecordingOutcome]:
    """Decode all of `inputs` into the folder `out`, in pieces of one block."""
    job = make_job()
    bulk = BulkDecode(
        find_inputs([str(inputs)]).recordings,
        job,
        Target(str(out), True, job.ending, job.fingerprint()),
        engine,
        tell=tell,
        advance=lambda _: None,
        piece_bytes=BLOCK_BYTES,
    )
    return list(bulk.run(resume=resume))


def content(folder: Path) -> dict[str, bytes]:
    """All files below `folder`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
