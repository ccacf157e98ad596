"""What a STM32 has in `machine` and `pyb`, for the desk's board; its buses are silent.

Names and arguments are those of micropython-stm32-stubs. What the controllers are set to stands in their
registers, as the drivers read them back.
"""

import select
import sys

_BASES = (0x40006400, 0x4000A000)
registers = {base + offset: 0 for base in _BASES for offset in (0x04, 0x08, 0x0C, 0x10, 0x18, 0x1C)}
"""`machine.mem32`."""


class Can:
    """`machine.CAN` on bxCAN."""

    MODE_SILENT = 3
    FLAG_EXT_ID = 2
    IRQ_RX = 2

    def __init__(self, number, bitrate, mode, sample_point=75, sjw=1, tseg1=None, tseg2=None) -> None:
        if number != 1:
            raise ValueError(number)
        self.timings = [bitrate, sjw, tseg1, tseg2, None, None]
        for base in _BASES:
            registers[base + 0x08] = 0x1C000000
            registers[base + 0x1C] = (2 if mode == self.MODE_SILENT else 0) << 30

    def get_timings(self):
        return self.timings

    def set_filters(self, filters) -> None:
        self.filters = list(filters)

    def irq(self, handler=None, trigger=0, hard=False) -> None:
        self.handler = handler

    def recv(self, arg=None):
        return None

    def state(self) -> int:
        return 1

    def get_counters(self, arg):
        arg[:] = [0] * 8
        return arg


class FlexibleCan:
    """`pyb.CAN` on FDCAN."""

    SILENT = 3
    MASK = 2

    def __init__(self, number, mode) -> None:
        if (number, mode) != (1, self.SILENT):
            raise ValueError(number)

    def init(
        self, mode, extframe=False, prescaler=32, *, sjw=1, bs1=8, bs2=3, auto_restart=False,
        brs_prescaler=32, brs_sjw=1, brs_bs1=8, brs_bs2=3,
    ) -> None:  # fmt: skip
        for base in _BASES:
            registers[base + 0x18] = 0x320 if mode == self.SILENT else 0x300
            registers[base + 0x1C] = (sjw - 1) << 25 | (prescaler - 1) << 16 | (bs1 - 1) << 8 | (bs2 - 1)

    def deinit(self) -> None:
        """Be off."""

    def setfilter(self, bank, mode, fifo, params, extframe=False) -> None:
        """Take what comes."""

    def rxcallback(self, fifo, function) -> None:
        self.function = function

    def any(self, fifo) -> bool:
        return False

    def state(self) -> int:
        return 1

    def info(self, arg):
        arg[:] = [0] * 8
        return arg


class Stream:
    """Standard input and output as a stream that does not wait."""

    def __init__(self) -> None:
        self.one = bytearray(1)
        self.readable = select.poll()
        self.readable.register(sys.stdin, select.POLLIN)

    def readinto(self, buffer):
        n = 0
        while n < len(buffer) and self.readable.poll(0) and sys.stdin.buffer.readinto(self.one):
            buffer[n] = self.one[0]
            n += 1
        return n or None

    def write(self, buffer, start, n):
        return sys.stdout.buffer.write(buffer, start, n)


class Uart(Stream):
    """`machine.UART`; the prompt's own cannot be set up anew."""

    def __init__(
        self, number, speed, bits=8, parity=None, stop=1, *, timeout=0, timeout_char=0, rxbuf=64
    ) -> None:
        super().__init__()
        if (number, speed, timeout) != (1, 921_600, 0):
            raise ValueError("UART is static and can't be init'd")

    def txdone(self) -> bool:
        return True


class Usb(Stream):
    """`pyb.USB_VCP`, where a byte 3 interrupts the program until it is told that none does."""

    def __init__(self, number=0) -> None:
        super().__init__()
        self.character = 3

    def readinto(self, buffer):
        if self.character >= 0:
            raise KeyboardInterrupt
        return super().readinto(buffer)

    def setinterrupt(self, character) -> None:
        self.character = character


class Pyb:
    """The module `pyb`."""

    CAN = FlexibleCan
    USB_VCP = Usb
