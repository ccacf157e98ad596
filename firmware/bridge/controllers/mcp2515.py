"""A Microchip MCP2515 on SPI, listening: the controller of boards that have none (RP2040, RP2350, ESP32).

Registers are those of data sheet DS20001801J. Two rules keep it from the bus. The mode asked for is
listen-only or configuration, which are both silent, and one wrong bit makes neither of them the normal mode.
And CANCTRL's ABAT stays set, which aborts whatever a disturbed line might have asked to be sent.

SPI has no checksum, so whatever can be is read twice or has bits that must be 0.
"""

from array import array

from ..health import (
    BUS_ACTIVE,
    BUS_OFF,
    BUS_PASSIVE,
    BUS_STOPPED,
    BUS_WARNING,
    MODE_LISTEN_ONLY,
    MODE_LOOPBACK,
    MODE_NORMAL,
    MODE_OFF,
)
from ..pack import put
from . import NotListenOnly
from .bit_timing import Limits, solve

try:
    from .mcp2515_viper import unpack
except (ImportError, SyntaxError, ValueError):  # no MicroPython; no viper; machine code of another machine
    from .mcp2515_plain import unpack

LIMITS = Limits(prescaler=64, before=(2, 16), behind=(2, 8), jump=4, balanced=True)
"""Of CNF1 to CNF3 (5.0); the prescaler divides half the oscillator's frequency."""

_MODES = (
    MODE_NORMAL,
    MODE_OFF,
    MODE_LOOPBACK,
    MODE_LISTEN_ONLY,
    MODE_OFF,
    MODE_NORMAL,
    MODE_NORMAL,
    MODE_NORMAL,
)
_LISTEN = 0x70  # CANCTRL: listen-only, ABAT, no clock output
_CONFIGURATION = 0x80
_MODE_BITS = 0xE0
_OVERRUNS = 0xC0
_ERRORS = 0xA0  # CANINTF: MERRF, ERRIF
_TRANSMIT = 0xFC  # READ STATUS: all that is of transmit buffers
_MOST = 8
_TRIES = 4
_WAIT_US = 500
_WAITS = 40

# First address, then values. Masks are 0, so that any frame passes; buffer 0 takes those of filter 0
# (standard) and filter 1 (extended), and hands on to buffer 1 what finds it full. Both receive by filters,
# since with the filters off they would also take what has an error (4.2.2).
_STANDARD = b"\x00\x00\x00\x00"
_EXTENDED = b"\x00\x08\x00\x00"
_FILTERS_LOW = b"\x00" + _STANDARD + _EXTENDED + _STANDARD
_FILTERS_HIGH = b"\x10" + _EXTENDED + _STANDARD + _EXTENDED
_BUFFER_0 = b"\x60\x04"
_BUFFER_1 = b"\x70\x00"
_RECEIVE_INTERRUPTS = 0x03


