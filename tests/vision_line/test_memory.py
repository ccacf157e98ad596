"""What is found in one frame is hidden in those around it; memory only ever adds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import NS_PER_S
from edge.vision.boxes import Boxes, Subject
from edge.vision.memory import Memory, MemorySettings
from edge.vision.redaction import masks_of
from tests.vision_line.scripted import faces, plates

HEIGHT, WIDTH = 240, 320
PERIOD_S = 0.2


def ns(t_s: float) -> int:
    return round(t_s * NS_PER_S)


def recalled(found: list[Boxes], settings: MemorySettings, times: list[float] | None = None) -> list[Boxes]:
    """What is to be hidden in each frame, when all are known that a line would have waited for."""
    times = times or [number * PERIOD_S for number in range(len(found))]
    memory, asked = Memory(settings), 0
    out: list[Boxes] = []
    for t_s, boxes in zip(times, found, strict=True):
        memory.add(ns(t_s), boxes)
        while ns(t_s) - ns(times[asked]) >= ns(settings.ahead_s) and len(out) < len(found):
            out.append(memory.recall(ns(times[asked])))
            memory.forget(ns(times[asked]))
            asked += 1
            if asked == len(times):
                break
    return out + [memory.recall(ns(t_s)) for t_s in times[asked:]]


def hidden(boxes: Boxes) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """(height, width) which pixels are filled."""
    filled = np.zeros((HEIGHT, WIDTH), bool)
    for left, top, right, bottom in masks_of(boxes, HEIGHT, WIDTH).tolist():
        filled[top:bottom, left:right] = True
    return filled


def covers(boxes: Boxes, corners: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = np.round(corners).astype(int)
    return bool(hidden(boxes)[top:bottom, left:right].all())


def at(x: float, y: float = 50.0, side: float = 24.0) -> tuple[float, float, float, float]:
    return x, y, x + side, y + side


def test_a_face_in_frames_3_and_7_is_hidden_from_0_to_10() -> None:
    found = [faces(at(100)) if number in {3, 7} else faces() for number in range(13)]
    shown = [covers(boxes, at(100)) for boxes in recalled(found, MemorySettings())]
    assert shown == [True] * 11 + [False] * 2


def test_without_memory_only_what_is_found_is_hidden() -> None:
    found = [faces(at(100)) if number in {3, 7} else faces() for number in range(10)]
    assert [len(boxes) for boxes in recalled(found, MemorySettings.off())] == [0, 0, 0, 1, 0, 0, 0, 1, 0, 0]


@given(
    st.floats(-250, 250),
    st.floats(-100, 100),
    st.floats(10, 40),
    st.lists(st.booleans(), min_size=4, max_size=14),
)
def test_a_steady_motion_is_covered_wherever_it_is_not_found(
    speed: float, rise: float, side: float, seen: list[bool]
) -> None:
    """Two finds to know the motion by, then gaps of up to two frames."""
    ahead, way = 0, []
    for number, one in enumerate([True, True, *seen, True]):
        ahead = 0 if one or ahead == 2 else ahead + 1
        way.append(ahead == 0)
        if not way[number] and abs(speed) > side * 4:
            way[number] = True
    truth = [
        at(150 + speed * n * PERIOD_S * 0.1, 100 + rise * n * PERIOD_S * 0.1, side) for n in range(len(way))
    ]
    found = [faces(corners) if one else faces() for corners, one in zip(truth, way, strict=True)]
    for boxes, corners in zip(recalled(found, MemorySettings()), truth, strict=True):
        assert covers(boxes, corners)


def test_a_fast_motion_is_covered_between_two_finds() -> None:
    truth = [at(20 + 25 * number) for number in range(9)]
    found = [faces(truth[number]) if number not in {3, 4, 6} else faces() for number in range(9)]
    for boxes, corners in zip(recalled(found, MemorySettings()), truth, strict=True):
        assert covers(boxes, corners)


def test_what_moves_is_hidden_where_it_went_after_it_was_last_found() -> None:
    truth = [at(20 + 22 * number) for number in range(6)]
    found = [faces(truth[number]) if number < 4 else faces() for number in range(6)]
    for boxes, corners in zip(recalled(found, MemorySettings()), truth, strict=True):
        assert covers(boxes, corners)


def test_two_that_cross_are_both_hidden_all_the_way() -> None:
    truth = [(at(20 + 20 * n), at(180 - 20 * n, 52)) for n in range(9)]
    found = [faces(*pair) if n not in {3, 4, 5} else faces() for n, pair in enumerate(truth)]
    for boxes, pair in zip(recalled(found, MemorySettings()), truth, strict=True):
        assert covers(boxes, pair[0])
        assert covers(boxes, pair[1])


def test_lost_frames_do_not_make_memory_reach_further() -> None:
    """Time counts, not frames: the frame after a pause of two seconds is another scene to memory."""
    found = [faces(at(100)), faces(), faces()]
    shown = [len(boxes) for boxes in recalled(found, MemorySettings(), [0.0, 0.5, 2.5])]
    assert shown == [1, 1, 0]


def test_a_box_that_is_remembered_grows_with_its_age() -> None:
    found = [faces(at(100)), faces(), faces(), faces()]
    areas = [int(hidden(boxes).sum()) for boxes in recalled(found, MemorySettings())]
    assert areas[0] < areas[1] < areas[2] < areas[3]


def test_what_is_remembered_goes_with_the_scene() -> None:
    memory = Memory(MemorySettings())
    memory.add(0, faces(at(100)))
    memory.add(ns(0.2), faces(), scene=(60.0, 0.0))
    memory.add(ns(0.4), faces(), scene=(120.0, 10.0))
    assert covers(memory.recall(ns(0.4)), at(220, 60))
    assert covers(memory.recall(ns(0.2)), at(160))
    assert covers(memory.recall(0), at(100))


def test_a_turn_that_ends_a_track_in_the_picture_does_not_end_it_in_the_scene() -> None:
    """The camera turns by three widths of a face from frame to frame, and back."""
    memory = Memory(MemorySettings())
    turned = [0.0, 80.0, 160.0, 80.0, 0.0]
    for number, x in enumerate(turned):
        memory.add(ns(number * 0.1), faces(at(50 + x)) if number != 2 else faces(), scene=(x, 0.0))
    assert covers(memory.recall(ns(0.2)), at(210))


def test_one_thing_is_hidden_by_one_box_where_picture_and_scene_agree() -> None:
    memory = Memory(MemorySettings())
    for number in range(9):
        memory.add(ns(number * 0.1), faces(at(100.7 + 3.1 * number)), scene=(10_000.3, -4_000.1))
    assert [len(memory.recall(ns(number * 0.1))) for number in range(9)] == [1] * 9


def test_what_was_found_in_doubt_is_held_less_long() -> None:
    for score, frames in ((0.9, 3), (0.35, 1)):
        found = [faces(at(100), score=score), *[faces()] * 5]
        shown = [len(boxes) for boxes in recalled(found, MemorySettings())]
        assert shown == [1] * (1 + frames) + [0] * (5 - frames)
    twice = [faces(at(100), score=0.4)] * 2 + [faces()] * 4
    assert [len(boxes) for boxes in recalled(twice, MemorySettings())] == [1] * 5 + [0]


def test_nothing_is_carried_over_a_cut() -> None:
    memory = Memory(MemorySettings())
    memory.add(0, faces(at(100)))
    memory.add(ns(0.2), faces(at(200)), cut=True)
    assert len(memory.recall(0)) == 1
    assert len(memory.recall(ns(0.2))) == 1


def test_a_face_does_not_become_a_plate() -> None:
    found = [faces(at(100)), plates(at(100)), faces()]
    for boxes in recalled(found, MemorySettings()):
        assert {*boxes.subjects.tolist()} == {Subject.FACE, Subject.PLATE}


def test_time_that_stands_still_is_refused() -> None:
    memory = Memory()
    memory.add(5, faces())
    with pytest.raises(ValueError, match="order"):
        memory.add(5, faces())


a_box = st.tuples(st.floats(-20, 300), st.floats(-20, 220), st.floats(0, 80), st.floats(0, 80)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)
some_frames = st.lists(
    st.tuples(st.floats(0.001, 1.5), st.lists(a_box, max_size=4), st.lists(a_box, max_size=2)),
    min_size=1,
    max_size=12,
)


@given(some_frames)
def test_memory_hides_all_that_is_hidden_without_it(
    frames: list[tuple[float, list[tuple[float, ...]], list[tuple[float, ...]]]],
) -> None:
    times = np.cumsum([pause for pause, _, _ in frames]).tolist()
    found = [Boxes.joined([faces(*some), plates(*others)]) for _, some, others in frames]
    without = recalled(found, MemorySettings.off(), times)
    for own, less, more in zip(found, without, recalled(found, MemorySettings(), times), strict=True):
        assert (hidden(own) == hidden(less)).all()
        assert (hidden(more) >= hidden(less)).all()


@given(some_frames, st.data())
def test_a_scene_that_was_seen_to_move_otherwise_than_it_did_opens_nothing(
    frames: list[tuple[float, list[tuple[float, ...]], list[tuple[float, ...]]]], data: st.DataObject
) -> None:
    """Whatever the scene is said to do, what is followed in the picture alone is hidden."""
    misled, still = Memory(), Memory(MemorySettings(hold_s=0.3))
    t_ns = 0
    for pause, some, others in frames:
        t_ns += ns(pause)
        scene = data.draw(st.tuples(st.floats(-400, 400), st.floats(-400, 400)))
        boxes = Boxes.joined([faces(*some), plates(*others)])
        misled.add(t_ns, boxes, scene=scene)
        still.add(t_ns, boxes)
        assert (hidden(misled.recall(t_ns)) >= hidden(still.recall(t_ns))).all()


def test_memory_is_bounded_by_its_reach() -> None:
    memory = Memory()
    for number in range(400):
        t_ns = ns(number * 0.1)
        memory.add(t_ns, faces(*[at(float((number * 37 + one * 50) % 290), 10.0 * one) for one in range(8)]))
        memory.forget(t_ns - ns(0.6))
        if number in {100, 399}:
            kept = memory.size
            assert kept < 2 * 8 * 40
