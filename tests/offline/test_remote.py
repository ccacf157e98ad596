"""Recordings and tables behind URLs: the same as on a disk."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from edge.bus.formats.base import Span
from edge.bus.formats.lines import BLOCK_BYTES
from edge.errors import NevgateError
from edge.offline.bulk import BulkDecode
from edge.offline.decoding import ANY_BUS
from edge.offline.engines import HereEngine
from edge.offline.inputs import find_inputs
from edge.offline.job import DecodeJob
from edge.offline.storage import LocalStorage, storage_of
from edge.offline.target import Target
from tests.offline.recordings import DBC, candump

fsspec: Any = pytest.importorskip("fsspec")
JOB = DecodeJob(databases=((ANY_BUS, "car.dbc", DBC.encode()),), ending=".parquet")


def decode(named: str, out: str, *, resume: bool = False) -> list[str]:
    """Decode all of `named` into `out`; return failures."""
    run = BulkDecode(
        find_inputs([named]).recordings,
        JOB,
        Target(out, True, JOB.ending, JOB.fingerprint()),
        HereEngine(),
        tell=pytest.fail,
        advance=lambda _: None,
        piece_bytes=BLOCK_BYTES,
    )
    return [outcome.failure for outcome in run.run(resume=resume)]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A bucket of a server on loopback that speaks S3; the environment that names it is put back."""
    server: Any = pytest.importorskip("moto.server")
    s3fs: Any = pytest.importorskip("s3fs")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir("fleet")
        yield "s3://fleet"
        s3fs.S3FileSystem.clear_instance_cache()
    running.stop()


@pytest.fixture(params=["memory", "s3"])
def far(request: pytest.FixtureRequest) -> str:
    """A folder behind a URL."""
    root = request.getfixturevalue("s3") if request.param == "s3" else "memory://fleet"
    return f"{root}/{uuid4().hex}"


def test_urls_give_the_tables_that_paths_give(far: str, tmp_path: Path) -> None:
    once = candump(2000)
    logs = {"a/0.log": candump(300), "1.log": once * (1 + 2 * BLOCK_BYTES // len(once))}
    for name, content in logs.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
        storage_of(far).write(f"{far}/in/{name}", content)
    assert decode(str(tmp_path / "in"), str(tmp_path / "out")) == ["", ""]
    assert decode(f"{far}/in", f"{far}/out") == ["", ""]
    for name in ("a/0.log.parquet", "1.log.parquet"):
        assert storage_of(far).read(f"{far}/out/{name}") == (tmp_path / "out" / name).read_bytes()
    assert not [name for name in storage_of(far).files(f"{far}/out") if "parts" in name]
    assert decode(f"{far}/in", f"{far}/out", resume=True) == ["", ""]


def test_a_pattern_of_urls(far: str) -> None:
    for name in ("a/0.log", "b/1.log", "b/2.txt"):
        storage_of(far).write(f"{far}/{name}", candump(3))
    found = find_inputs([f"{far}/**/*.log"]).recordings
    assert [one.location for one in found] == [f"{far}/a/0.log", f"{far}/b/1.log"]
    assert [one.name for one in found] == ["a/0.log", "b/1.log"]


def test_a_copy_holds_what_its_span_needs(far: str) -> None:
    content = b"first line\n" + b"x" * (2 * BLOCK_BYTES) + b"\nand more\n" * 100_000
    storage_of(far).write(f"{far}/drive.log", content)
    span = Span(2 * BLOCK_BYTES, 3 * BLOCK_BYTES)
    with storage_of(far).at_hand(f"{far}/drive.log", span) as path:
        copy = path.read_bytes()
    assert len(copy) == len(content)
    assert copy[: span.end] == content[: span.end]
    assert copy[:20] == content[:20]


def test_what_is_not_there_is_said(far: str) -> None:
    with pytest.raises(NevgateError, match="no such file"):
        find_inputs([f"{far}/nothing"])


def test_a_scheme_that_nobody_knows_is_said() -> None:
    with pytest.raises(NevgateError, match="nevgate\\[remote\\]"):
        storage_of("nosuch://x/y")


def test_a_bucket_that_is_not_there_is_said_and_not_made(s3: str) -> None:
    assert s3
    with pytest.raises(NevgateError, match="cannot be"):
        storage_of("s3://mistyped/x").write("s3://mistyped/x", b"")
    assert storage_of("s3://mistyped").stat("s3://mistyped/x") is None


def test_a_place_where_nothing_can_be_written_is_said() -> None:
    with pytest.raises(NevgateError, match="cannot be written"):
        storage_of("file:///proc/nowhere/x").write("file:///proc/nowhere/x", b"")


def test_a_draft_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), LocalStorage().draft(str(tmp_path / "table.csv")) as path:  # noqa: PT012 - the draft is the block
        path.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
