"""`Traits`: what a person is like: people, age, hair, glasses, hat, mask."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from simulator.cameras.reducing import SHAPES

Colour = tuple[float, float, float]
"""Blue, green, red, 0 to 1."""

_SKINS: Mapping[str, tuple[Colour, ...]] = {
    "african": ((0.16, 0.23, 0.36), (0.11, 0.16, 0.26), (0.24, 0.33, 0.48), (0.30, 0.40, 0.57)),
    "asian": ((0.50, 0.63, 0.83), (0.42, 0.56, 0.76), (0.56, 0.69, 0.88), (0.34, 0.47, 0.66)),
    "caucasian": ((0.58, 0.67, 0.87), (0.50, 0.60, 0.82), (0.64, 0.73, 0.92), (0.43, 0.55, 0.76)),
}
_HAIRS: tuple[Colour, ...] = ((0.04, 0.04, 0.05), (0.06, 0.08, 0.12), (0.10, 0.17, 0.27), (0.25, 0.45, 0.62))
_GREY: Colour = (0.62, 0.63, 0.65)
_IRISES: tuple[Colour, ...] = ((0.05, 0.10, 0.18), (0.08, 0.16, 0.28), (0.45, 0.33, 0.22), (0.25, 0.35, 0.25))
_CLOTHES: tuple[Colour, ...] = (
    (0.15, 0.15, 0.18), (0.55, 0.30, 0.15), (0.20, 0.20, 0.65), (0.80, 0.80, 0.82), (0.25, 0.45, 0.25),
    (0.30, 0.55, 0.70), (0.60, 0.55, 0.50), (0.35, 0.12, 0.35), (0.15, 0.65, 0.85), (0.35, 0.25, 0.20),
)  # fmt: skip


class Hair(StrEnum):
    """How it is worn."""

    SHORT = "short"
    LONG = "long"
    FRINGE = "fringe"
    RECEDING = "receding"
    BALD = "bald"


class Hat(StrEnum):
    """What is on the head."""

    NONE = "none"
    CAP = "cap"
    HELMET = "helmet"
    SCARF = "scarf"


class Glasses(StrEnum):
    """What is before the eyes."""

    NONE = "none"
    CLEAR = "clear"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Traits:
    """One person.

    Attributes:
        weights: of the targets of the mesh, by their names.
        skin: its colour.
        hair: how it is worn.
        hair_colour: of hair and eyebrows.
        iris: colour of the eyes.
        beard: 0 none, 0.5 stubble, 1 full.
        hat: what is on the head.
        glasses: what is before the eyes.
        masked: whether mouth and nose are behind a mask.
        lipstick: how much the lips are painted, 0 to 1.
        wrinkled: 0 to 1.
        cloth: colour of the upper body's clothes, of hats and scarves.
        trousers: colour of the lower body's.
        size: height against the mean person's.
        texture_seed: decides blotches and strands.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    skin: Colour = (0.58, 0.67, 0.87)
    hair: Hair = Hair.SHORT
    hair_colour: Colour = (0.06, 0.08, 0.12)
    iris: Colour = (0.05, 0.10, 0.18)
    beard: float = 0.0
    hat: Hat = Hat.NONE
    glasses: Glasses = Glasses.NONE
    masked: bool = False
    lipstick: float = 0.0
    wrinkled: float = 0.0
    cloth: Colour = (0.55, 0.30, 0.15)
    trousers: Colour = (0.15, 0.15, 0.18)
    size: float = 1.0
    texture_seed: int = 0

    @classmethod
    def drawn(cls, rng: random.Random, *, covered: bool = True) -> Traits:
        """A person drawn by chance.

        Args:
            rng: decides.
            covered: whether masks, hats and dark glasses may occur.
        """
        people = rng.choice(("african", "asian", "asian", "caucasian"))
        gender = rng.choice(("female", "male"))
        age = rng.choice(("child", "young", "young", "young", "old", "old"))
        heavy = rng.choice((0.0, 0.0, rng.random()))
        weights = {
            f"{people}-{gender}-{age}": 1.0,
            f"universal-{gender}-{age}-averagemuscle-averageweight": 1.0 - heavy,
            f"universal-{gender}-{age}-averagemuscle-maxweight": heavy,
        }
        for name in rng.sample(SHAPES, 6):
            weights[name.split("/")[1]] = rng.uniform(0.0, 0.7)
        smile = rng.choice((0.0, 0.0, rng.uniform(0.3, 0.9)))
        weights |= {"mouthSmileLeft": smile, "mouthSmileRight": smile}
        weights["jawOpen"] = rng.choice((0.0, 0.0, 0.0, rng.uniform(0.1, 0.6)))
        blink = rng.choice((0.0, 0.0, 0.0, rng.uniform(0.2, 0.9)))
        weights |= {"eyeBlinkLeft": blink, "eyeBlinkRight": blink, "browInnerUp": rng.uniform(0.0, 0.5)}
        grown_man = gender == "male" and age != "child"
        grey = age == "old" and rng.random() < 0.7
        dark_only = people != "caucasian"
        hats = (Hat.NONE,) * 5 + ((Hat.CAP, Hat.HELMET, Hat.SCARF) if covered else ())
        return cls(
            weights=weights,
            skin=_varied(rng, rng.choice(_SKINS[people]), 0.04),
            hair=rng.choice(
                (Hair.SHORT, Hair.SHORT, Hair.RECEDING, Hair.BALD, Hair.FRINGE)
                if gender == "male" and age != "child"
                else (Hair.LONG, Hair.LONG, Hair.FRINGE, Hair.SHORT)
            ),
            hair_colour=_GREY
            if grey
            else _varied(rng, rng.choice(_HAIRS[:2] if dark_only else _HAIRS), 0.02),
            iris=rng.choice(_IRISES[:2] if dark_only else _IRISES),
            beard=rng.choice((0.0, 0.0, 0.0, 0.4, 0.7, 1.0)) if grown_man else 0.0,
            hat=rng.choice(hats),
            glasses=rng.choice(
                (Glasses.NONE,) * 5 + (Glasses.CLEAR,) * 2 + ((Glasses.DARK,) if covered else ())
            ),
            masked=covered and rng.random() < 0.08,
            lipstick=rng.choice((0.0, 0.4, 0.8)) if gender == "female" and age != "child" else 0.0,
            wrinkled=rng.uniform(0.4, 1.0) if age == "old" else 0.0,
            cloth=_varied(rng, rng.choice(_CLOTHES), 0.08),
            trousers=_varied(rng, rng.choice(_CLOTHES[:5]), 0.06),
            size=rng.uniform(0.94, 1.06) * (0.72 if age == "child" else 1.0),
            texture_seed=rng.getrandbits(32),
        )


def _varied(rng: random.Random, colour: Colour, by: float) -> Colour:
    light = rng.uniform(-by, by)
    blue, green, red = (min(max(part + light + rng.uniform(-by, by) / 3, 0.02), 0.98) for part in colour)
    return blue, green, red
