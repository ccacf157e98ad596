"""What comes before a login: the time, activation, the data key; and what goes under which key then."""

from __future__ import annotations

from dataclasses import replace

from edge.catalogue.item import Edition
from edge.clock import NS_PER_S, Timebase, TimeQuality
from edge.uplink.gbt.activation import Activation
from edge.uplink.gbt.data_keys import DataKeyRules
from edge.uplink.gbt.events import Log, Opened, Received, Stop, Tick
from edge.uplink.gbt.phases import TerminalPhase
from edge.uplink.gbt.secrecy import Secrecy
from edge.wire.gbt.frame import Command, Encryption, Response
from edge.wire.gbt.message import Message, Values, message_of
from edge.wire.gbt.security.ciphers import BlockUnitCipher, decrypted
from tests.gbt_session.desk import LOST, Desk
from tests.gbt_terminal.terminal import VIN
from tests.gbt_terminal.test_activation import Desk as ActivationDesk
from tests.gbt_terminal.test_data_keys import Terminal as KeyTerminal
from tests.gbt_terminal.test_data_keys import key_message


def activated(desk: Desk, status: int, info: int) -> None:
    content = Values("command 0A", (status, info))
    result = Message(Edition.Y2025, Command.ACTIVATION_RESULT, Response.COMMAND, VIN, content)
    desk.tell(Received(result.write()))


def test_the_time_is_asked_for_only_where_the_own_clock_fails() -> None:
    desk = Desk(quality=TimeQuality.NONE)
    ask = desk.open()
    assert ask.command == Command.TIME_SYNC
    desk.answer(ask, time=bytes((26, 3, 1, 8, 0, 0)))
    login = desk.last(Command.VEHICLE_LOGIN)
    assert Desk.time_of(login) == bytes((26, 3, 1, 8, 0, 0))
    desk.answer(login)
    assert desk.at(TerminalPhase.ONLINE)
    desk.tell(LOST)
    assert desk.open().command == Command.VEHICLE_LOGIN
    for quality in (TimeQuality.RTC, TimeQuality.NTP, TimeQuality.GNSS):
        assert Desk(quality=quality).open().command == Command.VEHICLE_LOGIN


def test_a_clock_that_comes_back_counts_for_more_than_the_platforms() -> None:
    desk = Desk(quality=TimeQuality.NONE)
    desk.answer(desk.open(), time=bytes((26, 3, 1, 8, 0, 0)))
    desk.answer(desk.last(Command.VEHICLE_LOGIN))
    desk.tell(LOST)
    desk.clock.set_timebase(Timebase(1_800_000_000 * NS_PER_S, TimeQuality.NTP))
    assert Desk.time_of(desk.open()) == desk.unix()


def test_a_terminal_activates_itself_once_and_then_logs_in() -> None:
    other = ActivationDesk()
    desk = Desk(Edition.Y2025, activation=other.activation, clock=other.clock)
    assert desk.open().command == Command.ACTIVATE
    activated(desk, 1, 0)
    assert any(isinstance(action, Log) for action in desk.actions)
    assert desk.marks() == [Command.ACTIVATE, Command.VEHICLE_LOGIN]
    desk.answer(desk.last(Command.VEHICLE_LOGIN))
    desk.tell(LOST)
    assert desk.open().command == Command.VEHICLE_LOGIN
    again = Desk(Edition.Y2025, activation=replace(other).activation, clock=other.clock)
    assert again.open().command == Command.VEHICLE_LOGIN


def test_an_activation_that_no_repeating_helps_waits_as_after_three_failures() -> None:
    other = ActivationDesk()
    desk = Desk(Edition.Y2025, activation=other.activation, clock=other.clock)
    desk.open()
    activated(desk, 2, 2)
    assert desk.at(TerminalPhase.CLOSING)
    desk.tell(LOST)
    since_s = desk.now_s
    desk.open()
    assert desk.now_s - since_s == 1800
    assert any("VIN duplicate" in text for text in desk.told)


