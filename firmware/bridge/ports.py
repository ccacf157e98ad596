"""The line to the host as a board has it: reads what is there, writes what goes, and never waits.

A port has

    read_into(buffer) -> int              bytes that were there, 0 for none
    write(buffer, start, n) -> int        bytes of buffer[start:start + n] that went, from 0 on
    drained() -> bool                     whether all that was written has left the board, True if unknown
    forgets                               whether what nobody takes vanishes instead of waiting

and takes no memory in any of them.
"""

import select
import sys


class StandardPort:
    """Standard input and output: on most boards the USB serial port, on a desk a pseudo terminal.

    A read of many bytes would wait for all of them, so bytes are read one by one. A write waits where the
    port has less room than it said; at the most for its time limit (0.5 s on an RP2040), and after that the
    port says that it has none.

    Attributes:
        forgets: on boards with TinyUSB, a port that no program has open takes everything and keeps the last.
    """

    def __init__(self, chunk: int = 64, forgets: bool = True) -> None:
        """Take the port over; from now on a byte 3 is data and interrupts nothing.

        Args:
            chunk: bytes that are written at once; a packet of full-speed USB has 64.
            forgets: as the attribute.
        """
        import micropython  # noqa: PLC0415 - the one thing here that no other Python has

        micropython.kbd_intr(-1)
        self.forgets = forgets
        self._chunk = chunk
        self._one = bytearray(1)
        self._input = sys.stdin.buffer
        self._output = sys.stdout.buffer
        self._readable = select.poll()
        self._readable.register(sys.stdin, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(sys.stdout, select.POLLOUT)

    def read_into(self, buffer: bytearray) -> int:
        """Read what is there."""
        n = 0
        while n < len(buffer):
            there = False
            for _ in self._readable.ipoll(0):
                there = True
            if not there or not self._input.readinto(self._one):
                break
            buffer[n] = self._one[0]
            n += 1
        return n

    def write(self, buffer: bytearray, start: int, n: int) -> int:
        """Write what goes."""
        done = 0
        while done < n:
            room = False
            for _ in self._writable.ipoll(0):
                room = True
            if not room:
                break
            most = n - done
            most = min(most, self._chunk)
            took = self._output.write(buffer, start + done, most)
            if not took:
                break
            done += took
        return done

    def drained(self) -> bool:
        """Nothing tells when USB has taken it."""
        return True


class StreamPort:
    """A stream that does not wait by itself: `machine.UART(…, timeout=0)`, `pyb.USB_VCP`.

    Args:
        stream: it.
        chunk: bytes that are written at once; a UART without a transmit buffer waits until they have gone.
        forgets: whether what nobody takes vanishes: so it does on a UART.
    """

    def __init__(self, stream: object, chunk: int = 64, forgets: bool = False) -> None:
        self.forgets = forgets
        self._stream = stream
        self._chunk = chunk
        self._done = getattr(stream, "txdone", None)

    def read_into(self, buffer: bytearray) -> int:
        """Read what is there."""
        return self._stream.readinto(buffer) or 0

    def write(self, buffer: bytearray, start: int, n: int) -> int:
        """Write what goes."""
        return self._stream.write(buffer, start, min(n, self._chunk)) or 0

    def drained(self) -> bool:
        """Tell whether the last bit has gone, where the stream knows."""
        return self._done is None or self._done()
