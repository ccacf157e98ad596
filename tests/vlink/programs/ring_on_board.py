"""Send traffic through the ring on MicroPython: packets to standard output, no memory taken on the way."""

import gc
import sys

import micropython
import vlink
from bridge import pack_plain, pack_viper, ring
from traffic import DATA, Traffic, run

PACKERS = {"viper": pack_viper, "plain": pack_plain}


def main(name: str, frames: int, fd: bool) -> None:
    """Run one packer's traffic."""
    packer = PACKERS[name]
    packet = bytearray(vlink.LIMIT)
    line = bytearray(vlink.LINE_LIMIT)
    made = ring.Ring(3, 200, fd, 5)
    done = 0
    traffic = Traffic(17, fd, 5)
    while done < frames:
        for told in run(traffic, 1000, packer, made, packet, line):
            sys.stdout.buffer.write(told)
        done += 1000
    sys.stderr.write(
        f"{made.accepted()} {made.dropped()} {made.waiting()} {made.t_us(traffic.t_us & ring.TICKS)}"
    )
    without_memory(packer, fd, packet, line)


def without_memory(packer: object, fd: bool, packet: bytearray, line: bytearray) -> None:
    """Do all that the hot path does with the heap locked."""
    made = ring.Ring(0, 100, fd, 0)
    put, fill, seal = packer.put, packer.fill, packer.seal
    gc.collect()
    micropython.heap_lock()
    for n in range(300):
        put(made.state, made.cells, n * 40000 & ring.TICKS, 0x18 if n & 1 else 8, n, DATA, 3)
        if n & 63 == 63:
            while True:
                end = fill(made.state, made.cells, packet, 1020)
                if not end:
                    break
                seal(packet, end, line, 2, n)
    micropython.heap_unlock()


main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "fd")
