"""What a platform sends down: only for this vehicle, recent, allowed, and never carried out twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.catalogue.item import Edition
from edge.clock import TimeQuality
from edge.uplink.gbt.answered import CarryOut, DropLink, Given, Order
from edge.uplink.gbt.commands import CommandRules, Repeated
from edge.uplink.gbt.orders import OrderRules
from edge.wire.gbt.faults import GbtError
from edge.wire.gbt.frame import Command, Encryption, Frame, Response
from edge.wire.gbt.message import Message, Opaque, Values, answer, message_of
from tests.gbt_terminal.terminal import NOW_S, VIN, Terminal, clock_at, flag_of
from tests.gbt_terminal.torn_files import PowerCut

ALL = OrderRules(frozenset(Order))


def with_actions() -> tuple[Terminal, list[Given]]:
    carried_out: list[Given] = []
    return Terminal(order_rules=ALL, actions=actions_of(carried_out.append)), carried_out


def actions_of(action: Callable[[Given], None]) -> dict[Order, Callable[[Given], None]]:
    return {order: action for order in Order if order is not Order.DROP_LINK}


def never(given: Given) -> None:
    pytest.fail(f"{given} was carried out")


def test_by_default_no_order_is_carried_out_but_to_drop_the_link() -> None:
    terminal = Terminal(actions=actions_of(never))
    for order in range(9):
        terminal.later()
        answered = terminal.order(order, b"\x01" if order == Order.ALARM else b"")
        drops = order == Order.DROP_LINK
        assert flag_of(answered) == (Response.SUCCESS if drops else Response.ERROR)
        assert answered.effects == ((DropLink(),) if drops else ())
        (notice,) = answered.notices
        assert notice.trouble is not drops
        (event,) = answered.events
        assert (event.wall_s, event.vin) == (NOW_S + order + 1, VIN)
        assert event.kind == f"control order {'accepted' if drops else 'refused'}"
    assert terminal.commands.facts() == {"control order accepted": 1, "control order refused": 8}


def test_an_allowed_order_is_answered_first_and_carried_out_by_its_action() -> None:
    terminal, carried_out = with_actions()
    answered = terminal.order(Order.UPGRADE, b"https://update.example")
    assert answered.message is not None
    assert answered.message.frame().unit == bytes.fromhex("1a0301080000")
    (effect,) = answered.effects
    assert isinstance(effect, CarryOut)
    assert not carried_out
    effect.action(effect.given)
    assert carried_out == [Given(Order.UPGRADE, b"https://update.example", NOW_S)]


def test_an_order_that_nothing_carries_out_is_refused_though_it_is_allowed() -> None:
    answered = Terminal(order_rules=ALL).order(Order.RESET)
    assert flag_of(answered) == Response.ERROR
    assert "nothing in this vehicle" in answered.notices[0].text


@pytest.mark.parametrize(
    ("order", "argument"),
    [
        (Order.RESET, b"\x00"),
        (Order.DROP_LINK, b"now"),
        (Order.ALARM, b""),
        (Order.ALARM, b"\x04"),
        (Order.ALARM, b"\x01\x01"),
    ],
)
def test_an_order_with_an_argument_that_is_none_of_it_is_refused(order: Order, argument: bytes) -> None:
    terminal, _ = with_actions()
    answered = terminal.order(order, argument)
    assert (flag_of(answered), answered.effects) == (Response.ERROR, ())


def test_an_order_that_is_replayed_is_not_carried_out_again_also_after_a_restart() -> None:
    terminal, _ = with_actions()
    message = terminal.command(Command.CONTROL, Order.RESET, b"")
    assert len(terminal.take(message).effects) == 1
    for started in (terminal, replace(terminal)):
        answered = started.take(message)
        assert (flag_of(answered), answered.effects) == (Response.SUCCESS, ())
        assert started.commands.facts()["control order repeated"] == 1
        older = started.command(Command.CONTROL, Order.RESET, b"", ago_s=5)
        assert flag_of(started.take(older)) == Response.ERROR
    strict = replace(terminal, rules=CommandRules(repeated=Repeated.ERROR))
    answered = strict.take(message)
    assert (flag_of(answered), answered.effects) == (Response.ERROR, ())


def test_two_orders_of_one_second_are_both_carried_out_and_neither_again() -> None:
    terminal, _ = with_actions()
    messages = [terminal.command(Command.CONTROL, Order.ALARM, bytes((level,))) for level in (1, 2)]
    assert [len(terminal.take(message).effects) for message in (*messages, *messages)] == [1, 1, 0, 0]


def test_more_orders_of_one_second_than_are_remembered_are_refused() -> None:
    terminal, _ = with_actions()
    messages = [terminal.command(Command.CONTROL, Order.UPGRADE, bytes((place,))) for place in range(20)]
    flags = [flag_of(terminal.take(message)) for message in messages]
    assert flags == [Response.SUCCESS] * 16 + [Response.ERROR] * 4


@pytest.mark.parametrize("reached", [False, True])
def test_a_power_cut_never_lets_an_order_be_carried_out_twice(reached: bool) -> None:
    for steps in range(5):
        terminal, _ = with_actions()
        message = terminal.command(Command.CONTROL, Order.RESET, b"")
        terminal.files.steps_left = steps
        try:
            effects = terminal.take(message).effects
        except PowerCut:
            effects = ()
        again = replace(terminal, files=terminal.files.after_the_cut(reached_the_disk=reached)).take(message)
        assert len(effects) + len(again.effects) <= 1


def test_an_order_that_cannot_be_remembered_is_not_carried_out() -> None:
    terminal, _ = with_actions()
    terminal.files.steps_left, terminal.files.refuses = 0, True
    answered = terminal.order(Order.RESET)
    assert (flag_of(answered), answered.effects) == (Response.ERROR, ())
    terminal.files.steps_left = -1
    answered = terminal.order(Order.RESET)
    assert (flag_of(answered), len(answered.effects)) == (Response.SUCCESS, 1)


def test_where_it_is_not_known_any_more_what_was_carried_out_older_commands_are_refused() -> None:
    terminal, _ = with_actions()
    message = terminal.command(Command.CONTROL, Order.RESET, b"")
    terminal.take(message)
    (path,) = terminal.files.seen
    terminal.files.seen[path] = b"garbage"
    again = replace(terminal)
    again.later()
    refused = again.take(message)
    assert flag_of(refused) == Response.ERROR
    assert "is damaged" in refused.notices[0].text
    assert flag_of(again.query(2)) == Response.SUCCESS
    again.later(301)
    assert flag_of(again.order(Order.RESET)) == Response.SUCCESS


@pytest.mark.parametrize("ahead_s", [0, 299])
def test_where_it_is_not_known_any_more_no_clock_lets_a_command_be_carried_out_again(ahead_s: int) -> None:
    terminal, _ = with_actions()
    message = terminal.command(Command.CONTROL, Order.RESET, b"", ago_s=-ahead_s)
    assert len(terminal.take(message).effects) == 1
    (path,) = terminal.files.seen
    terminal.files.seen[path] = b"garbage"
    again = replace(terminal, clock=clock_at(NOW_S - 86_400, TimeQuality.NONE))
    again.order(Order.RESET)
    again.clock.set_timebase(clock_at().timebase())
    for _ in range(10):
        assert again.take(message).effects == ()
        again.later(60)


@pytest.mark.parametrize(("ago_s", "good"), [(300, True), (301, False), (-300, True), (-301, False)])
@pytest.mark.parametrize("command", [Command.QUERY, Command.SET, Command.CONTROL])
def test_a_command_is_recent_or_refused(command: Command, ago_s: int, good: bool) -> None:
    terminal = Terminal()
    raws = {0x80: (1, (2,)), 0x81: (1, ((2, 20),)), 0x82: (5, b"")}[command]
    answered = terminal.take(terminal.command(command, *raws, ago_s=ago_s))
    assert flag_of(answered) == (Response.SUCCESS if good else Response.ERROR)
    assert bool(terminal.parameters.live.report_period_s == 20) is (good and command is Command.SET)


def test_without_a_time_of_day_no_command_is_known_to_be_recent() -> None:
    answered = Terminal(clock=clock_at(quality=TimeQuality.NONE)).order(Order.DROP_LINK)
    assert (flag_of(answered), answered.effects) == (Response.ERROR, ())
    terminal = Terminal()
    nonsense = terminal.command(Command.CONTROL, 5, b"")
    broken = replace(nonsense, content=Values("control", (b"\x1a\x0d\x01\0\0\0", 5, b"")))
    assert "bears no time" in terminal.take(broken).notices[0].text


@pytest.mark.parametrize("edition", list(Edition))
def test_a_command_for_another_vehicle_or_edition_changes_nothing(edition: Edition) -> None:
    terminal = Terminal(edition)
    message = terminal.command(Command.SET, 1, ((0x02, 20),))
    unknown = Response.VIN_UNKNOWN if edition is Edition.Y2025 else Response.ERROR
    assert flag_of(terminal.take(replace(message, vin=b"LNVGATE00XDEM0002"))) == unknown
    other = Edition.Y2016 if edition is Edition.Y2025 else Edition.Y2025
    assert flag_of(terminal.take(replace(message, edition=other))) == Response.ERROR
    assert terminal.parameters.live.report_period_s == 10


@pytest.mark.parametrize("edition", list(Edition))
def test_what_cannot_be_decrypted_or_read_is_answered_with_its_flag(edition: Edition) -> None:
    terminal = Terminal(edition)
    later = edition is Edition.Y2025
    message = Message(edition, Command.SET, 0xFE, VIN, Opaque(b"\1" * 16, "encrypted"), Encryption.AES)
    assert flag_of(terminal.take(message)) == (Response.DECRYPTION_ERROR if later else Response.ERROR)
    frame = Frame(edition, Command.SET, 0xFE, VIN, 1, bytes.fromhex("1a0301080000 05 02"))
    with pytest.raises(GbtError) as caught:
        message_of(frame)
    answered = terminal.commands.unreadable(frame, caught.value)
    assert answered is not None
    assert answered.message is not None
    assert answered.message.response == (Response.STRUCTURE_ERROR if later else Response.ERROR)
    assert answered.message.frame().unit == bytes.fromhex("1a0301080000")


def test_responses_and_other_commands_are_not_taken() -> None:
    terminal = Terminal()
    message = terminal.command(Command.CONTROL, 5, b"")
    assert terminal.commands.take(answer(message, Response.SUCCESS), 0) is None
    beat = Message(Edition.Y2025, Command.HEARTBEAT, 0xFE, VIN, Opaque(b"", "empty"))
    assert terminal.commands.take(beat, 0) is None
    assert terminal.commands.unreadable(beat.frame(), GbtError("nothing")) is None
    assert terminal.commands.facts() == {}


def test_queries_and_sets_can_be_switched_off() -> None:
    terminal = Terminal(rules=CommandRules(query=False, set=False))
    assert flag_of(terminal.query(2)) == Response.ERROR
    assert flag_of(terminal.set((2, 20))) == Response.ERROR
    assert terminal.parameters.live.report_period_s == 10


def test_the_same_refusal_is_told_once_a_minute_and_noted_each_time() -> None:
    terminal = Terminal()
    told = noted = 0
    for _ in range(120):
        answered = terminal.order(Order.RESET)
        told += len(answered.notices)
        noted += len(answered.events)
        terminal.later()
    assert (told, noted, terminal.commands.facts()["control order refused"]) == (2, 120, 120)


@given(
    st.sampled_from(Edition),
    st.sampled_from([0x80, 0x81, 0x82]),
    st.one_of(
        st.binary(max_size=60),
        st.binary(max_size=60).map(lambda rest: bytes.fromhex("1a0301080000") + rest),
    ),
)
def test_any_unit_is_answered_and_changes_nothing_by_accident(
    edition: Edition, command: int, unit: bytes
) -> None:
    terminal = Terminal(edition)
    before = terminal.parameters.live
    frame = Frame(edition, command, Response.COMMAND, VIN, Encryption.NONE, unit)
    try:
        answered = terminal.commands.take(message_of(frame), 0)
    except GbtError as error:
        answered = terminal.commands.unreadable(frame, error)
    assert answered is not None
    assert answered.message is not None
    written = answered.message.write()
    assert written[2] == command
    if answered.message.response != Response.SUCCESS:
        assert terminal.parameters.live == before
        assert not terminal.files.seen
        assert answered.effects == ()
