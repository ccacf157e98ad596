"""A Dask cluster gives the bytes that one process gives, also when a worker of it is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.bus.formats.lines import BLOCK_BYTES
from edge.errors import NevgateError
from edge.offline.dask_engine import DaskEngine
from edge.offline.engines import Engine, HereEngine, Outcome
from edge.offline.job import DecodeJob
from edge.offline.piece import DecodePiece
from edge.offline.processes import Tell
from tests.offline.bulk_runs import content, make_job, run
from tests.offline.recordings import candump

distributed: Any = pytest.importorskip("distributed")


class Killing(Engine):
    """A cluster of which a worker is killed once the first piece is done."""

    def __init__(self, engine: Engine, cluster: Any) -> None:  # noqa: ANN401 - distributed has no types
        self._engine = engine
        self._cluster = cluster

    def outcomes(self, pieces: Iterable[DecodePiece], job: DecodeJob, tell: Tell) -> Iterator[Outcome]:
        alive = True
        for outcome in self._engine.outcomes(pieces, job, tell):
            if alive:
                worker = next(iter(self._cluster.workers.values()))
                os.kill(worker.process.process.pid, signal.SIGKILL)
                alive = False
            yield outcome


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as made:
        yield made


def decode(folder: Path, out: Path, engine: Engine, tell: Tell = pytest.fail) -> dict[str, bytes]:
    assert [outcome.failure for outcome in run(folder, out, engine, tell=tell)] == ["", ""]
    return content(out)


def test_a_cluster_of_which_a_worker_is_killed_gives_the_same_bytes(tmp_path: Path, cluster: Any) -> None:  # noqa: ANN401
    once = candump(2000)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "0.log").write_bytes(once)
    (tmp_path / "in" / "1.log").write_bytes(once * (1 + 3 * BLOCK_BYTES // len(once)))
    here = decode(tmp_path / "in", tmp_path / "here", HereEngine())
    engine = DaskEngine(cluster.scheduler_address)
    assert decode(tmp_path / "in", tmp_path / "dask", engine) == here
    told: list[str] = []
    assert decode(tmp_path / "in", tmp_path / "killed", Killing(engine, cluster), told.append) == here
    assert "is gone" in told[0]


def test_a_scheduler_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.offline.dask_engine._CONNECT_S", 0.3)
    engine = DaskEngine("tcp://127.0.0.1:1")
    with pytest.raises(NevgateError, match="cannot be reached"):
        list(engine.outcomes([], make_job(), pytest.fail))
