"""`opened_picture`: a picture from outside, opened by Pillow, which raises whatever its parsing runs into."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

from edge.errors import VisionError

PIXELS_MOST = 64_000_000
"""A picture of more is not decoded at all; what its header says is read before."""


@contextmanager
def opened_picture(file: Path | IO[bytes], formats: Sequence[str], where: str) -> Iterator[Image.Image]:
    """Open a picture for a `with` block in which it is decoded.

    Args:
        file: the picture.
        formats: Pillow's names of those that it may be of: others start programs or have no bounds.
        where: names the file in errors.

    Raises:
        VisionError: it is none of these, is damaged or cut off, or has more than `PIXELS_MOST` pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=tuple(formats)) as image:
                check_size(*image.size, where)
                yield image
    except VisionError:
        raise
    except Exception as error:
        # Among others TypeError in TIFF and RuntimeError in AVIF.
        why = (str(error).splitlines() or [type(error).__name__])[0]
        why = "not of a known format" if isinstance(error, UnidentifiedImageError) else why
        raise VisionError(f"is no picture that can be read: {why}", where=where) from error


def check_size(width: float, height: float, where: str) -> None:
    """See that a picture or film is not too large to be decoded.

    Raises:
        VisionError: it has more than `PIXELS_MOST` pixels.
    """
    if width * height > PIXELS_MOST:
        raise VisionError(f"has {width:.0f} x {height:.0f} pixels, more than {PIXELS_MOST}", where=where)
