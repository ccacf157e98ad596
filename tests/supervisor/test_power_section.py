"""What the table [power] may say, and which board it means."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from edge.config.configuration import Config
from edge.power.keeper import KeeperRules


def config(*buses: Mapping[str, object], power: Mapping[str, object] | None) -> Config:
    return Config.model_validate(
        {
            "vehicle": {"vin": "LNVTEST0000000001"},
            "bus": buses,
            "uplink": {"host": "127.0.0.1", "acknowledge": "puback", "tls": {"enabled": False}},
            "signing": {"key": "none.pem"},
            **({} if power is None else {"power": power}),
        }
    )


def board(name: str, channel: str = "auto", number: int = 0) -> dict[str, object]:
    return {"name": name, "interface": "vlink", "channel": channel, "options": {"bus": number}}


PLAIN = {"name": "can", "interface": "socketcan", "channel": "can0"}


def test_nobody_is_asked_without_the_table() -> None:
    assert config(board("pt"), power=None).power_bus is None


def test_the_one_board_is_the_supervisor_and_an_end_is_as_the_keeper_has_it() -> None:
    found = config(PLAIN, board("pt"), board("body", number=1), power={})
    assert found.power_bus == "pt"
    assert found.power is not None
    assert found.power.rules == KeeperRules()


def test_of_several_boards_one_is_named() -> None:
    boards = board("pt", "/dev/ttyACM0"), board("body", "/dev/ttyACM1")
    assert config(*boards, power={"bus": "body"}).power_bus == "body"
    with pytest.raises(ValidationError, match=r"say which by power.bus: .* are pt, body"):
        config(*boards, power={})


@pytest.mark.parametrize(
    ("power", "words"),
    [
        ({"bus": "can"}, r"power.bus is 'can', but the buses with interface = \"vlink\" are pt"),
        ({"close_s": 0}, "close_s"),
        ({"wake_after_s": 60}, "wake_after_s is 0 for never, or 300 to 500000"),
        ({"wake_after_s": 500_001}, "wake_after_s is 0 for never"),
        ({"drain_s": 1}, "drain_s"),
    ],
)
def test_what_is_wrong_is_said(power: Mapping[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        config(PLAIN, board("pt"), power=power)


def test_there_has_to_be_a_board() -> None:
    with pytest.raises(ValidationError, match=r"needs a board .* no bus has interface = \"vlink\""):
        config(PLAIN, power={})
