"""A controller that is not listen-only is an alarm that stands wherever somebody looks, until it is over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.alarming import REMIND_S, AlarmWatch
from edge.bus.condition import AlarmKind, BusAlarm, BusCondition, Conditions, Listening
from edge.bus.merge import merge
from edge.bus.socketcan.link import LinkWatch
from edge.bus.socketcan.link_report import LOOK_PERIOD_S, Expected, LinkReport
from edge.capturing.border import Decoder, encode
from edge.capturing.message import TEXT_MAX, BorderError, Report
from edge.clock import NS_PER_S, SystemClock, VirtualClock
from edge.control.requests import Requests
from edge.control.server import ControlServer
from edge.frames import Frame
from edge.wire import account_message
from edge.wire.up_kinds import UpKind, peek_kind
from tests.cli.running import Program
from tests.gateway.rig import Rig, S, live, motion
from tests.socketcan.kernel_link import LISTEN_ONLY, Kernel, deleted_link, new_link

TAKES_PART = BusAlarm(AlarmKind.NOT_LISTEN_ONLY, "can0 is not listen-only; set it down, then up")
GOOD = BusCondition("pt", "socketcan can0", "ring", "can, listen-only", Listening.ONLY)
BAD = replace(GOOD, link="can, not listen-only", listening=Listening.NOT_ONLY, alarms=(TAKES_PART,))


class Bench:
    """A report on an interface of which the test says what the kernel tells."""

    def __init__(self, start: bytes, expected: Expected | None = None) -> None:
        self.clock, self.kernel, self.conditions = VirtualClock(), Kernel(start), Conditions()
        watch = LinkWatch("can0", self.clock, open_socket=lambda: self.kernel)
        self.report = LinkReport(
            watch, bus="pt", clock=self.clock, expected=expected, conditions=self.conditions
        )

    def happens(self, datagram: bytes) -> BusCondition:
        self.kernel.waiting.append(datagram)
        self.kernel.answer = datagram
        self.clock.advance_to(self.clock.boot_ns() + round(LOOK_PERIOD_S * NS_PER_S))
        self.report.look()
        return self.now

    @property
    def now(self) -> BusCondition:
        return self.conditions.of("pt")

    @property
    def kinds(self) -> list[str]:
        return [str(alarm.kind) for alarm in self.now.alarms]


def test_an_alarm_stands_until_the_interface_reads_back_as_listen_only() -> None:
    bench = Bench(new_link(mode=0))
    assert (bench.now.listening, bench.kinds) == (Listening.NOT_ONLY, ["not listen-only"])
    assert "ip link set can0 type can listen-only on" in bench.now.alarms[0].words
    bench.happens(new_link(flags=0, mode=0))
    assert (bench.now.away, bench.kinds) == ("can0 is down", ["not listen-only"]), "nobody has set it right"
    bench.happens(new_link(mode=LISTEN_ONLY))
    assert (bench.now.listening, bench.now.away, bench.kinds) == (Listening.ONLY, "", [])


def test_what_is_gone_is_no_alarm_and_is_one_again_when_it_is_back() -> None:
    bench = Bench(new_link(mode=0))
    gone = bench.happens(deleted_link())
    assert (gone.away, gone.link, gone.listening, gone.alarms) == ("can0 is gone", "", Listening.UNKNOWN, ())
    bench.happens(new_link(index=9, mode=0))
    assert bench.kinds == ["not listen-only"]


@pytest.mark.parametrize("kind", ["vcan", "vxcan"])
def test_of_what_is_no_controller_it_cannot_be_told(kind: str) -> None:
    bench = Bench(new_link(kind=kind))
    assert (bench.now.listening, bench.now.alarms) == (Listening.UNKNOWN, ())


def test_a_bus_that_may_take_part_is_no_alarm_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "edge.bus.socketcan")
    bench = Bench(new_link(mode=0), Expected(listen_only=False))
    assert (bench.now.listening, bench.now.listening_required, bench.kinds) == (Listening.NOT_ONLY, False, [])
    assert not bench.report.listen_only_alarm
    assert bench.report.facts["not listen-only"] == 1
    (line,) = [record for record in caplog.records if "acknowledges" in record.getMessage()]
    assert line.levelname == "INFO"
    assert line.getMessage().endswith("as the configuration says (listen_only)")


def test_another_bit_rate_than_configured_is_an_alarm_as_well() -> None:
    bench = Bench(new_link(mode=0), Expected(bitrate=250_000))
    assert bench.kinds == ["not listen-only", "not as configured"]
    bench.happens(new_link(mode=LISTEN_ONLY, bitrate=250_000))
    assert bench.kinds == []


def test_how_buses_stand_crosses_the_border_whole() -> None:
    report = Report(1, 0, (), None, (BAD, GOOD, BusCondition("body")))
    assert list(Decoder().feed(encode(report))) == [report]


def test_a_report_with_endless_words_is_refused() -> None:
    report = Report(1, 0, (), None, (replace(GOOD, link="x" * (TEXT_MAX + 1)),))
    with pytest.raises(BorderError):
        list(Decoder().feed(encode(report)))


def test_each_alarm_is_told_once_reminded_of_and_told_over() -> None:
    watch = AlarmWatch()

    def told(condition: BusCondition, at_s: float) -> list[tuple[bool, str]]:
        return [(one.trouble, one.text) for one in watch.see([condition], round(at_s * NS_PER_S))]

    assert told(GOOD, 0) == []
    assert watch.hops() == ()
    assert told(BAD, 1) == [(True, f"alarm: bus pt: {TAKES_PART.words}")]
    assert told(BAD, REMIND_S) == []
    assert told(BAD, 1 + REMIND_S) == [(True, f"alarm still stands: bus pt: {TAKES_PART.words}")]
    (hop,) = watch.hops()
    assert (hop.entered, hop.left, hop.balanced) == (1, 0, True)
    assert hop.set_aside == {"standing: bus pt not listen-only": 1}
    assert told(GOOD, 2 + REMIND_S) == [(False, "alarm over: bus pt: no longer not listen-only")]
    (hop,) = watch.hops()
    assert (hop.entered, hop.left, dict(hop.set_aside)) == (1, 1, {})


def statements(rig: Rig) -> list[account_message.AccountMessage]:
    accounts = [one for one in rig.platform.statements if peek_kind(one) is UpKind.ACCOUNT]
    return [account_message.decode(one) for one in accounts]


def test_a_gateway_tells_people_and_platform_of_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, uplink="account_period_s = 3600")
    conditions = Conditions([GOOD])

    def frames(t_ns: int) -> list[Frame]:
        second = t_ns // S
        conditions.tell(BAD if 20 <= second < 40 else GOOD)
        return [motion(t_ns, 50)]

    answers: list[Mapping[str, Any]] = []

    def look(gateway: object) -> None:
        assert gateway is rig.gateway
        answers.append(Requests(rig.gateway.consenting.desk, rig.gateway.cabin).answer({"do": "state"}))

    bus = merge([live(rig, "pt", frames, seconds=60)], clock=rig.clock)
    rig.gateway.run(bus, stop=rig.stop, watch=look, conditions=conditions)
    told = [text for text in rig.told if "alarm" in text]
    assert told == [
        f"alarm: bus pt: {TAKES_PART.words}",
        "alarm over: bus pt: no longer not listen-only",
    ]
    stood = [answer["alarms"] for answer in answers]
    assert stood[0] == stood[-1] == []
    (alarm,) = stood[len(stood) // 2]
    assert (alarm["bus"], alarm["kind"], alarm["words"]) == ("pt", "not listen-only", TAKES_PART.words)
    assert 0 <= alarm["for_s"] <= 20
    (listed,) = answers[len(stood) // 2]["buses"]
    assert (listed["way"], listed["listening"], listed["alarms"]) == (
        "ring",
        "not listen-only",
        ["not listen-only"],
    )
    assert rig.gateway.finish(60)
    said = [hop for one in statements(rig) for hop in one.account.hops if hop.name == "alarms"]
    assert [(hop.entered, hop.left, hop.balanced) for hop in said] == [
        (1, 0, True),
        (1, 1, True),
        (1, 1, True),
    ]
    assert rig.gateway.account().balanced


STATE: dict[str, Any] = {
    "policy": {"title": "fleet version 4", "signature": "good"},
    "clock": {"trusted": True, "why": ""},
    "place": None,
    "mask": "m-1",
    "left": [],
    "alarms": [{"bus": "pt", "kind": "not listen-only", "words": TAKES_PART.words, "for_s": 61}],
    "buses": [
        {
            "bus": "pt",
            "interface": "socketcan can0",
            "way": "ring",
            "link": "can, not listen-only",
            "listening": "not listen-only",
            "listening_required": True,
            "away": "",
            "alarms": ["not listen-only"],
        }
    ],
    "uses": [],
}


@pytest.fixture(name="answering")
def answer_requests(tmp_path: Path) -> Iterator[dict[str, Any]]:
    state = json.loads(json.dumps(STATE))
    with ControlServer(tmp_path / "s", lambda _: {**state, "ok": True}, SystemClock()):
        yield state


@pytest.fixture(name="nevgate")
def make_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    return Program(monkeypatch, capsys)


def test_status_shows_the_alarm_first_and_ends_with_its_own_code(
    answering: dict[str, Any], nevgate: Program, tmp_path: Path
) -> None:
    shown = nevgate("status", "--socket", tmp_path / "s")
    assert shown.code == 4
    assert shown.out.startswith(f"ALARM: bus pt: {TAKES_PART.words}\n")
    plain = nevgate("status", "--socket", tmp_path / "s", "--json")
    assert plain.code == 4
    assert json.loads(plain.out)["alarms"] == answering["alarms"]
    answering["alarms"] = []
    answering["buses"][0] |= {"listening_required": False, "alarms": []}
    quiet = nevgate("status", "--socket", tmp_path / "s")
    assert (quiet.code, quiet.out.splitlines()[0]) == (0, "no alarm")
    assert "as configured (listen_only)" in quiet.out


def test_status_of_no_gateway_is_an_error_and_no_good_news(nevgate: Program, tmp_path: Path) -> None:
    shown = nevgate("status", "--socket", tmp_path / "s")
    assert shown.code == 1
    assert "no gateway listens here" in shown.err
    assert shown.out == ""
