"""`machine.CAN` and `pyb.CAN` as MicroPython 1.29 has them on STM32, over registers, with a journal of calls.

Signatures are those of micropython-stm32-stubs, behaviour that of ports/stm32 (`machine_can.c`, `pyb_can.c`,
`can.c`, `fdcan.c`), faults included. What sends raises, and is in the journal.
"""

# ruff: noqa: ARG002 - the signatures are MicroPython's, whatever of them is used

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

BASE = 0x4000_6400
BXCAN_CLOCK_HZ = 42_000_000
FDCAN_CLOCK_HZ = 48_000_000

Frame = tuple[int, bool, bool, bytes]
"""id, extended, remote, data."""


class Memory:
    """`machine.mem32` where the controller is.

    Attributes:
        words: by offset from the base.
        writes: (offset, value), of the firmware, not of the port.
    """

    def __init__(self, words: dict[int, int], stuck: dict[int, int]) -> None:
        self.words = words
        self.stuck = stuck
        self.writes: list[tuple[int, int]] = []

    def __getitem__(self, address: int) -> int:
        offset = address - BASE
        return self.stuck.get(offset, self.words.get(offset, 0))

    def __setitem__(self, address: int, value: int) -> None:
        self.writes.append((address - BASE, value))
        self.words[address - BASE] = value


class Bus:
    """What both classes have in common: one controller, its FIFO and its journal.

    Attributes:
        calls: (method, arguments) in order.
        waiting: frames in the FIFO.
        stuck: registers that read as something else, whatever was done.
        actual_clock_hz: the clock that the controller really has.
    """

    def __init__(self, clock_hz: int) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.waiting: list[Frame] = []
        self.stuck: dict[int, int] = {}
        self.memory = Memory({}, self.stuck)
        self.actual_clock_hz = clock_hz
        self.state = 0
        self.counters = [0] * 8
        self.handler: Callable[..., None] | None = None
        self.accepts: set[bool] = set()

    def note(self, method: str, **arguments: Any) -> None:  # noqa: ANN401 - of whatever kind
        self.calls.append((method, arguments))

    def come(self, frame: Frame) -> None:
        """Let a frame come; the FIFO has three places."""
        if not self.state or frame[1] not in self.accepts:
            return
        if len(self.waiting) == 3:
            self.overrun()
            return
        self.waiting.append(frame)

    def overrun(self) -> None:
        self.counters[7] += 1


class MachineBus(Bus):
    """A bus of `machine.CAN`: `made` is to be handed in where the class is wanted."""

    def __init__(self, fdcan: bool = False) -> None:
        super().__init__(FDCAN_CLOCK_HZ if fdcan else BXCAN_CLOCK_HZ)
        self.fdcan = fdcan
        bus = self

        class Can(MachineCan):
            def __init__(self, id: int, *args: int, **kwargs: Any) -> None:  # noqa: A002, ANN401 - its names
                self.bus = bus
                bus.note("CAN", id=id)
                self.init(*args, **kwargs)

        self.made = Can

    def enter(self, mode: int) -> None:
        """As HAL does: initialisation, mode, and out of it."""
        words = self.memory.words
        if self.fdcan:
            words[0x18] = {0: 0x300, 2: 0x380, 3: 0x320, 4: 0x3A0}[mode]
            words[0x10] = 0x10 if mode in (2, 4) else 0
        else:
            words[0x04] = 0xC00
            words[0x08] = 0x1C000000
            words[0x1C] = {0: 0, 2: 1, 3: 2, 4: 3}[mode] << 30


class MachineCan:
    """`machine.CAN`."""

    MODE_NORMAL = 0
    MODE_SLEEP = 1
    MODE_LOOPBACK = 2
    MODE_SILENT = 3
    MODE_SILENT_LOOPBACK = 4
    FLAG_RTR = 1
    FLAG_EXT_ID = 2
    IRQ_RX = 2
    bus: MachineBus

    def init(
        self,
        bitrate: int,
        mode: int = MODE_NORMAL,
        sample_point: int = 75,
        sjw: int = 1,
        tseg1: int | None = None,
        tseg2: int | None = None,
    ) -> None:
        bus = self.bus
        bus.note("init", bitrate=bitrate, mode=mode, sample_point=sample_point)
        assert tseg1 is not None
        assert tseg2 is not None
        quanta = 1 + tseg1 + tseg2
        brp = max(1, round(bus.actual_clock_hz / quanta / bitrate))
        self.timings: list[Any] = [
            bus.actual_clock_hz // brp // quanta,
            sjw,
            tseg1,
            tseg2,
            [None] * 4 if bus.fdcan else None,
            None,
        ]
        bus.counters[:] = [0] * 8
        bus.waiting.clear()
        bus.accepts.clear()
        bus.state = 1
        bus.enter(mode)

    def deinit(self) -> None:
        self.bus.note("deinit")
        self.bus.state = 0
        self.bus.handler = None
        self.bus.waiting.clear()

    def set_filters(self, filters: Iterable[tuple[int, int, int]] | None) -> None:
        assert filters is not None
        self.bus.note("set_filters")
        for place, (can_id, mask, flags) in enumerate(filters):
            assert (can_id, mask) == (0, 0)
            extended = bool(flags & self.FLAG_EXT_ID)
            # Filters are dealt to the two FIFOs in turn; by FDCAN, those of each kind of id.
            if self.bus.fdcan or place % 2 == 0:
                self.bus.accepts.add(extended)

    def recv(self, arg: list[Any] | None = None) -> list[Any] | None:
        bus = self.bus
        if not bus.state:
            raise OSError(22)
        if not bus.waiting:
            return None
        assert arg is not None
        can_id, extended, remote, data = bus.waiting.pop(0)
        backing = arg[1].obj
        backing[: len(data)] = bytes(len(data)) if remote else data
        arg[1] = memoryview(backing)[: len(data)]
        arg[0] = can_id
        arg[2] = (self.FLAG_EXT_ID if extended else 0) | (self.FLAG_RTR if remote else 0)
        arg[3] = 0
        return arg

    def irq(self, handler: Callable[..., None] | None = None, trigger: int = 0, hard: bool = False) -> None:
        if not self.bus.state:
            raise OSError(22)
        assert handler is None or (trigger == self.IRQ_RX and hard)
        self.bus.handler = handler

    def state(self) -> int:
        return self.bus.state

    def get_counters(self, arg: list[int]) -> list[int]:
        arg[:] = self.bus.counters
        return arg

    def get_timings(self) -> list[Any]:
        return self.timings

    def restart(self) -> None:
        self.bus.note("restart")

    def send(self, id: int, data: bytes, flags: int = 0) -> int | None:  # noqa: A002 - its name
        self.bus.note("send", id=id, data=data, flags=flags)
        raise AssertionError("sent")

    def cancel_send(self, index: int) -> bool:
        self.bus.note("cancel_send", index=index)
        raise AssertionError("sent")


