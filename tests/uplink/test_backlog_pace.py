"""What answers let the backlog do, one by one."""

from __future__ import annotations

import pytest

from edge.uplink.backlog_pace import LARGEST_PAYLOAD, BacklogPace
from edge.uplink.link_estimate import Answer, LinkEstimate

FULL = 4_096 + 50
MS = 1_000_000


class Line:
    """A pace, and an even line that carries messages one after the other and answers each."""

    def __init__(self, bytes_per_s: float, round_trip_ms: float, *, fixed: bool = False) -> None:
        self.pace = BacklogPace(4_096, fixed=fixed)
        self.bytes_per_s = bytes_per_s
        self.round_trip_ns = round(round_trip_ms * MS)
        self.now_ns = 0
        self._token = 0

    def carry(self, size: int, *, paced: bool = True) -> None:
        """Send one message and have it answered, with nothing else in flight."""
        token = self.send(size, paced=paced)
        self.answer(token, self.round_trip_ns + round(size * 1e9 / self.bytes_per_s))

    def send(self, size: int, *, paced: bool = True) -> int:
        self._token += 1
        self.pace.sent(self._token, size, self.now_ns, paced=paced)
        return self._token

    def answer(self, token: int, after_ns: int) -> None:
        self.now_ns += after_ns
        self.pace.answered(token, self.now_ns)

    def admits(self, size: int = FULL) -> bool:
        return self.pace.admits(size, self.now_ns)

    def learn(self, messages: int = 200) -> None:
        """Have a status answered, and then backlog, as much as is let go; nothing is in flight at the end."""
        self.carry(200, paced=False)
        answers: list[tuple[int, int]] = []
        free_ns = self.now_ns
        while messages or answers:
            size = self.pace.largest_payload + 50
            if messages and self.admits(size):
                messages -= 1
                free_ns = max(self.now_ns, free_ns) + round(size * 1e9 / self.bytes_per_s)
                answers.append((free_ns + self.round_trip_ns, self.send(size)))
                continue
            resume_ns = self.pace.resume_ns() if messages else None
            if answers and (resume_ns is None or answers[0][0] <= resume_ns):
                at_ns, token = answers.pop(0)
                self.answer(token, at_ns - self.now_ns)
            elif resume_ns is not None:
                self.now_ns = resume_ns


def fast() -> Line:
    line = Line(1_250_000, 100)
    line.learn()
    return line


def test_a_connection_begins_with_one_message_of_4_kb() -> None:
    line = Line(1_250_000, 100)
    assert line.pace.largest_payload == 4_096
    assert line.admits()
    line.send(FULL)
    assert not line.admits()
    assert not line.pace.open(line.now_ns)


def test_nothing_follows_the_status_before_its_answer() -> None:
    line = Line(8_000, 100)
    token = line.send(200, paced=False)
    assert not line.admits()
    line.answer(token, 125 * MS)
    assert line.admits()


def test_small_messages_share_the_room_of_one() -> None:
    line = Line(8_000, 100)
    line.carry(200, paced=False)
    for _ in range(4):
        assert line.admits(1_000)
        line.send(1_000)
    assert not line.admits(1_000)


def test_what_is_urgent_takes_no_room() -> None:
    line = Line(8_000, 100)
    line.carry(200, paced=False)
    line.send(20_000, paced=False)
    assert line.admits()


@pytest.mark.parametrize(
    ("bytes_per_s", "round_trip_ms", "more"),
    [
        (8_000, 100, False),
        (8_000, 20, False),
        (8_000, 600, False),
        (32_000, 20, False),
        (32_000, 100, True),
        (1_250_000, 100, True),
    ],
)
def test_more_is_open_only_where_one_message_leaves_the_link_idle(
    bytes_per_s: float, round_trip_ms: float, more: bool
) -> None:
    line = Line(bytes_per_s, round_trip_ms)
    line.learn()
    line.send(FULL)
    line.now_ns += round(1.3 * FULL * 1e9 / bytes_per_s)
    assert line.admits() is more


def test_the_next_message_goes_when_the_one_before_has_left() -> None:
    line = Line(32_000, 100)
    line.learn()
    line.send(FULL)
    assert not line.admits()
    resume_ns = line.pace.resume_ns()
    assert resume_ns is not None
    assert 0.8 < (resume_ns - line.now_ns) / (FULL * 1e9 / 32_000) < 1.2
    assert line.pace.admits(FULL, resume_ns)
    assert line.pace.resume_ns() is None


def test_a_fast_link_gets_larger_messages_up_to_64_kb() -> None:
    assert 4_096 < fast().pace.largest_payload < 16_000
    line = Line(125_000_000, 100)
    line.learn(1_000)
    assert line.pace.largest_payload == LARGEST_PAYLOAD


@pytest.mark.parametrize("paced", [True, False], ids=["backlog", "live"])
def test_one_slow_answer_puts_it_back_at_once(paced: bool) -> None:
    line = fast()
    assert line.pace.largest_payload > 4_096
    line.answer(line.send(500, paced=paced), 300 * MS)
    assert line.pace.largest_payload == 4_096
    line.send(FULL)
    line.now_ns += 50 * MS
    assert not line.admits(500)


def test_nothing_more_goes_while_an_answer_is_overdue() -> None:
    line = fast()
    line.send(FULL)
    line.now_ns += 90 * MS
    assert line.admits()
    line.now_ns += 200 * MS
    assert not line.admits()


def test_a_new_connection_knows_nothing_of_the_one_before() -> None:
    line = fast()
    line.send(FULL)
    line.pace.begin()
    assert line.pace.largest_payload == 4_096
    assert line.admits(60_000)
    line.send(FULL)
    assert not line.admits()


def test_a_larger_message_goes_alone() -> None:
    line = Line(8_000, 100)
    assert line.admits(60_000)
    line.send(100)
    assert not line.admits(60_000)


def test_now_and_then_a_small_message_goes_alone_to_measure_the_way() -> None:
    line = fast()
    line.now_ns += 11_000 * MS
    token = line.send(FULL)
    line.now_ns += 50 * MS
    assert not line.pace.open(line.now_ns)
    assert line.pace.largest_payload == 1_024
    line.answer(token, 53 * MS)
    assert line.pace.open(line.now_ns)
    line.carry(1_074)
    assert line.pace.open(line.now_ns)
    assert line.pace.largest_payload > 4_096


def test_a_fixed_pace_learns_nothing() -> None:
    line = Line(1_250_000, 100, fixed=True)
    line.learn()
    assert line.pace.largest_payload == 4_096
    line.send(FULL)
    line.now_ns += 50 * MS
    assert not line.admits()


def test_a_lucky_answer_makes_it_no_bolder_than_half_as_much_again() -> None:
    estimate = LinkEstimate()
    estimate.take(Answer(200, 0, 125 * MS, 200, 0, unladen=True, paced=False))
    lucky = Answer(FULL, 200 * MS, 326 * MS, FULL, 200 * MS, unladen=True, paced=True)
    estimate.take(lucky)
    assert estimate.bytes_per_s == pytest.approx(1.5 * lucky.delivery_bytes_per_s)
