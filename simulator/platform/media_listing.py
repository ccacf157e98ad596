"""Stills and clips for people and programs: a row each, and their contents as files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edge.errors import NevgateError
from simulator.platform.listing import Cell, Listing
from simulator.platform.media_rows import KeptMedia, MediaState
from simulator.platform.reader import StoreReader
from simulator.platform.view import iso_time

_ENDINGS = {"image/jpeg": ".jpg", "image/avif": ".avif", "image/avif-sequence": ".avifs", "video/mp4": ".mp4"}
_RANGES_SHOWN = 20


def list_media(media: Iterable[KeptMedia]) -> Listing:
    """A row for each still or clip; bytes count from 1."""
    columns = (
        "time",
        "time_quality",
        "vehicle",
        "camera",
        "class",
        "purpose",
        "cause",
        "format",
        "width",
        "height",
        "frames",
        "faces_filled",
        "plates_filled",
        "detectors",
        "bytes",
        "received",
        "state",
        "missing",
        "doubles",
        "sha256",
        "stream",
        "block",
        "first_seen",
        "last_seen",
    )
    brief = ("time", "vehicle", "camera", "class", "cause", "format", "bytes", "received", "state", "missing")
    return Listing(columns, map(_row, media), brief)


def _row(kept: KeptMedia) -> tuple[Cell, ...]:
    about = kept.about
    missing: list[Cell] = [f"{first}-{last}" for first, last in kept.missing()[:_RANGES_SHOWN]]
    return (
        iso_time(about.timebase.wall_ns(about.from_ns)),
        about.timebase.quality.name.lower(),
        kept.vehicle,
        about.camera,
        about.data_class,
        about.purpose,
        about.cause,
        about.format,
        about.width,
        about.height,
        about.frames,
        about.faces,
        about.plates,
        [*about.detectors],
        kept.size,
        kept.received.count(),
        str(kept.state),
        missing,
        kept.doubles,
        about.digest.hex(),
        kept.stream.hex(),
        kept.block,
        iso_time(kept.first_seen_ns),
        iso_time(kept.last_seen_ns),
    )


def write_media(reader: StoreReader, vehicle: str | None, folder: Path) -> int:
    """Write every complete still and clip into a folder, named by the beginning of its hash; tell how many.

    Raises:
        NevgateError: the folder cannot be written.
    """
    written = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kept in reader.media(vehicle=vehicle):
            content = reader.media_content(kept)
            if kept.state is MediaState.COMPLETE and content is not None:
                about = kept.about
                ending = _ENDINGS.get(about.format, ".bin")
                (folder / f"block-{kept.block}_{about.digest.hex()[:16]}{ending}").write_bytes(content)
                written += 1
    except OSError as error:
        raise NevgateError(f"cannot be written ({error.strerror or error})", where=str(folder)) from error
    return written
