"""What a configuration may say of buses behind a board, and how the board is shown."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from edge.bus.condition import BoardHealth, BusCondition
from edge.capturing.border import Decoder, encode
from edge.capturing.message import Report
from edge.cli.status import _board
from edge.config.bus import BusSection
from edge.config.configuration import Config
from edge.config.vlink import VlinkOptions


def bus(name: str = "pt", more: Mapping[str, object] | None = None) -> dict[str, object]:
    return {"name": name, "interface": "vlink", "channel": "auto", **(more or {})}


@pytest.mark.parametrize("channel", ["auto", "auto:E661", "/dev/ttyACM0", "/dev/serial/by-id/usb-x"])
def test_channels(channel: str) -> None:
    assert BusSection.model_validate(bus(more={"channel": channel})).channel == channel


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"channel": "COM3"}, "has to be a port such as /dev/ttyACM0, auto"),
        ({"channel": "auto:"}, "has to be a port"),
        ({"options": {"speed": 1}}, "options of bus 'pt': speed: .* there are bus, speed"),
        ({"options": {"sped": 9600}}, "options of bus 'pt': sped"),
        ({"options": {"bus": 255}}, "options of bus 'pt': bus"),
    ],
)
def test_what_is_wrong_with_a_bus_is_said(more: Mapping[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        BusSection.model_validate(bus(more=more))


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({}, {"bus": 0}, "buses 'pt' and 'body' are the same bus of one board"),
        ({}, {"bus": 1, "speed": 9600}, "buses 'pt' and 'body' give one board two speeds"),
    ],
)
def test_buses_of_one_board_have_to_agree(
    first: Mapping[str, object], second: Mapping[str, object], words: str
) -> None:
    told = {
        "vehicle": {"vin": "LNVTEST0000000001"},
        "bus": [bus(more={"options": first}), bus("body", {"options": second})],
        "uplink": {"host": "127.0.0.1", "acknowledge": "puback"},
        "signing": {"key": "vehicle.pem"},
    }
    with pytest.raises(ValidationError, match=words):
        Config.model_validate(told)


def test_without_options_it_is_the_first_bus_at_the_usual_speed() -> None:
    options = VlinkOptions.of({})
    assert (options.bus, options.speed) == (0, 921_600)


HEALTH = BoardHealth(
    "Pico", "0.1 (ab)", 31.25, 12.4, True, "on", 81_920, 2100, 2, "watchdog", 1200, 3, 61.5, 41.0
)


def test_a_boards_health_crosses_the_border_of_capture() -> None:
    report = Report(1, 0, (), None, (BusCondition("pt", board=HEALTH), BusCondition("body")))
    (came,) = itertools.chain.from_iterable([Decoder().feed(encode(report))])
    assert isinstance(came, Report)
    assert came.buses == report.buses


def test_status_shows_it() -> None:
    shown = {field: getattr(HEALTH, field) for field in BoardHealth.__dataclass_fields__}
    assert _board(shown) == (
        "Pico",
        "0.1 (ab)",
        "31.2 °C",
        "12.4 V",
        "on",
        "on",
        "80 KiB",
        "2.1 ms",
        "2, last: watchdog",
        "1,200 frames",
        "±62 µs, +41.0 ppm",
    )
    unknown = dict.fromkeys(shown) | {
        "board": "Pico",
        "firmware": "0.1",
        "supervisor": "",
        "resets": 0,
        "reset_cause": "",
        "lost": 0,
    }
    assert _board(unknown) == ("Pico", "0.1", "", "", "", "", "", "", "0", "0 frames", "")
