"""Writes decoded values as a table: Parquet, CSV or JSON lines, batch by batch."""

from __future__ import annotations

import csv
import io
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from edge import accelerated
from edge.database.model import SignalRef
from edge.decode.message import Column
from edge.errors import NevgateError

ENDINGS = (".parquet", ".csv", ".jsonl")
NOT_COLLECTED = "not collected"
_EXACT_IN_FLOAT = 1 << 53
_TWO_BYTES = 1 << 16

Times = npt.NDArray[np.int64]


class ExportError(NevgateError):
    """A table cannot be written."""


class TableWriter(ABC):
    """Takes batches of columns and writes one row a value, in order of the frames.

    Every row has the frame's time in nanoseconds (as the recording has it), bus, message, signal and value.
    """

    @abstractmethod
    def write(self, t_ns: Times, columns: Mapping[SignalRef, Column]) -> None:
        """Write the values of one batch whose frames have the times `t_ns`."""

    @abstractmethod
    def close(self, policy: str, withheld: Collection[SignalRef]) -> None:
        """Finish the file, saying which mask it was made under and which signals were not collected."""

    @abstractmethod
    def end(self) -> None:
        """Finish the file without saying that: it is a part of a table."""


def open_table(path: Path) -> TableWriter:
    """A writer for `path`, its format told by the ending.

    Raises:
        ExportError: if the ending is unknown, the file cannot be written, or Parquet's library is missing.
    """
    makers: dict[str, Callable[[Path], TableWriter]] = {
        ".csv": CsvWriter,
        ".jsonl": JsonLinesWriter,
        ".parquet": ParquetWriter,
    }
    maker = makers.get(path.suffix.lower())
    if maker is None:
        raise ExportError(
            f"the ending '{path.suffix}' is no table that nevgate writes",
            where=str(path),
            todo=f"Use one of {', '.join(ENDINGS)}",
        )
    try:
        return maker(path)
    except OSError as error:
        raise ExportError(f"cannot be written ({error.strerror})", where=str(path)) from error


class _TextWriter(TableWriter):
    """A line a value: its subclass says what stands around the time and the value.

    Attributes:
        begin: what stands before the time.
        ending: what stands behind the value.
        json: NaN and infinities are strings.
    """

    begin: ClassVar[str]
    ending: ClassVar[str]
    json: ClassVar[bool]

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._heads: dict[SignalRef, bytes] = {}

    @abstractmethod
    def _head(self, ref: SignalRef) -> str:
        """What stands between the time and the value."""

    def write(self, t_ns: Times, columns: Mapping[SignalRef, Column]) -> None:
        """See `TableWriter.write`."""
        for ref in columns:
            if ref not in self._heads:
                self._heads[ref] = self._head(ref).encode()
        heads = tuple(self._heads[ref] for ref in columns)
        rows, values = [one.rows for one in columns.values()], [one.values for one in columns.values()]
        text: bytes | None = None
        if accelerated.native is not None:
            begin, ending = self.begin.encode(), self.ending.encode()
            text = accelerated.native.text_rows(rows, values, t_ns, begin, heads, ending, self.json)
        self._file.write(self._text(t_ns, columns, heads) if text is None else text)

    def _text(self, t_ns: Times, columns: Mapping[SignalRef, Column], heads: Sequence[bytes]) -> bytes:
        owners, times, values = _in_order(t_ns, columns)
        begin, ending = self.begin, self.ending
        number = _json_number if self.json else repr
        words = [head.decode() for head in heads]
        return "".join(
            [
                f"{begin}{when}{words[owner]}{number(value)}{ending}"
                for owner, when, value in zip(owners, times, values, strict=True)
            ]
        ).encode()

    def end(self) -> None:
        """See `TableWriter.end`."""
        self._file.close()


