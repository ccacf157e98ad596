"""What plates look like: sizes, colours and the pattern of their characters, by country."""

from __future__ import annotations

import random
from dataclasses import dataclass

PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
"""The first character of a Chinese plate (GA 36)."""

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
DIGITS = "0123456789"

Colour = tuple[int, int, int]
"""Red, green, blue."""

WHITE, BLACK = (240, 240, 238), (18, 18, 20)
BAND_BLUE = (0, 51, 153)


@dataclass(frozen=True, slots=True)
class Design:
    """One kind of plate.

    Attributes:
        name: such as ``cn blue``.
        width_mm: outer width.
        height_mm: outer height.
        ground: colour at the top.
        ground_below: colour at the bottom; the same for plain ones.
        ink: colour of the characters.
        lines: pattern of each line: ``P`` a province, ``A`` a letter, ``0`` a digit, ``X`` either; all else
            stands for itself.
        left_band: colour of a band at the left end, or None.
        right_band: the same at the right end.
        top_band: the same along the top.
        caption: what stands small above the characters; empty for nothing.
        caption_below: the same below them.
        border: whether a line runs around.
        chinese: whether it has characters of GA 36.
    """

    name: str
    width_mm: float
    height_mm: float
    ground: Colour
    ground_below: Colour
    ink: Colour
    lines: tuple[str, ...]
    left_band: Colour | None = None
    right_band: Colour | None = None
    top_band: Colour | None = None
    caption: str = ""
    caption_below: str = ""
    border: bool = True
    chinese: bool = False


def _chinese(name: str, ground: Colour, below: Colour, ink: Colour, *lines: str, wide: float = 440) -> Design:
    height = 220 if len(lines) > 1 else 140
    return Design(f"cn {name}", wide, height, ground, below, ink, lines, chinese=True)


_CN_BLUE, _CN_YELLOW = (14, 62, 160), (236, 178, 20)
CHINESE_DESIGNS = (
    _chinese("blue", _CN_BLUE, _CN_BLUE, WHITE, "PA·XXX0X"),
    _chinese("green", (222, 238, 226), (70, 178, 104), BLACK, "PA·D0X000", wide=480),
    _chinese("yellow", _CN_YELLOW, _CN_YELLOW, BLACK, "PA·XX000"),
    _chinese("yellow of two lines", _CN_YELLOW, _CN_YELLOW, BLACK, "PA", "XX000"),
    _chinese("white", WHITE, WHITE, BLACK, "PA·X000A"),
    _chinese("black", (16, 16, 18), (16, 16, 18), WHITE, "PA·XX000"),
    _chinese("yellow and green", (232, 190, 40), (70, 178, 104), BLACK, "PA·X000XX", wide=480),
)
EUROPEAN_DESIGNS = (
    Design("eu long", 520, 110, WHITE, WHITE, BLACK, ("AA 00 AAA",), left_band=BAND_BLUE),
    Design("eu with two bands", 520, 110, WHITE, WHITE, BLACK, ("AA-000-AA",), BAND_BLUE, BAND_BLUE),
    Design("eu yellow", 520, 110, (242, 190, 30), (242, 190, 30), BLACK, ("00-AAA-0",), left_band=BAND_BLUE),
    Design("eu red", 520, 110, WHITE, WHITE, (170, 20, 40), ("0-AAA-000",), left_band=BAND_BLUE),
    Design("eu of two lines", 340, 220, WHITE, WHITE, BLACK, ("AA 000", "AAA"), left_band=BAND_BLUE),
    Design("uk rear", 520, 111, (246, 200, 40), (246, 200, 40), BLACK, ("AA00 AAA",), border=False),
    Design("old without a band", 520, 110, WHITE, WHITE, BLACK, ("A AA 0000",)),
)
AMERICAN_DESIGNS = (
    Design(
        "us plain", 305, 152, WHITE, WHITE, (20, 40, 110), ("AAA 0000",), caption="CALIFORNIA", border=False
    ),
    Design("us sky", 305, 152, (200, 222, 242), (246, 246, 240), (20, 60, 40), ("000 AAA",), caption="MAINE"),
    Design(
        "us dusk", 305, 152, (240, 190, 150), (246, 232, 200), (120, 30, 30), ("AAA 000",), caption="ARIZONA"
    ),
    Design(
        "us green",
        305,
        152,
        WHITE,
        (180, 214, 180),
        (16, 70, 40),
        ("000-AAA",),
        caption="COLORADO",
        caption_below="CENTENNIAL",
    ),
    Design(
        "us yellow",
        305,
        152,
        (246, 210, 70),
        (246, 210, 70),
        (20, 30, 90),
        ("AAA-0000",),
        caption="NEW YORK",
        caption_below="EMPIRE STATE",
    ),
    Design("us black", 305, 152, (20, 22, 26), (20, 22, 26), (236, 200, 70), ("000 AAA",), caption="NEVADA"),
    Design("us blue", 305, 152, (40, 80, 150), (40, 80, 150), WHITE, ("AA 00000",), caption="DELAWARE"),
    Design("mercosur", 400, 130, WHITE, WHITE, BLACK, ("AAA0A00",), top_band=(0, 50, 150)),
    Design(
        "brazil grey",
        400,
        130,
        (176, 178, 180),
        (176, 178, 180),
        BLACK,
        ("AAA-0000",),
        caption="SP - SAO PAULO",
    ),
    Design(
        "brazil red",
        400,
        130,
        (170, 30, 30),
        (170, 30, 30),
        WHITE,
        ("AAA-0000",),
        caption="RJ - RIO DE JANEIRO",
    ),
)
DESIGNS = (*CHINESE_DESIGNS, *EUROPEAN_DESIGNS, *AMERICAN_DESIGNS)


def number_of(design: Design, rng: random.Random) -> tuple[str, ...]:
    """The characters of a plate of a design, by line; no vehicle's in particular."""
    pools = {"P": PROVINCES, "A": LETTERS, "0": DIGITS, "X": LETTERS + DIGITS}
    return tuple("".join(rng.choice(pools.get(mark, mark)) for mark in line) for line in design.lines)
