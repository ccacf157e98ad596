"""The supervisor's pins: nothing is switched before it was looked at, and a spike is no dip."""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


class FakePin:
    """A pin that writes down what happens to it."""

    IN, OUT = 0, 1
    levels: dict[int, int] = {}  # noqa: RUF012 - the world outside the board
    log: list[tuple[int, str, int]] = []  # noqa: RUF012 - the same

    def __init__(self, number: int, mode: int) -> None:
        self.number = number
        self.init(mode)

    def init(self, mode: int, value: int | None = None) -> None:
        self.log.append((self.number, "out" if mode == self.OUT else "in", -1 if value is None else value))
        if value is not None:
            self.levels[self.number] = value

    def value(self, level: int | None = None) -> int:
        if level is not None:
            self.log.append((self.number, "level", level))
            self.levels[self.number] = level
        return self.levels.get(self.number, 0)


class FakeAdc:
    """An ADC that says what it is told."""

    said: list[int] = []  # noqa: RUF012 - the world outside the board

    def __init__(self, number: int) -> None:
        self.number = number

    def read_u16(self) -> int:
        return self.said.pop(0)


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module, over a fake of the board's."""
    fake = ModuleType("machine")
    vars(fake).update(vars(SimpleNamespace(Pin=FakePin, ADC=FakeAdc)))
    monkeypatch.setitem(sys.modules, "machine", fake)
    FakePin.levels.clear()
    FakePin.log.clear()
    yield importlib.import_module("firmware.supervisor.pins")
    sys.modules.pop("firmware.supervisor.pins")


IGNITION, ENABLE, SUPPLY = 1, 2, 26


@pytest.mark.parametrize("held", [0, 1])
def test_the_enable_is_read_before_it_is_driven_and_keeps_its_level(pins: Any, held: int) -> None:  # noqa: ANN401
    FakePin.levels[ENABLE] = held
    board = pins.SupervisorPins(IGNITION, ENABLE, SUPPLY, 20_000)
    assert [each for each in FakePin.log if each[0] == ENABLE] == [(ENABLE, "in", -1), (ENABLE, "out", held)]
    assert board.powered is bool(held)


def test_power_and_ignition_are_levels(pins: Any) -> None:  # noqa: ANN401
    board = pins.SupervisorPins(IGNITION, ENABLE, SUPPLY, 20_000)
    board.power(True)
    assert FakePin.levels[ENABLE] == 1
    board.power(False)
    assert FakePin.levels[ENABLE] == 0
    assert board.ignition() is False
    FakePin.levels[IGNITION] = 1
    assert board.ignition() is True


def test_the_supply_is_the_median_in_millivolts(pins: Any) -> None:  # noqa: ANN401
    board = pins.SupervisorPins(IGNITION, ENABLE, SUPPLY, 20_000)
    FakeAdc.said = [40_000, 0, 40_010, 65_535, 39_990]
    assert board.supply_mv() == 40_000 * 20_000 // 65_535
    FakeAdc.said = [65_535] * 5
    assert board.supply_mv() == 20_000


@pytest.mark.parametrize(("full_scale_mv", "samples"), [(0, 5), (20_000, 4), (20_000, 0)])
def test_what_cannot_be_is_refused(pins: Any, full_scale_mv: int, samples: int) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match="must be"):
        pins.SupervisorPins(IGNITION, ENABLE, SUPPLY, full_scale_mv, samples)
