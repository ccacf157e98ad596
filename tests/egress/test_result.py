import json
from dataclasses import replace

import pytest

from edge.egress.assembling import Yardstick, assemble, missing_interfaces
from edge.egress.flows import FlowTable
from edge.egress.frame import Direction
from edge.egress.packet import TCP, UDP
from edge.egress.result import Basis, EgressResult, Phase, PhaseResult, Verdict
from edge.egress.table import flow_table, headline, phase_table, sentences
from tests.egress.packets import ABROAD, PLATFORM, VEHICLE, client_hello, dns_answer, frame, ip, tcp, udp
from tests.egress.policies import destination, yardstick

HOURS = tuple(PhaseResult(one, 3600.0, 3600.5, Basis.MEASURED, 10, 0) for one in Phase)


def clean() -> FlowTable:
    table = FlowTable()
    for phase in Phase:
        table.add(phase, frame(ip(VEHICLE, PLATFORM, UDP, udp(5000, 8883))))
    return table


def leaking() -> FlowTable:
    table = clean()
    table.add(Phase.POWER_OFF, frame(ip(VEHICLE, ABROAD, UDP, udp(5000, 443))))
    return table


def result(
    table: FlowTable | None = None, phases: tuple[PhaseResult, ...] = HOURS, by: Yardstick | None = None
) -> EgressResult:
    return assemble(table or clean(), phases, by or yardstick(), started_ns=10**18)


def test_three_hours_without_a_packet_astray_pass() -> None:
    found = result()
    assert found.reasons == ()
    assert found.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"lasted_s": 3599.0}, "lasted 3,599.0 s of the 3,600 s"),
        ({"asked_s": 60.0, "lasted_s": 60.0}, "shorter than the 3,600 s that the standard asks for"),
        ({"lost": 1}, "the capture lost 1 packets"),
        ({"still_s": 11.0}, "stood still"),
        ({"unreadable": {"malformed headers": 2}}, "cannot be told: malformed headers"),
        ({"beyond": 1}, "more destinations than can be told apart"),
        ({"packets": 0}, "not a single packet"),
    ],
)
def test_what_a_capture_lacks_makes_it_no_proof_and_a_leak_fails_it_all_the_same(
    change: dict[str, object], word: str
) -> None:
    phases = (*HOURS[:1], replace(HOURS[1], **change), HOURS[2])  # type: ignore[arg-type]
    found = result(phases=phases)
    assert found.verdict is Verdict.NOT_PROVEN
    assert any(one.startswith("power-on: ") and word in one for one in found.reasons)
    assert result(leaking(), phases).verdict is Verdict.FAIL


def test_what_was_received_unreadably_takes_no_proof_away() -> None:
    phases = (replace(HOURS[0], unreadable_in={"malformed headers": 9}), *HOURS[1:])
    assert result(phases=phases).verdict is Verdict.PASS


def test_a_vehicle_that_is_off_may_be_silent() -> None:
    assert result(phases=(replace(HOURS[0], packets=0), *HOURS[1:])).verdict is Verdict.PASS


def test_a_capture_that_does_not_say_whether_it_lost_packets_is_remarked() -> None:
    phases = (replace(HOURS[0], lost=None, files=("off.pcap",)), *HOURS[1:])
    found = result(phases=phases)
    assert found.verdict is Verdict.PASS
    assert "does not say whether the capture lost packets: off.pcap" in found.remarks


@pytest.mark.parametrize("left_out", list(Phase))
def test_a_phase_that_was_not_captured_is_missed(left_out: Phase) -> None:
    found = result(phases=tuple(one for one in HOURS if one.phase is not left_out))
    assert found.verdict is Verdict.NOT_PROVEN
    assert f"{left_out.value}: not captured" in found.reasons


def test_one_packet_astray_in_ten_thousand_fails_and_stands_first() -> None:
    table = FlowTable()
    good = frame(ip(VEHICLE, PLATFORM, UDP, udp(5000, 8883, bytes(1000))))
    for number in range(10_000):
        table.add(Phase.POWER_ON, good)
        if number == 4321:
            table.add(Phase.POWER_ON, frame(ip(VEHICLE, ABROAD, UDP, udp(5000, 8883))))
    found = result(table)
    assert found.verdict is Verdict.FAIL
    assert [one.key.address for one in found.not_allowed] == [found.flows[0].key.address]
    assert found.flows[0].flow.packets_out == 1


def test_the_json_holds_every_fact_and_the_page_every_address() -> None:
    found = result(leaking())
    written = json.loads(json.dumps(found.as_json()))
    assert written["verdict"] == "fail"
    assert written["counts"] == {"not allowed": 1, "allowed": 1}
    first = written["flows"][0]
    assert (first["address"], first["protocol"], first["port"], first["phase"], first["direction"]) == (
        ABROAD,
        "UDP",
        443,
        "power-off",
        "out",
    )
    assert first["judgement"] == "not allowed"
    assert [one["as_long_as_standard"] for one in written["phases"]] == [True] * 3
    assert "FAIL: 1 address" in headline(found).plain
    assert flow_table(found).row_count == len(found.flows)
    assert phase_table(found).row_count == 3
    assert all(line.plain for line in sentences(found))


def test_a_time_out_of_all_calendars_is_shown_as_none() -> None:
    table = FlowTable()
    table.add(Phase.POWER_ON, frame(ip(VEHICLE, ABROAD, UDP, udp(1, 2)), t_ns=2**90))
    flows = result(table).as_json()["flows"]
    assert isinstance(flows, list)
    assert flows[0]["first"] == ""


def test_an_allowed_address_asked_for_another_name_is_remarked() -> None:
    table = FlowTable()
    answer = udp(53, 5000, dns_answer("platform.example", [PLATFORM]))
    table.add(Phase.POWER_ON, frame(ip("10.0.0.1", VEHICLE, UDP, answer), Direction.IN))
    hello = tcp(5000, 443, client_hello("elsewhere.example"))
    table.add(Phase.POWER_ON, frame(ip(VEHICLE, PLATFORM, TCP, hello)))
    found = result(table, by=yardstick(destination()))
    assert f"{PLATFORM} is allowed, but is also asked for elsewhere.example" in found.remarks


def test_a_host_that_no_answer_names_is_remarked() -> None:
    found = result(by=yardstick(destination()))
    assert found.verdict is Verdict.FAIL
    assert any("platform.example" in one and "before the gateway starts" in one for one in found.remarks)


def test_an_interface_that_never_was_is_doubted() -> None:
    phases = (replace(HOURS[0], interfaces=("eth0",)), replace(HOURS[1], interfaces=("eth0", "ppp0")))
    assert missing_interfaces(["ppp0", "eth0", "wlan9"], phases) == ["there was no interface 'wlan9'"]
