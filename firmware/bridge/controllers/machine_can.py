"""`machine.CAN` of MicroPython 1.28 and later on STM32, listening: bxCAN, and FDCAN on buses without CAN FD.

`machine.CAN` has no way to ask for the mode, so it is read from the controller's registers.
"""

from ..health import BUS_STOPPED, MODE_LISTEN_ONLY, MODE_OFF
from ..pack import put
from . import NotListenOnly
from .bit_timing import solve
from .stm32 import LENGTH_CODES, MOST, Stm32Controller
from .stm32_registers import BXCAN_LIMITS, bxcan_mode, fdcan_mode

_OVERRUNS = 7


class MachineCan(Stm32Controller):
    """The controller; see the package for what each method does."""

    name = "machine.CAN"
    fd = False
    data_bitrate = 0

    def __init__(
        self,
        can: object,
        number: int,
        memory: object,
        base: int,
        clock_hz: int,
        bitrate: int,
        sample_point: int | None,
        ticks_us: object,
    ) -> None:
        """Compute the timing; the controller is not touched yet.

        Args:
            can: the class `machine.CAN`.
            number: which controller, from 1.
            memory: `machine.mem32`.
            base: the address of the controller's registers.
            clock_hz: what its prescaler divides.
            bitrate: bit/s.
            sample_point: in thousandths, or None for the nearest to 875.
            ticks_us: the clock, `time.ticks_us`.

        Raises:
            TimingRefused: This bit rate or sample point cannot be had exactly.
        """
        super().__init__(can, number, memory, base, ticks_us)
        self._timing = solve(clock_hz, bitrate, sample_point, BXCAN_LIMITS)
        self.bitrate = bitrate
        self.sample_point = self._timing.sample_point
        self._fdcan = False
        self._got = [0, memoryview(self._data), 0, 0]
        self._counters = [0] * 8
        self._flags_before = 0

    def on_frames(self, callback: object) -> None:
        """Call something in the hard interrupt when frames wait; None ends that."""
        self._callback = callback
        if self._can is not None:
            self._arm()

    def mode(self) -> int:
        """Tell the mode as the registers have it now."""
        if self._can is None or not self._can.state():
            return MODE_OFF
        return fdcan_mode(self._memory, self._base) if self._fdcan else bxcan_mode(self._memory, self._base)

    def look(self, health: object) -> None:
        """Fill what STATUS tells of this bus.

        Args:
            health: a `BusHealth`.
        """
        health.mode = self.mode()
        if self._state is None:
            health.state = BUS_STOPPED
            return
        counters = self._can.get_counters(self._counters)
        health.tec = counters[0] or 0
        health.rec = counters[1] or 0
        health.bus_errors = self._errors_before + _sum_of(counters)
        health.overrun_flags = self._flags_before + (counters[_OVERRUNS] or 0)
        state = self._can.state()
        health.state = state - 1 if state else BUS_STOPPED

    def _begin(self) -> None:
        timing = self._timing
        can = self._class
        if self._can is None:
            self._can = can(
                self._number,
                bitrate=self.bitrate,
                mode=can.MODE_SILENT,
                sjw=timing.jump,
                tseg1=timing.before,
                tseg2=timing.behind,
            )
        else:
            # Counters begin anew with the controller.
            if self._can.state():
                counters = self._can.get_counters(self._counters)
                self._flags_before += counters[_OVERRUNS] or 0
                self._errors_before += _sum_of(counters)
                self._can.deinit()
            self._can.init(
                bitrate=self.bitrate,
                mode=can.MODE_SILENT,
                sjw=timing.jump,
                tseg1=timing.before,
                tseg2=timing.behind,
            )
        timings = self._can.get_timings()
        if timings[0] != self.bitrate or timings[2] != timing.before or timings[3] != timing.behind:
            raise NotListenOnly(f"it has {timings[0]} bit/s instead: its clock is another one")
        self._fdcan = timings[4] is not None
        mode = self.mode()
        if mode != MODE_LISTEN_ONLY:
            raise NotListenOnly(f"the controller reads back as mode {mode}")
        # One FIFO for all keeps their order. Of bxCAN every second filter is the other FIFO's; one that
        # repeats the first takes nothing, since the first comes before it. FDCAN counts them by kind of id.
        everything = ((0, 0, 0), (0, 0, 0), (0, 0, can.FLAG_EXT_ID))
        self._can.set_filters(everything[1:] if self._fdcan else everything)
        self._arm()

    def _arm(self) -> None:
        if self._callback is None:
            self._can.irq(handler=None, trigger=0, hard=False)
        else:
            self._can.irq(handler=self._called, trigger=self._class.IRQ_RX, hard=True)

    def _called(self, _can: object) -> None:
        callback = self._callback
        if callback is not None:
            callback()

    def _drain(self) -> int:
        state = self._state
        if state is None:
            return 0
        can = self._can
        cells = self._cells
        got = self._got
        data = self._data
        taken = 0
        while taken < MOST:
            ticks = self._ticks_us()
            if can.recv(got) is None:
                break
            length = len(got[1])
            flags = got[2]
            if not self._fdcan:
                kind = length & 0x0F
            elif length <= 8:
                kind = length
            else:
                # Of CAN FD, for which the ring of a classic bus has no room: counted as dropped.
                kind = LENGTH_CODES[length] | 0x40
            if flags & 2:
                kind |= 0x10
            if flags & 1:
                kind |= 0x20
            put(state, cells, ticks, kind, got[0], data, 0)
            taken += 1
        return taken


def _sum_of(counters: list) -> int:
    return (counters[2] or 0) + (counters[3] or 0) + (counters[4] or 0)
