"""The steps of a login to a platform: what it says of answers, refusals, silence and garbage."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from click.testing import CliRunner

from edge.catalogue.item import Edition
from edge.cli.gbt_login_test import command
from edge.clock import NS_PER_S, Timebase, TimeQuality, VirtualClock
from edge.uplink.gbt.login_test import Caller, LoginTest, Step, Wire
from edge.uplink.gbt.secrecy import Secrecy
from edge.uplink.gbt.terminal import Terminal
from edge.wire.gbt.frame import Encryption, Response, read_frame
from edge.wire.gbt.message import answer, message_of
from edge.wire.gbt.security.ciphers import BlockUnitCipher
from simulator.gbt.platform import GbtPlatform
from tests.forward.gbt_site import VIN

Answers = Callable[[bytes], bytes | None]


@dataclass
class ScriptedWire(Wire):
    """Answers what is sent by a function; None ends the connection. Time passes when nothing comes."""

    clock: VirtualClock
    answers: Answers
    waiting: list[bytes] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    closed: bool = False

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        given = self.answers(data)
        if given != b"":
            self.waiting.append(given or b"")

    def receive(self, timeout_s: float) -> bytes | None:
        if self.waiting:
            return self.waiting.pop(0)
        self.clock.advance_to(self.clock.boot_ns() + round(timeout_s * NS_PER_S))
        return None

    def close(self) -> None:
        self.closed = True


def flagged(flag: Response) -> Answers:
    def answers(data: bytes) -> bytes:
        return answer(message_of(read_frame(data)), flag).write()

    return answers


def run(answers: Answers, edition: Edition = Edition.Y2025, secrecy: Secrecy | None = None) -> list[Step]:
    clock = VirtualClock(1, Timebase(1_772_323_200 * NS_PER_S, TimeQuality.NTP))
    wire = ScriptedWire(clock, answers)
    caller = Caller(Terminal(edition, VIN), 7, secrecy or Secrecy())
    steps = list(LoginTest(caller, lambda: wire, clock, 10.0).run())
    assert wire.closed
    return steps


@pytest.mark.parametrize("edition", Edition)
def test_the_platform_takes_login_heartbeat_and_logout(edition: Edition) -> None:
    connection = GbtPlatform().connect(1_772_323_200 * NS_PER_S, "test")

    def answers(data: bytes) -> bytes:
        return connection.take(data, 1_772_323_200 * NS_PER_S).send

    steps = run(answers, edition)
    assert [(one.name, one.ok) for one in steps] == [
        ("connect", True),
        ("log in", True),
        ("heartbeat", True),
        ("log out", True),
    ]
    assert all(one.sent and one.received for one in steps[1:])


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (lambda _: b"", "no answer within 10 s. A platform is silent about a login that fails its check"),
        (lambda _: None, "the platform ends the connection instead of answering"),
        (flagged(Response.VIN_UNKNOWN), "the platform answers that it does not know the VIN (04)"),
        (flagged(Response.VIN_DUPLICATE), "the platform answers that the VIN is there twice (03)"),
        (lambda _: b"garbage", "no answer within 10 s (besides: 7 bytes that are no frame)"),
    ],
)
def test_what_went_wrong_is_said_and_nothing_follows(answers: Answers, expected: str) -> None:
    steps = run(answers)
    assert [one.name for one in steps] == ["connect", "log in"]
    assert not steps[1].ok
    assert steps[1].words.startswith(expected)


def test_another_command_is_told_and_the_answer_waited_for() -> None:
    def answers(data: bytes) -> bytes:
        other = Terminal(Edition.Y2025, VIN).login(b"\x1a\x03\x01\x08\x00\x00", 7).write()
        return other + (flagged(Response.SUCCESS)(data) or b"")

    assert run(answers)[1].words == "answered with success (besides: command 01 with flag FE)"


def test_under_an_agreed_key_nothing_but_it_is_understood() -> None:
    cipher = BlockUnitCipher(Encryption.SM4, bytes(range(16)))
    other = BlockUnitCipher(Encryption.SM4, bytes(16))
    seen: list[int] = []

    def answers(data: bytes) -> bytes:
        secrecy = Secrecy(cipher)
        frame = read_frame(data)
        seen.append(frame.encryption)
        message = answer(message_of(secrecy.opened(frame, 0)), Response.SUCCESS)
        return secrecy.sealed(message.frame(), 0).write()

    assert all(step.ok for step in run(answers, secrecy=Secrecy(cipher)))
    assert seen == [Encryption.SM4, Encryption.NONE, Encryption.SM4]

    def otherwise(data: bytes) -> bytes:
        message = answer(message_of(Secrecy(cipher).opened(read_frame(data), 0)), Response.SUCCESS)
        return Secrecy(other).sealed(message.frame(), 0).write()

    assert run(otherwise, secrecy=Secrecy(cipher))[1].words.startswith("the platform's answer cannot be read")


def test_nobody_there_is_a_failed_step_and_an_exit_code() -> None:
    done = CliRunner().invoke(command, ["127.0.0.1:1", "--vin", VIN, "--json"])
    assert done.exit_code == 1
    said = json.loads(done.output)
    assert said["ok"] is False
    assert said["steps"][0]["words"] == "no connection: Connection refused"


def test_only_a_platform_of_the_standard_can_be_tested() -> None:
    done = CliRunner().invoke(command, [])
    assert "needs a platform" in str(done.exception)
