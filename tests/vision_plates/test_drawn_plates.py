"""What the network of plates learns from: plates that show, and what looks like them in every kind."""

import random

import numpy as np
import pytest

from simulator.plates.designs import DESIGNS, SUFFIXES, Design, number_of
from simulator.plates.drawing import draw_plate
from simulator.plates.training.lookalikes import place_distraction
from simulator.plates.training.samples import _with_plates

TWO_LINES = [one for one in DESIGNS if len(one.lines) > 1]


def inked(design: Design, number: tuple[str, ...]) -> int:
    """How many rows of a plate, 120 high, the characters of `number` change."""
    bare = tuple(" " * len(line) for line in number)
    return int((draw_plate(design, number, 120) != draw_plate(design, bare, 120)).any(axis=(1, 2)).sum())


@pytest.mark.parametrize("design", TWO_LINES, ids=lambda one: one.name)
def test_both_lines_of_a_plate_are_drawn_as_high_as_their_shares(design: Design) -> None:
    first, second = number_of(design, random.Random(5))  # noqa: S311 - repeatable
    upper = inked(design, (first, " " * len(second)))
    lower = inked(design, (" " * len(first), second))
    assert upper / (upper + lower) == pytest.approx(design.first_line, abs=0.06)
    assert upper + lower >= 0.5 * 120


def test_suffixes_are_drawn_with_chinese_characters() -> None:
    assert any(line[-1] in SUFFIXES for design in DESIGNS for line in design.lines)


def test_every_kind_of_lookalike_draws_itself_and_never_fails() -> None:
    changed = 0
    for seed in range(120):
        picture = np.full((320, 320, 3), 120, np.uint8)
        place_distraction(picture, random.Random(seed))  # noqa: S311 - repeatable
        changed += bool((picture != 120).any())
    assert changed > 110


def test_nothing_is_drawn_over_a_plate_that_is_there() -> None:
    """A box in which there is nothing teaches the network to take nothing for a plate."""
    there = np.array([130, 140, 190, 165], np.float32)
    drawn = 0
    for seed in range(80):
        picture = np.full((320, 320, 3), 120, np.uint8)
        drawn += bool(_with_plates(picture, [there], random.Random(seed)))  # noqa: S311 - repeatable
        assert (picture[140:165, 130:190] == 120).all(), seed
    assert drawn > 40
