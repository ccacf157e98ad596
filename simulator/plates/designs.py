"""What plates look like: sizes, colours and the pattern of their characters, by country."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
"""The first character of a Chinese plate (GA 36)."""

SUFFIXES = "港澳领使学警挂"
"""The last character of some: Hong Kong, Macau, consulate, embassy, learner, police, trailer."""

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
            stands for itself, but ``*`` for an emblem.
        left_band: colour of a band at the left end, or None.
        right_band: the same at the right end.
        top_band: the same along the top.
        caption: what stands small above the characters; empty for nothing.
        caption_below: the same below them.
        border: whether a line runs around.
        pictured: whether there is a picture behind the characters, and stickers in the corners.
        accent: colour of the characters at `accented`.
        accented: which characters of the last line those are, from its end where negative.
        first_line: share of the height that the first of two lines takes.
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
    pictured: bool = False
    accent: Colour | None = None
    accented: tuple[int, ...] = ()
    first_line: float = 0.5
    chinese: bool = False


def _chinese(
    name: str,
    ground: Colour,
    below: Colour,
    ink: Colour,
    *lines: str,
    size_mm: tuple[float, float] = (440, 140),
) -> Design:
    return Design(f"cn {name}", *size_mm, ground, below, ink, lines, chinese=True)


_CN_BLUE, _CN_YELLOW, _RED = (14, 62, 160), (236, 178, 20), (190, 24, 36)
_CN_BLACK, _CN_FADE = (16, 16, 18), ((236, 244, 238), (70, 190, 110))
_TWO_LINES, _SMALL = (440, 220), (220, 140)
CHINESE_DESIGNS = (
    _chinese("blue", _CN_BLUE, _CN_BLUE, WHITE, "PA·XXX0X"),
    _chinese("green", *_CN_FADE, BLACK, "PA·D0X000", size_mm=(480, 140)),
    _chinese("green with an emblem", (244, 248, 246), (84, 206, 128), BLACK, "PA*F00000", size_mm=(480, 140)),
    _chinese("yellow", _CN_YELLOW, _CN_YELLOW, BLACK, "PA·XX000"),
    replace(
        _chinese("yellow of two lines", _CN_YELLOW, _CN_YELLOW, BLACK, "P·A", "XX000", size_mm=_TWO_LINES),
        first_line=0.4,
    ),
    _chinese("learner", _CN_YELLOW, _CN_YELLOW, BLACK, "PA·0000学"),
    _chinese("white", WHITE, WHITE, BLACK, "PA·X000A"),
    replace(_chinese("police", WHITE, WHITE, BLACK, "PA·X000警"), accent=_RED, accented=(-1,)),
    replace(_chinese("armed police", WHITE, WHITE, BLACK, "WJ00·00000"), accent=_RED, accented=(0, 1, 2, 3)),
    replace(_chinese("army", WHITE, WHITE, BLACK, "AA·X0000"), accent=_RED, accented=(0, 1)),
    _chinese("black", _CN_BLACK, _CN_BLACK, WHITE, "PA·XX000"),
    _chinese("black of Hong Kong", _CN_BLACK, _CN_BLACK, WHITE, "粤Z·X000港"),
    _chinese("black of Macau", _CN_BLACK, _CN_BLACK, WHITE, "粤Z·X000澳"),
    replace(_chinese("consulate", _CN_BLACK, _CN_BLACK, WHITE, "PA·0000领"), accent=_RED, accented=(-1,)),
    replace(_chinese("embassy", _CN_BLACK, _CN_BLACK, WHITE, "使000000"), accent=_RED, accented=(0,)),
    _chinese("yellow and green", (232, 190, 40), (70, 178, 104), BLACK, "PA·X000XX", size_mm=(480, 140)),
    replace(
        _chinese("motorcycle yellow", _CN_YELLOW, _CN_YELLOW, BLACK, "P·A", "X0000", size_mm=_SMALL),
        first_line=0.42,
    ),
    replace(
        _chinese("motorcycle blue", _CN_BLUE, _CN_BLUE, WHITE, "P·A", "XX000", size_mm=_SMALL),
        first_line=0.42,
    ),
    Design("hk front", 520, 112, WHITE, WHITE, BLACK, ("AA 0000",), border=False),
    Design("hk rear", 520, 112, (240, 190, 40), (240, 190, 40), BLACK, ("AA 0000",), border=False),
    Design("hk front of two lines", 300, 160, WHITE, WHITE, BLACK, ("AA", "0000"), border=False),
    Design(
        "hk rear of two lines", 300, 160, (240, 190, 40), (240, 190, 40), BLACK, ("AA", "000"), border=False
    ),
    Design("macau", 480, 110, _CN_BLACK, _CN_BLACK, WHITE, ("AA-00-00",)),
    Design("macau of two lines", 280, 200, _CN_BLACK, _CN_BLACK, WHITE, ("AA", "00-00")),
)
EUROPEAN_DESIGNS = (
    Design("eu long", 520, 110, WHITE, WHITE, BLACK, ("AA 00 AAA",), left_band=BAND_BLUE),
    Design("eu with two bands", 520, 110, WHITE, WHITE, BLACK, ("AA-000-AA",), BAND_BLUE, BAND_BLUE),
    Design("eu yellow", 520, 110, (242, 190, 30), (242, 190, 30), BLACK, ("00-AAA-0",), left_band=BAND_BLUE),
    Design("eu red", 520, 110, WHITE, WHITE, (170, 20, 40), ("0-AAA-000",), left_band=BAND_BLUE),
    Design("eu of two lines", 340, 220, WHITE, WHITE, BLACK, ("AA 000", "AAA"), left_band=BAND_BLUE),
    Design("uk rear", 520, 111, (246, 200, 40), (246, 200, 40), BLACK, ("AA00 AAA",), border=False),
    Design("old without a band", 520, 110, WHITE, WHITE, BLACK, ("A AA 0000",)),
    Design("eu with an emblem", 520, 110, WHITE, WHITE, BLACK, ("AA*000AA",), left_band=BAND_BLUE),
    Design("eu emblem between", 520, 110, WHITE, WHITE, BLACK, ("*AA-000AA",)),
    Design("eu motorcycle", 220, 200, WHITE, WHITE, BLACK, ("A AA", "0000"), left_band=BAND_BLUE),
    Design("eu small motorcycle", 210, 130, WHITE, WHITE, BLACK, ("AA-000", "AA"), left_band=BAND_BLUE),
    Design("uk motorcycle", 228, 164, (246, 200, 40), (246, 200, 40), BLACK, ("AA00", "AAA"), border=False),
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
    Design(
        "brazil with an emblem",
        400,
        130,
        (208, 208, 206),
        (208, 208, 206),
        BLACK,
        ("AAA·0000",),
        caption="BA-SALVADOR",
    ),
    Design(
        "brazil motorcycle",
        200,
        170,
        (190, 192, 194),
        (190, 192, 194),
        BLACK,
        ("AAA", "0000"),
        caption="PR-CURITIBA",
    ),
    Design("mercosur motorcycle", 200, 170, WHITE, WHITE, BLACK, ("AAA", "0A00"), top_band=(0, 50, 150)),
    Design("us motorcycle", 178, 102, WHITE, WHITE, (20, 40, 110), ("00A000",), caption="OREGON"),
    Design(
        "us pictured",
        305,
        152,
        (206, 220, 236),
        (226, 226, 214),
        (20, 30, 70),
        ("AA0 A0A",),
        caption="Missouri",
        pictured=True,
        border=False,
    ),
    Design(
        "us pictured, emblem between",
        305,
        152,
        (216, 232, 214),
        (236, 230, 220),
        (16, 70, 50),
        ("000*AAA",),
        caption="Florida",
        caption_below="SUNSHINE STATE",
        pictured=True,
        border=False,
    ),
    Design(
        "us pictured red",
        305,
        152,
        WHITE,
        (236, 214, 200),
        (30, 34, 110),
        ("0AAA000",),
        caption="California",
        pictured=True,
        border=False,
    ),
    Design(
        "us pictured dusk",
        305,
        152,
        (250, 214, 170),
        (190, 200, 226),
        BLACK,
        ("AAA 000",),
        caption="Texas",
        pictured=True,
    ),
)
DESIGNS = (*CHINESE_DESIGNS, *EUROPEAN_DESIGNS, *AMERICAN_DESIGNS)


def number_of(design: Design, rng: random.Random) -> tuple[str, ...]:
    """The characters of a plate of a design, by line; no vehicle's in particular."""
    pools = {"P": PROVINCES, "A": LETTERS, "0": DIGITS, "X": LETTERS + DIGITS}
    return tuple("".join(rng.choice(pools.get(mark, mark)) for mark in line) for line in design.lines)
