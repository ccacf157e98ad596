"""Out of a stream come the pictures that are asked for, with their neighbours, and no others."""

from hypothesis import given
from hypothesis import strategies as st

from edge.vision.picture import Picture
from edge.vision.reasons import Dropped
from edge.vision.wanted import PERIODIC, REQUEST, Chosen, Stills, StillSettings
from tests.vision_line.scripted import picture


def through(stills: Stills, pictures: list[Picture]) -> list[tuple[int, tuple[str, ...]]]:
    chosen: list[Chosen] = []
    for one in pictures:
        chosen += stills.add(one)
    return [(one.picture.number, one.causes) for one in chosen]


def at_5_hz(count: int) -> list[Picture]:
    return [picture(number, number * 0.2) for number in range(count)]


def test_one_picture_a_period_goes_out_between_its_neighbours() -> None:
    stills = Stills("front", StillSettings(every_s=2.0))
    assert through(stills, at_5_hz(23)) == [
        (0, (PERIODIC,)),
        (1, ()),
        (9, ()),
        (10, (PERIODIC,)),
        (11, ()),
        (19, ()),
        (20, (PERIODIC,)),
        (21, ()),
    ]


def test_what_is_not_asked_for_is_overwritten_and_counted() -> None:
    pictures = at_5_hz(6)
    stills = Stills("front", StillSettings())
    assert through(stills, pictures) == []
    assert [bool(one.pixels.any()) for one in pictures] == [False] * 5 + [True]
    assert stills.hop().set_aside == {str(Dropped.NOT_WANTED): 5}
    stills.discard(Dropped.STOPPED)
    assert not pictures[5].pixels.any()
    assert stills.hop().balanced


def test_a_request_takes_the_next_picture() -> None:
    stills = Stills("front", StillSettings(around=0))
    assert through(stills, at_5_hz(2)) == []
    assert stills.request()
    assert through(stills, [picture(2, 0.4), picture(3, 0.6)]) == [(2, (REQUEST,))]


def test_requests_beyond_a_bound_are_refused() -> None:
    stills = Stills("front", StillSettings(requests_most=2))
    assert [stills.request() for _ in range(3)] == [True, True, False]


def test_a_neighbour_from_another_time_is_none() -> None:
    stills = Stills("front", StillSettings(every_s=60.0, around_s=0.5))
    slow = [picture(number, number * 30.0) for number in range(5)]
    assert through(stills, slow) == [(0, (PERIODIC,)), (2, (PERIODIC,)), (4, (PERIODIC,))]


def test_after_a_pause_the_period_goes_on_in_step() -> None:
    stills = Stills("front", StillSettings(every_s=1.0, around=0))
    times = [0.0, 0.5, 1.1, 1.9, 5.3, 5.9, 6.0]
    chosen = through(stills, [picture(number, t_s) for number, t_s in enumerate(times)])
    assert [times[number] for number, _ in chosen] == [0.0, 1.1, 5.3, 6.0]


@given(
    st.lists(st.tuples(st.floats(0.001, 3), st.booleans()), max_size=40),
    st.one_of(st.none(), st.floats(0.2, 5)),
    st.integers(0, 3),
)
def test_every_picture_goes_on_or_is_overwritten(
    steps: list[tuple[float, bool]], every_s: float | None, around: int
) -> None:
    stills = Stills("front", StillSettings(every_s=every_s, around=around))
    pictures, numbers, t_s = [], [], 0.0
    for number, (pause, asked) in enumerate(steps):
        t_s += pause
        if asked:
            stills.request()
        pictures.append(picture(number, t_s, height=4, width=4, value=9))
        chosen = stills.add(pictures[-1])
        if asked:
            assert chosen[-1].causes
        numbers += [one.picture.number for one in chosen]
        assert stills.hop().balanced
    assert numbers == sorted(set(numbers))
    stills.discard(Dropped.STOPPED)
    assert stills.hop().entered == len(steps)
    assert [one.pixels.any() for one in pictures] == [number in numbers for number in range(len(pictures))]
