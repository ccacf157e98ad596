"""The colours of a head by the place on it: skin, lips, brows, eyes, beard, hair, hats, masks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simulator.cameras.raster import Floats
from simulator.cameras.traits import Hair, Hat, Traits

_HAIRLINES: Mapping[Hair, tuple[float, ...]] = {
    Hair.SHORT: (6.45, 6.55, 7.3, 7.45, 7.72, 7.93, 7.95),
    Hair.LONG: (6.2, 6.4, 6.9, 7.40, 7.70, 7.95, 7.97),
    Hair.FRINGE: (6.45, 6.55, 7.2, 7.35, 7.55, 7.66, 7.66),
    Hair.RECEDING: (6.45, 6.60, 7.4, 7.60, 8.10, 8.22, 8.22),
    Hair.BALD: (9.0,) * 7,
}
_HAT_LINES: Mapping[Hat, tuple[float, ...]] = {
    Hat.CAP: (7.35, 7.45, 7.62, 7.72, 7.82, 7.86, 7.86),
    Hat.HELMET: (6.9, 7.0, 7.25, 7.5, 7.72, 7.78, 7.78),
    Hat.SCARF: (5.5, 5.5, 5.9, 6.0, 7.72, 7.82, 7.84),
}
_LINE_Z = (-0.4, 0.1, 0.4, 0.75, 1.0, 1.25, 1.5)
_JAW_Z = (0.6, 1.0, 1.45)
_JAW_Y = (6.62, 6.34, 6.13)
_HAIR_THICKNESS: Mapping[Hair, float] = {
    Hair.SHORT: 0.1,
    Hair.LONG: 0.13,
    Hair.FRINGE: 0.13,
    Hair.RECEDING: 0.05,
}
_HAT_THICKNESS: Mapping[Hat, float] = {Hat.CAP: 0.15, Hat.HELMET: 0.30, Hat.SCARF: 0.14}
_MASK_THICKNESS = 0.06


def smooth(value: Floats, low: float, high: float) -> Floats:
    """0 up to `low`, 1 from `high` on, smooth between."""
    share = np.clip((value - low) / (high - low), 0, 1)
    result: Floats = share * share * (3 - 2 * share)
    return result


def waves(place: Floats, seed: int, frequency: float, count: int = 5) -> Floats:
    """A smooth random field over places (n, 3): about -1 to 1."""
    rng = np.random.default_rng(seed)
    total = np.zeros(len(place))
    for direction, phase in zip(
        rng.normal(size=(count, 3)) * frequency, rng.uniform(0, 6.28, count), strict=True
    ):
        total += np.sin(place @ direction + phase)
    result: Floats = total / np.sqrt(count * 2)
    return result


def above_hairline(place: Floats, traits: Traits) -> Floats:
    """How far places (n, 3) of the mean head are above the hairline, decimetres."""
    result: Floats = place[:, 1] - np.interp(place[:, 2], _LINE_Z, _HAIRLINES[traits.hair])
    return result


def above_hat(place: Floats, traits: Traits) -> Floats:
    """The same above the edge of the hat; far below where there is none."""
    if traits.hat is Hat.NONE:
        return np.full(len(place), -9.0)
    result: Floats = place[:, 1] - np.interp(place[:, 2], _LINE_Z, _HAT_LINES[traits.hat])
    return result


def behind_mask(place: Floats, traits: Traits) -> Floats:
    """How far places are within the edge of a mask over mouth and nose."""
    if not traits.masked:
        return np.full(len(place), -9.0)
    return np.minimum(
        np.minimum(7.06 - 0.22 * np.abs(place[:, 0]) - place[:, 1], place[:, 1] - 6.02), place[:, 2] - 0.72
    )


def thickness(place: Floats, traits: Traits) -> Floats:
    """By how much hair, hat and mask stand out from the head at places (n, 3)."""
    hair = _HAIR_THICKNESS.get(traits.hair, 0.0) * smooth(above_hairline(place, traits), 0.0, 0.25)
    hat = _HAT_THICKNESS.get(traits.hat, 0.0) * smooth(above_hat(place, traits), -0.02, 0.06)
    return np.maximum(np.maximum(hair, hat), _MASK_THICKNESS * smooth(behind_mask(place, traits), 0.0, 0.04))


def face_region(place: Floats, face_mask: Floats, traits: Traits) -> Floats:
    """Whether places (n, 3) of the mean head are face as a person would draw it: ear to ear.

    From the hairline to the chin; what a hat or hair covers is none; what is behind a mask or glasses is.
    """
    jaw = place[:, 1] - np.interp(place[:, 2], _JAW_Z, _JAW_Y)
    inside = (jaw > 0) & (place[:, 2] > 0.62) & (face_mask > 0.25) & (place[:, 1] < 8.02)
    inside &= above_hairline(place, traits) < 0.03
    inside &= above_hat(place, traits) < 0
    return inside.astype(np.float64)


def head_colours(place: Floats, masks: Mapping[str, Floats], traits: Traits) -> Floats:
    """Colours (n, 3) without light at places of the mean head.

    Args:
        place: (n, 3) decimetres.
        masks: regions of the mesh at the places.
        traits: whose head.
    """
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    seed = traits.texture_seed
    colour = np.tile(np.array(traits.skin), (len(place), 1))
    blotch = (
        0.035 * waves(place, seed, 3.0)
        + 0.02 * waves(place, seed + 1, 14.0)
        + 0.012 * waves(place, seed + 2, 60.0)
    )
    colour *= (1 + blotch)[:, None]
    cheek = np.exp(-(((x - 0.45) / 0.22) ** 2) - ((y - 6.95) / 0.22) ** 2) * (z > 0.6)
    nose = np.exp(-((x / 0.15) ** 2) - ((y - 6.98) / 0.12) ** 2) * (z > 1.2)
    flush = 0.12 * cheek + 0.10 * nose + 0.12 * masks["ears"]
    colour *= 1 - flush[:, None] * np.array([1.0, 0.8, 0.0])
    wrinkles = np.sin(y * 55 + 1.5 * waves(place, seed + 3, 5.0)) * smooth(y, 7.55, 7.65) * (z > 0.9)
    folds = np.exp(-(((x - 0.30 + (y - 6.75) * 0.35) / 0.025) ** 2)) * (y > 6.5) * (y < 6.98) * (z > 1.0)
    colour *= (1 - traits.wrinkled * (0.06 * wrinkles + 0.2 * folds))[:, None]
    socket = np.exp(-(((x - 0.30) / 0.24) ** 2) - ((y - 7.28) / 0.13) ** 2) * (z > 0.9)
    colour *= (1 - 0.22 * socket - 0.25 * masks["eyelids"])[:, None]
    lashes = (
        np.exp(-(((y - 7.355 + 1.1 * (x - 0.31) ** 2) / 0.018) ** 2))
        * smooth(x, 0.12, 0.2)
        * (x < 0.5)
        * (z > 1.0)
    )
    colour *= (1 - 0.75 * lashes)[:, None]
    nostrils = np.exp(-(((x - 0.075) / 0.04) ** 2) - ((y - 6.865) / 0.025) ** 2) * (z > 1.3)
    colour *= (1 - 0.75 * nostrils)[:, None]
    lips = masks["lips"]
    lip = (
        np.array(traits.skin) * (0.68, 0.62, 0.88) * (1 - traits.lipstick)
        + np.array([0.2, 0.12, 0.6]) * traits.lipstick
    )
    colour += lips[:, None] * (lip - colour) * 0.85
    gap = np.exp(-(((y - 6.605) / 0.012) ** 2)) * (x < 0.24) * lips
    colour *= (1 - 0.6 * gap)[:, None]
    colour *= (1 - 0.75 * smooth(masks["inside_mouth"], 0.5, 0.9) * (lips < 0.5))[:, None]
    hair = np.array(traits.hair_colour)
    arch = 7.50 + 0.07 * np.sin(np.clip((x - 0.1) / 0.42, 0, 1) * 2.4) - y
    brow = np.exp(-((arch / 0.045) ** 2)) * smooth(x, 0.08, 0.14) * smooth(-x, -0.56, -0.48) * (z > 0.9)
    brow *= 0.75 + 0.25 * waves(place, seed + 4, 70.0)
    colour += np.clip(brow, 0, 0.9)[:, None] * (hair - colour)
    colour = _bearded(place, colour, lips, traits)
    strands = 1 + 0.25 * waves(place * (1, 0.12, 1), seed + 6, 90.0) + 0.2 * waves(place, seed + 7, 6.0)
    cover = smooth(above_hairline(place, traits) + 0.03 * waves(place, seed + 8, 30.0), -0.02, 0.05)
    colour += cover[:, None] * (hair * np.clip(strands, 0.3, 2)[:, None] - colour)
    cloth = np.array(traits.cloth)
    colour += smooth(above_hat(place, traits), 0, 0.01)[:, None] * (cloth - colour)
    paper = np.array([0.85, 0.80, 0.72]) if seed % 3 else np.array([0.12, 0.12, 0.13])
    pleats = 1 + 0.06 * np.sin(y * 30)
    colour += smooth(behind_mask(place, traits), 0, 0.02)[:, None] * (paper * pleats[:, None] - colour)
    result: Floats = np.clip(colour, 0.01, 1)
    return result


def _bearded(place: Floats, colour: Floats, lips: Floats, traits: Traits) -> Floats:
    if traits.beard <= 0:
        return colour
    x, y, z = np.abs(place[:, 0]), place[:, 1], place[:, 2]
    upper = np.where(x < 0.3, 6.80, 6.55 + 0.9 * (x - 0.3))
    region = smooth(upper - y, -0.03, 0.06) * smooth(y, 5.95, 6.1) * (z > 0.5) * (1 - lips)
    rough = 0.8 + 0.4 * waves(place, traits.texture_seed + 5, 80.0)
    shown = np.clip(region * rough * traits.beard, 0, 0.95)
    result: Floats = colour + shown[:, None] * (np.array(traits.hair_colour) * 1.2 - colour)
    return result


def eye_colours(offset: Floats, radius: float, traits: Traits) -> Floats:
    """Colours of eyeballs by (n, 3) offsets from their centres."""
    away = np.hypot(offset[:, 0], offset[:, 1]) / radius
    white = np.array([0.80, 0.82, 0.84])
    iris = np.array(traits.iris)
    colour = np.where((away < 0.52)[:, None], iris, white * np.clip(1.15 - 0.4 * away, 0, 1)[:, None])
    colour = np.where((away < 0.24)[:, None], 0.02, colour)
    glint = np.hypot(offset[:, 0] / radius - 0.18, offset[:, 1] / radius - 0.2) < 0.1
    return np.where(glint[:, None], 1.0, colour)