class CsvWriter(_TextWriter):
    """Comma-separated values with a heading; floats are the shortest digits that read back equal."""

    begin = ""
    ending = "\r\n"
    json = False

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file.write(_csv("t_ns", "bus", "message", "signal", "value"))

    def _head(self, ref: SignalRef) -> str:
        return f",{_csv(ref.bus, ref.message, ref.signal).decode().removesuffix(self.ending)},"

    def close(self, policy: str, withheld: Collection[SignalRef]) -> None:
        """See `TableWriter.close`; a signal that was not collected has one row without time."""
        del policy
        for ref in sorted(withheld):
            self._file.write(_csv("", ref.bus, ref.message, ref.signal, NOT_COLLECTED))
        self._file.close()


class JsonLinesWriter(_TextWriter):
    """One JSON object a line; NaN and infinities, which JSON lacks, are strings."""

    begin = '{"t_ns": '
    ending = "}\n"
    json = True

    def _head(self, ref: SignalRef) -> str:
        return f', "bus": {_json(ref.bus)}, {_names(ref)}, "value": '

    def close(self, policy: str, withheld: Collection[SignalRef]) -> None:
        """See `TableWriter.close`; a signal that was not collected has one line with its state."""
        for ref in sorted(withheld):
            line = (
                f'{{"t_ns": null, "bus": {_json(ref.bus)}, {_names(ref)}, "value": null,'
                f' "state": "{NOT_COLLECTED}", "policy": {_json(policy)}}}\n'
            )
            self._file.write(line.encode())
        self._file.close()


