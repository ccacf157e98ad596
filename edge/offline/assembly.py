"""Puts the parts of a table together, in order, without reading a value."""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from edge.closing import Closing
from edge.database.model import SignalRef
from edge.offline.parquet_splice import Splice
from edge.offline.storage import COPY_BYTES, storage_of
from edge.offline.tables import open_table


class Assembly(Closing):
    """Writes a table as one writer would have, to the byte, out of parts that `TableWriter.end` has ended."""

    @abstractmethod
    def add(self, part: BinaryIO) -> None:
        """Take in the part that follows.

        Raises:
            NevgateError: if it is no whole part.
        """

    @abstractmethod
    def finish(self, policy: str, withheld: Collection[SignalRef]) -> None:
        """Write the end, which says what `TableWriter.close` does."""


def assembly_of(ending: str, out: BinaryIO) -> Assembly:
    """What puts tables with this ending together into `out`, which is empty."""
    return _ParquetAssembly(out) if ending == ".parquet" else _TextAssembly(ending, out)


def assemble(
    parts: Sequence[str], table: str, ending: str, policy: str, withheld: Collection[SignalRef]
) -> None:
    """Write a whole table of which all parts are there.

    Args:
        parts: locations of the pieces' tables, in order; each is removed when it has been copied.
        table: where the whole goes.
        ending: of all of them.
        policy: see `TableWriter.close`.
        withheld: see `TableWriter.close`.
    """
    with (
        storage_of(table).draft(table) as path,
        path.open("wb") as out,
        assembly_of(ending, out) as assembly,
    ):
        for part in parts:
            with storage_of(part).reading(part) as file:
                assembly.add(file)
            storage_of(part).remove(part)
        assembly.finish(policy, withheld)


class _TextAssembly(Assembly):
    def __init__(self, ending: str, out: BinaryIO) -> None:
        self._ending = ending
        self._out = out
        with TemporaryDirectory(prefix="nevgate-") as folder:
            bare = Path(folder, f"bare{ending}")
            open_table(bare).end()
            heading = bare.read_bytes()
        self._heading_bytes = len(heading)
        out.write(heading)

    def add(self, part: BinaryIO) -> None:
        """See `Assembly.add`."""
        part.seek(self._heading_bytes)
        shutil.copyfileobj(part, self._out, COPY_BYTES)

    def finish(self, policy: str, withheld: Collection[SignalRef]) -> None:
        """See `Assembly.finish`."""
        with TemporaryDirectory(prefix="nevgate-") as folder:
            empty = Path(folder, f"empty{self._ending}")
            open_table(empty).close(policy, withheld)
            self._out.write(empty.read_bytes()[self._heading_bytes :])

    def close(self) -> None:
        """Nothing is held."""


class _ParquetAssembly(Assembly):
    def __init__(self, out: BinaryIO) -> None:
        self._splice = Splice(out)

    def add(self, part: BinaryIO) -> None:
        """See `Assembly.add`."""
        self._splice.add(part)

    def finish(self, policy: str, withheld: Collection[SignalRef]) -> None:
        """See `Assembly.finish`."""
        with TemporaryDirectory(prefix="nevgate-") as folder:
            empty = Path(folder, "empty.parquet")
            open_table(empty).close(policy, withheld)
            with empty.open("rb") as template:
                self._splice.finish(template)

    def close(self) -> None:
        """See `Closing.close`."""
        self._splice.close()
