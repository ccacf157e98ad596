"""Where the scene lies in a picture is seen from the pictures alone; nothing of who is in them is kept."""

import cv2
import numpy as np
import pytest

from edge.vision.picture import Pixels
from edge.vision.scene_motion import SceneMotion

HEIGHT, WIDTH = 360, 640
NOTHING = np.empty((0, 4), np.int32)


def scenery() -> Pixels:
    """Wider and higher than what is seen of it."""
    random = np.random.default_rng(2)
    coarse = random.integers(0, 256, (30, 50, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (1000, 600), interpolation=cv2.INTER_CUBIC), np.uint8)


SCENERY = scenery()


def seen(right: int, down: int) -> Pixels:
    """The scene, moved to the right and down."""
    left, top = 180 - right, 120 - down
    return SCENERY[top : top + HEIGHT, left : left + WIDTH].copy()


def test_a_turn_adds_up_over_pictures() -> None:
    motion = SceneMotion()
    for right, down in ((0, 0), (40, 0), (90, -12), (30, 20)):
        glance = motion.look(seen(right, down))
        motion.keep(glance, NOTHING, HEIGHT, WIDTH)
        assert glance.scene == pytest.approx((right, down), abs=4)


def test_what_is_dropped_in_between_is_passed_over() -> None:
    motion = SceneMotion()
    motion.keep(motion.look(seen(0, 0)), NOTHING, HEIGHT, WIDTH)
    motion.look(seen(50, 0))
    assert motion.look(seen(20, 0)).scene == pytest.approx((20, 0), abs=4)


def test_another_scene_and_an_even_wall_are_taken_to_lie_where_it_lay() -> None:
    motion = SceneMotion()
    motion.keep(motion.look(seen(0, 0)), NOTHING, HEIGHT, WIDTH)
    glance = motion.look(seen(40, 10))
    motion.keep(glance, NOTHING, HEIGHT, WIDTH)
    other = np.random.default_rng(9).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    assert motion.look(other).scene == glance.scene
    assert motion.look(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).scene == glance.scene
    motion.forget()
    assert motion.look(seen(0, 0)).scene == glance.scene


def test_what_was_filled_is_averaged_in_what_is_kept_and_what_is_not_kept_any_more_is_overwritten() -> None:
    motion = SceneMotion()
    glance = motion.look(seen(0, 0))
    motion.keep(glance, np.array([[101, 53, 240, 180]], np.int32), HEIGHT, WIDTH)
    assert glance.small[53 // 4 : 180 // 4, 101 // 4 : 240 // 4].std() == 0
    assert glance.small.std() > 20
    again = motion.look(seen(8, 0))
    motion.keep(again, NOTHING, HEIGHT, WIDTH)
    assert not glance.small.any()
    motion.forget()
    assert not again.small.any()


def test_it_stays_within_what_is_counted_exactly() -> None:
    motion = SceneMotion()
    for _ in range(3):
        motion.keep(motion.look(seen(0, 0)), NOTHING, HEIGHT, WIDTH)
        motion._scene = (float(1 << 20) - 5, 0.0)
        assert abs(motion.look(seen(40, 0)).scene[0]) <= 1 << 20
