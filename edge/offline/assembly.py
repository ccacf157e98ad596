"""Puts the tables of a recording's pieces together, in order, without reading a value."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from edge.database.model import SignalRef
from edge.offline.parquet_splice import splice
from edge.offline.storage import COPY_BYTES, storage_of
from edge.offline.tables import open_table


def assemble(
    parts: Sequence[str], table: str, ending: str, policy: str, withheld: Collection[SignalRef]
) -> None:
    """Write `table` as one writer would have, to the byte.

    Args:
        parts: locations of the pieces' tables, in order; each is removed when it has been copied.
        table: where the whole goes.
        ending: of all of them.
        policy: see `TableWriter.close`.
        withheld: see `TableWriter.close`.
    """
    with (
        TemporaryDirectory(prefix="nevgate-") as folder,
        storage_of(table).draft(table) as path,
        path.open("wb") as out,
    ):
        bare, empty = Path(folder, f"bare{ending}"), Path(folder, f"empty{ending}")
        open_table(bare).end()
        open_table(empty).close(policy, withheld)
        if ending == ".parquet":
            with empty.open("rb") as template:
                splice(template, _opened(parts), out)
            return
        heading, whole = bare.read_bytes(), empty.read_bytes()
        out.write(heading)
        for part in _opened(parts):
            part.seek(len(heading))
            shutil.copyfileobj(part, out, COPY_BYTES)
        out.write(whole[len(heading) :])


def _opened(parts: Sequence[str]) -> Iterator[BinaryIO]:
    """Each part while it is the one to read; then it is let go."""
    for part in parts:
        with _reading(part) as file:
            yield file
        storage_of(part).remove(part)


@contextmanager
def _reading(location: str) -> Iterator[BinaryIO]:
    with storage_of(location).reading(location) as file:
        yield file
