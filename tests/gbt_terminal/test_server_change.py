"""A change of server: the new one accepts a login, or the old one is back and nothing was set."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.clock import NS_PER_S
from edge.uplink.gbt.answered import Answered, ChangeServer, SettingsChanged
from edge.uplink.gbt.parameters import ParameterRules
from edge.uplink.gbt.server_change import ChangeAnswer, ChangeRules, ChangeState, Server, ServerChange
from edge.wire.gbt.frame import Command, Response
from tests.gbt_terminal.terminal import NEW, OLD, Terminal, flag_of, server_entries

RULES = ChangeRules(within_s=60, retry_s=20, hosts=("new.example",))
SET = (*server_entries(NEW), (0x02, 20))


def changing(rules: ChangeRules = RULES) -> tuple[Terminal, Answered, ServerChange[Answered]]:
    terminal = Terminal(parameter_rules=ParameterRules(change=rules))
    answered = terminal.set(*SET)
    (effect,) = answered.effects
    assert isinstance(effect, ChangeServer)
    assert terminal.commands.change is effect.change
    return terminal, answered, effect.change


def unchanged(terminal: Terminal) -> bool:
    both = (terminal.parameters.live, replace(terminal).parameters.live)
    return all((live.server, live.report_period_s) == (OLD, 10) for live in both)


def test_success_is_answered_on_the_new_server_once_it_has_accepted_the_login() -> None:
    terminal, answered, change = changing()
    assert answered.message is None
    assert (change.candidate(), change.trying) == (NEW, True)
    assert unchanged(terminal)
    outcome = change.succeeded()
    assert outcome is not None
    assert flag_of(outcome) == Response.SUCCESS
    (changed,) = outcome.effects
    assert isinstance(changed, SettingsChanged)
    assert (changed.live.server, changed.live.report_period_s) == (NEW, 20)
    assert (change.state, change.candidate()) == (ChangeState.DONE, NEW)
    assert replace(terminal).parameters.live.server == NEW
    assert change.succeeded() is None


def test_failure_is_answered_with_an_error_on_the_old_server_once_it_is_back() -> None:
    terminal, _, change = changing()
    change.failed(0, "connection refused")
    assert (change.candidate(), change.try_at_ns) == (NEW, 20 * NS_PER_S)
    change.failed(20 * NS_PER_S, "connection refused")
    change.failed(40 * NS_PER_S, "connection refused")
    assert (change.candidate(), change.state) == (OLD, ChangeState.RETURNING)
    change.failed(41 * NS_PER_S)
    assert change.state is ChangeState.RETURNING
    outcome = change.succeeded()
    assert outcome is not None
    assert (flag_of(outcome), outcome.effects) == (Response.ERROR, ())
    assert "connection refused" in outcome.notices[0].text
    assert (change.done, change.candidate()) == (True, OLD)
    assert unchanged(terminal)
    assert terminal.commands.facts() == {"changes of server begun": 1, "set refused": 1}


def test_a_login_that_the_new_server_refuses_is_not_tried_again() -> None:
    terminal, _, change = changing()
    change.failed(NS_PER_S, "VIN unknown", refused=True)
    assert change.candidate() == OLD
    assert unchanged(terminal)


def test_the_new_server_has_the_stated_time_and_no_more() -> None:
    _, _, change = changing()
    assert change.until_ns == 60 * NS_PER_S
    assert not change.elapsed(60 * NS_PER_S - 1)
    assert change.candidate() == NEW
    assert change.elapsed(60 * NS_PER_S)
    assert change.candidate() == OLD
    assert not change.elapsed(61 * NS_PER_S)


def test_new_values_that_cannot_be_kept_send_the_terminal_back() -> None:
    terminal, _, change = changing()
    terminal.files.steps_left, terminal.files.refuses = 0, True
    assert change.succeeded() is None
    assert (change.state, change.candidate()) == (ChangeState.RETURNING, OLD)
    outcome = change.succeeded()
    assert outcome is not None
    assert flag_of(outcome) == Response.ERROR
    terminal.files.steps_left = -1
    assert unchanged(terminal)


def test_a_restart_amid_a_change_finds_the_old_server() -> None:
    terminal, _, _ = changing()
    again = replace(terminal)
    assert unchanged(again)
    assert again.commands.change is None


def test_success_can_be_answered_before_the_old_server_is_left() -> None:
    rules = replace(RULES, answer=ChangeAnswer.BEFORE_LEAVING)
    _, answered, change = changing(rules)
    assert flag_of(answered) == Response.SUCCESS
    outcome = change.succeeded()
    assert outcome is not None
    assert outcome.message is None
    assert len(outcome.effects) == 1
    terminal, _, change = changing(rules)
    change.failed(0, refused=True)
    outcome = change.succeeded()
    assert outcome is not None
    assert flag_of(outcome) == Response.ERROR
    assert unchanged(terminal)


def test_amid_a_change_another_set_is_refused_and_the_same_one_waits() -> None:
    terminal, _, change = changing()
    same = terminal.set(*SET)
    assert (same.message, same.effects) == (None, ())
    assert flag_of(terminal.set((0x02, 25))) == Response.ERROR
    assert change.succeeded() is not None
    terminal.later()
    assert flag_of(terminal.set((0x02, 25))) == Response.SUCCESS


def test_a_change_that_was_made_is_not_made_again_by_its_replay() -> None:
    terminal, _, change = changing()
    message = terminal.command(Command.SET, len(SET), SET)
    assert change.succeeded() is not None
    terminal.later()
    assert terminal.set((0x06, 9005)).effects
    assert terminal.commands.change is not None
    assert terminal.commands.change.succeeded() is not None
    assert terminal.parameters.live.server == Server("new.example", 9005)
    answered = terminal.take(message)
    assert (flag_of(answered), answered.effects) == (Response.ERROR, ())
    assert terminal.parameters.live.server == Server("new.example", 9005)


@pytest.mark.parametrize(
    ("hosts", "host", "port", "allowed"),
    [
        ((), "old.example", 9001, True),
        ((), "OLD.EXAMPLE", 9001, True),
        ((), "new.example", 9000, False),
        (("new.example",), "New.Example", 9000, True),
        (("new.example",), "sub.new.example", 9000, False),
        (("*",), "anywhere.example", 1, True),
    ],
)
def test_the_configuration_says_which_hosts_a_platform_may_name(
    hosts: tuple[str, ...],
    host: str,
    port: int,
    allowed: bool,
) -> None:
    terminal = Terminal(parameter_rules=ParameterRules(change=ChangeRules(hosts=hosts)))
    answered = terminal.set(*server_entries(Server(host, port)))
    assert (answered.message is None) is allowed
    assert (terminal.commands.change is not None) is allowed


def test_the_configured_server_is_always_a_way_back() -> None:
    terminal, _, change = changing()
    assert change.succeeded() is not None
    terminal.later()
    assert terminal.set(*server_entries(OLD)).message is None
    assert terminal.commands.change is not None
    assert terminal.commands.change.candidate() == OLD