class PybBus(Bus):
    """A bus of `pyb.CAN` on FDCAN.

    Attributes:
        keeps_data_phase: whether the port writes the data phase that it was given; 1.28 and 1.29 do not.
    """

    def __init__(self, keeps_data_phase: bool = False) -> None:
        super().__init__(FDCAN_CLOCK_HZ)
        self.keeps_data_phase = keeps_data_phase
        self.armed = False
        bus = self

        class Can(PybCan):
            def __init__(self, number: int, mode: int, /) -> None:
                self.bus = bus
                bus.note("CAN", id=number)
                self.init(mode)

        self.made = Can

    def overrun(self) -> None:
        if self.armed and self.handler is not None:
            self.handler(None, 2)


class PybCan:
    """`pyb.CAN`."""

    NORMAL = 0
    LOOPBACK = 2
    SILENT = 3
    SILENT_LOOPBACK = 4
    MASK = 2
    bus: PybBus

    def init(
        self,
        mode: int,
        /,
        extframe: bool = False,
        prescaler: int = 32,
        *,
        sjw: int = 1,
        bs1: int = 8,
        bs2: int = 3,
        auto_restart: bool = False,
        baudrate: int = 0,
        sample_point: int = 75,
        num_filter_banks: int = 14,
        brs_prescaler: int = 32,
        brs_sjw: int = 1,
        brs_bs1: int = 8,
        brs_bs2: int = 3,
        brs_baudrate: int = 0,
        brs_sample_point: int = 0,
    ) -> None:
        bus = self.bus
        bus.note("init", mode=mode, auto_restart=auto_restart)
        words = bus.memory.words
        words[0x18] = {0: 0x300, 2: 0x380, 3: 0x320, 4: 0x3A0}[mode]
        words[0x10] = 0x10 if mode in (2, 4) else 0
        words[0x1C] = (sjw - 1) << 25 | (prescaler - 1) << 16 | (bs1 - 1) << 8 | (bs2 - 1)
        if bus.keeps_data_phase:
            words[0x0C] = (brs_prescaler - 1) << 16 | (brs_bs1 - 1) << 8 | (brs_bs2 - 1) << 4 | (brs_sjw - 1)
        else:
            words[0x0C] = 0
        bus.counters[:] = [0] * 8
        bus.waiting.clear()
        bus.accepts.clear()
        bus.armed = False
        bus.state = 1

    def deinit(self) -> None:
        self.bus.note("deinit")
        self.bus.state = 0
        self.bus.waiting.clear()

    def setfilter(
        self, bank: int, mode: int, fifo: int, params: tuple[int, int], /, *, extframe: bool = False
    ) -> None:
        assert (bank, mode, fifo, params) == (0, self.MASK, 0, (0, 0))
        self.bus.accepts.add(extframe)

    def rxcallback(self, fifo: int, fun: Callable[..., None] | None, /) -> None:
        assert fifo == 0
        # Interrupts are enabled with the first handler; another one only takes its place.
        self.bus.armed = fun is not None and (self.bus.armed or self.bus.handler is None)
        self.bus.handler = fun

    def any(self, fifo: int, /) -> bool:
        return bool(self.bus.waiting)

    def recv(self, fifo: int, arg: list[Any], /, *, timeout: int = 5000) -> list[Any]:
        assert timeout == 0
        if not self.bus.waiting:
            raise OSError(110)
        can_id, extended, remote, data = self.bus.waiting.pop(0)
        backing = arg[4].obj
        backing[: len(data)] = data
        arg[:] = [can_id, extended, remote, 0, memoryview(backing)[: len(data)]]
        return arg

    def state(self) -> int:
        return self.bus.state

    def info(self, arg: list[int]) -> list[int]:
        arg[:] = self.bus.counters
        return arg

    def restart(self) -> None:
        self.bus.note("restart")

    def send(self, data: bytes, id: int, /, **rest: Any) -> None:  # noqa: A002, ANN401 - its name
        self.bus.note("send", id=id, data=data, rest=rest)
        raise AssertionError("sent")
