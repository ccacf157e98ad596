"""Stills and clips as the plaintext of blocks: what a camera's picture is, then the picture."""

from __future__ import annotations

from edge.clock import Timebase
from edge.errors import JournalError, WireError
from edge.journal.block import BlockHeader, BlockKind
from edge.journal.chain import Draft
from edge.policy.classes import DataClass
from edge.policy.rules import Purpose
from edge.vision.media import Media, MediaFormat
from edge.wire.strict_cbor import CborValue, read_cbor, write_cbor

LAYOUT = 1
LARGEST_BYTES = 16 << 20
"""Of the content of one still or clip."""

DETECTORS = 16
TEXT_BYTES = 256


def encode_media(media: Media) -> bytes:
    """Write a still or clip (docs/journal-format.md); class and times stand in the block's header.

    Raises:
        JournalError: it is larger than `LARGEST_BYTES`, or `decode_media` would refuse it.
    """
    detectors: list[CborValue] = [*media.detectors]
    plaintext = write_cbor(
        [
            LAYOUT,
            media.camera,
            str(media.purpose),
            media.cause,
            str(media.format),
            media.width,
            media.height,
            media.frames,
            media.faces,
            media.plates,
            detectors,
            media.content,
        ]
    )
    read_media(plaintext, media.data_class, media.from_ns, media.to_ns)
    return plaintext


def decode_media(plaintext: bytes, header: BlockHeader) -> Media:
    """Read a still or clip out of its block.

    Raises:
        JournalError: the bytes are none.
    """
    try:
        data_class = DataClass(header.data_class)
    except ValueError as error:
        raise JournalError(f"media have no class '{header.data_class}'") from error
    return read_media(plaintext, data_class, header.from_ns, header.to_ns)


def read_media(plaintext: bytes, data_class: DataClass, from_ns: int, to_ns: int) -> Media:
    """Read a still or clip of a class and time.

    Raises:
        JournalError: the bytes are none.
    """
    try:
        value = read_cbor(plaintext)
    except WireError as error:
        raise JournalError(f"media cannot be read: {error}") from error
    match value:
        case [
            int(layout),
            str(camera),
            str(purpose),
            str(cause),
            str(name),
            int(width),
            int(height),
            int(frames),
            int(faces),
            int(plates),
            list(detectors),
            bytes(content),
        ] if layout == LAYOUT:
            names = tuple(one for one in detectors if isinstance(one, str))
            sound = (
                len(names) == len(detectors) <= DETECTORS
                and all(len(one.encode()) <= TEXT_BYTES for one in (camera, cause, *names))
                and min(width, height, frames) >= 1
                and min(faces, plates) >= 0
                and from_ns <= to_ns
            )
            if not sound or not camera or not 0 < len(content) <= LARGEST_BYTES:
                raise JournalError("media have a field out of range", where=camera)
            try:
                return Media(
                    camera,
                    data_class,
                    Purpose(purpose),
                    cause,
                    from_ns,
                    to_ns,
                    MediaFormat(name),
                    width,
                    height,
                    frames,
                    faces,
                    plates,
                    names,
                    content,
                )
            except ValueError as error:
                raise JournalError(f"media of an unknown purpose or format: {error}", where=camera) from error
        case _:
            raise JournalError(f"media are no array of 12 fields of layout {LAYOUT}")


def media_draft(media: Media, *, boot: bytes, timebase: Timebase, mask: str, label: str) -> Draft:
    """The block of a still or clip.

    Args:
        media: the still or clip.
        boot: 16 bytes that name the boot of its times.
        timebase: how they relate to wall time.
        mask: under which it was taken.
        label: what it rests on.

    Raises:
        JournalError: it cannot be written.
    """
    return Draft(
        BlockKind.MEDIA,
        str(media.data_class),
        encode_media(media),
        boot,
        media.from_ns,
        media.to_ns,
        timebase,
        count=1,
        mask=mask,
        purpose=label,
    )
