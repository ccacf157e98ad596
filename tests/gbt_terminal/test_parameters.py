"""Parameters: all of a set or nothing, also over a crash; every asked one is answered, or none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.catalogue.item import Edition
from edge.errors import ConfigError
from edge.uplink.gbt.answered import Answered, SettingsChanged
from edge.uplink.gbt.parameter_values import ConfiguredParameters
from edge.uplink.gbt.parameters import ParameterRules
from edge.uplink.gbt.server_change import ChangeRules, Server
from edge.wire.gbt.frame import Command, Response
from edge.wire.gbt.message import Values, read_message
from edge.wire.gbt.profile import load_profile
from tests.gbt_terminal.terminal import NEW, OLD, Terminal, flag_of, server_entries
from tests.gbt_terminal.torn_files import PowerCut

RANGES = {
    0x01: (0, 60_000, 0, 60_000),
    0x02: (1, 600, 1, 30),
    0x03: (0, 60_000, 0, 1),
    0x09: (1, 240, 1, 240),
    0x0A: (1, 600, 1, 600),
    0x0B: (1, 600, 1, 600),
    0x0C: (1, 240, 1, 240),
    0x0F: (0, 65_531, 0, 65_531),
    0x10: (1, 2, 1, 2),
}
"""Least and greatest of 2016, least and greatest of 2025 (spec, 1.7 and 2)."""

EDITIONS = pytest.mark.parametrize("edition", list(Edition))


def values_of(terminal: Terminal) -> dict[int, int | bytes]:
    answered = terminal.query(*range(1, 0x11))
    assert answered.message is not None
    content = read_message(answered.message.write()).content
    assert isinstance(content, Values)
    return dict(content.raws[2])


@EDITIONS
def test_a_query_answers_every_parameter_with_the_width_of_its_edition(edition: Edition) -> None:
    terminal = Terminal(edition)
    answered = terminal.query(*range(1, 0x11))
    assert answered.message is not None
    assert flag_of(answered) == Response.SUCCESS
    plain = bytes.fromhex("1a0301080000 10") + bytes.fromhex(
        "01 03e8 02 000a 03 03e8" if edition is Edition.Y2016 else "01 03e8 02 0a 03 01"
    )
    plain += bytes.fromhex("04 0b 05") + b"old.example" + bytes.fromhex("06 2328")
    plain += b"\x07H1\0\0\0" + b"\x08F1\0\0\0"
    plain += bytes.fromhex("09 3c 0a 003c 0b 003c 0c 1e 0d 00 0e 0f ffff 10 02")
    assert answered.message.frame().unit == plain


@EDITIONS
@pytest.mark.parametrize("ids", [(0x11,), (0x02, 0x7F), (0x80,), (0x01, 0xFE), (0,)])
def test_a_query_with_one_unknown_id_is_an_error_that_says_nothing(
    edition: Edition, ids: tuple[int, ...]
) -> None:
    answered = Terminal(edition).query(*ids)
    assert answered.message is not None
    assert flag_of(answered) == Response.ERROR
    assert answered.message.frame().unit == bytes.fromhex("1a0301080000")


def test_a_name_is_answered_behind_its_length_unless_platforms_are_said_to_want_it_alone() -> None:
    answered = Terminal().query(0x05, 0x02)
    assert answered.message is not None
    assert answered.message.frame().unit[6:] == b"\x03\x04\x0b\x05old.example\x02\x0a"
    alone = Terminal(parameter_rules=ParameterRules(name_needs_length=False))
    answered = alone.query(0x02, 0x05)
    assert answered.message is not None
    assert answered.message.frame().unit[6:] == b"\x02\x02\x0a\x05old.example"
    alone.later()
    assert flag_of(alone.query(0x05, 0x02)) == Response.ERROR
    assert flag_of(alone.set((0x0E, b"pub.example"))) == Response.SUCCESS
    assert alone.commands.facts() == {"query accepted": 1, "query refused": 1, "set accepted": 1}


@EDITIONS
@pytest.mark.parametrize("key", sorted(RANGES))
def test_a_value_is_set_within_its_edition_s_range_and_refused_beyond(edition: Edition, key: int) -> None:
    least, most = RANGES[key][:2] if edition is Edition.Y2016 else RANGES[key][2:]
    terminal = Terminal(edition)
    width = 2 if most > 255 or (edition is Edition.Y2016 and key in {2, 3}) else 1
    for value in {max(least - 1, 0), least, most, most + 1, 256**width - 2, 256**width - 1}:
        terminal.later()
        if value >= 256**width:
            continue
        answered = terminal.set((key, value))
        good = least <= value <= most
        assert flag_of(answered) == (Response.SUCCESS if good else Response.ERROR), (key, value)
        assert (values_of(terminal)[key] == value) is good or value == 0xFFFF


@EDITIONS
def test_what_is_set_is_told_as_what_it_makes_the_terminal_do(edition: Edition) -> None:
    terminal = Terminal(edition)
    alarm = 500 if edition is Edition.Y2016 else 0
    answered = terminal.set(
        (0x01, 250), (0x02, 30), (0x03, alarm), (0x09, 20), (0x0A, 5), (0x0C, 2), (0x10, 1)
    )
    (changed,) = answered.effects
    assert isinstance(changed, SettingsChanged)
    assert changed.ids == {0x01, 0x02, 0x03, 0x09, 0x0A, 0x0C, 0x10}
    live = changed.live
    assert live == terminal.parameters.live
    assert (live.storage_period_s, live.report_period_s, live.alarm_period_s) == (0.25, 30, alarm / 1000)
    assert (live.heartbeat_s, live.terminal_timeout_s, live.login_pause_s, live.sampled) == (20, 5, 120, True)
    terminal.later()
    assert terminal.set((0x02, 30)).effects == ()


BAD: dict[str, tuple[tuple[int, int | bytes], ...]] = {
    "hardware version": ((0x02, 20), (0x07, b"12345")),
    "firmware version": ((0x02, 20), (0x08, b"12345")),
    "unknown": ((0x02, 20), (0x11, b"1")),
    "user parameter that nobody describes": ((0x02, 20), (0x80, b"1")),
    "twice": ((0x02, 20), (0x02, 20)),
    "twice, otherwise": ((0x02, 20), (0x02, 21)),
    "length without name": ((0x02, 20), (0x0D, 3)),
    "length before something else": ((0x02, 20), (0x0D, 3), (0x10, 1)),
    "name without length": ((0x02, 20), (0x0E, b"pub.example")),
    "server without a name": ((0x02, 20), (0x04, 0), (0x05, b"")),
    "name with a blank": ((0x02, 20), (0x0D, 3), (0x0E, b"a b")),
    "name with a line": ((0x02, 20), (0x0D, 2), (0x0E, b"a\n")),
    "name that is not ASCII": ((0x02, 20), (0x0D, 2), (0x0E, "é".encode())),
    "port 0": ((0x02, 20), (0x06, 0)),
    "invalid": ((0x02, 20), (0x0A, 0xFFFF)),
    "another host": ((0x02, 20), *server_entries(NEW)),
}


@pytest.mark.parametrize("entries", BAD.values(), ids=BAD)
def test_one_bad_parameter_refuses_all_of_a_set(entries: tuple[tuple[int, int | bytes], ...]) -> None:
    terminal = Terminal()
    before = values_of(terminal)
    answered = terminal.set(*entries)
    assert flag_of(answered) == Response.ERROR
    assert answered.effects == ()
    assert values_of(terminal) == before
    assert not terminal.files.seen
    assert [event.kind for event in answered.events] == ["set refused"]
    assert [notice.trouble for notice in answered.notices] == [True]


def test_a_count_that_is_not_that_of_the_parameters_is_refused() -> None:
    terminal = Terminal()
    message = terminal.command(Command.SET, 2, ((0x02, 20), (0x80, b"xyz")))
    assert flag_of(terminal.take(message)) == Response.ERROR
    message = terminal.command(Command.SET, 200, ((0x02, 20), (0x80, b"xyz")))
    assert flag_of(terminal.take(message)) == Response.ERROR
    assert not terminal.files.seen


ENTRY = st.one_of(
    *(st.tuples(st.just(key), st.integers(0, 700 if key != 0x10 else 3)) for key in (0x01, 0x0A, 0x0B)),
    *(st.tuples(st.just(key), st.integers(0, 255)) for key in (0x02, 0x03, 0x09, 0x0C, 0x10)),
    st.tuples(st.sampled_from([0x07, 0x08]), st.binary(min_size=5, max_size=5)),
)


@given(st.lists(ENTRY, max_size=6))
def test_any_set_holds_as_a_whole_or_not_at_all(entries: list[tuple[int, int | bytes]]) -> None:
    terminal = Terminal()
    before = values_of(terminal)
    answered = terminal.set(*entries)
    good = len({key for key, _ in entries}) == len(entries) and all(
        key in RANGES and isinstance(value, int) and RANGES[key][2] <= value <= RANGES[key][3]
        for key, value in entries
    )
    assert flag_of(answered) == (Response.SUCCESS if good else Response.ERROR)
    assert values_of(terminal) == ({**before, **dict(entries)} if good else before)
    assert values_of(replace(terminal)) == values_of(terminal)


SET = ((0x01, 2000), (0x02, 20), (0x09, 30), (0x0D, 3), (0x0E, b"pub"), (0x0F, 8443))


@pytest.mark.parametrize("reached", [False, True])
def test_a_power_cut_before_any_step_leaves_all_of_a_set_or_nothing(reached: bool) -> None:
    before = values_of(Terminal())
    after = {**before, **dict(SET)}
    cuts, found = 0, []
    for steps in range(20):
        terminal = Terminal()
        terminal.files.steps_left = steps
        try:
            answered: Answered | None = terminal.set(*SET)
        except PowerCut:
            answered = None
            cuts += 1
        started_again = replace(terminal, files=terminal.files.after_the_cut(reached_the_disk=reached))
        values = values_of(started_again)
        assert values in (before, after)
        assert answered is None or values == after
        found.append(values == after)
        assert not started_again.parameters.said
    assert cuts == 6
    assert found == sorted(found)
    assert not found[0]


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("steps", range(7))
def test_a_disk_that_refuses_makes_an_error_and_changes_nothing_or_all_of_it_is_there(
    steps: int,
    once: bool,
) -> None:
    terminal = Terminal()
    terminal.set((0x02, 11))
    terminal.later()
    before = values_of(terminal)
    terminal.files.steps_left, terminal.files.refuses, terminal.files.once = steps, True, once
    answered = terminal.set(*SET)
    good = flag_of(answered) == Response.SUCCESS
    assert values_of(terminal) == ({**before, **dict(SET)} if good else before)
    assert values_of(replace(terminal)) == values_of(terminal)
    assert bool(answered.effects) is good
    assert good == (steps >= (3 if once else 2))


def test_what_a_platform_set_holds_after_a_restart_until_the_configuration_says_otherwise() -> None:
    terminal = Terminal()
    terminal.set((0x02, 20), (0x09, 30))
    again = replace(terminal)
    assert (again.parameters.live.report_period_s, again.parameters.live.heartbeat_s) == (20, 30)
    assert not again.parameters.said
    other = replace(terminal, configured=ConfiguredParameters(OLD, "H1", "F1", report_period_s=15))
    assert (other.parameters.live.report_period_s, other.parameters.live.heartbeat_s) == (15, 30)
    assert "02" in other.parameters.said[0].text
    older = replace(terminal, edition=Edition.Y2016)
    assert older.parameters.live.report_period_s == 10
    assert older.parameters.said[0].trouble


def test_a_damaged_file_is_told_and_leaves_the_configured_values() -> None:
    terminal = Terminal()
    terminal.set((0x02, 20))
    (path,) = [path for path in terminal.files.seen if path.name == "parameters"]
    terminal.files.seen[path] = terminal.files.seen[path].replace(b"20", b"25")
    again = replace(terminal)
    assert again.parameters.live.report_period_s == 10
    assert "is damaged" in again.parameters.said[0].text


@pytest.mark.parametrize(
    ("configured", "said"),
    [
        (ConfiguredParameters(OLD, report_period_s=31), "1 to 30"),
        (ConfiguredParameters(OLD, alarm_period_ms=500), "no whole number of seconds"),
        (ConfiguredParameters(Server("", 9000)), "no name or address"),
        (ConfiguredParameters(Server("a.example", 65_532)), "0 to 65531"),
        (ConfiguredParameters(OLD, hardware="1.2.3.4"), "more than 5"),
    ],
)
def test_a_configured_value_that_the_edition_has_not_is_refused(
    configured: ConfiguredParameters, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        Terminal(configured=configured)


PROFILE = """
name = "maker"

