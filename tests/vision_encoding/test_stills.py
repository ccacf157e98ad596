import io

import numpy as np
import pytest
from PIL import Image

from edge.errors import VisionError
from edge.vision.encoding.stills import encode_still
from edge.vision.media import MediaFormat
from tests.vision_encoding.painted import redacted, street

QUALITY = 85
_STANDALONE = {0x01, *range(0xD0, 0xDA)}


def jpeg_segments(content: bytes) -> list[tuple[int, bytes]]:
    """Markers and what they hold, up to the picture itself (ITU-T T.81, B.1.1)."""
    segments, at = [], 2
    while True:
        assert content[at] == 0xFF
        marker = content[at + 1]
        assert marker not in _STANDALONE
        length = int.from_bytes(content[at + 2 : at + 4])
        segments.append((marker, content[at + 4 : at + 2 + length]))
        at += 2 + length
        if marker == 0xDA:
            return segments


def boxes_of(content: bytes) -> list[bytes]:
    """Names of the boxes of an ISO file, those within meta included (ISO/IEC 14496-12)."""
    names, at = [], 0
    while at < len(content):
        length, name = int.from_bytes(content[at : at + 4]), content[at + 4 : at + 8]
        names.append(name)
        if name in {b"meta", b"iprp", b"ipco"}:
            skipped = 12 if name == b"meta" else 8
            names += boxes_of(content[at + skipped : at + length])
        at += length or len(content)
    return names


@pytest.mark.parametrize("how", [MediaFormat.JPEG, MediaFormat.AVIF])
@pytest.mark.parametrize("size", [(96, 160), (97, 161)])
def test_a_still_shows_what_it_was_made_of(how: MediaFormat, size: tuple[int, int]) -> None:
    pixels = street(40, height=size[0], width=size[1])
    shown = Image.open(io.BytesIO(encode_still(redacted(pixels), how, QUALITY)))
    back = np.asarray(shown.convert("RGB"))[:, :, ::-1]
    assert back.shape == pixels.shape
    assert np.abs(back.astype(int) - pixels).mean() < 6


def test_in_a_jpeg_there_is_nothing_but_the_picture() -> None:
    segments = jpeg_segments(encode_still(redacted(street()), MediaFormat.JPEG, QUALITY))
    # JFIF's header, tables, the frame, the scan: no APP1 to APP15 (EXIF, XMP, ICC, thumbnails), no comment.
    assert {marker for marker, _ in segments} == {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}
    jfif = next(held for marker, held in segments if marker == 0xE0)
    assert jfif[:5] == b"JFIF\0"
    assert jfif[12:] == b"\0\0", "a thumbnail within the header"


def test_in_an_avif_there_is_one_picture_and_nothing_beside_it() -> None:
    content = encode_still(redacted(street()), MediaFormat.AVIF, QUALITY)
    assert set(boxes_of(content)) <= {
        *(b"ftyp", b"meta", b"hdlr", b"pitm", b"iloc", b"iinf", b"iprp", b"ipco", b"ipma", b"mdat"),
        *(b"ispe", b"pixi", b"av1C", b"colr"),
    }
    for word in (b"Exif", b"mime", b"thmb", b"xml"):
        assert word not in content


def test_less_quality_is_less_of_it() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (96, 160, 3), np.uint8)
    sizes = [len(encode_still(redacted(noise), MediaFormat.JPEG, quality)) for quality in (20, 60, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 2


def test_what_cannot_be_encoded_is_an_error_that_names_the_camera() -> None:
    with pytest.raises(VisionError, match="front"):
        encode_still(redacted(np.empty((0, 0, 3), np.uint8)), MediaFormat.JPEG, QUALITY)
    with pytest.raises(VisionError, match="no format of stills"):
        encode_still(redacted(street()), MediaFormat.MP4, QUALITY)
