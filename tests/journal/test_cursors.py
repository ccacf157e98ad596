"""What a destination was given is the same in memory and in the database, whatever came in between."""

from __future__ import annotations

from collections.abc import Iterable

import apsw
from hypothesis import given
from hypothesis import strategies as st

from edge.journal.cursors import OWN_STREAM, StreamCursor, load_cursors
from edge.journal.database import IN_MEMORY, open_database
from edge.journal.pending import Edit

STREAM = b"stream__________"
LAST = 40
NUMBER = st.integers(1, LAST)
SPAN = st.tuples(NUMBER, NUMBER).map(lambda pair: (min(pair), max(pair)))


def database(alarms: Iterable[tuple[int, int]] = ()) -> apsw.Connection:
    connection = open_database(IN_MEMORY)
    connection.execute("INSERT INTO stream (ordinal, id, last_number) VALUES (1, ?, ?)", (STREAM, LAST))
    for number, (first, last) in enumerate(alarms, start=1):
        connection.execute(
            "INSERT INTO block VALUES (?, 1, 2, 'operation', ?, ?, 0, 1, 0, 1, x'', x'', x'', x'', x'')",
            (number, first, last),
        )
    return connection


def carry_out(connection: apsw.Connection, edits: Iterable[Edit]) -> None:
    for statement, values in edits:
        connection.execute(statement, values)


def numbers(spans: Iterable[tuple[int, int]]) -> list[int]:
    return [number for first, last in spans for number in range(first, last + 1)]


@given(st.lists(st.tuples(st.booleans(), SPAN), max_size=12))
def test_the_database_holds_what_the_cursor_holds(steps: list[tuple[bool, tuple[int, int]]]) -> None:
    connection = database()
    cursor = StreamCursor(OWN_STREAM, STREAM, None, LAST)
    for covering, (first, last) in steps:
        change = cursor.cover if covering else cursor.uncover
        carry_out(connection, change("there", first, last))
        (loaded,) = load_cursors(connection, "there")
        assert list(loaded.covered) == list(cursor.covered)
        assert loaded.waiting == cursor.waiting
    (other,) = load_cursors(connection, "elsewhere")
    assert other.waiting == LAST


@given(st.lists(SPAN, max_size=6), st.lists(SPAN, max_size=6), st.lists(SPAN, max_size=3), NUMBER)
def test_every_number_that_waits_is_offered_as_one_kind(
    covered: list[tuple[int, int]],
    alarms: list[tuple[int, int]],
    late: list[tuple[int, int]],
    live_from: int,
) -> None:
    """Alarms and live records from `live_from` on, everything else as backlog; covering each ends it."""
    cursor = StreamCursor(OWN_STREAM, STREAM, None, LAST, live_from=live_from)
    for first, last in alarms:
        cursor.alarms.add(first, last)
    for first, last in late:
        cursor.late.add(first, last)
        cursor.alarms.remove(first, last)
    marked, reissued = set(numbers(cursor.alarms)), set(numbers(cursor.late))
    for first, last in covered:
        cursor.cover("there", first, last)
    waiting = set(numbers(cursor.covered.gaps(1, LAST)))
    assert cursor.waiting == len(waiting)
    given_out: list[int] = []
    while (found := cursor.next_alarm()) is not None:
        assert set(numbers([found])) <= marked
        cursor.cover("there", *found)
        given_out += numbers([found])
    while (found := cursor.next_live()) is not None:
        assert not set(numbers([found])) & (marked | reissued)
        cursor.cover("there", *found)
        given_out += numbers([found])
    assert all(number >= live_from for number in given_out)
    rest = waiting - set(given_out)
    assert rest == {number for number in waiting if number < live_from or number in reissued}
    while (found := next(cursor.backlog(), None)) is not None:
        cursor.cover("there", *found)
        given_out += numbers([found])
    assert sorted(given_out) == sorted(waiting)


def test_backlog_begins_with_alarms() -> None:
    cursor = StreamCursor(OWN_STREAM, STREAM, None, 500, live_from=500)
    for number in (300, 310, 450):
        cursor.alarms.add(number, number)
    cursor.cover("there", 305, 305)
    assert list(cursor.backlog())[:3] == [(300, 304), (306, 310), (450, 450)]


@given(st.lists(SPAN, max_size=5, unique_by=lambda span: span[0]), st.lists(SPAN, max_size=5))
def test_alarms_that_wait_are_known_again(
    blocks: list[tuple[int, int]], covered: list[tuple[int, int]]
) -> None:
    """Blocks of one stream do not overlap, so those with an alarm do not."""
    apart = [
        span
        for place, span in enumerate(sorted(blocks))
        if place == 0 or span[0] > sorted(blocks)[place - 1][1]
    ]
    connection = database(apart)
    (cursor,) = load_cursors(connection, "there")
    for first, last in covered:
        carry_out(connection, cursor.cover("there", first, last))
    (loaded,) = load_cursors(connection, "there")
    wanted = set(numbers(apart)) - set(numbers(cursor.covered))
    assert set(numbers(loaded.alarms)) >= wanted
    assert set(numbers(loaded.alarms)) <= set(numbers(apart)) - set(numbers(cursor.covered))
    assert loaded.next_live() is None
    assert loaded.next_alarm() is None
