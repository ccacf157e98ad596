"""Decodes the frames of a file with a generated module, and writes what lies in its arrays after each.

All frames are decoded once more before that, as fast as it goes, while no memory can be taken.
"""

import struct
import sys
import time

import micropython

module = __import__(sys.argv[1])


several = []
with open(sys.argv[2], "rb") as source:  # noqa: PTH123 - MicroPython has no pathlib
    functions = []
    line = source.readline().strip()
    while line:
        functions.append(getattr(module, line.decode()))
        line = source.readline().strip()
    head = source.read(11)
    while head:
        function, length, cell, cells, group, groups = struct.unpack("<HBHHHH", head)
        several.append(
            (functions[function], length, cell, cells, group, groups, bytearray(source.read(length)))
        )
        head = source.read(11)
functions = [one[0] for one in several]
lengths = [one[1] for one in several]
data = [one[6] for one in several]


def all_at_once(rounds: int) -> None:
    count = len(functions)
    micropython.heap_lock()
    # None of these times is one of the slow pass's.
    for now in range(1 << 29, (1 << 29) + rounds):
        n = 0
        while n < count:
            functions[n](data[n], lengths[n], now)
            n += 1
    micropython.heap_unlock()


begin = time.ticks_us()
all_at_once(int(sys.argv[4]))
sys.stdout.write(str(time.ticks_diff(time.ticks_us(), begin)))

with open(sys.argv[3], "wb") as sink:  # noqa: PTH123 - the same
    for now, (function, length, cell, cells, group, groups, octets) in enumerate(several):
        function(octets, length, now)
        sink.write(bytes(memoryview(module.VALUES)[cell : cell + cells]))
        sink.write(bytes(memoryview(module.TIMES)[group : group + groups]))
        sink.write(module.LENGTHS[group : group + groups])