def test_an_activation_unanswered_is_tried_again_as_a_login_is() -> None:
    other = ActivationDesk()
    desk = Desk(Edition.Y2025, activation=other.activation, clock=other.clock)
    desk.open()
    desk.run(241)
    assert desk.times_s(Command.ACTIVATE) == [0, 240]
    activation: Activation = other.activation
    assert not activation.active


def keyed(rules: DataKeyRules | None = None) -> tuple[Desk, KeyTerminal]:
    terminal = KeyTerminal(rules or DataKeyRules())
    return Desk(Edition.Y2025, secrecy=Secrecy(keys=terminal.keys), clock=terminal.clock), terminal


def key_answer(flag: int = Response.SUCCESS) -> Received:
    content = Values("response", (bytes((26, 3, 1, 8, 0, 0)),))
    return Received(Message(Edition.Y2025, Command.DATA_KEY, flag, VIN, content).write())


def test_nothing_is_said_before_there_is_a_data_key_and_all_is_encrypted_then() -> None:
    desk, terminal = keyed()
    desk.put(0)
    assert desk.open().command == Command.DATA_KEY
    desk.tell(key_answer())
    login = desk.last(Command.VEHICLE_LOGIN)
    assert login.encryption == Encryption.SM4
    cipher = terminal.keys.current(desk.clock.boot_ns())
    assert cipher is not None
    plain = message_of(decrypted(login.frame(), cipher))
    assert isinstance(plain.content, Values)
    desk.answer(login, time=plain.content.raws[0])
    desk.tell(Tick())
    assert desk.at(TerminalPhase.ONLINE)
    assert {message.encryption for message in desk.reports()} == {Encryption.SM4}


def test_a_data_key_is_renewed_before_its_end_and_without_one_no_report_goes() -> None:
    desk, terminal = keyed(DataKeyRules(validity_s=3600, ahead_s=600))
    desk.open()
    desk.tell(key_answer())
    cipher = terminal.keys.current(0)
    assert cipher is not None
    desk.answer(desk.last(Command.VEHICLE_LOGIN), time=bytes((26, 3, 1, 8, 0, 0)))
    assert desk.at(TerminalPhase.ONLINE)
    while desk.now_s < 3000:
        desk.beat()
    desk.run(1)
    assert desk.times_s(Command.DATA_KEY)[:2] == [0, 3000]
    while desk.now_s < 3600:
        desk.beat()
    desk.put(0)
    before = len(desk.reports())
    desk.run(1)
    assert len(desk.reports()) == before
    assert desk.session.facts()["data keys unanswered"] >= 1
    offers = desk.marks().count(Command.DATA_KEY)
    while desk.marks().count(Command.DATA_KEY) == offers:
        desk.run(1)
    desk.tell(key_answer())
    assert len(desk.reports()) == before + 1


def test_a_data_key_that_is_refused_is_a_login_that_failed_the_check() -> None:
    desk, _ = keyed()
    desk.open()
    desk.tell(key_answer(Response.ERROR))
    assert desk.at(TerminalPhase.PAUSED)
    desk.run(180)
    assert desk.times_s(Command.DATA_KEY) == [0, 180]


def test_an_agreed_cipher_holds_for_all_that_has_a_data_unit() -> None:
    cipher = BlockUnitCipher(Encryption.AES, bytes(16))
    desk = Desk(secrecy=Secrecy(cipher))
    login = desk.open()
    assert login.encryption == Encryption.AES
    assert decrypted(login.frame(), cipher).unit[:6] == desk.unix()
    desk.answer(login, time=desk.unix())
    desk.run(60)
    assert desk.last(Command.HEARTBEAT).encryption == Encryption.NONE


def test_an_answer_under_a_key_that_nobody_knows_is_none() -> None:
    desk = Desk(secrecy=Secrecy(BlockUnitCipher(Encryption.AES, bytes(16))))
    desk.open()
    stranger = BlockUnitCipher(Encryption.AES, bytes(range(16)))
    content = Values("response", (desk.unix(),))
    frame = Message(Edition.Y2016, 1, Response.SUCCESS, VIN, content).frame()
    secret = replace(frame, encryption=Encryption.AES, unit=stranger.encrypt(frame.unit))
    desk.tell(Received(secret.write()))
    assert desk.at(TerminalPhase.LOGGING_IN)
    assert desk.session.facts()["frames that do not decrypt"] == 1


