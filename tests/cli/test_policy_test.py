"""`nevgate policy test`: what it says, with which exit status, and of which configuration."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pytest

from edge.policy import masks
from edge.policy.judgement import Judged
from edge.policy.layers import bits_of
from tests.cli.running import Program

DBC = """VERSION ""
BS_:
BU_: Ecu
BO_ 256 Motion: 4 Ecu
 SG_ Speed : 0|8@1+ (1,0) [0|0] "" Ecu
 SG_ Belt : 10|2@1+ (1,0) [0|0] "" Ecu
"""
CONFIG = """
[vehicle]
vin = "LNVGATE00XDEM0001"
[[bus]]
name = "pt"
recording_channel = "can0"
[[bus.database]]
file = "car.dbc"
[policy]
profile = "gbt44464"
[uplink]
host = "127.0.0.1"
acknowledge = "puback"
tls.enabled = false
[signing]
key = "none.pem"
"""


@pytest.fixture(autouse=True)
def _car(tmp_path: Path, nevgate: Program) -> None:
    """A configuration of one small database; there is no key."""
    del nevgate
    (tmp_path / "car.dbc").write_text(DBC)
    (tmp_path / "car.classes.toml").write_text(
        '[operation]\nsignals = ["Motion.Speed"]\n[cabin]\nsignals = ["Motion.Belt"]\n'
    )
    (tmp_path / "nevgate.toml").write_text(CONFIG)


@pytest.fixture
def _leaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A door that lets one bit of the belt pass wherever anything does."""

    def leaking(signals: Iterable[Judged], width: int) -> object:
        mask = bits_of(signals, max(width, 2))
        if mask.any():
            mask[1] |= np.uint8(1 << 2)
        return mask

    monkeypatch.setattr(masks, "bits_of", leaking)


def test_a_door_that_holds_passes_and_says_what_was_tried(nevgate: Program) -> None:
    outcome = nevgate("policy", "test", "--seed", "7")
    assert (outcome.code, outcome.err) == (0, "")
    assert "PASS: nothing that left the door depended on a forbidden bit" in outcome.out
    assert "seed 7" in outcome.out
    assert "collected by law alone; somebody agreed to cabin" in outcome.out
    assert "1 id with 20 payloads" in outcome.out


def test_as_json_a_seed_gives_the_same_again(nevgate: Program) -> None:
    words = ("policy", "test", "-c", "nevgate.toml", "--json", "--frames", "4")
    one = json.loads(nevgate(*words).out)
    assert one["passed"]
    assert one["counterexample"] is None
    assert one["tried"]["flips"] > 100
    assert json.loads(nevgate(*words, "--seed", one["seed"]).out) == one


@pytest.mark.usefixtures("_leaking")
def test_a_broken_door_is_found_with_the_bit_and_its_signal(nevgate: Program) -> None:
    outcome = nevgate("policy", "test", "--seed", "7")
    assert outcome.code == 4
    for words in (
        "FAIL: what leaves the door depends on a forbidden bit",
        "when       collected by law alone",
        "where      frame pt:0x100, bit 1.2",
        "signal     Motion.Belt (cabin)",
        "shows in   the frame itself",
    ):
        assert words in outcome.out, words
    found = json.loads(nevgate("policy", "test", "--json").out)
    assert not found["passed"]
    assert (found["counterexample"]["bit"], found["counterexample"]["arbitration_id"]) == (10, 256)


def test_a_recording_is_tried_too(nevgate: Program, tmp_path: Path) -> None:
    lines = [f"({place / 10:.6f}) can0 100#{place:02X}FF{place:02X}AA" for place in range(40)]
    (tmp_path / "drive.log").write_text("\n".join([*lines, "(5.000000) can0 7FF#01020304"]) + "\n")
    outcome = nevgate("policy", "test", "--recording", "drive.log")
    assert outcome.code == 0
    assert "41 frames of drive.log, each with its forbidden bits drawn anew" in outcome.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--recording", "none.log"), 1, "none.log: cannot be read"),
        (("--recording", "elsewhere.log"), 1, "can9"),
        (("-c", "none.toml"), 2, "none.toml"),
        (("--frames", "0"), 2, "--frames"),
    ],
)
def test_what_cannot_be_tried_is_told_in_a_line(
    nevgate: Program, tmp_path: Path, words: Collection[str], code: int, said: str
) -> None:
    (tmp_path / "elsewhere.log").write_text("(0.000000) can9 100#00\n")
    outcome = nevgate("policy", "test", *words)
    assert (outcome.code, outcome.out) == (code, "")
    assert said in outcome.err
    assert "Traceback" not in outcome.err
