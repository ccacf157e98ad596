"""Steps of the wall clock and later fixes: what is noted, and what is said of times before."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.timekeeping import STEP_NS, TimeChange, TimeWatch

BOOT = b"boot____________"
NONE, RTC, NTP, GNSS = TimeQuality.NONE, TimeQuality.RTC, TimeQuality.NTP, TimeQuality.GNSS
S = NS_PER_S
TRUE_NS = 1_790_000_000 * S
RTC_NS = TRUE_NS - 7_000 * S


def seen(*looks: tuple[int, int, TimeQuality]) -> list[TimeChange | None]:
    """What a watch says of looks, each at a second, with an offset and a quality."""
    watch = TimeWatch(BOOT)
    return [watch.see(at_s * S, Timebase(offset_ns, quality)) for at_s, offset_ns, quality in looks]


def test_the_first_look_and_slewing_say_nothing() -> None:
    looks = [(second, TRUE_NS + second * STEP_NS // 2, NTP) for second in range(10)]
    assert seen(*looks) == [None] * 10


def test_a_step_is_noted_with_its_size_and_corrects_nothing() -> None:
    _, forward, backward = seen((1, TRUE_NS, NTP), (2, TRUE_NS + 5 * S, NTP), (3, TRUE_NS - S, NTP))
    assert forward is not None
    assert backward is not None
    assert (forward.step_ns, backward.step_ns) == (5 * S, -6 * S)
    assert forward.correction is None
    assert backward.correction is None


def test_a_fix_corrects_all_of_the_boot_before_it() -> None:
    _, change = seen((1, RTC_NS, RTC), (90, TRUE_NS, GNSS))
    assert change is not None
    assert change.correction is not None
    correction = change.correction
    assert (correction.boot, correction.from_ns, correction.to_ns) == (BOOT, 0, 90 * S)
    assert correction.timebase == Timebase(TRUE_NS, GNSS)


def test_a_clock_that_was_only_set_by_hand_corrects_nothing() -> None:
    _, change = seen((1, 0, NONE), (9, RTC_NS, RTC))
    assert change is not None
    assert change.correction is None


def test_after_a_lost_fix_the_next_one_corrects_from_the_loss_on() -> None:
    *_, lost, found = seen(
        (1, RTC_NS, RTC), (50, TRUE_NS, GNSS), (100, TRUE_NS, NTP), (200, TRUE_NS + S, GNSS)
    )
    assert lost is not None
    assert lost.correction is None
    assert found is not None
    assert found.correction is not None
    assert (found.correction.from_ns, found.correction.to_ns) == (100 * S, 200 * S)


def test_a_better_fix_corrects_what_a_worse_one_has_corrected() -> None:
    *_, better = seen((1, RTC_NS, RTC), (50, TRUE_NS, NTP), (80, TRUE_NS + S // 4, GNSS))
    assert better is not None
    assert better.correction is not None
    assert (better.correction.from_ns, better.correction.to_ns) == (0, 80 * S)


LOOKS = st.lists(
    st.tuples(st.integers(1, 50), st.integers(-3, 3), st.sampled_from(TimeQuality)), min_size=1, max_size=12
)


@given(LOOKS)
def test_no_time_is_corrected_by_one_that_is_no_better(drawn: list[tuple[int, int, TimeQuality]]) -> None:
    """Every time that a correction is for was stamped with less, and a correction never looks ahead."""
    at_s, looks = 0, []
    for pause_s, offset_s, quality in drawn:
        at_s += pause_s
        looks.append((at_s, TRUE_NS + offset_s * S, quality))
    for place, change in enumerate(seen(*looks)):
        before, now = looks[max(0, place - 1)], looks[place]
        noted = now[2] is not before[2] or abs(now[1] - before[1]) >= STEP_NS
        assert (change is not None) == (place > 0 and noted)
        if change is None or change.correction is None:
            continue
        correction = change.correction
        assert correction.to_ns == now[0] * S
        assert correction.timebase.quality > RTC
        stamped = [one[2] for one, after in pairwise(looks[: place + 1]) if after[0] * S > correction.from_ns]
        assert all(quality < correction.timebase.quality for quality in stamped)
