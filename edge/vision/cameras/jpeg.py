"""JPEG out of a camera's stream: decoded where it is whole, where others complete it by a guess."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np

from edge.errors import VisionError
from edge.vision.cameras.opened_picture import opened_picture
from edge.vision.picture import Pixels

_END = b"\xff\xd9"
_FILLING = b"".join(bytes(range(1, 200)) + bytes((0xFF, restart)) for restart in range(0xD0, 0xD8))
"""With each mark behind which a scan may begin anew: one that was cut off before such waits for it."""


def decode_whole(jpeg: bytes) -> Pixels:
    """Decode a JPEG whose last scan ends as it should.

    Whoever puts it together out of packets ends one that was cut off as if it were whole, and decoders make
    up what is missing. So it is decoded at an eighth of its size, and again with something else before its
    end: where that shows, the picture was not over. What is damaged within is not seen by this, nor is that
    only its last bytes are missing.

    Returns:
        Its pixels, of shape (height, width, 3) and dtype uint8: blue, green, red.

    Raises:
        VisionError: it is cut off, none at all, or of more than `PIXELS_MOST` pixels.
    """
    if not jpeg.endswith(_END):
        raise VisionError("a JPEG without an end")
    if not np.array_equal(_small(jpeg), _small(jpeg.removesuffix(_END) + _FILLING + _END)):
        raise VisionError("a JPEG that was cut off")
    coded = np.frombuffer(jpeg, np.uint8)
    try:
        pixels = cv2.imdecode(coded, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise VisionError("a JPEG that cannot be decoded") from error
    if pixels is None:
        raise VisionError("a JPEG that cannot be decoded")
    return np.ascontiguousarray(pixels, np.uint8)


def _small(jpeg: bytes) -> Pixels:
    """About an eighth of it, grey."""
    with opened_picture(BytesIO(jpeg), ("JPEG",), "a JPEG of a stream") as image:
        image.draft("L", (1, 1))
        return np.asarray(image)
