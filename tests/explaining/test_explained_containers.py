"""Signals of PDUs in containers are explained like any other, and a container by its PDUs."""

from __future__ import annotations

from rich.console import Console

from edge.explaining.page import page_of
from edge.explaining.payloads import PayloadAnswer
from edge.explaining.question import ask
from edge.explaining.signals import SignalAnswer
from edge.policy.classes import DataClass
from tests.explaining.situations import BUS, situation_of
from tests.policy.boxed import BOX, box, pdu
from tests.policy.test_containers import DRIVE, SEAT, classed
from tests.policy.test_door import classed as classed_message
from tests.policy.test_door import signal

OPERATION = DataClass.OPERATION


def test_a_signal_of_a_pdu_has_its_own_answer() -> None:
    situation = situation_of({BUS: [classed()]}, {OPERATION})
    (speed,) = ask(situation, "Drive.Speed")
    (belt,) = ask(situation, "Seat.Belt")
    assert isinstance(speed, SignalAnswer)
    assert isinstance(belt, SignalAnswer)
    assert (speed.collected, speed.arbitration_id, speed.bits) == (True, BOX, "0.0-0.7")
    assert not belt.collected
    assert [why.words for why in belt.whys] == ["its class, cabin, is not collected"]


def test_a_container_is_explained_by_its_pdus() -> None:
    situation = situation_of({BUS: [classed()]}, {OPERATION})
    data = box([(SEAT, b"\x11\x22"), (DRIVE, b"\xff\xff"), (DRIVE, b"\x01\x02")]).data
    for name in ("Box", "Drive"):
        (answer,) = ask(situation, name)
        assert isinstance(answer, PayloadAnswer)
        assert answer.keeps
        assert answer.messages == ("Drive", "Seat", "Mixed")
        assert {one.name: (one.collected, one.bits) for one in answer.signals} == {
            "Drive.Speed": (True, "0.0-0.7"),
            "Drive.Gear": (True, "1.0-1.3"),
            "Seat.Belt": (False, "0.0-0.7"),
            "Mixed.Lane": (False, "0.0-0.7"),
            "Mixed.Power": (True, "1.0-1.7"),
            "Mixed.Age": (False, "2.0-2.7"),
        }
    (answer,) = ask(situation, f"{BUS}:0x{BOX:X}#{data.hex()}")
    assert isinstance(answer, PayloadAnswer)
    assert answer.passage is not None
    assert answer.passage.after == (pdu(DRIVE, b"\xff\x0f") + pdu(DRIVE, b"\x01\x02")).hex()
    console = Console(record=True, width=120)
    console.print(*page_of(answer), sep="\n")
    assert "Speed" in console.export_text()


def test_a_container_whose_id_another_message_has_is_named() -> None:
    message = classed_message(signal("A", 0, 8), {"A": OPERATION}, identifier=BOX)
    situation = situation_of({BUS: [classed(), message]}, {OPERATION})
    (answer,) = ask(situation, "M.A")
    assert isinstance(answer, SignalAnswer)
    assert "may be the container Box" in answer.whys[0].words
    (inside,) = ask(situation, "Drive.Speed")
    assert isinstance(inside, SignalAnswer)
    assert [why.words for why in inside.whys] == ["its container cannot be told apart"]
