"""Stills and clips out of a journal: described, and written as files with what is known of each beside it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from edge.archive.export_file import ExportError, whole_file
from edge.archive.opening import Archive
from edge.archive.selection import Selection, moment_text
from edge.clock import NS_PER_S
from edge.errors import JournalError
from edge.journal.block import BlockHeader, BlockKind
from edge.journal.media_block import decode_media, read_media
from edge.policy.classes import DataClass
from edge.vision.media import Media, MediaFormat

ENDINGS: Mapping[MediaFormat, str] = MappingProxyType(
    {
        MediaFormat.JPEG: ".jpg",
        MediaFormat.AVIF: ".avif",
        MediaFormat.AVIF_SEQUENCE: ".avifs",
        MediaFormat.MP4: ".mp4",
    }
)
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(slots=True)
class MediaExport:
    """What was written.

    Attributes:
        written: stills and clips.
        bytes: of their contents.
        left_out: others that were meant, by cause.
    """

    written: int = 0
    bytes: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> Mapping[str, object]:
        """The same as plain values."""
        return {"written": self.written, "bytes": self.bytes, "left_out": dict(self.left_out)}


def describe_media(plaintext: bytes) -> Mapping[str, object]:
    """What a block of media says, but for class and times, which stand in its header.

    Raises:
        JournalError: the content cannot be read.
    """
    return _described(read_media(plaintext, DataClass.EXTERIOR, 0, 0))


def export_media(
    archive: Archive,
    selection: Selection,
    folder: Path,
    *,
    force: bool,
    progress: Callable[[int], None] = lambda _: None,
) -> MediaExport:
    """Write the stills and clips that are meant into a folder, a JSON file beside each.

    A name tells camera, time (UTC, or since boot where no wall time is known) and block.

    Args:
        archive: the journal, opened with its keys.
        selection: which are meant.
        folder: made if it is not there.
        force: replace files that are there.
        progress: told how many blocks have been passed.

    Raises:
        ExportError: a file is there already, or the disk refuses.
        JournalError: the journal cannot be read.
    """
    done = MediaExport()
    meant = replace(selection, kinds=frozenset({BlockKind.MEDIA}))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"cannot be made ({error.strerror or error})", where=str(folder)) from error
    for passed, entry in enumerate(archive.entries(meant), start=1):
        header = entry.header
        if not entry.size:
            done.left_out["deleted"] += 1
            continue
        try:
            found = archive.content(header.number)
            if found is None:
                done.left_out["key not at hand"] += 1
                continue
            media = decode_media(found[1], header)
        except JournalError as error:
            done.left_out[error.what] += 1
            continue
        path = folder / f"{_name(archive, header, media)}{ENDINGS[media.format]}"
        with whole_file(path, force=force) as part:
            part.write_bytes(media.content)
        with whole_file(path.with_suffix(".json"), force=force) as part:
            about = json.dumps(_about(archive, header, media), ensure_ascii=False, indent=2)
            part.write_text(about + "\n", "utf-8")
        done.written += 1
        done.bytes += len(media.content)
        progress(passed)
    return done


def _described(media: Media) -> Mapping[str, object]:
    return {
        "camera": media.camera,
        "purpose": str(media.purpose),
        "cause": media.cause,
        "format": str(media.format),
        "width": media.width,
        "height": media.height,
        "frames": media.frames,
        "faces_filled": media.faces,
        "plates_filled": media.plates,
        "detectors": [*media.detectors],
        "bytes": len(media.content),
        "sha256": hashlib.sha256(media.content).hexdigest(),
    }


def _about(archive: Archive, header: BlockHeader, media: Media) -> Mapping[str, object]:
    """All that is known of a still or clip."""
    first, last = (_moment(archive, header, t_ns) for t_ns in (header.from_ns, header.to_ns))
    return {
        **_described(media),
        "class": str(media.data_class),
        "from": first,
        "to": last,
        "from_ns_since_boot": header.from_ns,
        "to_ns_since_boot": header.to_ns,
        "boot": header.boot.hex(),
        "time_quality": header.time_quality.name.lower(),
        "mask": header.mask,
        "stream": archive.stream.hex(),
        "block": header.number,
    }


def _moment(archive: Archive, header: BlockHeader, t_ns: int) -> str | None:
    wall_ns = archive.wall_times.wall_ns(header.boot, t_ns, header.timebase)
    return None if wall_ns is None else moment_text(wall_ns)


def _name(archive: Archive, header: BlockHeader, media: Media) -> str:
    camera = _NOT_IN_NAMES.sub("-", media.camera)
    moment = _moment(archive, header, header.from_ns)
    if moment is None:
        moment = f"boot-{header.boot.hex()[:8]}-{header.from_ns / NS_PER_S:.3f}s"
    else:
        moment = moment.replace(":", "-")
    return f"{camera}_{moment}_block-{header.number}"
