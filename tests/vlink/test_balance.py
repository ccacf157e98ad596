"""Whatever line, board and gateway do, the account balances and agrees with what the board counted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.account import Hop
from edge.bus.source import WAITING
from edge.bus.vlink import board_report
from edge.bus.vlink import source as naming
from edge.bus.vlink.board_report import Member
from tests.vlink.desk import Desk

_WHAT = ("offer", "offer", "offer", "read", "flip", "drop", "reset", "unplug", "plug", "stall", "overrun")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    board_report.logger.disabled = True
    yield
    board_report.logger.disabled = False


class Campaign:
    """Lets things happen to two buses, and knows what the board took of each in all its boots."""

    def __init__(self, first_number: int) -> None:
        self.desk = Desk(Member("pt", 0), Member("body", 1), first_number=first_number)
        self.first_number = first_number
        self.took = [0, 0]

    def happen(self, what: str, bus: int, count: int) -> None:
        desk = self.desk
        match what:
            case "offer":
                desk.board.offer(bus, count)
            case "overrun":
                desk.board.overrun(bus, count)
            case "read":
                desk.read(count / 400)
            case "stall":
                desk.pass_time(count / 100)
            case "reset":
                self.count_in()
                desk.board.first_number = 0
                desk.board.reset()
            case "flip":
                desk.line.flips = 1 + count % 5
            case "drop":
                desk.line.drops = 1
            case "unplug":
                desk.unplug()
            case "plug":
                desk.plugged = True

    def count_in(self) -> None:
        """Add what the board took in this boot."""
        for place, one in enumerate(self.desk.board.buses):
            self.took[place] += one.accepted - self.desk.board.first_number

    def settle(self) -> Hop:
        """Let all come that can, and a last frame of each bus."""
        desk = self.desk
        desk.plugged = True
        desk.line.flips = desk.line.drops = 0
        desk.read(10)
        for bus in (0, 1):
            desk.board.offer(bus, 1)
        desk.read(2)
        self.count_in()
        return desk.source.hop()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(_WHAT), st.integers(0, 1), st.integers(1, 400)), max_size=40),
    st.sampled_from([0, 0xFFFF_FF80]),
)
def test_the_account_balances_against_what_the_board_counted(
    happened: list[tuple[str, int, int]], first_number: int
) -> None:
    campaign = Campaign(first_number)
    for one in happened:
        campaign.happen(*one)
        assert campaign.desk.source.hop().balanced
    hop = campaign.settle()

    assert hop.balanced
    assert WAITING not in hop.set_aside
    assert naming.STEPS_BACK not in hop.facts
    frames = campaign.desk.frames()
    for place in (0, 1):
        steps = np.diff(np.array(campaign.desk.numbers(place), np.uint32))
        assert ((steps > 0) & (steps < 1 << 31)).all()
        assert (np.diff(frames.t_ns[frames.bus == place]) >= 0).all()

    board = campaign.desk.board
    overruns = hop.set_aside.get(naming.OVERRUN, 0)
    before = max(0, hop.facts.get(naming.BEFORE_RUN, 0) - 2 * first_number)
    told = hop.entered - overruns + before + hop.at_least.get(naming.IN_RESETS, 0)
    if board.boot > 1:
        assert told <= sum(campaign.took)
        return
    assert told == sum(campaign.took)
    assert overruns + hop.facts.get(naming.OVERRUNS_BEFORE, 0) == sum(one.overruns for one in board.buses)
    assert naming.RING_OR_LINE not in hop.set_aside
    if not before:
        assert hop.set_aside.get(naming.IN_RING, 0) == sum(one.dropped for one in board.buses)
