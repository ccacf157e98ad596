"""Redacted pixels to one picture: no EXIF, no thumbnail, no comment."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import cv2

from edge.errors import VisionError
from edge.vision.media import MediaFormat
from edge.vision.picture import Redacted

_HOW: Mapping[MediaFormat, tuple[str, int]] = MappingProxyType(
    {
        MediaFormat.JPEG: (".jpg", cv2.IMWRITE_JPEG_QUALITY),
        MediaFormat.AVIF: (".avif", cv2.IMWRITE_AVIF_QUALITY),
    }
)


def encode_still(redacted: Redacted, how: MediaFormat, quality: int) -> bytes:
    """Encode a frame.

    Args:
        redacted: in which nobody can be recognised.
        how: JPEG or AVIF.
        quality: 1 to 100.

    Raises:
        VisionError: the encoder fails, or does not know the format.
    """
    where = f"camera {redacted.camera}"
    if how not in _HOW:
        raise VisionError(f"{how} is no format of stills", where=where)
    ending, key = _HOW[how]
    try:
        done, coded = cv2.imencode(ending, redacted.pixels, [key, quality])
    except cv2.error as error:
        raise VisionError("the encoder of stills failed", where=where) from error
    if not done:
        raise VisionError("the encoder of stills failed", where=where)
    return bytes(coded)
