"""Stills and clips on the wire: chunks that each say what the whole is, and the word that no more comes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from edge.clock import Timebase, TimeQuality
from edge.errors import WireError
from edge.wire.limits import DEFAULT_LIMITS, Limits
from edge.wire.loss import LossCause
from edge.wire.strict_cbor import INT64_MAX, INT64_MIN, CborValue, Fields, read_cbor, write_cbor
from edge.wire.up_kinds import UpKind

VERSION = 1
STREAM_BYTES = 16
BOOT_BYTES = 16
DIGEST_BYTES = 32
LARGEST_BYTES = 16 << 20
"""Of a whole still or clip."""

TEXT_BYTES = 256
DETECTORS = 16


class _Field(IntEnum):
    """Keys of the maps; see ``nevgate.cddl``."""

    VERSION = 1
    KIND = 2
    VEHICLE = 3
    STREAM = 4
    BLOCK = 5
    DIGEST = 6
    SIZE = 7
    BOOT = 8
    FROM = 9
    TO = 10
    WALL_OFFSET = 11
    TIME_QUALITY = 12
    CLASS = 13
    PURPOSE = 14
    CAMERA = 15
    CAUSE = 16
    FORMAT = 17
    WIDTH = 18
    HEIGHT = 19
    FRAMES = 20
    FACES = 21
    PLATES = 22
    DETECTORS = 23
    OFFSET = 24
    CONTENT = 25


class _EndField(IntEnum):
    """Key of what only the end has."""

    CAUSE = 6


def media_stream(stream: bytes, block: int) -> bytes:
    """What stands for the stream in receipts that speak of the bytes of one still or clip, 16 bytes.

    Its bytes are numbered from 1, so that a receipt says of them what it says of records.
    """
    return hashlib.sha256(b"nevgate media" + stream + block.to_bytes(8, "big")).digest()[:STREAM_BYTES]


@dataclass(frozen=True, slots=True)
class MediaAbout:
    """What a still or clip is; equal in all its chunks.

    Attributes:
        vehicle: VIN or pseudonym, 1 to 128 bytes in UTF-8.
        stream: 16 bytes, the journal that it is in.
        block: number of its block in the journal's chain; with the stream it names the still or clip.
        digest: SHA-256 of its content, 32 bytes.
        size: bytes of its content.
        boot: 16 bytes, the boot of its times.
        from_ns: when its first frame was taken, nanoseconds since that boot.
        to_ns: when its last frame was taken, included.
        timebase: how they relate to wall time.
        data_class: such as ``exterior``.
        purpose: what it was taken for, such as ``recording``.
        camera: name of the camera.
        cause: why it was taken.
        format: media type of its content.
        width: of its frames, in pixels.
        height: of its frames, in pixels.
        frames: how many it shows.
        faces: boxes over faces that were filled, over all frames.
        plates: the same over plates.
        detectors: names of the detectors that looked.

    Raises:
        WireError: a field is out of range, or two contradict each other.
    """

    vehicle: str
    stream: bytes
    block: int
    digest: bytes
    size: int
    boot: bytes
    from_ns: int
    to_ns: int
    timebase: Timebase
    data_class: str
    purpose: str
    camera: str
    cause: str
    format: str
    width: int
    height: int
    frames: int
    faces: int
    plates: int
    detectors: tuple[str, ...]

    def __post_init__(self) -> None:
        texts = (self.data_class, self.purpose, self.camera, self.cause, self.format, *self.detectors)
        _check_name(self.vehicle, self.stream, self.block)
        if not all(0 < len(one.encode()) <= TEXT_BYTES for one in texts) or len(self.detectors) > DETECTORS:
            raise WireError(f"a text has not 1 to {TEXT_BYTES} bytes, or there are too many", where="media")
        if len(self.digest) != DIGEST_BYTES or len(self.boot) != BOOT_BYTES:
            raise WireError("a hash has 32 bytes and a boot id 16", where="media")
        if not 1 <= self.size <= LARGEST_BYTES:
            raise WireError(f"media have 1 to {LARGEST_BYTES} bytes, not {self.size}", where="media")
        if not INT64_MIN <= self.from_ns <= self.to_ns <= INT64_MAX:
            raise WireError("its time runs backwards or out of range", where="media")
        if not INT64_MIN <= self.timebase.wall_offset_ns <= INT64_MAX:
            raise WireError("its wall offset is out of range", where="media")
        counts = (self.width, self.height, self.frames)
        if not all(1 <= one <= INT64_MAX for one in counts):
            raise WireError("it has no pixels or no frame", where="media")
        if not all(0 <= one <= INT64_MAX for one in (self.faces, self.plates)):
            raise WireError("a count of boxes is out of range", where="media")


@dataclass(frozen=True, slots=True)
class MediaChunk:
    """Some bytes of a still or clip.

    Attributes:
        about: what the whole is.
        offset: of the first byte of `content` in the whole.
        content: the bytes, at least one.

    Raises:
        WireError: they are not within the whole.
    """

    about: MediaAbout
    offset: int
    content: bytes

    def __post_init__(self) -> None:
        if not (self.offset >= 0 and self.content and self.end <= self.about.size):
            raise WireError("a chunk is empty or not within the whole", where="media")

    @property
    def end(self) -> int:
        """Offset behind its last byte."""
        return self.offset + len(self.content)


@dataclass(frozen=True, slots=True)
class MediaEnded:
    """No more will come of a still or clip of which a part was sent.

    Attributes:
        vehicle: as in its chunks.
        stream: likewise.
        block: likewise.
        cause: erased where it was destroyed on purpose, withheld where it may go there no longer, else lost.

    Raises:
        WireError: a field is out of range.
    """

    vehicle: str
    stream: bytes
    block: int
    cause: LossCause

    def __post_init__(self) -> None:
        _check_name(self.vehicle, self.stream, self.block)


def encode_chunk(chunk: MediaChunk) -> bytes:
    """Write a chunk as a CBOR map, not yet signed."""
    about = chunk.about
    fields: dict[int, CborValue] = {
        _Field.VERSION: VERSION,
        _Field.KIND: int(UpKind.MEDIA_CHUNK),
        _Field.VEHICLE: about.vehicle,
        _Field.STREAM: about.stream,
        _Field.BLOCK: about.block,
        _Field.DIGEST: about.digest,
        _Field.SIZE: about.size,
        _Field.BOOT: about.boot,
        _Field.FROM: about.from_ns,
        _Field.TO: about.to_ns,
        _Field.WALL_OFFSET: about.timebase.wall_offset_ns,
        _Field.TIME_QUALITY: int(about.timebase.quality),
        _Field.CLASS: about.data_class,
        _Field.PURPOSE: about.purpose,
        _Field.CAMERA: about.camera,
        _Field.CAUSE: about.cause,
        _Field.FORMAT: about.format,
        _Field.WIDTH: about.width,
        _Field.HEIGHT: about.height,
        _Field.FRAMES: about.frames,
        _Field.FACES: about.faces,
        _Field.PLATES: about.plates,
    }
    if about.detectors:
        fields[_Field.DETECTORS] = [*about.detectors]
    fields[_Field.OFFSET] = chunk.offset
    fields[_Field.CONTENT] = chunk.content
    return write_cbor({int(key): value for key, value in fields.items()})


def encode_ended(ended: MediaEnded) -> bytes:
    """Write that no more will come as a CBOR map, not yet signed."""
    return write_cbor(
        {
            1: VERSION,
            2: int(UpKind.MEDIA_ENDED),
            3: ended.vehicle,
            4: ended.stream,
            5: ended.block,
            6: int(ended.cause),
        }
    )


def decode_media_message(data: bytes, limits: Limits = DEFAULT_LIMITS) -> MediaChunk | MediaEnded:
    """Read what comes on a vehicle's media topic, strictly.

    Args:
        data: the CBOR map, its signature already verified and taken off.
        limits: what to accept.

    Raises:
        WireError: the bytes are neither, in whatever way.
    """
    if len(data) > limits.message_bytes:
        raise WireError(f"media of {len(data)} bytes exceed {limits.message_bytes}")
    fields = Fields(read_cbor(data), "media")
    fields.integer(_Field.VERSION, VERSION, VERSION)
    kind = fields.integer(_Field.KIND, UpKind.MEDIA_CHUNK, UpKind.MEDIA_ENDED)
    vehicle = fields.text(_Field.VEHICLE, min(limits.text_bytes, DEFAULT_LIMITS.text_bytes))
    stream = fields.octets(_Field.STREAM, STREAM_BYTES)
    block = fields.integer(_Field.BLOCK, 1)
    if kind == UpKind.MEDIA_ENDED:
        cause = LossCause(fields.integer(_EndField.CAUSE, min(LossCause), max(LossCause)))
        fields.finish()
        return MediaEnded(vehicle, stream, block, cause)
    about = MediaAbout(
        vehicle=vehicle,
        stream=stream,
        block=block,
        digest=fields.octets(_Field.DIGEST, DIGEST_BYTES),
        size=fields.integer(_Field.SIZE, 1, LARGEST_BYTES),
        boot=fields.octets(_Field.BOOT, BOOT_BYTES),
        from_ns=fields.integer(_Field.FROM),
        to_ns=fields.integer(_Field.TO),
        timebase=Timebase(
            fields.integer(_Field.WALL_OFFSET),
            TimeQuality(fields.integer(_Field.TIME_QUALITY, min(TimeQuality), max(TimeQuality))),
        ),
        data_class=fields.text(_Field.CLASS, TEXT_BYTES),
        purpose=fields.text(_Field.PURPOSE, TEXT_BYTES),
        camera=fields.text(_Field.CAMERA, TEXT_BYTES),
        cause=fields.text(_Field.CAUSE, TEXT_BYTES),
        format=fields.text(_Field.FORMAT, TEXT_BYTES),
        width=fields.integer(_Field.WIDTH, 1),
        height=fields.integer(_Field.HEIGHT, 1),
        frames=fields.integer(_Field.FRAMES, 1),
        faces=fields.integer(_Field.FACES, 0),
        plates=fields.integer(_Field.PLATES, 0),
        detectors=_detectors(fields),
    )
    chunk = MediaChunk(about, fields.integer(_Field.OFFSET, 0), fields.octets(_Field.CONTENT))
    fields.finish()
    return chunk


def _detectors(fields: Fields) -> tuple[str, ...]:
    if not fields.has(_Field.DETECTORS):
        return ()
    values = fields.array(_Field.DETECTORS, DETECTORS)
    found = tuple(one for one in values if isinstance(one, str))
    if len(found) != len(values):
        raise WireError("a detector's name is no text", where="media")
    return found


def _check_name(vehicle: str, stream: bytes, block: int) -> None:
    if not 0 < len(vehicle.encode()) <= DEFAULT_LIMITS.text_bytes:
        raise WireError("a vehicle has a name of 1 to 128 bytes", where="media")
    if len(stream) != STREAM_BYTES or not 1 <= block <= INT64_MAX:
        raise WireError("a stream id has 16 bytes, and a block a number from 1", where="media")
