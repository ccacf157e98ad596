"""`ClockRelation` against clocks whose truth is known: its uncertainty covers it, and is small."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.vlink.clock_relation import ClockRelation, Exchange, line_ns
from edge.bus.vlink.session import (
    ANSWER_OCTETS,
    FIRST_QUESTIONS,
    PAUSE_NS,
    PAUSES,
    QUESTION_OCTETS,
    QUESTIONS,
)
from edge.bus.vlink.source import ASKING_S
from edge.clock import NS_PER_S

UART_NS, USB_NS = 100_000, 1_000_000
"""What is asked for: within so much on a UART, and over USB."""
TRUE_S, SAID_S = 1, 8
"""From so many seconds after the start of a session on it is so, and is said to be."""
SELDOM, SELDOM_NS = 0.1, 10_000_000
"""So many ways, of any kind, meet a host or a board that is busy for up to so long."""
TICK_S = 0.07
"""Live buses are read so often; questions in a row follow one another at once."""


class Uart:
    """Interrupts and scheduling on both ends; a rate that is not quite what it is called."""

    bit_rate = 921_600

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._off = dice.uniform(-0.02, 0.02)

    def _line_ns(self, octets: int) -> float:
        return octets * 10 * NS_PER_S / self.bit_rate * (1 + self._off)

    def there_ns(self, _now_ns: float) -> float:
        return self._line_ns(QUESTION_OCTETS) + 20_000 + self._dice.expovariate(1 / 60_000)

    def working_ns(self) -> float:
        return self._dice.uniform(20e3, 1e6)

    def back_ns(self, _now_ns: float) -> float:
        return self._line_ns(ANSWER_OCTETS) + 40_000 + self._dice.expovariate(1 / 60_000)


class Usb:
    """Full speed: what is said waits for the next millisecond of the bus, there and back.

    Questions in a row are asked at any time within it; but a board needs about as long for each answer, so
    that all of them may just miss the same one.
    """

    bit_rate = None

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._phase_ns = dice.uniform(0, 1e6)
        self._working_ns = dice.uniform(50e3, 2e6)

    def _until_polled_ns(self, now_ns: float) -> float:
        return (self._phase_ns - now_ns) % 1e6

    def there_ns(self, now_ns: float) -> float:
        return self._until_polled_ns(now_ns) + 50_000 + self._dice.expovariate(1 / 20_000)

    def working_ns(self) -> float:
        return self._working_ns + self._dice.uniform(0, 100e3)

    def back_ns(self, now_ns: float) -> float:
        return self._until_polled_ns(now_ns) + 50_000 + self._dice.expovariate(1 / 20_000)


Way = Uart | Usb


class Clocks:
    """A device's clock on boot time, with a drift that wanders by a part in a million within a minute."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - a test repeats its seed
        self._zero_ns = self.dice.randrange(NS_PER_S, 10**6 * NS_PER_S)
        self._drift = self.dice.uniform(-80e-6, 80e-6)
        self._phase = self.dice.uniform(0, 6)

    def boot_ns(self, device_ns: float) -> float:
        wandered_ns = 1e-6 * 60e9 / (2 * math.pi) * math.sin(2 * math.pi * device_ns / 60e9 + self._phase)
        return self._zero_ns + device_ns * (1 + self._drift) + wandered_ns

    def seldom_ns(self) -> float:
        return self.dice.uniform(0, SELDOM_NS) if self.dice.random() < SELDOM else 0.0

    def exchange(self, asked_ns: float, way: Way) -> tuple[Exchange, float]:
        """A question that is asked at a time of the device's clock; and when its answer is there."""
        rx_ns = asked_ns + way.there_ns(asked_ns) + self.seldom_ns()
        tx_ns = rx_ns + way.working_ns()
        heard_ns = tx_ns + way.back_ns(tx_ns) + self.seldom_ns()
        exchange = Exchange(
            math.floor(self.boot_ns(asked_ns)) + line_ns(QUESTION_OCTETS, way.bit_rate),
            math.floor(rx_ns / 1000),
            math.floor(tx_ns / 1000),
            math.ceil(self.boot_ns(heard_ns)) - line_ns(ANSWER_OCTETS, way.bit_rate),
        )
        return exchange, heard_ns


def rows_s(until_s: float) -> Iterator[tuple[float, int]]:
    """When a session asks, and how often in a row."""
    now_s, rows = 0.0, 0
    while now_s < until_s:
        yield now_s, QUESTIONS if rows else FIRST_QUESTIONS
        rows += 1
        pause_ns = next((pause_ns for most, pause_ns in PAUSES if rows <= most), PAUSE_NS)
        now_s += math.ceil(pause_ns / NS_PER_S / TICK_S) * TICK_S


