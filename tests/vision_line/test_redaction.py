"""A box is filled whole, enlarged, with one constant, and nothing else is touched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.vision.boxes import Boxes
from edge.vision.redaction import FILL, destroy, fill, masks_of
from tests.vision_line.scripted import HEIGHT, WIDTH, faces, picture, plates

a_box = st.tuples(
    st.floats(-1e6, 1e6, width=32), st.floats(-1e6, 1e6, width=32), st.floats(0, 100), st.floats(0, 100)
).map(lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3]))
a_box_inside = st.tuples(st.floats(0, 60), st.floats(0, 44), st.floats(0, 30), st.floats(0, 30)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)


@given(st.lists(st.one_of(a_box, a_box_inside), max_size=6), st.floats(0.25, 2))
def test_all_within_an_enlarged_box_is_filled_and_the_rest_is_as_it_was(
    corners: list[tuple[float, ...]], margin: float
) -> None:
    one = picture(1, 0.0)
    before = one.pixels.copy()
    boxes = faces(*corners)
    redacted = fill(one, boxes, margin)
    expected = np.zeros((HEIGHT, WIDTH), bool)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    for left, top, right, bottom in boxes.corners.astype(float).tolist():
        wide, high = (right - left) * margin, (bottom - top) * margin
        expected |= (
            (columns + 1 > left - wide) & (columns < right + wide)
            & (rows + 1 > top - high) & (rows < bottom + high)
        )  # fmt: skip
    filled = np.zeros((HEIGHT, WIDTH), bool)
    for left, top, right, bottom in masks_of(boxes, HEIGHT, WIDTH, margin).tolist():
        filled[top:bottom, left:right] = True
    assert (redacted.pixels[expected] == FILL).all()
    assert (redacted.pixels[filled] == FILL).all()
    assert (redacted.pixels[~filled] == before[~filled]).all()


def test_the_fill_does_not_depend_on_what_was_there() -> None:
    boxes = faces((10, 10, 30, 30))
    dark, light = (fill(picture(0, 0.0, value=value), boxes).pixels for value in (0, 255))
    assert (dark[5:35, 5:35] == light[5:35, 5:35]).all()


def test_a_picture_is_redacted_in_place_so_that_it_is_nowhere_any_more() -> None:
    one = picture(0, 0.0)
    assert fill(one, faces((10, 10, 30, 30))).pixels is one.pixels


def test_faces_and_plates_are_counted_where_they_show() -> None:
    boxes = Boxes.joined([faces((1, 1, 9, 9), (500, 1, 510, 9)), plates((20, 20, 30, 30), (30, 30, 40, 40))])
    redacted = fill(picture(0, 0.0), boxes)
    assert (redacted.faces, redacted.plates) == (1, 2)


@pytest.mark.parametrize("margin", [0.0, 0.2, float("nan")])
def test_a_margin_below_a_quarter_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        masks_of(faces((1, 1, 2, 2)), 48, 64, margin)


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="number"):
        masks_of(faces((1, 1, float("nan"), 2)), 48, 64)


def test_what_is_destroyed_is_zero() -> None:
    one = picture(0, 0.0)
    destroy(one.pixels)
    assert not one.pixels.any()