class Mcp2515:
    """The controller; see the package for what each method does.

    Attributes:
        odd: answers that could not be right, modulo 2^30.
    """

    name = "MCP2515"
    fd = False
    counted = False
    hardware_stamps = False
    data_bitrate = 0

    def __init__(
        self,
        spi: object,
        select: object,
        interrupt: object,
        oscillator_hz: int,
        bitrate: int,
        sample_point: int | None,
        ticks_us: object,
        sleep_us: object,
        hard: bool = True,
    ) -> None:
        """Compute the timing; nothing is written yet, but chip select is let go.

        Args:
            spi: a `machine.SPI` of 10 MHz at most, mode 0, that nobody else uses.
            select: the `machine.Pin` of chip select, an output.
            interrupt: the `machine.Pin` of INT, an input with pull-up; None where it is not wired.
            oscillator_hz: the MCP2515's own.
            bitrate: bit/s.
            sample_point: in thousandths, or None for the nearest to 875.
            ticks_us: the clock, `time.ticks_us`.
            sleep_us: waits, `time.sleep_us`.
            hard: whether the port has hard interrupts of pins.

        Raises:
            TimingRefused: This bit rate or sample point cannot be had exactly.
        """
        timing = solve(oscillator_hz // 2, bitrate, sample_point, LIMITS)
        self.bitrate = bitrate
        self.sample_point = timing.sample_point
        first = min(8, timing.before - 1)
        if timing.before - first > 8:
            raise ValueError("the propagation segment has 8 quanta at most")
        self._timing = bytes(
            (
                timing.behind - 1,
                0x80 | (first - 1) << 3 | (timing.before - first - 1),
                (timing.jump - 1) << 6 | (timing.prescaler - 1),
            )
        )
        self.odd = 0
        self._transfer = spi.write_readinto
        self._select = select
        self._interrupt = interrupt
        self._ticks_us = ticks_us
        self._sleep_us = sleep_us
        self._hard = hard
        self._callback = None
        self._ring = None
        self._state = None
        self._cells = None
        self._at_it = False
        self._left = False
        self._flags = 0
        self._errors = 0
        # Buffers are made once, one for each length: a slice would take memory.
        self._ask_status = b"\xa0\x00\x00"
        self._status = bytearray(3)
        self._ask_frame = (b"\x90" + bytes(13), b"\x94" + bytes(13))
        self._frame = bytearray(14)
        self._ids = array("I", [0])
        self._ask_pair = bytearray(4)
        self._pair = bytearray(4)
        self._ask_overruns = b"\x03\x2d\x00"
        self._overruns = bytearray(3)
        self._clear_overruns = b"\x05\x2d\xc0\x00"
        self._ignored = bytearray(4)
        select(1)

    def start(self, ring: object) -> None:
        """Configure it and listen; see the package.

        Args:
            ring: takes the frames, with the numbers that it has.

        Raises:
            NotListenOnly: It does not read back as listen-only, or not as configured.
        """
        self._ring = ring
        self._cells = ring.cells
        self._state = ring.state
        self._at_it = True
        try:
            self._configure()
            self._listen()
        except OSError:
            # Configuration mode is silent, and a reset leads there whatever the mode was.
            self._state = None
            self._send(b"\xc0")
            raise
        finally:
            self._at_it = False
        self.take()

    def restart(self) -> None:
        """Start again with the same ring; raises as `start`."""
        self.start(self._ring)

    def stop(self) -> None:
        """Leave the bus, for the silence of configuration mode."""
        self.on_frames(None)
        self._at_it = True
        self._state = None
        try:
            self._send(b"\xc0")
        finally:
            self._at_it = False

    def on_frames(self, callback: object) -> None:
        """Call something in the hard interrupt when frames wait; None ends that."""
        self._callback = callback
        if self._interrupt is None:
            return
        if callback is None:
            self._interrupt.irq(handler=None)
        elif self._hard:
            self._interrupt.irq(handler=self._called, trigger=self._interrupt.IRQ_FALLING, hard=True)
        else:
            self._interrupt.irq(handler=self._called, trigger=self._interrupt.IRQ_FALLING)

    def take(self) -> int:
        """Move what it holds into the ring; takes no memory. Returns how many frames."""
        if self._at_it:
            self._left = True
            return 0
        taken = 0
        while True:
            self._at_it = True
            self._left = False
            try:
                taken += self._drain()
            except OSError:
                self._select(1)
                self.odd = (self.odd + 1) & 0x3FFFFFFF
            finally:
                self._at_it = False
            # An interrupt that came meanwhile found the controller busy, and its edge does not come again.
            if not self._left:
                return taken

    def mode(self) -> int:
        """Tell the mode as it is now; normal, the worst, where no two answers agree."""
        self._at_it = True
        try:
            return self._mode()
        except OSError:
            self._select(1)
            return MODE_NORMAL
        finally:
            self._at_it = False
            if self._left:
                self.take()

    def look(self, health: object) -> None:
        """Fill what STATUS tells of this bus; clears the flags that stand until they are cleared.

        Args:
            health: a `BusHealth`.
        """
        self._at_it = True
        try:
            # A flag counts where two answers have it: one wrong bit is none.
            first, flags = self._read_pair(0x2C)
            second, again = self._read_pair(0x2C)
            flags &= again
            if flags & _OVERRUNS:
                self._flags = (self._flags + 1) & 0x3FFFFFFF
                self._transfer_selected(self._clear_overruns, self._ignored)
            if first & second & _ERRORS:
                if first & second & 0x80:
                    self._errors = (self._errors + 1) & 0x3FFFFFFF
                self._send(b"\x05\x2c\xa0\x00")
            self._let_through()
            tec, rec = self._read_pair(0x1C)
            tec_again, rec_again = self._read_pair(0x1C)
            self._let_through()
            health.tec = tec & tec_again
            health.rec = rec & rec_again
            health.mode = self._mode()
            if health.mode == MODE_OFF:
                health.state = BUS_STOPPED
            elif flags & 0x20:
                health.state = BUS_OFF
            elif flags & 0x18:
                health.state = BUS_PASSIVE
            elif flags & 0x01:
                health.state = BUS_WARNING
            else:
                health.state = BUS_ACTIVE
        except OSError:
            self._select(1)
            self.odd = (self.odd + 1) & 0x3FFFFFFF
            health.mode = MODE_NORMAL
        finally:
            self._at_it = False
        health.overrun_flags = self._flags
        health.bus_errors = self._errors
        if self._left:
            self.take()

    def _let_through(self) -> None:
        """Take what came while the main loop talked: two frames are all that the controller holds."""
        self._at_it = False
        if self._left:
            self.take()
        self._at_it = True

    def _called(self, _pin: object) -> None:
        callback = self._callback
        if callback is not None:
            callback()

    def _drain(self) -> int:
        state = self._state
        if state is None:
            return 0
        cells = self._cells
        select = self._select
        transfer = self._transfer
        status = self._status
        frame = self._frame
        ids = self._ids
        taken = 0
        turns = 0
        released = False
        rolled = False
        while turns < _MOST:
            turns += 1
            select(0)
            transfer(self._ask_status, status)
            select(1)
            # The answer comes twice. Nothing is ever sent, so one that says otherwise is no answer.
            if (status[1] | status[2]) & _TRANSMIT:
                self.odd = (self.odd + 1) & 0x3FFFFFFF
                break
            full = status[1] & status[2]
            if not full:
                break
            # Buffer 1 fills while buffer 0 is full. So it has the later frame, unless buffer 0 was released
            # just now: between that and this status at most one frame can have ended.
            if full & 2:
                rolled = True
            if full & 1 and not (released and full & 2):
                released = True
                ask = self._ask_frame[0]
            else:
                released = False
                ask = self._ask_frame[1]
            ticks = self._ticks_us()
            select(0)
            transfer(ask, frame)
            select(1)
            kind = unpack(frame, ids)
            if kind < 0:
                # What was read is not what came, and the buffer is free already.
                self.odd = (self.odd + 1) & 0x3FFFFFFF
                self._flags = (self._flags + 1) & 0x3FFFFFFF
                continue
            put(state, cells, ticks, kind, ids[0], frame, 6)
            taken += 1
        if rolled:
            # Only with buffer 1 full can a frame be lost.
            overruns = self._overruns
            select(0)
            transfer(self._ask_overruns, overruns)
            select(1)
            flags = overruns[2]
            select(0)
            transfer(self._ask_overruns, overruns)
            select(1)
            if flags & overruns[2] & _OVERRUNS:
                self._flags = (self._flags + 1) & 0x3FFFFFFF
                select(0)
                transfer(self._clear_overruns, self._ignored)
                select(1)
        return taken

    def _configure(self) -> None:
        self._send(b"\xc0")
        for _ in range(_WAITS):
            self._sleep_us(_WAIT_US)
            if self._read_agreed(0x0E)[0] & _MODE_BITS == _CONFIGURATION:
                break
        else:
            raise NotListenOnly("no MCP2515 answers: not in configuration mode after a reset")
        for values in (
            _FILTERS_LOW,
            _FILTERS_HIGH,
            b"\x20" + bytes(8) + self._timing + bytes((_RECEIVE_INTERRUPTS,)),
            _BUFFER_0,
            _BUFFER_1,
        ):
            self._send(b"\x02" + values)
            for place in range(1, len(values)):
                # Of the receive buffers' control what can be written, of an id's low byte what exists.
                address = values[0] + place - 1
                mask = 0x64 if address >= 0x60 else 0xEB if address < 0x28 and address & 3 == 1 else 0xFF
                if (self._read_agreed(address)[0] ^ values[place]) & mask:
                    raise NotListenOnly(f"register {address:#x} does not read back as written")
        self._nothing_to_send()

    def _nothing_to_send(self) -> None:
        # After a reset there is none, and the pins that might ask for one are inputs (3.5).
        for address, mask in ((0x0D, 0x07), (0x30, 0x08), (0x40, 0x08), (0x50, 0x08)):
            if self._read_agreed(address)[0] & mask:
                raise NotListenOnly(f"register {address:#x} asks for something to be sent")

    def _listen(self) -> None:
        self._send(bytes((0x02, 0x0F, _LISTEN)))
        for _ in range(_WAITS):
            if self._mode() == MODE_LISTEN_ONLY:
                self._nothing_to_send()
                return
            self._sleep_us(_WAIT_US)
        raise NotListenOnly("the MCP2515 does not read back as listen-only")

    def _mode(self) -> int:
        try:
            status, control = self._read_agreed(0x0E)
        except NotListenOnly:
            return MODE_NORMAL
        mode = _MODES[status >> 5]
        if mode == MODE_LISTEN_ONLY and control != _LISTEN:
            return MODE_NORMAL
        return mode

    def _read_agreed(self, address: int) -> tuple[int, int]:
        for _ in range(_TRIES):
            first = self._read_pair(address)
            second = self._read_pair(address)
            if address == 0x0E:
                # Which interrupt waits may change meanwhile.
                first = (first[0] & _MODE_BITS, first[1])
                second = (second[0] & _MODE_BITS, second[1])
            if first == second:
                return first
            self.odd = (self.odd + 1) & 0x3FFFFFFF
        raise NotListenOnly("the MCP2515's answers do not agree")

    def _read_pair(self, address: int) -> tuple[int, int]:
        self._ask_pair[0] = 0x03
        self._ask_pair[1] = address
        self._transfer_selected(self._ask_pair, self._pair)
        return self._pair[2], self._pair[3]

    def _send(self, octets: bytes) -> None:
        self._transfer_selected(octets, bytearray(len(octets)))

    def _transfer_selected(self, octets: bytes, answer: bytearray) -> None:
        self._select(0)
        try:
            self._transfer(octets, answer)
        finally:
            self._select(1)
