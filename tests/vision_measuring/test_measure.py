import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.vision.boxes import Subject
from edge.vision.measuring.annotations import AnnotatedPicture
from edge.vision.measuring.measure import Share, SubjectMeasure, annex_b, covered_shares


def picture(boxes=(), *, task="face", ignore=(), **more) -> AnnotatedPicture:  # type: ignore[no-untyped-def] # noqa: ANN001, ANN003
    return AnnotatedPicture.model_validate(
        {"file": "a.png", "width": 200, "height": 100, "task": task, "boxes": boxes, "ignore": ignore, **more}
    )


def measured(
    one: AnnotatedPicture, masks: list[list[int]], subject: Subject = Subject.FACE
) -> SubjectMeasure:
    measure = SubjectMeasure(subject)
    measure.add(one, np.array(masks, np.int32).reshape(-1, 4), 0.01)
    return measure


def test_a_mask_over_just_half_the_true_box_is_a_detection_and_over_less_is_a_miss() -> None:
    face = picture([[10, 10, 50, 50]])
    assert measured(face, [[10, 10, 30, 50]]).detected == Share(1, 1)
    missed = measured(face, [[10, 10, 29, 50]])
    assert missed.detected == Share(0, 1)
    assert [miss.counts for miss in missed.misses] == [True]
    assert missed.false == Share(0, 1), "it touches the face, so it is no false detection"


@pytest.mark.parametrize(
    ("task", "subject", "size"), [("face", Subject.FACE, 32), ("plate", Subject.PLATE, 16)]
)
def test_the_standard_counts_from_its_size_on_by_the_shorter_side(
    task: str, subject: Subject, size: int
) -> None:
    long = [10, 10, 110, 10 + size]
    assert measured(picture([long], task=task), [], subject).detected == Share(0, 1)
    assert measured(picture([[10, 10, 110, 9.5 + size]], task=task), [], subject).detected == Share(0, 0)


def test_hidden_is_what_all_masks_together_cover_to_four_fifths() -> None:
    face = picture([[10, 10, 50, 50]])
    both = measured(face, [[10, 10, 30, 50], [30, 10, 42, 50]])
    assert both.hidden[32] == Share(1, 1)
    assert both.misses == []
    twice = measured(face, [[10, 10, 41, 50], [10, 10, 41, 50]])
    assert twice.hidden[32] == Share(0, 1), "the same pixels filled twice hide no more"
    assert [miss.counts for miss in twice.misses] == [False], "not hidden, yet detected by the standard"


def test_sizes_are_counted_in_bins_that_hold_their_lower_bound() -> None:
    sides = [7.9, 8, 12, 15.9, 16, 31.9, 32, 64, 128, 300]
    boxes = [[0, 0, side, side] for side in sides]
    measure = measured(picture(boxes, width=400, height=400), [[0, 0, 400, 400]])
    assert {low: share.whole for low, share in measure.hidden.items()} == {
        8: 1, 12: 2, 16: 1, 24: 1, 32: 1, 64: 1, 128: 2,
    }  # fmt: skip
    assert measure.objects == 10
    assert measure.hidden_from(12, 32) == Share(4, 4)
    assert measure.hidden_from(32) == Share(4, 4)


def test_a_mask_that_touches_nothing_true_is_false_and_one_over_what_is_ignored_counts_neither_way() -> None:
    one = picture([[10, 10, 50, 50]], ignore=[[100, 10, 140, 50]])
    measure = measured(one, [[20, 20, 60, 60], [110, 20, 120, 30], [160, 60, 190, 90], [50, 10, 60, 50]])
    assert measure.false == Share(2, 3), (
        "the last one only touches the face's edge and shares no pixel with it"
    )
    assert measure.detected.whole == 1


def test_nothing_is_false_where_more_may_be_there_than_is_marked() -> None:
    measure = measured(picture([[10, 10, 50, 50]], exhaustive=False), [[150, 50, 180, 90]])
    assert measure.false == Share(0, 0)
    assert measure.detected == Share(0, 1)


def test_a_picture_that_nobody_looked_through_for_the_subject_adds_nothing() -> None:
    measure = measured(picture([[10, 10, 50, 50]], task="plate"), [[0, 0, 9, 9]])
    assert (measure.pictures, measure.objects, measure.false) == (0, 0, Share(0, 0))


def test_an_empty_picture_makes_every_mask_false() -> None:
    assert measured(picture(), [[0, 0, 9, 9], [5, 5, 20, 20]]).false == Share(2, 2)


@given(
    box=st.tuples(*[st.floats(0, 12, width=32)] * 2, *[st.floats(0.25, 9, width=32)] * 2),
    masks=st.lists(st.tuples(*[st.integers(-3, 16)] * 2, *[st.integers(0, 9)] * 2), max_size=5),
)
def test_shares_are_exact_also_where_boxes_cut_through_pixels(
    box: tuple[float, float, float, float], masks: list[tuple[int, int, int, int]]
) -> None:
    left, top, wide, high = box
    corners = np.array([[left, top, min(left + wide, 16), min(top + high, 16)]], np.float32)
    fills = np.array([[x, y, x + w, y + h] for x, y, w, h in masks], np.int32).reshape(-1, 4)
    expected, area = 0.0, 0.0
    for y in range(16):
        for x in range(16):
            a, b, c, d = (float(one) for one in corners[0])
            part = max(0, min(x + 1, c) - max(x, a)) * max(0, min(y + 1, d) - max(y, b))
            area += part
            expected += part * any(p <= x < r and q <= y < s for p, q, r, s in fills.tolist())
    assert covered_shares(corners, fills, (16, 16))[0] == pytest.approx(expected / area, abs=1e-5)


def test_the_interval_of_a_rate_is_wilsons() -> None:
    low, high = Share(8, 10).interval
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # as R's binom.wilson has it
    assert Share(0, 0).interval == (0.0, 1.0)
    assert Share(0, 20).interval[0] == 0.0
    assert Share(20, 20).interval[1] == 1.0
    assert Share(20, 20).interval[0] == pytest.approx(0.8389, abs=1e-4)


def test_the_test_set_is_held_against_annex_b() -> None:
    small = {one.name: one.met for one in annex_b([picture([[10, 10, 50, 50]])], [])}
    assert list(small.values()) == [False, False, False, False, None, None]
    face, plate = SubjectMeasure(Subject.FACE), SubjectMeasure(Subject.PLATE)
    face.detected, plate.detected = Share(190, 200), Share(199, 200)
    large = [
        picture([[10, 10, 50, 50]], width=1920, height=1080, sensor=f"cam{number % 2}", t_s=number)
        for number in range(500)
    ]
    assert all(one.met for one in annex_b(large, [face, plate]))
    close = [one.model_copy(update={"t_s": (one.t_s or 0) / 4}) for one in large]
    assert [one.met for one in annex_b(close, [face, plate])] == [True] * 5 + [False]
    lonely = [*large, picture(width=1920, height=1080, sensor="cam2", t_s=0)]
    assert [one.met for one in annex_b(lonely, [face, plate])] == [True] * 4 + [False, True]