def followed(seed: int, kind: type[Way], until_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """When, errors and what is said of them, of frames that come until the next row of questions."""
    clocks, relation = Clocks(seed), ClockRelation()
    way = kind(clocks.dice)
    begin_ns = clocks.dice.randrange(20 * NS_PER_S)
    rows = []
    for at_s, questions in rows_s(until_s):
        now_ns = asked_ns = begin_ns + at_s * NS_PER_S
        for _ in range(questions):
            exchange, heard_ns = clocks.exchange(now_ns, way)
            if heard_ns - asked_ns > ASKING_S * NS_PER_S:
                # One that is not there by then is read at the next turn.
                exchange = replace(
                    exchange, heard_ns=exchange.heard_ns + round(clocks.dice.uniform(0, TICK_S) * NS_PER_S)
                )
                relation.learn(exchange)
                break
            relation.learn(exchange)
            now_ns = heard_ns + clocks.dice.uniform(0, 1e6)
        for later_s in (-1, 0, 0.3, 1, 2):
            t_us = max(0, int(now_ns + later_s * NS_PER_S) // 1000)
            error_ns = int(relation.boot_ns(np.array([t_us]))[0]) - clocks.boot_ns(t_us * 1000)
            rows.append((at_s + min(later_s, 0), abs(error_ns), relation.uncertainty_ns(t_us) or 0))
    assert not relation.jumps
    assert not relation.impossible
    at, error, told = np.array(rows).T
    return at, error, told


@pytest.mark.parametrize(("way", "asked_ns"), [(Uart, UART_NS), (Usb, USB_NS)])
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_uncertainty_covers_the_truth_and_is_as_small_as_asked(
    seed: int, way: type[Way], asked_ns: int
) -> None:
    at, error, told = followed(seed, way, 60)
    assert (error <= told).all()
    assert error[at > TRUE_S].max() < asked_ns
    # How sure it is depends on which answers were late; that it is a little less so now and then is said.
    assert np.quantile(told[at > SAID_S], 0.9) < asked_ns
    assert told[at > SAID_S].max() < 1.2 * asked_ns


def test_bytes_on_a_uart_take_their_time_and_what_is_left_is_symmetrical() -> None:
    for octets in (QUESTION_OCTETS, ANSWER_OCTETS):
        nominal_ns = octets * 10 * NS_PER_S / 921_600
        assert 0.965 * nominal_ns < line_ns(octets, 921_600) < 0.97 * nominal_ns
    assert line_ns(ANSWER_OCTETS, None) == 0


def test_the_drift_is_found() -> None:
    relation = ClockRelation()
    for second in range(0, 60, 2):
        device_ns = second * NS_PER_S
        boot_ns = round(device_ns * (1 + 42e-6)) + 5 * NS_PER_S
        relation.learn(Exchange(boot_ns - 50_000, device_ns // 1000, device_ns // 1000, boot_ns + 50_000))
    assert relation.drift_ppm == pytest.approx(42, abs=0.1)


def test_a_clock_that_jumps_is_followed() -> None:
    clocks, relation = Clocks(1), ClockRelation()
    way = Uart(clocks.dice)
    for second in range(10):
        relation.learn(clocks.exchange(second * 1e9, way)[0])
    jumped, _ = clocks.exchange(11e9, way)
    relation.learn(Exchange(jumped.asked_ns, jumped.rx_us + 5000, jumped.tx_us + 5000, jumped.heard_ns))
    assert relation.jumps == 1
    (t_ns,) = relation.boot_ns(np.array([11_005_000])).tolist()
    assert abs(t_ns - clocks.boot_ns(11e9)) <= (relation.uncertainty_ns(11_005_000) or 0)


@pytest.mark.parametrize("exchange", [Exchange(10_000, 5, 5, 5_000), Exchange(0, 9, 5, 10**9)])
def test_what_cannot_be_is_set_aside(exchange: Exchange) -> None:
    relation = ClockRelation()
    relation.learn(exchange)
    assert relation.impossible == 1
    assert not relation.known
    assert relation.uncertainty_ns(0) is None
    with pytest.raises(ValueError, match="not related"):
        relation.boot_ns(np.array([0]))


@given(st.lists(st.tuples(*[st.integers(0, 2**63)] * 4), max_size=20))
@settings(max_examples=40, deadline=None)
def test_whatever_a_device_says_it_stays_usable(told: list[tuple[int, int, int, int]]) -> None:
    relation = ClockRelation()
    for asked_ns, rx_us, tx_us, heard_ns in told:
        relation.learn(Exchange(asked_ns % 2**62, rx_us, tx_us, heard_ns % 2**62))
        if relation.known:
            relation.boot_ns(np.array([0, 2**62]))
            assert (relation.uncertainty_ns(1) or 0) >= 0


@pytest.mark.parametrize("t_us", [2**52, 2**63, 2**64 - 1])
def test_a_greeting_with_a_time_that_cannot_be_stays_usable(t_us: int) -> None:
    relation = ClockRelation()
    relation.hint(t_us, 10**9)
    assert relation.hinted
    relation.boot_ns(np.array([0, t_us % 2**63]))
