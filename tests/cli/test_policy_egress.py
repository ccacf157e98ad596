"""`nevgate policy egress` as it is called."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import Program
from tests.egress.packets import (
    ABROAD,
    PLATFORM,
    VEHICLE,
    VEHICLE6,
    dns_answer,
    ethernet,
    ip,
    pcap,
    udp,
)

UDP = 17
RESOLVER = "10.77.0.53"
PHASES = ("power-off", "power-on", "all-functions")
CONFIG = """
[vehicle]
vin = "LNVGATE00XDEM0001"
[[bus]]
name = "powertrain"
interface = "virtual"
channel = "0"
[policy]
profile = "gbt44464"
[uplink]
host = "platform.example"
jurisdiction = "CN"
[signing]
key = "keys/vehicle.pem"
platform = "keys/platform.pem"
"""
ANSWER = ethernet(ip(RESOLVER, VEHICLE, UDP, udp(53, 5000, dns_answer("platform.example", [PLATFORM]))))
RECORD = ethernet(ip(VEHICLE, PLATFORM, UDP, udp(5000, 8883, b"record")))
LEAK = ethernet(ip(VEHICLE, ABROAD, UDP, udp(5000, 443, b"leak")))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "nevgate.toml"
    path.write_text(CONFIG, "utf-8")
    return path


@pytest.fixture
def taps(tmp_path: Path, config: Path) -> list[str]:
    """A capture of an hour and a second for each phase, in which all is as it should be."""
    del config
    words = []
    for number, phase in enumerate(PHASES):
        path = tmp_path / f"{phase}.pcap"
        begin_s = number * 4000.0
        path.write_bytes(pcap([(begin_s + one, RECORD if one else ANSWER) for one in (0.0, 1.0, 3601.0)]))
        words += ["--pcap", f"{phase}={path.name}"]
    return words


def test_three_clean_hours_on_a_tap_pass(nevgate: Program, taps: list[str]) -> None:
    found = nevgate("policy", "egress", "-c", "nevgate.toml", *taps)
    assert found.code == 0, found.err
    assert found.out.startswith("PASS")
    assert "platform.example" in found.out


def test_one_packet_astray_fails_and_is_named(nevgate: Program, taps: list[str], tmp_path: Path) -> None:
    (tmp_path / "power-off.pcap").write_bytes(pcap([(0.0, ANSWER), (700.5, LEAK), (3601.0, RECORD)]))
    found = nevgate("policy", "egress", "-c", "nevgate.toml", "--json", *taps)
    assert found.code == 4
    bad = [one for one in json.loads(found.out)["flows"] if one["judgement"] == "not allowed"]
    assert [(one["address"], one["phase"], one["packets_out"], one["first"]) for one in bad] == [
        (ABROAD, "power-off", 1, "1970-01-01T00:11:40.500+00:00")
    ]


def test_a_minute_is_no_proof(nevgate: Program, taps: list[str]) -> None:
    found = nevgate("policy", "egress", "-c", "nevgate.toml", "--seconds", "60", *taps)
    assert found.code == 3
    assert "NOT PROVEN" in found.out
    assert "power-on: shorter than the 3,600 s that the standard asks for" in found.out


def test_a_file_that_spans_less_counts_by_the_word_of_whoever_made_it(
    nevgate: Program, taps: list[str], tmp_path: Path
) -> None:
    (tmp_path / "power-off.pcap").write_bytes(pcap([]))
    assert nevgate("policy", "egress", "-c", "nevgate.toml", *taps).code == 3
    found = nevgate("policy", "egress", "-c", "nevgate.toml", "--lasted", "3600", "--json", *taps)
    assert found.code == 0
    assert [one["basis"] for one in json.loads(found.out)["phases"]] == [
        "stated",
        "capture file",
        "capture file",
    ]


def test_files_go_with_the_phases_in_turn_and_one_alone_must_say_its_phase(
    nevgate: Program, taps: list[str]
) -> None:
    bare = [word.partition("=")[2] or word for word in taps]
    assert nevgate("policy", "egress", "-c", "nevgate.toml", *bare).code == 0
    found = nevgate("policy", "egress", "-c", "nevgate.toml", *bare[:2])
    assert found.code == 2
    assert "Of which phase is power-off.pcap?" in found.err
    one = nevgate("policy", "egress", "-c", "nevgate.toml", "--phases", "power-on", *bare[:2])
    assert one.code == 3
    assert "power-off: not captured" in one.out


def test_a_file_that_breaks_off_is_no_proof(nevgate: Program, taps: list[str], tmp_path: Path) -> None:
    path = tmp_path / "power-on.pcap"
    path.write_bytes(path.read_bytes()[:-3])
    found = nevgate("policy", "egress", "-c", "nevgate.toml", "--lasted", "3600", *taps)
    assert found.code == 3
    assert "power-on.pcap breaks off" in found.out


def test_one_hour_given_for_two_phases_is_no_proof(nevgate: Program, taps: list[str], tmp_path: Path) -> None:
    (tmp_path / "power-on.pcap").write_bytes((tmp_path / "power-off.pcap").read_bytes())
    found = nevgate("policy", "egress", "-c", "nevgate.toml", *taps)
    assert found.code == 3
    assert "power-off and power-on: 3,600 s of them are of the same time" in found.out


def test_abroad_is_what_is_not_home(nevgate: Program, taps: list[str], config: Path) -> None:
    words = ("policy", "egress", "-c", "nevgate.toml", *taps)
    config.write_text(CONFIG.replace('"CN"', '"DE"').replace("gbt44464", "gdpr"), "utf-8")
    assert nevgate(*words).code == 4
    assert nevgate(*words, "--home", "EEA").code == 0


def test_a_policy_that_is_not_in_force_is_not_judged_by(
    nevgate: Program, taps: list[str], config: Path
) -> None:
    config.write_text(CONFIG.replace('profile = "gbt44464"', 'file = "none.toml"\nkey = "none.pem"'), "utf-8")
    found = json.loads(nevgate("policy", "egress", "-c", "nevgate.toml", "--json", *taps).out)
    assert found["policy"].startswith("strict")
    assert any("none.toml" in one for one in found["remarks"])


def test_the_vehicles_own_public_address_is_told(nevgate: Program, taps: list[str], tmp_path: Path) -> None:
    scan = ethernet(ip("2001:4860:4860::8888", VEHICLE6, UDP, udp(5000, 22)))
    (tmp_path / "power-on.pcap").write_bytes(pcap([(4000.0, ANSWER), (4020.0, scan), (7601.0, RECORD)]))
    words = ("policy", "egress", "-c", "nevgate.toml", *taps)
    assert "--vehicle says which are" in nevgate(*words).out
    assert nevgate(*words, "--vehicle", VEHICLE, "--vehicle", "2409:8900::/64").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--phases", "power-on,power-up"),
        ("--phases", "power-on,power-on"),
        ("--seconds", "0"),
        ("--seconds", "nan"),
        ("--home", "UK"),
        ("--vehicle", "wan0"),
        ("--resolver", "dns.example"),
        ("--lasted", "3600"),
        ("--pcap", "a.pcap", "--interface", "eth0"),
        ("--pcap", "a.pcap", "--pcap-out", "b"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(
    nevgate: Program, config: Path, words: tuple[str, ...]
) -> None:
    del config
    found = nevgate("policy", "egress", "-c", "nevgate.toml", *words)
    assert found.code == 2
    assert "Traceback" not in found.err


def test_a_capture_that_is_not_there_is_an_error(nevgate: Program, config: Path) -> None:
    del config
    found = nevgate("policy", "egress", "-c", "nevgate.toml", "--pcap", "power-on=none.pcap")
    assert found.code == 1
    assert "none.pcap" in found.err


@pytest.mark.skipif(not shutil.which("setpriv"), reason="setpriv is not installed")
def test_without_the_right_to_capture_it_says_what_to_do(config: Path) -> None:
    words = [sys.executable, "-m", "edge", "policy", "egress", "-c", str(config)]
    if os.geteuid() == 0:
        words = ["setpriv", "--inh-caps=-all", "--bounding-set=-net_raw", *words]
    found = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 1
    assert "CAP_NET_RAW" in found.stderr
    assert "--pcap" in found.stderr
    assert found.stderr.count("\n") == 1
