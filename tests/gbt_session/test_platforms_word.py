"""What a platform sets and orders, at the session; two logins of one VIN; logging in again after a swap."""

from __future__ import annotations

import pytest

from edge.catalogue.item import Edition
from edge.uplink.gbt.answered import Given, Order
from edge.uplink.gbt.events import Apply, LogInAgain, Opened, Perform, Received, Tick
from edge.uplink.gbt.orders import OrderRules
from edge.uplink.gbt.parameters import ParameterRules
from edge.uplink.gbt.phases import TerminalPhase
from edge.uplink.gbt.server_change import ChangeRules, Server
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import Message
from tests.gbt_session.desk import EDITIONS, ENDED, LOST, Desk
from tests.gbt_terminal.terminal import NEW, Terminal, server_entries


def commanded(terminal: Terminal) -> tuple[Desk, Terminal]:
    desk = Desk(terminal.edition, commands=terminal.commands, clock=terminal.clock)
    desk.online()
    return desk, terminal


def said(desk: Desk) -> tuple[int, int]:
    message = desk.sent[-1][1]
    return message.command, message.response


def command(desk: Desk, message: Message) -> None:
    desk.tell(Received(message.write()))


@pytest.mark.parametrize("edition", EDITIONS)
def test_what_is_set_holds_from_the_answer_on(edition: Edition) -> None:
    desk, terminal = commanded(Terminal(edition))
    command(desk, terminal.command(Command.SET, 3, ((0x09, 7), (0x0A, 11), (0x0C, 2))))
    assert said(desk) == (Command.SET, Response.SUCCESS)
    (applied,) = [action for action in desk.actions if isinstance(action, Apply)]
    assert applied.changed.live.heartbeat_s == 7
    rules = desk.session.rules
    assert (rules.heartbeat_s, rules.answer_timeout_s, rules.login_pause_s) == (7, 11, 120)
    desk.run(7)
    assert said(desk) == (Command.HEARTBEAT, Response.COMMAND)


def test_an_order_is_carried_out_after_its_answer() -> None:
    given: list[Given] = []
    allowed = OrderRules(frozenset({Order.ALARM}))
    desk, terminal = commanded(
        Terminal(Edition.Y2016, order_rules=allowed, actions={Order.ALARM: given.append})
    )
    command(desk, terminal.command(Command.CONTROL, Order.ALARM, b"\x02"))
    assert said(desk) == (Command.CONTROL, Response.SUCCESS)
    (performed,) = [action for action in desk.actions if isinstance(action, Perform)]
    assert given == []
    performed.order()
    assert given[0].argument == b"\x02"


def test_dropping_the_link_is_a_logout_and_a_pause() -> None:
    desk, terminal = commanded(Terminal(Edition.Y2016))
    command(desk, terminal.command(Command.CONTROL, Order.DROP_LINK, b""))
    assert desk.marks()[-2:] == [Command.CONTROL, Command.VEHICLE_LOGOUT]
    desk.answer(desk.last(Command.VEHICLE_LOGOUT))
    desk.tell(LOST)
    since_s = desk.now_s
    desk.open()
    assert desk.now_s - since_s == desk.session.rules.drop_link_pause_s


def moving(edition: Edition) -> tuple[Desk, Terminal]:
    """On the way to another server: logged out, and connecting there."""
    rules = ParameterRules(change=ChangeRules(hosts=(NEW.host,)))
    desk, terminal = commanded(Terminal(edition, parameter_rules=rules))
    entries = server_entries(NEW)
    command(desk, terminal.command(Command.SET, len(entries), entries))
    assert said(desk) == (Command.VEHICLE_LOGOUT, Response.COMMAND)
    desk.answer(desk.last(Command.VEHICLE_LOGOUT))
    desk.tell(LOST)
    desk.tell(Tick())
    assert desk.opened[-1][1:] == (NEW.host, NEW.port)
    return desk, terminal


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_change_of_server_is_answered_at_the_new_one(edition: Edition) -> None:
    desk, terminal = moving(edition)
    desk.put(0)
    desk.tell(Opened())
    desk.answer(desk.last(Command.VEHICLE_LOGIN))
    assert (Command.SET, Response.SUCCESS) in [(m.command, m.response) for _, m in desk.sent]
    assert terminal.parameters.live.server == NEW
    assert len(desk.reports()) == 1
    desk.tell(LOST)
    desk.run(10)
    assert desk.opened[-1][1:] == (NEW.host, NEW.port)


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("how", ["not there", "refused", "silent"])
def test_a_new_server_that_does_not_take_the_login_is_left_for_the_old_one(
    how: str, edition: Edition
) -> None:
    desk, terminal = moving(edition)
    before: Server = terminal.parameters.live.server
    for _ in range(30):
        if desk.opened[-1][1] != NEW.host:
            break
        if how == "not there":
            desk.tell(LOST)
        elif desk.at(TerminalPhase.CONNECTING):
            desk.tell(Opened())
            if how == "refused":
                desk.answer(desk.last(Command.VEHICLE_LOGIN), Response.ERROR)
        if desk.at(TerminalPhase.CLOSING):
            desk.tell(LOST)
        desk.run(20)
    assert desk.opened[-1][1] != NEW.host
    assert desk.now_s <= 180
    desk.tell(Opened())
    desk.answer(desk.last(Command.VEHICLE_LOGIN))
    assert said(desk) == (Command.SET, Response.ERROR)
    assert terminal.parameters.live.server == before
    desk.put(0)
    desk.tell(Tick())
    desk.beat()
    assert desk.held == 0


def test_two_terminals_of_one_vin_do_not_throw_each_other_out_without_end() -> None:
    """The platform drops the older session at each login; both come back ever more slowly, and say why."""
    desk = Desk()
    for _ in range(12):
        desk.online()
        desk.run(2)
        desk.tell(ENDED)
    starts = [at_s for at_s, _, _ in desk.opened]
    assert starts[1] - starts[0] < 5
    assert min(later - earlier for earlier, later in zip(starts[-4:], starts[-3:], strict=False)) > 30
    assert sum("another terminal logs in with this VIN" in text for text in desk.told) == 1


def test_a_vin_that_is_logged_in_already_waits_and_says_so() -> None:
    desk = Desk()
    desk.put(0)
    login = desk.open()
    desk.answer(login, Response.VIN_DUPLICATE)
    desk.run(180)
    assert len(desk.times_s(Command.VEHICLE_LOGIN)) == 2
    assert desk.times_s(Command.VEHICLE_LOGIN)[1] == 180
    assert any("'vin duplicate'" in text for text in desk.told)
    assert (desk.reports(), desk.held) == ([], 1)


def test_a_vehicle_with_other_packs_logs_out_and_in_on_the_same_connection() -> None:
    desk = Desk(Edition.Y2025)
    desk.online()
    desk.tell(LogInAgain())
    desk.answer(desk.last(Command.VEHICLE_LOGOUT))
    assert desk.marks() == [Command.VEHICLE_LOGIN, Command.VEHICLE_LOGOUT, Command.VEHICLE_LOGIN]
    desk.answer(desk.last(Command.VEHICLE_LOGIN))
    assert desk.at(TerminalPhase.ONLINE)
    assert len(desk.opened) == 1
