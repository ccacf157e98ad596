"""`ClockRelation` against clocks whose truth is known: its uncertainty covers it, and is small."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bus.vlink.clock_relation import ClockRelation, Exchange, line_ns
from edge.bus.vlink.session import ANSWER_OCTETS, QUESTION_OCTETS, QUESTIONS
from edge.clock import NS_PER_S

UART_NS, USB_NS = 100_000, 1_000_000
"""What is asked for: within so much on a UART, and over USB."""
SETTLED_S = 12


@dataclass(frozen=True)
class Way:
    """How long what is said takes, there and back, in nanoseconds: always, at random, and seldom."""

    always_ns: tuple[int, int]
    jitter_ns: tuple[int, int]
    seldom_ns: int
    polled: bool = False

    def delays(self, dice: random.Random) -> tuple[float, float]:
        found = []
        for always, jitter in zip(self.always_ns, self.jitter_ns, strict=True):
            drawn = dice.uniform(0, jitter) if self.polled else dice.expovariate(1 / jitter)
            found.append(always + drawn + (dice.uniform(0, self.seldom_ns) if dice.random() < 0.1 else 0))
        return found[0], found[1]


UART = Way((20_000, 40_000), (60_000, 60_000), 10_000_000)
"""Interrupts and scheduling on both ends, seldom a busy host; without what the bytes take on the line."""
USB = Way((50_000, 100_000), (1_000_000, 1_000_000), 10_000_000, polled=True)
"""Full speed: a frame of 1 ms each way."""


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

    def exchange(self, device_ns: float, way: Way) -> Exchange:
        there_ns, back_ns = way.delays(self.dice)
        working_ns = self.dice.uniform(20e3, 2e6)
        return Exchange(
            math.floor(self.boot_ns(device_ns) - there_ns),
            math.floor(device_ns / 1000),
            math.floor((device_ns + working_ns) / 1000),
            math.ceil(self.boot_ns(device_ns + working_ns) + back_ns),
        )


def asked_s(until_s: float) -> Iterator[float]:
    """When a session asks."""
    now_s, asked = 0.0, 0
    while now_s < until_s:
        yield now_s
        asked += 1
        now_s += next((period / NS_PER_S for most, period in QUESTIONS if asked < most), 2.0)


def followed(seed: int, way: Way, until_s: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, errors and what is said of them, of frames that come until the next question."""
    clocks, relation = Clocks(seed), ClockRelation()
    begin_ns = clocks.dice.randrange(20 * NS_PER_S)
    rows = []
    for at_s in asked_s(until_s):
        device_ns = begin_ns + at_s * NS_PER_S
        relation.learn(clocks.exchange(device_ns, way))
        for later_s in (-3, 0, 0.3, 1, 2):
            t_us = max(0, int(device_ns + later_s * NS_PER_S) // 1000)
            error_ns = int(relation.boot_ns(np.array([t_us]))[0]) - clocks.boot_ns(t_us * 1000)
            rows.append((at_s, abs(error_ns), relation.uncertainty_ns(t_us) or 0))
    assert not relation.jumps
    assert not relation.impossible
    at, error, told = np.array(rows).T
    return at, error, told


@pytest.mark.parametrize(("way", "asked_ns"), [(UART, UART_NS), (USB, USB_NS)], ids=["uart", "usb"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_uncertainty_covers_the_truth_and_is_as_small_as_asked(
    seed: int, way: Way, asked_ns: int
) -> None:
    at, error, told = followed(seed, way, 150)
    assert (error <= told).all()
    settled = at > SETTLED_S
    assert error[settled].max() < asked_ns
    assert np.median(told[settled]) < asked_ns


def test_bytes_on_a_uart_take_their_time_and_what_is_left_is_symmetrical() -> None:
    assert line_ns(QUESTION_OCTETS, 921_600) == 227_864
    assert line_ns(ANSWER_OCTETS, 921_600) == 401_475
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
    for second in range(10):
        relation.learn(clocks.exchange(second * 1e9, UART))
    jumped = clocks.exchange(11e9, UART)
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
