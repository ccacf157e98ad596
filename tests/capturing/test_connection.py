"""The socket between capture and core: everything sent arrives in order, however long either side waits."""

from __future__ import annotations

import fcntl
import resource
import socket
from collections.abc import Iterator

import pytest

from edge.capturing.connection import EXACT_S, Connection
from edge.capturing.message import Done, Message, Told

MANY = 400
BEYOND_SELECT = 1024


@pytest.fixture(name="both", params=["low", "high"])
def connected(request: pytest.FixtureRequest) -> Iterator[tuple[Connection, Connection]]:
    """Both ends, once with descriptors so high that not every way to wait takes them."""
    ends = socket.socketpair()
    if request.param == "high":
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit[0] < BEYOND_SELECT + 100:
            pytest.skip("so many descriptors are not allowed here")
        for end in ends:
            number = fcntl.fcntl(end.fileno(), fcntl.F_DUPFD_CLOEXEC, BEYOND_SELECT)
            end.close()
            ends = (*ends[1:], socket.socket(fileno=number))
    with Connection(ends[0]) as ours, Connection(ends[1]) as theirs:
        yield ours, theirs


@pytest.mark.parametrize("wait_s", [0.0, EXACT_S / 4, EXACT_S * 4])
def test_what_the_other_side_does_not_take_at_once_arrives_in_order(
    both: tuple[Connection, Connection], wait_s: float
) -> None:
    ours, theirs = both
    sent: list[Message] = [Told(20, f"{number} {'x' * 1900}") for number in range(MANY)]
    ours.send(*sent)
    assert ours.unsent_bytes
    arrived: list[Message] = []
    while len(arrived) < len(sent):
        ours.exchange(wait_s if ours.unsent_bytes else 0)
        arrived += theirs.exchange(wait_s)
    assert arrived == sent
    assert not ours.unsent_bytes
    assert not ours.exchange(wait_s)
    assert not ours.ended


@pytest.mark.parametrize("wait_s", [EXACT_S / 4, EXACT_S * 4])
def test_what_was_sent_before_the_end_is_received_and_then_the_end_is_seen(
    both: tuple[Connection, Connection], wait_s: float
) -> None:
    ours, theirs = both
    theirs.send(Done(1))
    theirs.close()
    assert tuple(ours.exchange(wait_s)) == (Done(1),)
    assert not ours.exchange(wait_s)
    assert ours.ended
