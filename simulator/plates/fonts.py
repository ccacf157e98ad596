"""The fonts that plates are drawn with: whichever of some free ones the machine has."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import ImageFont

FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
LATIN = (
    "DejaVuSansCondensed-Bold.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSansMono-Bold.ttf",
    "LiberationSansNarrow-Bold.ttf",
    "LiberationSans-Bold.ttf",
    "RobotoCondensed-Bold.ttf",
    "Roboto-Medium.ttf",
    "Lato-Heavy.ttf",
    "OpenSans-CondBold.ttf",
    "OpenSans-Bold.ttf",
)
"""Of Debian's fonts-dejavu, fonts-liberation, fonts-roboto-unhinted, fonts-lato and fonts-open-sans."""

CHINESE = ("NotoSansCJK-Bold.ttc", "NotoSansCJK-Regular.ttc", "wqy-zenhei.ttc")
"""Of Debian's fonts-noto-cjk and fonts-wqy-zenhei."""


@cache
def installed(names: tuple[str, ...]) -> tuple[Path, ...]:
    """The files of those that are there, in their order."""
    files = {
        path.name: path for folder in FOLDERS if folder.is_dir() for path in sorted(folder.rglob("*.tt?"))
    }
    return tuple(files[name] for name in names if name in files)


def font(names: Sequence[str], place: int, size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """One of some fonts; Pillow's own where none is installed, which has no Chinese characters.

    Args:
        names: file names.
        place: counts through those that are installed.
        size_px: height of a line.
    """
    found = installed(tuple(names))
    if not found:
        return ImageFont.load_default(size_px)
    return _loaded(found[place % len(found)], size_px)


@cache
def _loaded(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size_px)
