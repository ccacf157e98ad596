"""`pyb.CAN` on STM32 with FDCAN, listening: buses with CAN FD, for which `machine.CAN` has nothing yet.

`pyb.CAN` does not tell the format of a frame. One of more than 8 bytes is handed on as CAN FD, without bit
rate switch and error state, which are not told either; any other as a classic frame.
"""

from ..health import BUS_STOPPED, MODE_LISTEN_ONLY, MODE_OFF
from ..pack import put
from . import NotListenOnly
from .bit_timing import solve
from .stm32 import LENGTH_CODES, MOST, Stm32Controller
from .stm32_registers import (
    FDCAN_DATA_LIMITS,
    FDCAN_LIMITS,
    fdcan_has,
    fdcan_mode,
    fdcan_set_data_phase,
)

_OVERFLOW = 2


class PybCan(Stm32Controller):
    """The controller; see the package for what each method does."""

    name = "pyb.CAN"
    fd = True

    def __init__(
        self,
        can: object,
        number: int,
        memory: object,
        base: int,
        clock_hz: int,
        bitrate: int,
        sample_point: int | None,
        data_bitrate: int,
        data_sample_point: int | None,
        ticks_us: object,
    ) -> None:
        """Compute the timing; the controller is not touched yet.

        Args:
            can: the class `pyb.CAN`.
            number: which controller, from 1.
            memory: `machine.mem32`.
            base: the address of the controller's registers.
            clock_hz: what its prescalers divide.
            bitrate: bit/s of the arbitration phase.
            sample_point: in thousandths, or None for the nearest to 875.
            data_bitrate: bit/s of the data phase.
            data_sample_point: of the data phase.
            ticks_us: the clock, `time.ticks_us`.

        Raises:
            TimingRefused: This bit rate or sample point cannot be had exactly.
        """
        super().__init__(can, number, memory, base, ticks_us)
        self._nominal = solve(clock_hz, bitrate, sample_point, FDCAN_LIMITS)
        self._data_phase = solve(clock_hz, data_bitrate, data_sample_point, FDCAN_DATA_LIMITS)
        self.bitrate = bitrate
        self.data_bitrate = data_bitrate
        self.sample_point = self._nominal.sample_point
        self._got = [0, False, False, 0, memoryview(self._data)]
        self._info = [0] * 8
        self._flags = 0

    def on_frames(self, callback: object) -> None:
        """Call something in the hard interrupt when frames wait; None ends that."""
        self._callback = callback

    def mode(self) -> int:
        """Tell the mode as the registers have it now."""
        if self._can is None or not self._can.state():
            return MODE_OFF
        return fdcan_mode(self._memory, self._base)

    def look(self, health: object) -> None:
        """Fill what STATUS tells of this bus.

        Args:
            health: a `BusHealth`.
        """
        health.mode = self.mode()
        health.overrun_flags = self._flags
        if self._state is None:
            health.state = BUS_STOPPED
            return
        info = self._can.info(self._info)
        health.tec = info[0]
        health.rec = info[1]
        health.bus_errors = self._errors_before + info[2] + info[3] + info[4]
        state = self._can.state()
        health.state = state - 1 if state else BUS_STOPPED

    def _begin(self) -> None:
        nominal = self._nominal
        data = self._data_phase
        can = self._class
        if self._can is None:
            # Silent from the first moment, whatever its timing.
            self._can = can(self._number, can.SILENT)
        elif self._can.state():
            info = self._can.info(self._info)
            self._errors_before += info[2] + info[3] + info[4]
        self._can.deinit()
        self._can.init(
            can.SILENT,
            prescaler=nominal.prescaler,
            sjw=nominal.jump,
            bs1=nominal.before,
            bs2=nominal.behind,
            auto_restart=False,
            brs_prescaler=data.prescaler,
            brs_sjw=data.jump,
            brs_bs1=data.before,
            brs_bs2=data.behind,
        )
        mode = self.mode()
        if mode != MODE_LISTEN_ONLY:
            raise NotListenOnly(f"the controller reads back as mode {mode}")
        if not fdcan_has(self._memory, self._base, nominal):
            raise NotListenOnly("it has another timing than it was given")
        fdcan_set_data_phase(self._memory, self._base, data)
        mode = self.mode()
        if mode != MODE_LISTEN_ONLY:
            raise NotListenOnly(f"the controller reads back as mode {mode}")
        # One FIFO for all, which keeps their order.
        self._can.setfilter(0, can.MASK, 0, (0, 0))
        self._can.setfilter(0, can.MASK, 0, (0, 0), extframe=True)
        # Always armed, since only so does it tell of an overflow; and anew, since only so is it enabled.
        self._can.rxcallback(0, None)
        self._can.rxcallback(0, self._called)

    def _called(self, _can: object, reason: int) -> None:
        if reason == _OVERFLOW:
            self._flags = (self._flags + 1) & 0x3FFFFFFF
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
        while taken < MOST and can.any(0):
            ticks = self._ticks_us()
            can.recv(0, got, timeout=0)
            length = len(got[4])
            kind = LENGTH_CODES[length]
            if length > 8:
                kind |= 0x40
            elif got[2]:
                kind |= 0x20
            if got[1]:
                kind |= 0x10
            put(state, cells, ticks, kind, got[0], data, 0)
            taken += 1
        return taken
