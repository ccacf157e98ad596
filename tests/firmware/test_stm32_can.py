"""machine.CAN and pyb.CAN: silent from the first call, read back from registers, frames as they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.wire import vlink_frames
from firmware.bridge import health, pack_plain
from firmware.bridge.controllers import NotListenOnly
from firmware.bridge.controllers.machine_can import MachineCan
from firmware.bridge.controllers.pyb_can import PybCan
from firmware.bridge.ring import Ring
from tests.firmware import stm32
from tests.firmware.micropython import run

FRAMES: list[stm32.Frame] = [
    (0x123, False, False, b"12345678"),
    (0x18FEF100, True, False, b"abc"),
    (0x7FF, False, True, bytes(2)),
]
SEEN = [(8, 0x123, b"12345678"), (0x13, 0x18FEF100, b"abc"), (0x22, 0x7FF, b"")]
LONG: stm32.Frame = (0x321, False, False, bytes(range(48)))


def clock() -> int:
    return 7


def machine_can(bus: stm32.MachineBus, bitrate: int = 500_000) -> Any:  # noqa: ANN401 - the firmware has no types
    clock_hz = stm32.FDCAN_CLOCK_HZ if bus.fdcan else stm32.BXCAN_CLOCK_HZ
    return MachineCan(bus.made, 1, bus.memory, stm32.BASE, clock_hz, bitrate, None, clock)


def pyb_can(bus: stm32.PybBus) -> Any:  # noqa: ANN401 - the same
    return PybCan(
        bus.made, 1, bus.memory, stm32.BASE, stm32.FDCAN_CLOCK_HZ, 500_000, 875, 2_000_000, 750, clock
    )


def packed(ring: Ring) -> list[tuple[int, int, bytes]]:
    packet = bytearray(1024)
    frames = []
    while end := pack_plain.fill(ring.state, ring.cells, packet, 1000):
        frames += [row[1:] for row in vlink_frames.read_frames(bytes(packet[3:end])).frames]
    return frames


CASES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "bxCAN": lambda: (bus := stm32.MachineBus(), machine_can(bus)),
    "FDCAN": lambda: (bus := stm32.MachineBus(fdcan=True), machine_can(bus)),
    "pyb.CAN": lambda: (bus := stm32.PybBus(), pyb_can(bus)),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Any, Any, Ring]:
    bus, driver = CASES[request.param]()
    return bus, driver, Ring(0, 40, driver.fd, 0)


def test_it_is_silent_from_the_first_call_to_the_last(case: tuple[Any, Any, Ring]) -> None:
    bus, driver, ring = case
    driver.start(ring)
    assert driver.mode() == health.MODE_LISTEN_ONLY
    driver.restart()
    bus.state = 4
    driver.restart()
    driver.stop()
    assert driver.mode() == health.MODE_OFF
    modes = [arguments["mode"] for method, arguments in bus.calls if method == "init"]
    assert modes
    assert set(modes) == {3}
    assert {method for method, _ in bus.calls} <= {"CAN", "init", "deinit", "set_filters"}


def test_frames_come_out_as_they_were_and_in_order(case: tuple[Any, Any, Ring]) -> None:
    bus, driver, ring = case
    driver.start(ring)
    driver.on_frames(driver.take)
    for frame in FRAMES:
        bus.come(frame)
    bus.handler(*((None,) if isinstance(bus, stm32.MachineBus) else (None, 0)))
    assert packed(ring) == SEEN
    driver.restart()
    assert bus.handler is not None
    bus.come(FRAMES[0])
    assert driver.take() == 1
    assert ring.accepted() == 4


def test_health(case: tuple[Any, Any, Ring]) -> None:
    bus, driver, ring = case
    told = health.BusHealth()
    driver.look(told)
    assert (told.state, told.mode) == (health.BUS_STOPPED, health.MODE_OFF)
    driver.start(ring)
    for _ in range(4):
        bus.come(FRAMES[0])
    bus.counters[:5] = [3, 130, 2, 1, 0]
    bus.state = 3
    driver.look(told)
    assert (told.state, told.tec, told.rec, told.bus_errors) == (health.BUS_PASSIVE, 3, 130, 3)
    assert told.overrun_flags == 1
    driver.restart()
    bus.counters[2] = 1
    driver.look(told)
    assert (told.state, told.bus_errors, told.overrun_flags) == (health.BUS_ACTIVE, 4, 1)
    for _ in range(4):
        bus.come(FRAMES[0])
    driver.look(told)
    assert told.overrun_flags == 2, "also after a restart"


@pytest.mark.parametrize("name", CASES)
def test_a_mode_that_is_not_listen_only_is_refused_and_told(name: str) -> None:
    # Of bxCAN, BTR; of FDCAN, CCCR. Normal, loopback, and of FDCAN restricted operation, which acknowledges.
    for stuck in (
        ({0x1C: 0}, {0x1C: 1 << 30}, {0x08: 0}) if name == "bxCAN" else ({0x18: 0x300}, {0x18: 0x324})
    ):
        bus, driver = CASES[name]()
        bus.stuck.update(stuck)
        with pytest.raises(NotListenOnly):
            driver.start(Ring(0, 40, driver.fd, 0))
        assert bus.state == 0
        assert driver.take() == 0
        bus, driver = CASES[name]()
        driver.start(Ring(0, 40, driver.fd, 0))
        bus.stuck.update(stuck)
        assert driver.mode() != health.MODE_LISTEN_ONLY


def test_a_clock_that_is_another_than_was_said_is_refused() -> None:
    bus = stm32.MachineBus()
    bus.actual_clock_hz = 45_000_000
    with pytest.raises(NotListenOnly, match="clock"):
        machine_can(bus).start(Ring(0, 40, False, 0))
    assert bus.state == 0


def test_a_frame_of_can_fd_on_a_classic_bus_is_counted_and_not_cut() -> None:
    bus = stm32.MachineBus(fdcan=True)
    driver = machine_can(bus)
    ring = Ring(0, 40, False, 0)
    driver.start(ring)
    bus.come(LONG)
    bus.come(FRAMES[0])
    assert driver.take() == 2
    assert (ring.accepted(), ring.dropped()) == (2, 1)
    assert packed(ring) == SEEN[:1]


def test_a_dlc_above_8_of_bxcan_stays_and_has_8_bytes() -> None:
    bus = stm32.MachineBus()
    driver = machine_can(bus)
    ring = Ring(0, 40, False, 0)
    driver.start(ring)
    bus.come((1, False, False, b"12345678" + bytes(7)))
    driver.take()
    assert packed(ring) == [(0x0F, 1, b"12345678")]


@pytest.mark.parametrize("length", [0, 8, 12, 16, 20, 24, 32, 48, 64])
def test_lengths_of_can_fd(length: int) -> None:
    bus = stm32.PybBus()
    driver = pyb_can(bus)
    ring = Ring(0, 40, True, 0)
    driver.start(ring)
    data = bytes(range(length))
    bus.come((0x18FEF100, True, False, data))
    driver.take()
    ((kind, can_id, seen),) = packed(ring)
    assert (can_id, seen) == (0x18FEF100, data)
    assert bool(kind & vlink_frames.KIND_FD) == (length > 8)


@pytest.mark.parametrize("keeps", [False, True])
def test_the_data_phase_is_as_asked_and_set_without_leaving_bus_monitoring(keeps: bool) -> None:
    bus = stm32.PybBus(keeps_data_phase=keeps)
    driver = pyb_can(bus)
    driver.start(Ring(0, 40, True, 0))
    timing = bus.memory.words[0x0C]
    prescaler, before, behind = (timing >> 16 & 0x1F) + 1, (timing >> 8 & 0x1F) + 1, (timing >> 4 & 0xF) + 1
    assert 2_000_000 * prescaler * (1 + before + behind) == stm32.FDCAN_CLOCK_HZ
    assert (1 + before) / (1 + before + behind) == 0.75
    assert [offset for offset, _ in bus.memory.writes] == ([] if keeps else [0x18, 0x18, 0x0C, 0x18])
    for offset, value in bus.memory.writes:
        if offset == 0x18:
            assert value & 0xA4 == 0x20, "bus monitoring, neither test nor restricted operation"
    assert driver.mode() == health.MODE_LISTEN_ONLY


def test_micropython_takes_frames_without_memory() -> None:
    program = Path(__file__).parent / "programs" / "stm32_on_board.py"
    assert run(program).stdout.decode().splitlines() == ["machine.CAN 100 100", "pyb.CAN 100 100"]
