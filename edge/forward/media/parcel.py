"""`Parcel`: the still or clip that is being sent, and which of its bytes are where."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.journal.block import Block
from edge.journal.ranges import RangeSet
from edge.vision.media import Media
from edge.wire.media_message import MediaAbout, MediaChunk, media_stream


@dataclass(slots=True)
class Parcel:
    """One still or clip in memory; its bytes count from 1.

    Attributes:
        number: of its block.
        media: the still or clip.
        mask: under which it was taken.
        about: what each of its chunks says.
        acknowledged: bytes that the destination has.
        under_way: bytes in messages that are held.
        begun: whether any was ever sent.
        overhead: bytes of a message besides those of its chunk; 0 while that is not known.
    """

    number: int
    media: Media
    mask: str
    about: MediaAbout
    acknowledged: RangeSet
    begun: bool
    under_way: RangeSet = field(default_factory=RangeSet)
    overhead: int = 0

    @property
    def stream(self) -> bytes:
        """See `media_stream`."""
        return media_stream(self.about.stream, self.number)

    @property
    def whole(self) -> bool:
        """Whether the destination has all of it."""
        return self.acknowledged.count() == self.about.size

    def chunk(self, most_bytes: int) -> MediaChunk | None:
        """The first bytes that are to be sent, at most so many; None where all are there or under way."""
        taken = RangeSet([*self.acknowledged, *self.under_way])
        for first, last in taken.gaps(1, self.about.size):
            end = min(last, first + most_bytes - 1)
            return MediaChunk(self.about, first - 1, self.media.content[first - 1 : end])
        return None


def about_of(vehicle: str, stream: bytes, block: Block, media: Media) -> MediaAbout:
    """What the chunks of a still or clip say of it.

    Raises:
        WireError: it cannot be said on the wire.
    """
    header = block.header
    return MediaAbout(
        vehicle=vehicle,
        stream=stream,
        block=header.number,
        digest=media.digest,
        size=len(media.content),
        boot=header.boot,
        from_ns=media.from_ns,
        to_ns=media.to_ns,
        timebase=header.timebase,
        data_class=str(media.data_class),
        purpose=str(media.purpose),
        camera=media.camera,
        cause=media.cause,
        format=str(media.format),
        width=media.width,
        height=media.height,
        frames=media.frames,
        faces=media.faces,
        plates=media.plates,
        detectors=media.detectors,
    )
