"""ASAM MDF 4 bus logging (the groups CAN_DataFrame, CAN_RemoteFrame, CAN_ErrorFrame), read through asammdf.

asammdf runs in a process of its own, which a damaged file may crash without harm. An unfinalised file, as
power-safe loggers leave it, is finalised by asammdf on a copy in a temporary folder that is removed on
closing; nothing is written to the file or beside it.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np

from edge.bus.formats.base import Recording
from edge.bus.formats.mf4_worker import COLUMNS
from edge.bus.formats.rows import Piece
from edge.clock import NS_PER_S
from edge.errors import SourceError

LOCAL_TIME, OFFSETS_VALID = 0x01, 0x02
"""Flags of the header block: times are local ones; zone and daylight saving offsets are given (MDF 4.1,
HD)."""


def recognises(head: bytes) -> bool:
    """Whether a file that begins with `head` is MDF 4, finalised or not."""
    return head.startswith((b"MDF     4", b"UnFinMF 4"))


class WorkerGoneError(Exception):
    """The process that reads MDF files has ended in the middle of one."""


class Worker:
    """A process of `mf4_worker`, which reads one file after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edge.bus.formats.mf4_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def answers(self, path: str, folder: str) -> Iterator[tuple[dict[str, Any], Piece | None]]:
        """Let one file be read; yields what is said of it, and the piece where it is one.

        Raises:
            WorkerGoneError: if the process ends before it has said that the file has.
        """
        asked, told = self._process.stdin, self._process.stdout
        if asked is None or told is None:
            raise WorkerGoneError
        try:
            asked.write(json.dumps({"path": path, "folder": folder}).encode() + b"\n")
            asked.flush()
            while line := told.readline():
                said = json.loads(line)
                if said["kind"] == "end":
                    return
                yield said, self._piece(said) if said["kind"] == "piece" else None
        except (OSError, ValueError) as error:
            raise WorkerGoneError from error
        raise WorkerGoneError

    def _piece(self, said: dict[str, Any]) -> Piece:
        told = self._process.stdout
        columns = {}
        for column, dtype in COLUMNS.items():
            width = said["width"] if column == "data" else 1
            size = said["count"] * width * np.dtype(dtype).itemsize
            content = told.read(size) if told is not None else b""
            array = np.frombuffer(content, dtype)
            columns[column] = array.reshape(said["count"], width) if column == "data" else array
        return Piece(labels=tuple(said["labels"]), **columns)

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


_idle: list[Worker] = []
"""At most one process that has nothing to do: the next file is spared the second that asammdf takes to
load."""


@atexit.register
def _end_idle() -> None:
    while _idle:
        _idle.pop().end()


class Mf4Recording(Recording):
    """An MDF 4 file; t_ns 0 is its start. Its groups are put together in order of time."""

    def _pieces(self) -> Iterator[Piece]:
        if importlib.util.find_spec("asammdf") is None:
            raise SourceError(
                "is MF4, and asammdf is not installed",
                where=str(self._path),
                todo="pip install 'nevgate[mf4]'",
            )
        folder = tempfile.mkdtemp(prefix="nevgate-mf4-")
        worker = _idle.pop() if _idle else Worker()
        through = False
        failure = ""
        try:
            for said, piece in worker.answers(str(self._path.absolute()), folder):
                if piece is not None:
                    yield piece
                elif said["kind"] == "start":
                    self._read_start(said)
                elif said["kind"] == "refused":
                    self._refuse(said["cause"], said["where"], said["count"])
                else:
                    failure = said["text"]
            through = True
        except WorkerGoneError as error:
            raise SourceError(
                "is damaged so that reading it as MF4 crashes asammdf", where=str(self._path)
            ) from error
        finally:
            if through and not _idle:
                _idle.append(worker)
            else:
                worker.end()
            shutil.rmtree(folder, ignore_errors=True)
        if failure:
            raise SourceError(f"cannot be read as MF4: {failure}", where=str(self._path))

    def _read_start(self, said: dict[str, Any]) -> None:
        """The start, which the header gives in nanoseconds, of UTC or of local time."""
        whole_s, rest_ns = divmod(said["abs_time_ns"], NS_PER_S)
        if not whole_s:
            return
        try:
            start = datetime.fromtimestamp(whole_s, UTC) + timedelta(microseconds=rest_ns // 1000)
            if said["flags"] & LOCAL_TIME:
                offset = timedelta(minutes=said["offset_minutes"])
                start = start.replace(tzinfo=timezone(offset) if said["flags"] & OFFSETS_VALID else None)
        except (OverflowError, ValueError, OSError):
            self._tally.facts["start times that are none"] += 1
        else:
            self._started_at(start)
