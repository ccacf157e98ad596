"""Cameras of which something is wrong after their first pictures, and what is counted for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge.vision.reasons import Dropped
from tests.vision_faults.failing import OPENING
from tests.vision_faults.planted import Planted
from tests.vision_process.openings import SEED, STREAMED

PLANTED = Planted(SEED)
FILM_FRAMES = 60


def cut_off_stills(folder: Path) -> str:
    """Six pictures in a folder, of which the last three end in the middle."""
    for number in range(6):
        path = folder / f"{number}.jpg"
        cv2.imwrite(str(path), PLANTED.frame(number))
        if number > 2:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return f"file:{folder}"


def cut_off_film(folder: Path) -> str:
    """A film of six seconds that ends after less than one."""
    path = folder / "film.avi"
    film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (224, 176))
    for number in range(6):
        film.write(PLANTED.frame(number))
    head = path.stat().st_size
    for number in range(FILM_FRAMES - 6):
        film.write(PLANTED.frame(number % 6))
    film.release()
    path.write_bytes(path.read_bytes()[: max(head, path.stat().st_size // 10)])
    return f"file:{path}"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a source after its first pictures.

    Attributes:
        name: of it; the source's own where `failing` brings it about.
        counted: as what frames are counted.
        least: so many at least, in a second.
        source: makes it.
    """

    name: str
    counted: str
    least: int = 3
    source: Callable[[Path], str] | None = None


FAULTS = (
    Fault("cut-off stills", str(Dropped.DAMAGED), source=cut_off_stills),
    Fault("cut-off film", str(Dropped.DAMAGED), least=40, source=cut_off_film),
    Fault("black", str(Dropped.DARK)),
    Fault("covered", str(Dropped.FLAT)),
    Fault("one-pixel", str(Dropped.TOO_SMALL)),
    Fault("8k", str(Dropped.TOO_LARGE)),
    Fault("stale", str(Dropped.BACKWARDS)),
)


def made(fault: Fault, folder: Path) -> tuple[str, str]:
    """Source and opening of a camera of which that is wrong."""
    if fault.source is not None:
        return fault.source(folder), STREAMED
    return f"test:{fault.name}:{folder}", OPENING
