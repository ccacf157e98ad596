"""A picture in which a detector would be blind is dropped by its reason, and any other is kept."""

import cv2
import numpy as np
import pytest

from edge.vision.judging import FitnessLimits, fit_to_judge, too_dark
from edge.vision.picture import Pixels
from edge.vision.reasons import Dropped

HEIGHT, WIDTH = 360, 640


def street() -> Pixels:
    """Soft light over things with sharp edges."""
    random = np.random.default_rng(5)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    light = 120 + 40 * np.sin(columns / 90) + 20 * np.cos(rows / 50)
    scene = np.repeat(light[:, :, None], 3, axis=2)
    for _ in range(400):
        left, top = random.integers(0, WIDTH), random.integers(0, HEIGHT)
        wide, high = random.integers(8, 60, 2)
        scene[top : top + high, left : left + wide] = random.integers(20, 230, 3)
    return np.asarray(np.clip(scene + random.normal(0, 2, scene.shape), 0, 255), np.uint8)


STREET = street()


def scaled(gain: float, lift: float = 0.0) -> Pixels:
    return np.asarray(np.clip(STREET * gain + lift, 0, 255), np.uint8)


def reddened(gain: float) -> Pixels:
    """As skin is in the sun: clipped in red alone, and far from white in grey."""
    return np.asarray(np.clip(STREET * np.array([1.0, 1.0, gain]), 0, 255), np.uint8)


def even(value: float) -> Pixels:
    noise = np.random.default_rng(3).normal(value, 1.0, STREET.shape)
    return np.clip(noise, 0, 255).astype(np.uint8)


def blurred(width: float, picture: Pixels = STREET) -> Pixels:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), width), np.uint8)


def moved(by: int, axis: int = 1) -> Pixels:
    return np.asarray(cv2.blur(STREET, (by, 1) if axis else (1, by)), np.uint8)


def noisy(picture: Pixels, deviation: float) -> Pixels:
    noise = np.random.default_rng(4).normal(0, deviation, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (STREET, None),
        (scaled(0.3), None),
        (scaled(0.05), Dropped.DARK),
        (even(0), Dropped.DARK),
        (noisy(scaled(0.04), 1.5), Dropped.DARK),
        (scaled(1.05), None),
        (scaled(3.0), Dropped.BRIGHT),
        (reddened(1.6), Dropped.BRIGHT),
        (even(255), Dropped.BRIGHT),
        (scaled(0.3, 90), None),
        (scaled(0.06, 120), Dropped.FLAT),
        (even(60), Dropped.FLAT),
        (noisy(even(60), 5), Dropped.FLAT),
        (blurred(1), None),
        (blurred(3), Dropped.BLURRED),
        (noisy(blurred(3), 5), Dropped.BLURRED),
        (noisy(blurred(3), 12), Dropped.BLURRED),
        (noisy(blurred(8), 12), Dropped.BLURRED),
        (noisy(blurred(8), 20), Dropped.BLURRED),
        (noisy(blurred(1), 12), None),
        (blurred(15), Dropped.BLURRED),
        (blurred(25), Dropped.BLURRED),
        (blurred(4, scaled(0.4, 60)), Dropped.BLURRED),
        (moved(3), None),
        (moved(6), Dropped.BLURRED),
        (moved(15), Dropped.BLURRED),
        (moved(15, axis=0), Dropped.BLURRED),
        (noisy(STREET, 15), None),
        (noisy(STREET, 45), Dropped.NOISY),
        (noisy(scaled(0.22), 5), None),
        (noisy(scaled(0.22), 14), Dropped.NOISY),
        (STREET[:63], Dropped.TOO_SMALL),
        (STREET[:0], Dropped.TOO_SMALL),
        (STREET[:, :, 0], Dropped.DAMAGED),
        (STREET.astype(np.float32), Dropped.DAMAGED),
        (np.dstack([STREET, STREET[:, :, :1]]), Dropped.DAMAGED),
        (np.zeros((4320, 7680, 3), np.uint8), Dropped.TOO_LARGE),
    ],
)
def test_a_picture_is_dropped_for_what_makes_a_detector_blind(
    picture: Pixels, reason: Dropped | None
) -> None:
    assert fit_to_judge(picture) == reason


def test_of_a_lens_half_covered_the_other_half_is_kept() -> None:
    half = STREET.copy()
    half[:, : WIDTH // 2] = even(60)[:, : WIDTH // 2]
    assert fit_to_judge(half) is None


def test_under_a_white_sky_the_street_is_kept() -> None:
    sky = STREET.copy()
    sky[: HEIGHT // 2] = 255
    assert fit_to_judge(sky) is None


def test_noise_under_a_white_sky_is_seen() -> None:
    sky = noisy(scaled(0.5), 30)
    sky[: HEIGHT // 4] = 255
    assert fit_to_judge(sky) is Dropped.NOISY


def test_at_night_what_is_lit_is_kept_and_what_is_dark_is_filled() -> None:
    night = noisy(scaled(0.03), 1)
    lit = slice(120, 280), slice(240, 480)
    night[lit] = STREET[lit]
    assert fit_to_judge(night) is None
    left_open = np.ones((HEIGHT, WIDTH), bool)
    for left, top, right, bottom in too_dark(night).tolist():
        left_open[top:bottom, left:right] = False
    assert left_open[lit].all()
    assert left_open.sum() < 1.3 * left_open[lit].size


def test_noise_in_the_dark_does_not_drop_what_is_lit() -> None:
    night = noisy(scaled(0.22), 14)
    lit = slice(60, 300), slice(120, 520)
    night[lit] = STREET[lit]
    assert fit_to_judge(night) is None


def test_a_few_lights_alone_are_too_dark() -> None:
    night = noisy(scaled(0.03), 1)
    for left in range(40, WIDTH, 150):
        cv2.circle(night, (left, 100), 8, (255, 255, 255), -1)
    assert fit_to_judge(night) is Dropped.DARK


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("side", [1, 2, 8])
def test_a_pattern_without_anything_even_is_not_judged_sharp(side: int) -> None:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    board = ((rows // side + columns // side) % 2 * 200).astype(np.uint8)
    assert fit_to_judge(np.repeat(board[:, :, None], 3, axis=2)) is not None


def test_nothing_is_filled_by_day() -> None:
    assert too_dark(STREET).shape == (0, 4)


def test_limits_can_be_set() -> None:
    assert fit_to_judge(STREET, FitnessLimits(side_least_px=400)) is Dropped.TOO_SMALL
