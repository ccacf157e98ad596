"""Crowds: where many faces of about one size stand close, less is asked of one that is in doubt."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.vision.faces_crowds import in_crowd


def faces(count: int, *, side: float = 40.0, apart: float = 50.0) -> NDArray[np.float32]:
    """So many boxes around (0, 0), in rows of three, none in the middle."""
    middles = [(x * apart, y * apart) for y in (-1, 0, 1) for x in (-1, 0, 1) if (x, y) != (0, 0)]
    boxes = [(x - side / 2, y - side / 2, x + side / 2, y + side / 2) for x, y in middles[:count]]
    return np.array(boxes, np.float32).reshape(-1, 4)


IN_THE_MIDDLE = np.array([[-20, -20, 20, 20]], np.float32)


@pytest.mark.parametrize(
    ("around", "crowded"),
    [
        (faces(8), True),
        (faces(7), False),
        (faces(0), False),
        (faces(8, apart=119), True),
        (faces(8, apart=121), False),
        (faces(8, side=79), True),
        (faces(8, side=81), False),
        (faces(8, side=21), True),
        (faces(8, side=19), False),
    ],
)
def test_eight_faces_of_about_its_size_around_a_box_are_a_crowd(
    around: NDArray[np.float32], crowded: bool
) -> None:
    assert in_crowd(IN_THE_MIDDLE, around).tolist() == [crowded]


def test_each_box_is_judged_by_what_is_around_it() -> None:
    far_away = IN_THE_MIDDLE + 1000
    assert in_crowd(np.concatenate([far_away, IN_THE_MIDDLE]), faces(8)).tolist() == [False, True]
    assert in_crowd(np.empty((0, 4), np.float32), faces(8)).tolist() == []