def platform_key(desk: Desk, after_s: int = 0) -> Received:
    wall_s = desk.wall_s
    return Received(key_message(from_s=wall_s + after_s, to_s=wall_s + 86_400).write())


def test_a_key_of_the_platforms_own_instead_of_an_answer_does_not_end_renewal() -> None:
    desk, _ = keyed(DataKeyRules(validity_s=3600, ahead_s=600))
    desk.open()
    desk.tell(Received(key_message(from_s=desk.wall_s, to_s=desk.wall_s + 3600).write()))
    desk.answer(desk.last(Command.VEHICLE_LOGIN), time=desk.unix())
    assert desk.at(TerminalPhase.ONLINE)
    while desk.now_s < 3100:
        desk.beat()
    assert desk.times_s(Command.DATA_KEY)[1:] != []
    assert any(at_s >= 3000 for at_s in desk.times_s(Command.DATA_KEY))


def test_a_platforms_key_that_holds_from_a_moment_later_lets_the_login_go_then() -> None:
    """Its clock is ahead by a little."""
    terminal = KeyTerminal(DataKeyRules(offers=False))
    desk = Desk(Edition.Y2025, secrecy=Secrecy(keys=terminal.keys), clock=terminal.clock)
    before = len(desk.sent)
    while not desk.at(TerminalPhase.CONNECTING):
        desk.tell(Tick())
    desk.tell(Opened())
    assert desk.sent[before:] == []
    desk.tell(platform_key(desk, 2))
    desk.run(5)
    assert desk.times_s(Command.VEHICLE_LOGIN) == [2]


def test_a_pause_between_two_offers_is_no_login_that_failed() -> None:
    """A key was refused just before a cut, and the one before it is over."""
    desk, _ = keyed(DataKeyRules(validity_s=3600, ahead_s=30, retry_s=60))
    desk.open()
    desk.tell(key_answer())
    desk.answer(desk.last(Command.VEHICLE_LOGIN), time=desk.unix())
    while len(desk.times_s(Command.DATA_KEY)) < 2:
        assert desk.wake_ns is not None
        desk.clock.advance_to(desk.wake_ns)
        desk.tell(Tick())
        if desk.marks()[-1] == Command.HEARTBEAT:
            desk.answer(desk.last(Command.HEARTBEAT), time=b"")
    desk.run(29)
    desk.tell(key_answer(Response.ERROR))
    refused_s = desk.now_s
    desk.run(1)
    desk.tell(LOST)
    while not desk.at(TerminalPhase.CONNECTING):
        desk.run(1)
    desk.tell(Opened())
    desk.run(refused_s + 61 - desk.now_s)
    assert desk.times_s(Command.DATA_KEY)[2:] == [refused_s + 60]
    assert desk.session.facts().get("logins that failed", 0) == 0


def test_nothing_with_a_data_unit_goes_in_plain_while_there_is_no_data_key() -> None:
    desk, _ = keyed(DataKeyRules(validity_s=1200, ahead_s=600))
    desk.open()
    desk.tell(key_answer())
    desk.answer(desk.last(Command.VEHICLE_LOGIN), time=desk.unix())
    while desk.now_s < 1300:
        desk.beat()
    content = Values("query", (desk.unix(), 1, (9,)))
    before = len(desk.sent)
    desk.tell(Received(Message(Edition.Y2025, Command.QUERY, Response.COMMAND, VIN, content).write()))
    desk.tell(Stop(desk.clock.boot_ns()))
    said = [message for _, message in desk.sent[before:] if message.command != Command.DATA_KEY]
    assert all(not message.frame().unit for message in said)
    assert desk.at(TerminalPhase.CLOSING)
    assert desk.session.facts()["messages not sent for want of a data key"] >= 1