[[parameter]]
id = 0x90
en = "period of the maker's block"
width = 2
least = 5
most = 50
unit = "s"

[[parameter]]
id = 0x91
en = "what the maker calls it"
kind = "text"
size = "rest"
"""


def profiled(tmp_path: Path, text: str = PROFILE) -> Terminal:
    path = tmp_path / "maker.toml"
    path.write_text(text, "utf-8")
    configured = ConfiguredParameters(OLD, "H1", "F1", user={0x90: 7, 0x91: b"name"})
    return Terminal(configured=configured, user=load_profile(str(path)).parameters)


def test_a_parameter_that_a_profile_describes_is_queried_and_set_also_before_others(tmp_path: Path) -> None:
    terminal = profiled(tmp_path)
    answered = terminal.query(0x90, 0x02)
    assert answered.message is not None
    assert answered.message.frame().unit[6:] == bytes.fromhex("02 90 0007 02 0a")
    unit = bytes.fromhex("02 90 0032 02 14")
    message = terminal.command(Command.SET, 2, ((0x90, unit[2:]),))
    answered = terminal.take(message)
    assert flag_of(answered) == Response.SUCCESS
    live = terminal.parameters.live
    assert (live.user, live.report_period_s) == ({0x90: 50, 0x91: b"name"}, 20)
    terminal.later()
    beyond = terminal.command(Command.SET, 1, ((0x90, bytes.fromhex("0033")),))
    assert flag_of(terminal.take(beyond)) == Response.ERROR
    assert replace(terminal).parameters.live.user[0x90] == 50
    terminal.later()
    assert flag_of(terminal.set((0x02, 25), (0x91, b"another"))) == Response.SUCCESS
    assert terminal.parameters.live.user == {0x90: 50, 0x91: b"another"}
    assert flag_of(terminal.query(0x91)) == Response.SUCCESS
    assert flag_of(terminal.query(0x91, 0x02)) == Response.ERROR


def test_a_value_that_a_restart_could_not_read_is_refused(tmp_path: Path) -> None:
    terminal = profiled(tmp_path)
    assert flag_of(terminal.set((0x02, 20))) == Response.SUCCESS
    terminal.later()
    assert flag_of(terminal.set((0x91, b"x" * 40_000))) == Response.ERROR
    again = replace(terminal).parameters
    assert (again.said, again.live.report_period_s, again.live.user[0x91]) == ((), 20, b"name")


@pytest.mark.parametrize(
    "change",
    [
        ("width = 2", "size = 2"),
        ("id = 0x91", "id = 0x90"),
        ('size = "rest"', ""),
        ("id = 0x90", "id = 0x20"),
    ],
)
def test_a_profile_with_a_parameter_that_cannot_be_is_refused(
    tmp_path: Path, change: tuple[str, str]
) -> None:
    with pytest.raises(ConfigError):
        profiled(tmp_path, PROFILE.replace(*change))


def test_a_host_that_a_platform_has_set_gives_way_where_the_configured_server_is_another() -> None:
    terminal = Terminal(parameter_rules=ParameterRules(change=ChangeRules(hosts=("new.example",))))
    terminal.set(*server_entries(NEW)[:2])
    change = terminal.commands.change
    assert change is not None
    assert change.succeeded() is not None
    there = Server(NEW.host, OLD.port)
    assert terminal.parameters.live.server == there
    assert replace(terminal).parameters.live.server == there
    other_port = ConfiguredParameters(Server(OLD.host, 9100))
    assert replace(terminal, configured=other_port).parameters.live.server == other_port.server
    closed = replace(terminal, parameter_rules=ParameterRules())
    assert closed.parameters.live.server == OLD
    moved = Server("third.example", 9000)
    assert replace(terminal, configured=ConfiguredParameters(moved)).parameters.live.server == moved