class ParquetWriter(TableWriter):
    """Apache Parquet: ``t_ns``, ``bus``, ``message``, ``signal``, ``value`` and ``exact``.

    ``value`` is a double; where that does not hold an integer, ``exact`` has its digits. What was not
    collected is in the file's metadata under ``nevgate.not_collected``, the mask under ``nevgate.policy``.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra that only this class needs
            import pyarrow.parquet as pq  # noqa: PLC0415
        except ImportError as error:
            raise ExportError(
                "Parquet needs pyarrow", where=str(path), todo="pip install 'nevgate[export]'"
            ) from error
        self._pa: Any = pa
        text = pa.dictionary(pa.int32(), pa.string())
        self._schema = pa.schema(
            [
                ("t_ns", pa.int64()),
                ("bus", text),
                ("message", text),
                ("signal", text),
                ("value", pa.float64()),
                ("exact", pa.string()),
            ]
        )
        self._refs: list[SignalRef] = []
        self._names: list[tuple[npt.NDArray[np.int32], Any]] = []
        self._writer = pq.ParquetWriter(
            str(path),
            self._schema,
            compression="zstd",
            # Times hardly repeat: looking each of them up costs more than its bytes do.
            use_dictionary=["bus", "message", "signal", "value", "exact"],
        )

    def write(self, t_ns: Times, columns: Mapping[SignalRef, Column]) -> None:
        """See `TableWriter.write`."""
        if not columns:
            return
        times, owners, values = _sorted(t_ns, columns)
        exact = self._exact(t_ns, columns) if any(map(_needs_digits, columns.values())) else None
        parts = [self._pa.array(times)]
        for codes, names in self._names_of(list(columns)):
            parts.append(self._pa.DictionaryArray.from_arrays(codes[owners], names))
        parts.append(self._pa.array(values))
        parts.append(
            self._pa.nulls(len(times), self._pa.string())
            if exact is None
            else self._pa.array(exact.tolist(), self._pa.string())
        )
        self._writer.write_table(self._pa.Table.from_arrays(parts, schema=self._schema))

    def close(self, policy: str, withheld: Collection[SignalRef]) -> None:
        """See `TableWriter.close`."""
        self._writer.add_key_value_metadata(
            {
                "nevgate.policy": policy,
                "nevgate.not_collected": json.dumps([str(ref) for ref in sorted(withheld)]),
            }
        )
        self._writer.close()

    def end(self) -> None:
        """See `TableWriter.end`."""
        self._writer.close()

    def _names_of(self, refs: list[SignalRef]) -> list[tuple[npt.NDArray[np.int32], Any]]:
        """Bus, message and signal of each column as a place among names; kept while columns are the same."""
        if refs != self._refs:
            self._refs, self._names = refs, []
            for part in ("bus", "message", "signal"):
                names = sorted({getattr(ref, part) for ref in refs})
                place = {name: number for number, name in enumerate(names)}
                codes = np.array([place[getattr(ref, part)] for ref in refs], np.int32)
                self._names.append((codes, self._pa.array(names)))
        return self._names

    @staticmethod
    def _exact(t_ns: Times, columns: Mapping[SignalRef, Column]) -> npt.NDArray[np.object_]:
        digits: list[str | None] = []
        for column in columns.values():
            if not _needs_digits(column):
                digits += [None] * len(column.values)
                continue
            digits += [
                str(value) if isinstance(value, int) and abs(value) > _EXACT_IN_FLOAT else None
                for value in column.values.tolist()
            ]
        result = np.empty(len(digits), object)
        result[:] = digits
        return result[_order(t_ns, columns)]


def _in_order(
    t_ns: Times, columns: Mapping[SignalRef, Column]
) -> tuple[list[int], list[int], list[int | float]]:
    """All values of a batch by frame: number of the column of each value, its time, the value."""
    counts = [len(column.rows) for column in columns.values()]
    owners = np.repeat(np.arange(len(counts)), counts)
    rows = np.concatenate([np.empty(0, np.int64), *(column.rows for column in columns.values())])
    values: list[int | float] = []
    for column in columns.values():
        values += column.values.tolist()
    order = _order(t_ns, columns)
    times = t_ns[rows[order]].tolist()
    return owners[order].tolist(), times, [values[place] for place in order.tolist()]


def _sorted(
    t_ns: Times, columns: Mapping[SignalRef, Column]
) -> tuple[Times, npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """All values of a batch by frame: time, number of its column, and value as a double."""
    rows, values = [one.rows for one in columns.values()], [one.values for one in columns.values()]
    counts = [len(one) for one in rows]
    if accelerated.native is not None:
        total = sum(counts)
        times, owners = np.empty(total, np.int64), np.empty(total, np.int32)
        doubles = np.empty(total, np.float64)
        if accelerated.native.in_order(rows, values, t_ns, times, owners, doubles):
            return times, owners, doubles
    order = _order(t_ns, columns)
    return (
        t_ns[np.concatenate(rows)[order]],
        np.repeat(np.arange(len(counts), dtype=np.int32), counts)[order],
        np.concatenate([_doubles(one) for one in values])[order],
    )


def _order(t_ns: Times, columns: Mapping[SignalRef, Column]) -> npt.NDArray[np.intp]:
    """The places of all values of a batch, by frame, those of a frame in order of the columns."""
    rows = np.concatenate([np.empty(0, np.int64), *(column.rows for column in columns.values())])
    # A stable sort of two bytes is two passes over the values.
    return np.argsort(rows.astype(np.uint16) if len(t_ns) <= _TWO_BYTES else rows, kind="stable")


def _doubles(values: Sequence[Any] | npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.asarray(values).astype(np.float64)


def _needs_digits(column: Column) -> bool:
    """Whether some value is an integer that a double may not hold."""
    values = column.values
    if values.dtype == np.float64:
        return False
    if values.dtype.kind in "iu" and len(values):
        return int(values.max()) > _EXACT_IN_FLOAT or int(values.min()) < -_EXACT_IN_FLOAT
    return True


def _csv(*cells: str) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _names(ref: SignalRef) -> str:
    return f'"message": {_json(ref.message)}, "signal": {_json(ref.signal)}'


def _json_number(value: float) -> str:
    if not math.isfinite(value):
        return {math.inf: '"Infinity"', -math.inf: '"-Infinity"'}.get(value, '"NaN"')
    return repr(value)
