"""A JPEG of a stream is decoded where it is whole, and where it was cut off it is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.errors import VisionError
from edge.vision.cameras.jpeg import decode_whole
from edge.vision.picture import Pixels
from tests.vision_encoding.painted import street

STREET = street(40)
END = b"\xff\xd9"


def coded(pixels: Pixels, *settings: int) -> bytes:
    good, jpeg = cv2.imencode(".jpg", pixels, settings)
    assert good
    return jpeg.tobytes()


@pytest.mark.parametrize("grey", [None, 0, 90, 255])
@pytest.mark.parametrize("settings", [(), (cv2.IMWRITE_JPEG_QUALITY, 30), (cv2.IMWRITE_JPEG_RST_INTERVAL, 4)])
def test_what_is_whole_is_decoded_as_it_is(grey: int | None, settings: tuple[int, ...]) -> None:
    pixels = STREET if grey is None else np.full_like(STREET, grey)
    jpeg = coded(pixels, *settings)
    plain = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert plain is not None
    assert np.array_equal(decode_whole(jpeg), plain)


@pytest.mark.parametrize("settings", [(), (cv2.IMWRITE_JPEG_QUALITY, 30), (cv2.IMWRITE_JPEG_RST_INTERVAL, 4)])
def test_what_was_cut_off_is_not_decoded_although_it_ends_as_it_should(settings: tuple[int, ...]) -> None:
    jpeg = coded(STREET, *settings)
    scan = jpeg.index(b"\xff\xda") + 14
    for end in np.linspace(scan, len(jpeg) - 12, 40).astype(int):
        with pytest.raises(VisionError, match="cut off"):
            decode_whole(jpeg[:end].removesuffix(b"\xff") + END)


@pytest.mark.parametrize("jpeg", [b"", END, b"\xff\xd8" + END, b"none" + END, coded(STREET)[:-2]])
def test_what_is_none_is_not_decoded(jpeg: bytes) -> None:
    with pytest.raises(VisionError, match="JPEG"):
        decode_whole(jpeg)
