"""Raw frames into tables of everything that is known of them: Parquet and MCAP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from edge.archive.export_file import About, ExportError
from edge.archive.frame_files import FrameFile, plain_frames
from edge.archive.joining import JoinedFrames
from edge.clock import TimeQuality
from edge.frames import FrameBatch, FrameFlag, Int64s

METADATA_KEY = "nevgate.export"
ROW_GROUP = 131_072
_FLAGS = {flag: flag.name.lower() for flag in FrameFlag if flag.name}
_NAMED_BITS = tuple((int(flag), name) for flag, name in _FLAGS.items())
_QUALITIES = {int(quality): quality.name for quality in TimeQuality}


def load_parquet(path: Path) -> tuple[Any, Any]:
    """The library of Parquet.

    Raises:
        ExportError: it is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise ExportError(
            "Parquet needs pyarrow", where=str(path), todo="pip install 'nevgate[export]'"
        ) from error
    return pa, pq


class ParquetFile:
    """A Parquet file whose row groups are large, however small the pieces are that it is given.

    Args:
        path: where to.
        make_schema: makes the schema, given pyarrow.

    Attributes:
        pa: pyarrow.
        schema: of the file.
    """

    def __init__(self, path: Path, make_schema: Callable[[Any], Any]) -> None:
        self.pa, pq = load_parquet(path)
        self.schema = make_schema(self.pa)
        self._writer = pq.ParquetWriter(str(path), self.schema, compression="zstd")
        self._waiting: list[Any] = []
        self._rows = 0

    def add(self, columns: list[Any]) -> None:
        """Write some rows, as arrays in the schema's order."""
        table = self.pa.Table.from_arrays(columns, schema=self.schema)
        self._waiting.append(table)
        self._rows += table.num_rows
        if self._rows >= ROW_GROUP:
            self._flush()

    def finish(self, about: About) -> None:
        """Write the rest and what the export says of itself."""
        self._flush()
        self._writer.add_key_value_metadata({METADATA_KEY: json.dumps(about.as_json(), ensure_ascii=False)})
        self._writer.close()

    def abandon(self) -> None:
        """Let go of the file."""
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(self.pa.concat_tables(self._waiting).unify_dictionaries())
        self._waiting, self._rows = [], 0


class ParquetFrames(FrameFile):
    """Apache Parquet, a row a frame in order of arrival; what the export says of itself is in its metadata.

    ``time_ns`` is Unix time, or time since boot where ``time_quality`` is ``NONE``; ``t_ns`` is always since
    boot. ``block`` is the chain number of the first of the blocks that the frame's period is from.
    """

    def __init__(self, path: Path, about: About) -> None:
        super().__init__(path, about)
        self._file = ParquetFile(path, self._schema)

    @staticmethod
    def _schema(pa: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
        text = pa.dictionary(pa.int32(), pa.string())
        return pa.schema(
            [
                ("time_ns", pa.int64()),
                ("time_quality", text),
                ("boot", text),
                ("t_ns", pa.int64()),
                ("block", pa.int64()),
                ("bus", text),
                ("arbitration_id", pa.uint32()),
                *((name, pa.bool_()) for name in _FLAGS.values()),
                ("data", pa.binary()),
            ]
        )

    def holds(self, batch: FrameBatch) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """See `FrameFile.holds`: everything."""
        return np.ones(len(batch), np.bool_)

    def put(self, batch: FrameBatch, time_ns: Int64s, joined: JoinedFrames) -> None:
        """See `FrameFile.put`."""
        pa = self._file.pa
        count = len(batch)
        qualities = pa.array([quality.name for quality in TimeQuality])
        columns = [
            pa.array(time_ns),
            pa.DictionaryArray.from_arrays(joined.stamps.quality.astype(np.int32), qualities),
            pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), pa.array([joined.boot.hex()])),
            pa.array(batch.t_ns),
            pa.array(np.full(count, joined.numbers[0], np.int64)),
            pa.DictionaryArray.from_arrays(batch.bus.astype(np.int32), pa.array(list(batch.buses))),
            pa.array(batch.arbitration_id),
            *(pa.array(batch.has(flag)) for flag in _FLAGS),
            self._payloads(batch),
        ]
        self._file.add(columns)

    def _payloads(self, batch: FrameBatch) -> Any:  # noqa: ANN401 - pyarrow has no types
        """The data of each frame, up to its length, as one array of byte strings."""
        pa = self._file.pa
        used = np.arange(batch.data.shape[1]) < batch.length[:, np.newaxis]
        ends = np.zeros(len(batch) + 1, np.int32)
        np.cumsum(batch.length, out=ends[1:])
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(batch.data[used]))]
        return pa.Array.from_buffers(pa.binary(), len(batch), buffers)

    def close(self) -> None:
        """See `FrameFile.close`."""
        self._file.finish(self.about)

    def abandon(self) -> None:
        """See `FrameFile.abandon`."""
        self._file.abandon()


