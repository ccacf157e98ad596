"""`decode_piece`: the whole work on one piece of one recording; every engine calls this and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from edge.account import Hop
from edge.bus.formats.base import Span
from edge.bus.recording import HEAD_BYTES, open_recording
from edge.offline.decoding import decode_recording
from edge.offline.job import DecodeJob, prepared
from edge.offline.storage import storage_of, with_margin
from edge.offline.summary import Summary
from edge.offline.tables import open_table

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class DecodePiece:
    """One piece of one recording.

    Attributes:
        recording: path or URL.
        index: place of the recording among those of the run.
        number: place of the piece in the recording.
        span: which part of it; `Span()` for all.
        version: of the recording, see `Stat.version`.
        table: where its table goes; empty if there is none. Behind it, with ``.json``, goes its outcome.
    """

    recording: str
    index: int
    number: int
    span: Span
    version: str
    table: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class PieceResult:
    """What a piece held.

    Attributes:
        summary: of its frames.
        account: of its reading: entered, left, and set aside by cause.
        buses: the buses in it, in order of appearance.
        carried_in: what reading took for known; see `Span.carried`.
        carried_out: what reading the next piece has to take for known.
        size: bytes of the recording that it covers.
        sha256: of those bytes.
        job: the fingerprint of the job.
        version: see `DecodePiece.version`.
        span: first byte and end of the piece, None for the end of the file.
    """

    summary: Summary
    account: Mapping[str, Any]
    buses: tuple[str, ...]
    carried_in: str
    carried_out: str
    size: int
    sha256: str
    job: str = ""
    version: str = ""
    span: tuple[int, int | None] = field(default=(0, None))

    def as_json(self) -> bytes:
        """For a file beside the table."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "summary"}
        return json.dumps({**plain, "summary": self.summary.as_plain()}).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """From that file.

        Raises:
            ValueError: if it holds no outcome.
        """
        try:
            plain = json.loads(content)
            begin, end = plain.pop("span")
            return cls(
                summary=Summary.from_plain(plain.pop("summary")),
                buses=tuple(plain.pop("buses")),
                span=(begin, end),
                **plain,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(type(error).__name__) from error


def decode_piece(piece: DecodePiece, job: DecodeJob) -> PieceResult:
    """Decode one piece: the same piece and job give the same table, to the byte, and the same result.

    The table appears in its place when it is whole, its outcome after it; doing a piece twice, even at once,
    does no harm.

    Raises:
        NevgateError: if the recording cannot be read, or the table not be written.
    """
    try:
        result = _decoded_of(piece, job, piece.span)
    except _BeyondError:
        result = _decoded_of(piece, job, Span())
    if piece.table:
        storage_of(piece.table).write(f"{piece.table}.json", result.as_json())
    return result


class _BeyondError(Exception):
    """What was read was not at hand."""


def _decoded_of(piece: DecodePiece, job: DecodeJob, span: Span) -> PieceResult:
    """Decode a piece of a recording of which `span` is at hand."""
    with storage_of(piece.recording).at_hand(piece.recording, span) as path:
        if not piece.table:
            return _decoded(piece, path, job, None, span)
        with storage_of(piece.table).draft(piece.table) as table:
            return _decoded(piece, path, job, table, span)


def _decoded(piece: DecodePiece, path: Path, job: DecodeJob, table: Path | None, span: Span) -> PieceResult:
    size, sha256 = _digest(path, piece.span)
    with open_recording(path, buses=dict(job.buses), span=piece.span) as source:
        decoder = prepared(job).decoder(None if table is None else open_table(table))
        summary = decode_recording(source, decoder, part=True)
        if source.reach is not None and storage_of(piece.recording).copies:
            _check_reach(source.reach, span, path)
        return PieceResult(
            summary=summary,
            account=_plain(source.hop()),
            buses=source.buses,
            carried_in=source.carried_in,
            carried_out=source.carried_out,
            size=size,
            sha256=sha256,
            job=job.fingerprint(),
            version=piece.version,
            span=(piece.span.begin, piece.span.end),
        )


def _check_reach(reach: tuple[int, int], span: Span, path: Path) -> None:
    """See that what was read was at hand."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    begin, end = with_margin(span, head, path.name)
    if reach[0] < begin or (end is not None and reach[1] > end):
        raise _BeyondError


def _plain(hop: Hop) -> dict[str, Any]:
    """A hop without its name, which is that of a copy where the recording is far away."""
    return {
        "entered": hop.entered,
        "left": hop.left,
        "set_aside": dict(hop.set_aside),
        "facts": dict(hop.facts),
    }


def _digest(path: Path, span: Span) -> tuple[int, str]:
    """How many bytes the span has, and their SHA-256."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        file.seek(span.begin)
        left = None if span.end is None else span.end - span.begin
        while read := file.read(_READ_BYTES if left is None else min(_READ_BYTES, left - size)):
            digest.update(read)
            size += len(read)
    return size, digest.hexdigest()
