"""Vision keeps to its share of the processor, and never stands still for it."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.clock import NS_PER_S
from edge.vision.pace import CpuShare

BURST_S = 1.0


def spending(share: CpuShare, steps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Offer a picture at each step, of a pause and a cost; (time, cost) of those that were begun."""
    spent = []
    for t_s, (_, cost_s) in zip(accumulate(pause for pause, _ in steps), steps, strict=True):
        t_ns = round(t_s * NS_PER_S)
        if share.take(t_ns):
            share.spent(t_ns, cost_s)
            spent.append((t_s, cost_s))
    return spent


@given(
    st.floats(0.1, 2),
    st.lists(st.tuples(st.floats(0, 1.5), st.floats(0.01, 0.5)), min_size=1, max_size=80),
)
def test_over_any_window_the_share_holds(cores: float, steps: list[tuple[float, float]]) -> None:
    spent = spending(CpuShare(cores, floor_s=1e6, burst_s=BURST_S), steps)
    for first in range(len(spent)):
        for last in range(first, len(spent)):
            window_s = spent[last][0] - spent[first][0]
            total = sum(cost for _, cost in spent[first : last + 1])
            assert total <= cores * (window_s + BURST_S) + spent[last][1] + 1e-6


@given(st.floats(0.01, 0.2), st.lists(st.floats(1, 5), min_size=1, max_size=30))
def test_one_picture_is_taken_in_each_floor_however_dear(cores: float, costs: list[float]) -> None:
    begun = [t_s for t_s, _ in spending(CpuShare(cores, floor_s=3.0), [(0.25, cost) for cost in costs * 4])]
    assert begun[0] == 0.25
    assert all(later - earlier <= 3.0 for earlier, later in pairwise(begun))


@pytest.mark.parametrize("cores", [0.2, 0.5, 1.0])
def test_a_share_is_used_up_where_there_is_enough_to_do(cores: float) -> None:
    share = CpuShare(cores)
    spent = spending(share, [(0.05, 0.15)] * 2_000)
    assert sum(cost for _, cost in spent) == pytest.approx(100 * cores, rel=0.03)
    assert share.refused == 2_000 - len(spent)


def test_no_share_takes_nothing() -> None:
    share = CpuShare(0)
    assert spending(share, [(1.0, 0.1)] * 100) == []
    assert share.refused == 100


def test_a_stall_is_made_up_for_in_bounded_time() -> None:
    share = CpuShare(0.5, floor_s=1e6)
    share.take(0)
    share.spent(0, 10_000)
    assert not share.may(59 * NS_PER_S)
    assert share.may(60 * NS_PER_S)


def test_asking_changes_nothing() -> None:
    share = CpuShare(1)
    assert all(share.may(0) for _ in range(50))
    share.take(0)
    share.spent(0, 5)
    assert not any(share.may(NS_PER_S) for _ in range(50))
    assert share.refused == 0