class McapLog:
    """An MCAP file of JSON messages, with what the export says of itself as metadata.

    Args:
        path: where to.

    Raises:
        ExportError: the library is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            from mcap.writer import Writer  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ExportError(
                "MCAP needs its library", where=str(path), todo="pip install 'nevgate[export]'"
            ) from error
        self._file: BinaryIO = path.open("wb")
        self._writer = Writer(self._file)
        self._writer.start(profile="", library="nevgate")
        self._channels: dict[str, int] = {}
        self._sequence: dict[int, int] = {}

    def add(self, topic: str, schema: dict[str, object], time_ns: int, message: dict[str, object]) -> None:
        """Write one message under a topic, whose schema (JSON Schema) is the same each time."""
        channel = self._channels.get(topic)
        if channel is None:
            schema_id = self._writer.register_schema(
                name=str(schema["title"]), encoding="jsonschema", data=json.dumps(schema).encode()
            )
            channel = self._channels[topic] = self._writer.register_channel(
                topic=topic, message_encoding="json", schema_id=schema_id
            )
        sequence = self._sequence[channel] = self._sequence.get(channel, 0) + 1
        # MCAP has no times before 1970.
        stamp_ns = max(time_ns, 0)
        data = json.dumps(message, ensure_ascii=False).encode()
        self._writer.add_message(channel, stamp_ns, data, stamp_ns, sequence & 0xFFFFFFFF)

    def finish(self, about: About) -> None:
        """Write what the export says of itself, and the index."""
        try:
            self._writer.add_metadata(
                METADATA_KEY, {"about": json.dumps(about.as_json(), ensure_ascii=False)}
            )
            self._writer.finish()  # type: ignore[no-untyped-call]
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Let go of the file."""
        self._file.close()


FRAME_SCHEMA: dict[str, object] = {
    "title": "nevgate.CanFrame",
    "type": "object",
    "properties": {
        "bus": {"type": "string"},
        "id": {"type": "integer"},
        "flags": {"type": "array", "items": {"type": "string"}},
        "data": {"type": "string", "contentEncoding": "base16"},
        "boot": {"type": "string"},
        "t_ns": {"type": "integer", "description": "nanoseconds since boot"},
        "time_quality": {"type": "string"},
    },
}


class McapFrames(FrameFile):
    """MCAP, a message a frame under the topic ``/can/BUS``, in order of arrival."""

    def __init__(self, path: Path, about: About) -> None:
        super().__init__(path, about)
        self._log = McapLog(path)

    def holds(self, batch: FrameBatch) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """See `FrameFile.holds`: everything."""
        return np.ones(len(batch), np.bool_)

    def put(self, batch: FrameBatch, time_ns: Int64s, joined: JoinedFrames) -> None:
        """See `FrameFile.put`."""
        boot = joined.boot.hex()
        qualities = [_QUALITIES[number] for number in joined.stamps.quality.tolist()]
        for frame, quality in zip(plain_frames(batch, time_ns), qualities, strict=True):
            bus = batch.buses[frame.bus]
            message: dict[str, object] = {
                "bus": bus,
                "id": frame.arbitration_id,
                "flags": [name for bit, name in _NAMED_BITS if frame.flags & bit],
                "data": frame.data.hex(),
                "boot": boot,
                "t_ns": frame.t_ns,
                "time_quality": quality,
            }
            self._log.add(f"/can/{bus}", FRAME_SCHEMA, frame.time_ns, message)

    def close(self) -> None:
        """See `FrameFile.close`."""
        self._log.finish(self.about)

    def abandon(self) -> None:
        """See `FrameFile.abandon`."""
        self._log.abandon()
