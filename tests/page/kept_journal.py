"""A journal with something in it that an owner may take along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.archive.opening import Archive
from edge.page.taking import Taking
from edge.records import Missing, Value
from tests.archive.kept import KeptRig, archive, drawn_second, keep_frames, keep_record
from tests.journal.journal_rig import CATALOGUE, Rig

VALUES: dict[str, Value] = {"vehicle.speed": 123, "hv.soc": Missing.INVALID, "gnss.valid": 5}


def keep(folder: Path, *, seconds: int = 3, records: int = 2) -> Rig:
    """Make a journal and close it."""
    rig = KeptRig(folder).start()
    for number in range(records):
        keep_record(rig, {**VALUES, "vehicle.speed": 123 + number})
    for _ in range(seconds):
        keep_frames(rig, drawn_second(rig))
    rig.stop()
    return rig


def taking_from(folder: Path) -> Taking:
    @contextmanager
    def opened() -> Iterator[Archive]:
        with archive(folder) as found:
            yield found

    return Taking(opened, CATALOGUE)
