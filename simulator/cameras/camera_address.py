"""Reads the address of a drawn camera, such as ``simulator:street?seed=1&rate=5``."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from edge.errors import VisionError
from simulator.cameras.clips import DIFFICULTIES, Difficulty
from simulator.cameras.faults import FaultWindow

SCHEME = "simulator:"
_PLACES = ("street", "cabin")
_KEYS = ("seed", "rate", "size", "difficulty", "moving", "fault")
_LARGEST = 7680


@dataclass(frozen=True, slots=True)
class DrawnCamera:
    """What a drawn camera sees.

    Attributes:
        place: ``street``, or ``cabin``: one person near, for cameras that look inside.
        seed: decides everything.
        rate_hz: pictures a second.
        width: of them.
        height: of them.
        difficulty: of what is seen.
        moving: whether people walk and vehicles drive, which costs about a second of a core a picture; else a
            few pictures are drawn at first, in which only the camera moves, and shown in turn.
        faults: what goes wrong when.
    """

    place: str = "street"
    seed: int = 1
    rate_hz: float = 5.0
    width: int = 1280
    height: int = 720
    difficulty: Difficulty = DIFFICULTIES["easy"]
    moving: bool = False
    faults: tuple[FaultWindow, ...] = ()


def drawn_camera(address: str, *, width: int = 1280, height: int = 720, rate_hz: float = 5.0) -> DrawnCamera:
    """Read an address; size and rate are the arguments' where it says nothing of them.

    ``simulator:street?seed=1&rate=5&size=1280x720&difficulty=hard&moving=yes&fault=black:10-20&fault=stall:30-40``;
    everything after the place may be left out.

    Raises:
        VisionError: the scheme, the place, a key or a value is none.
    """
    place, _, query = address.removeprefix(SCHEME).partition("?")
    if not address.startswith(SCHEME) or place not in _PLACES:
        raise VisionError("is no drawn camera", where=address, todo=f"write {SCHEME}street or {SCHEME}cabin")
    todo = f"such as {SCHEME}street?seed=1&rate=5&size=1280x720"
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        values = dict(pairs)
        wide, high = (int(part) for part in values.get("size", f"{width}x{height}").split("x"))
        camera = DrawnCamera(
            place, int(values.get("seed", "1")), float(values.get("rate", rate_hz)), wide, high,
            DIFFICULTIES[values.get("difficulty", "easy")], values.get("moving", "no") == "yes",
            tuple(FaultWindow.parsed(value) for key, value in pairs if key == "fault"),
        )  # fmt: skip
    except (ValueError, KeyError) as error:
        raise VisionError(f"cannot be read: {error}", where=address, todo=todo) from error
    if not values.keys() <= set(_KEYS):
        raise VisionError(f"has no {', '.join(sorted(values.keys() - set(_KEYS)))}", where=address, todo=todo)
    if not (0 < camera.rate_hz <= 100 and 32 <= wide <= _LARGEST and 32 <= high <= _LARGEST):
        raise VisionError("rate or size is out of range", where=address, todo=todo)
    return camera
