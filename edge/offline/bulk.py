"""`BulkDecode`: many recordings, cut into pieces, decoded by an engine, put together as one process would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from edge.bus.formats.base import BUSES_MAX, Span
from edge.bus.formats.lines import BLOCK_BYTES
from edge.errors import NevgateError
from edge.offline.assembly import assemble
from edge.offline.engines import Engine, PieceFailure, attempt
from edge.offline.inputs import RecordingInput
from edge.offline.job import DecodeJob, Prepared, prepared
from edge.offline.piece import DecodePiece, PieceResult
from edge.offline.summary import Summary
from edge.offline.target import RecordingOutcome, Target

PIECE_BYTES = 16 * BLOCK_BYTES
_MANIFESTS = 100
"""How often the manifest is written while a run goes on, at most."""


@dataclass(slots=True)
class _Pending:
    """A recording some of whose pieces are still to come."""

    recording: RecordingInput
    pieces: list[DecodePiece]
    results: dict[int, PieceResult] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return len(self.results) + len(self.failures) == len(self.pieces)


class BulkDecode:
    """One run over recordings; its outcome is the same whatever the engine, and however often it was resumed.

    Why pieces put together are the whole, to the byte: a piece reads the very blocks that reading the whole
    does (`Span`), and decoding a block depends on nothing before it, but for three things. What the reader
    carries from line to line is guessed, and checked when the piece before is known; a wrong guess has the
    piece done again. A door that puts messages together keeps recordings whole, see `Prepared.divisible`.
    That a recording has at most 256 buses is checked over all its pieces; one with more is read whole.

    Args:
        recordings: what to decode.
        job: how.
        target: where tables go.
        engine: who does it.
        tell: is told in words what a person should know.
        advance: is told how many bytes of recordings more are done.
        piece_bytes: size of a piece, a multiple of `BLOCK_BYTES`.
    """

    def __init__(
        self,
        recordings: Sequence[RecordingInput],
        job: DecodeJob,
        target: Target,
        engine: Engine,
        *,
        tell: Callable[[str], None],
        advance: Callable[[int], None],
        piece_bytes: int = PIECE_BYTES,
    ) -> None:
        self._recordings = recordings
        self._job = job
        self._target = target
        self._engine = engine
        self._tell = tell
        self._advance = advance
        self._piece_bytes = piece_bytes
        self._pending: dict[int, _Pending] = {}
        self._outcomes: dict[int, RecordingOutcome] = {}
        self._entries: dict[int, dict[str, object]] = {}

    def run(self, *, resume: bool = False) -> Iterator[RecordingOutcome]:
        """Decode all recordings; hand on what becomes of each, in their order.

        Args:
            resume: take over what an earlier run has done.

        Raises:
            ExportError: if the target holds another run.
        """
        self._target.begin(resume=resume)
        self._write_manifest("running")
        every = max(1, len(self._recordings) // _MANIFESTS)
        handed_on = 0
        pieces = self._pieces(prepared(self._job), resume=resume)
        for piece, result in self._engine.outcomes(pieces, self._job, self._tell):
            self._take(piece, result)
            while handed_on in self._outcomes:
                yield self._outcomes.pop(handed_on)
                handed_on += 1
                if handed_on % every == 0:
                    self._write_manifest("running")
        while handed_on in self._outcomes:
            yield self._outcomes.pop(handed_on)
            handed_on += 1
        complete = all(entry["state"] == "done" for entry in self._entries.values())
        if complete or not self._target.resumable:
            self._target.remove_parts()
        self._write_manifest("complete" if complete else "incomplete")

    def _pieces(self, ready: Prepared, *, resume: bool) -> Iterator[DecodePiece]:
        """All pieces that have to be decoded."""
        for index, recording in enumerate(self._recordings):
            outcome = self._target.finished(recording) if resume else None
            if outcome is not None:
                self._advance(recording.stat.size)
                self._settle(index, outcome)
                continue
            pieces = self._cut(index, recording, divisible=ready.divisible and recording.divisible)
            pending = self._pending[index] = _Pending(recording, pieces)
            for piece in pieces:
                result = (
                    self._target.finished_part(recording, piece.number, piece.span)
                    if resume and piece.table
                    else None
                )
                if result is None:
                    yield piece
                else:
                    pending.results[piece.number] = result
                    self._advance(result.size)
            if pending.complete and index in self._pending:
                self._finish(index)

    def _cut(self, index: int, recording: RecordingInput, *, divisible: bool) -> list[DecodePiece]:
        begins = range(0, max(recording.stat.size, 1), self._piece_bytes) if divisible else range(1)
        spans = [Span(begin, begin + self._piece_bytes) for begin in begins]
        spans[-1] = Span(spans[-1].begin)
        return [
            DecodePiece(
                recording=recording.location,
                index=index,
                number=number,
                span=span,
                version=recording.stat.version,
                table=self._target.part(recording, number),
            )
            for number, span in enumerate(spans)
        ]

    def _take(self, piece: DecodePiece, result: PieceResult | PieceFailure) -> None:
        pending = self._pending[piece.index]
        if isinstance(result, PieceFailure):
            pending.failures.append(result.what)
        else:
            pending.results[piece.number] = result
            self._advance(result.size)
        if pending.complete:
            self._finish(piece.index)

    def _finish(self, index: int) -> None:
        """Put a recording together whose pieces are all known."""
        pending = self._pending.pop(index)
        if pending.failures:
            self._settle(index, RecordingOutcome(pending.recording, failure=pending.failures[0]))
            return
        try:
            outcome = self._put_together(pending)
            self._target.finish(outcome)
            self._target.remove_parts(pending.recording)
        except NevgateError as error:
            outcome = RecordingOutcome(pending.recording, failure=str(error))
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            outcome = RecordingOutcome(pending.recording, failure=f"{place}{error.strerror or error}")
        self._settle(index, outcome)

    def _put_together(self, pending: _Pending) -> RecordingOutcome:
        results = self._checked(pending)
        summary = Summary()
        entered = left = 0
        set_aside: Counter[str] = Counter()
        facts: Counter[str] = Counter()
        for result in results:
            summary.merge(result.summary)
            entered += result.account["entered"]
            left += result.account["left"]
            set_aside.update(result.account["set_aside"])
            facts.update(result.account["facts"])
        table = self._target.table(pending.recording)
        if table:
            parts = [piece.table for piece in pending.pieces[: len(results)]]
            assemble(parts, table, self._target.ending, summary.policy, summary.withheld)
        return RecordingOutcome(
            pending.recording,
            summary=summary,
            account={
                "entered": entered,
                "left": left,
                "set_aside": dict(sorted(set_aside.items())),
                "facts": dict(sorted(facts.items())),
            },
            buses=_buses(results),
            pieces=tuple((result.span[0], result.size, result.sha256) for result in results),
            table=self._target.table_name(pending.recording),
        )

    def _checked(self, pending: _Pending) -> list[PieceResult]:
        """The results of all pieces, those done again that took something for known which is not so."""
        results = [pending.results[piece.number] for piece in pending.pieces]
        for number in range(1, len(results)):
            carried = results[number - 1].carried_out
            if results[number].carried_in != carried:
                piece = pending.pieces[number]
                results[number] = self._again(replace(piece, span=replace(piece.span, carried=carried)))
        beyond = any("more than 256 buses" in result.account["set_aside"] for result in results)
        if len(results) > 1 and (beyond or len(_buses(results)) > BUSES_MAX):
            return [self._again(replace(pending.pieces[0], span=Span()))]
        return results

    def _again(self, piece: DecodePiece) -> PieceResult:
        result = attempt(piece, self._job)
        if isinstance(result, PieceFailure):
            raise NevgateError(result.what)
        return result

    def _settle(self, index: int, outcome: RecordingOutcome) -> None:
        self._outcomes[index] = outcome
        self._entries[index] = outcome.entry()

    def _write_manifest(self, state: str) -> None:
        waiting = {"state": "waiting"}
        self._target.write_manifest(
            state,
            [
                self._entries.get(index, {"recording": one.location, "size": one.stat.size, **waiting})
                for index, one in enumerate(self._recordings)
            ],
        )


def _buses(results: Sequence[PieceResult]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(bus for result in results for bus in result.buses))
