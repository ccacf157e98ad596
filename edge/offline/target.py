"""Where the tables of a run go, and what of an earlier run is there already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge.bus.formats.base import Span
from edge.offline.inputs import RecordingInput
from edge.offline.piece import PieceResult
from edge.offline.storage import inside, storage_of
from edge.offline.summary import Summary
from edge.offline.tables import ExportError

MANIFEST = "manifest.json"
_PARTS = ".parts"


@dataclass(frozen=True, slots=True, eq=False)
class RecordingOutcome:
    """What became of one recording.

    Attributes:
        recording: the recording.
        failure: why it could not be decoded; empty if it was.
        summary: of all of it.
        account: of its reading: entered, left, set_aside and facts.
        buses: the buses in it.
        pieces: first byte, size and SHA-256 of each piece.
        table: its table, by its path within the folder where there is one; empty if there is none.
    """

    recording: RecordingInput
    failure: str = ""
    summary: Summary | None = None
    account: dict[str, Any] | None = None
    buses: tuple[str, ...] = ()
    pieces: tuple[tuple[int, int, str], ...] = ()
    table: str = ""

    def entry(self) -> dict[str, Any]:
        """The recording's entry in the manifest."""
        return {
            "recording": self.recording.location,
            "size": self.recording.stat.size,
            "version": self.recording.stat.version,
            "state": "failed" if self.failure else "done",
            **({"failure": self.failure} if self.failure else {}),
            "table": self.table,
            "pieces": [{"begin": begin, "size": size, "sha256": sha} for begin, size, sha in self.pieces],
            **({"reading": self.account} if self.account is not None else {}),
            **({"summary": self.summary.counts()} if self.summary is not None else {}),
        }


@dataclass(frozen=True, slots=True)
class Target:
    """Where tables go: one file for one recording, or a folder with one for each.

    Attributes:
        location: of the file or folder; empty if no table is written.
        folder: whether it is a folder.
        ending: of the tables.
        job: fingerprint of what is done.
    """

    location: str
    folder: bool
    ending: str
    job: str

    def table(self, recording: RecordingInput) -> str:
        """Where the table of a recording goes; empty if nowhere."""
        if not self.location:
            return ""
        return inside(self.location, recording.name + self.ending) if self.folder else self.location

    def table_name(self, recording: RecordingInput) -> str:
        """The same as a manifest says it, which is right wherever the folder is moved."""
        return recording.name + self.ending if self.location and self.folder else self.location

    def part(self, recording: RecordingInput, number: int) -> str:
        """Where the table of a piece goes until all of them are there; empty if nowhere."""
        if not self.location:
            return ""
        return inside(self._parts(recording), f"{number:06}{self.ending}")

    def begin(self, *, resume: bool) -> None:
        """Make ready for a run.

        Raises:
            ExportError: if an earlier run is there that would be lost, or that was about something else.
        """
        if not self.location:
            return
        if not self.folder:
            storage_of(self.location).check_place(self.location)
            if not resume:
                self.remove_parts()
            return
        try:
            manifest = json.loads(storage_of(self.location).read(self._manifest))
        except FileNotFoundError:
            return
        except (ValueError, OSError) as error:
            raise ExportError("is no manifest of a run", where=self._manifest) from error
        if not resume:
            raise ExportError(
                "holds a run already", where=self.location, todo="Go on with it by --resume, or name another"
            )
        if not isinstance(manifest, dict) or manifest.get("job") != self.job:
            raise ExportError(
                "was begun with other databases or options",
                where=self.location,
                todo="Use those again, or name another folder",
            )

    def finished(self, recording: RecordingInput) -> RecordingOutcome | None:
        """The outcome of a recording that an earlier run has done; None if it has to be done."""
        if not self.folder:
            return None
        table = self.table(recording)
        storage = storage_of(table)
        try:
            plain = json.loads(storage.read(f"{table}.json"))
            if (plain["job"], plain["size"], plain["version"]) != (
                self.job,
                recording.stat.size,
                recording.stat.version,
            ) or storage.stat(table) is None:
                return None
            return RecordingOutcome(
                recording,
                summary=Summary.from_plain(plain["summary"]),
                account=plain["reading"],
                buses=tuple(plain["buses"]),
                pieces=tuple((one["begin"], one["size"], one["sha256"]) for one in plain["pieces"]),
                table=self.table_name(recording),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def finished_part(self, recording: RecordingInput, number: int, span: Span) -> PieceResult | None:
        """The result of a piece that an earlier run has decoded; None if it has to be."""
        part = self.part(recording, number)
        storage = storage_of(part)
        try:
            result = PieceResult.from_json(storage.read(f"{part}.json"))
        except (OSError, ValueError):
            return None
        meant = (self.job, recording.stat.version, (span.begin, span.end))
        if (result.job, result.version, result.span) != meant or storage.stat(part) is None:
            return None
        return result

    def finish(self, outcome: RecordingOutcome) -> None:
        """Keep the outcome of a recording beside its table."""
        if self.folder and outcome.summary is not None:
            plain = {**outcome.entry(), "job": self.job, "buses": outcome.buses}
            plain["summary"] = outcome.summary.as_plain()
            storage_of(self.location).write(
                f"{self.table(outcome.recording)}.json", json.dumps(plain).encode()
            )

    def remove_parts(self, recording: RecordingInput | None = None) -> None:
        """Remove the pieces of a recording, or of all."""
        if self.location:
            storage_of(self.location).remove(self._parts(recording))

    @property
    def resumable(self) -> bool:
        """Whether what is left of a run that failed is of use to the next one."""
        return self.folder or storage_of(self.location).parts_of(self.location).startswith(self.location)

    def write_manifest(self, state: str, entries: Sequence[dict[str, Any]]) -> None:
        """Write the manifest of a folder."""
        if self.folder and self.location:
            content = {"job": self.job, "state": state, "recordings": entries}
            storage_of(self.location).write(self._manifest, json.dumps(content, indent=1).encode())

    @property
    def _manifest(self) -> str:
        return inside(self.location, MANIFEST)

    def _parts(self, recording: RecordingInput | None) -> str:
        if not self.folder:
            return storage_of(self.location).parts_of(self.location)
        return inside(self.location, _PARTS, *([recording.name] if recording is not None else []))
