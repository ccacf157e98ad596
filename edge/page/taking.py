"""The owner's data to take along (EU Data Act, Regulation 2023/2854): the journal as a stream of ZIP."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from importlib.resources import files
from threading import Lock
from typing import TYPE_CHECKING

from edge.archive.export_file import About
from edge.archive.exporting import saw_records, told_records
from edge.archive.frame_files import plain_frames
from edge.archive.joining import FrameReader, JoinedFrames
from edge.archive.opening import Archive
from edge.archive.record_tables import COLUMNS, csv_cell, table_rows
from edge.archive.records import RecordReader
from edge.archive.selection import Selection
from edge.catalogue.catalogue import Catalogue
from edge.clock import TimeQuality
from edge.errors import NevgateError
from edge.frames import FrameFlag
from edge.journal.block import BlockKind
from edge.page.taking_schema import FRAME_COLUMNS, SCHEMA

if TYPE_CHECKING:
    from typing_extensions import Buffer

OpenArchive = Callable[[], AbstractContextManager[Archive]]

_CHUNK_BYTES = 64 * 1024
_LEVEL = 3
_FRAME_FILES: Mapping[str, BlockKind] = {
    "frames.csv": BlockKind.FRAMES,
    "event-frames.csv": BlockKind.EVENT_FRAMES,
}
_MEMBER_DATE = (1980, 1, 1, 0, 0, 0)


class BusyError(NevgateError):
    """Somebody is taking data along already."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file is.

    Attributes:
        blocks: of the journal that were passed.
        of_blocks: that there are; about.
        sent_bytes: of the file so far.
        done: whether it is whole.
        failed: whether it was broken off.
    """

    blocks: int
    of_blocks: int
    sent_bytes: int
    done: bool = False
    failed: bool = False

    @property
    def percent(self) -> int:
        """How much of the journal was passed; less than 100 until the file is whole."""
        return 100 if self.done else min(99, 100 * self.blocks // max(self.of_blocks, 1))

    @property
    def megabytes(self) -> str:
        """The size so far."""
        return f"{self.sent_bytes / 1e6:.1f}"


class Taking:
    """Makes the file, for one at a time; nothing of it touches the disk.

    The journal is read as it was at one moment, which keeps SQLite from shortening its log meanwhile.

    Args:
        open_archive: opens the journal with its keys.
        catalogue: the items.
    """

    def __init__(self, open_archive: OpenArchive, catalogue: Catalogue) -> None:
        self._open = open_archive
        self._catalogue = catalogue
        self._busy = Lock()
        self.progress: Progress | None = None

    def begin(self, state: Mapping[str, object]) -> Generator[bytes, None, None]:
        """Open the journal and hand out the file piece by piece; it must be read to its end, or closed.

        Args:
            state: what the gateway says of policy and consents, for the file.

        Raises:
            BusyError: one is under way.
            NevgateError: the journal cannot be opened.
        """
        if not self._busy.acquire(blocking=False):
            raise BusyError("a file is being made already")
        with ExitStack() as stack:
            stack.callback(self._busy.release)
            archive = stack.enter_context(self._open())
            kinds = frozenset({BlockKind.RECORDS, *_FRAME_FILES.values()})
            self.progress = Progress(0, archive.count(Selection(kinds=kinds)), 0)
            pieces = self._pieces(archive, state, stack.pop_all())
            # A generator that never began does not run its end when it is closed.
            next(pieces)
            return pieces
        raise AssertionError  # pragma: no cover - ExitStack swallows nothing here

    def _pieces(
        self, archive: Archive, state: Mapping[str, object], stack: ExitStack
    ) -> Generator[bytes, None, None]:
        with stack:
            try:
                yield b""
                sent = 0
                for piece, blocks in self._written(archive, state):
                    sent += len(piece)
                    known = self.progress
                    self.progress = Progress(blocks, known.of_blocks if known else 0, sent)
                    yield piece
                self.progress = Progress(1, 1, sent, done=True)
            finally:
                if self.progress is not None and not self.progress.done:
                    known = self.progress
                    self.progress = Progress(known.blocks, known.of_blocks, known.sent_bytes, failed=True)

    def _written(self, archive: Archive, state: Mapping[str, object]) -> Iterator[tuple[bytes, int]]:
        outlet = _Outlet()
        about: dict[str, About] = {}
        passed = 0
        with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as file:
            _put(file, "README.txt", files("edge.page").joinpath("taking.readme.txt").read_text("utf-8"))
            _put(file, "schema.json", _json(SCHEMA))
            _put(file, "gateway.json", _json(state))
            tables: list[tuple[str, Iterator[tuple[str, int]]]] = [
                ("records.csv", self._records(archive, about.setdefault("records.csv", _about(archive))))
            ]
            tables += [
                (name, _frames(archive, kind, about.setdefault(name, _about(archive))))
                for name, kind in _FRAME_FILES.items()
            ]
            for name, rows in tables:
                blocks = 0
                # Not a byte is known before its row is read, so the place of sizes is kept in 64 bits.
                with file.open(_member(name), "w", force_zip64=True) as member:
                    for text, blocks in rows:
                        member.write(text.encode())
                        if outlet.size > _CHUNK_BYTES:
                            yield outlet.take(), passed + blocks
                passed += blocks
            _put(file, "about.json", _json({name: one.as_json() for name, one in about.items()}))
        yield outlet.take(), passed

    def _records(self, archive: Archive, about: About) -> Iterator[tuple[str, int]]:
        yield _csv([COLUMNS]), 0
        reader = RecordReader(archive, Selection())
        for joined in reader:
            told = told_records(joined, archive, self._catalogue)
            saw_records(told, joined, about)
            yield _csv([[csv_cell(cell) for cell in row] for row in table_rows(told)]), reader.blocks
        about.left_out.update(reader.unreadable)


def _frames(archive: Archive, kind: BlockKind, about: About) -> Iterator[tuple[str, int]]:
    yield _csv([FRAME_COLUMNS]), 0
    reader = FrameReader(archive, Selection(kinds=frozenset({kind})))
    for joined in reader:
        joined.tell(about)
        about.written += len(joined.batch)
        about.saw(int(joined.stamps.time_ns.min()), int(joined.stamps.time_ns.max()))
        yield _csv(_frame_rows(joined)), reader.blocks
    about.left_out.update(reader.unreadable)


def _frame_rows(joined: JoinedFrames) -> Iterator[tuple[object, ...]]:
    batch, stamps = joined.batch, joined.stamps
    boot = joined.boot.hex()
    missing = " ".join(sorted(joined.missing))
    qualities = [TimeQuality(quality).name for quality in stamps.quality.tolist()]
    for frame, quality in zip(plain_frames(batch, stamps.time_ns), qualities, strict=True):
        yield (
            frame.time_ns,
            quality,
            boot,
            frame.t_ns,
            batch.buses[frame.bus],
            frame.arbitration_id,
            " ".join(flag.name.lower() for flag in FrameFlag(frame.flags) if flag.name is not None),
            frame.data.hex(),
            missing,
        )


def _about(archive: Archive) -> About:
    return About(stream=archive.stream.hex())


def _csv(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _MEMBER_DATE)
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o600 << 16
    return member


def _put(file: zipfile.ZipFile, name: str, text: str) -> None:
    file.writestr(_member(name), text.encode(), compresslevel=_LEVEL)


class _Outlet(io.RawIOBase):
    """What the ZIP file is written into: hands on what it was given, and cannot go back."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        piece = bytes(data)
        self._parts.append(piece)
        self.size += len(piece)
        return len(piece)

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._parts)
        self._parts, self.size = [], 0
        return taken
