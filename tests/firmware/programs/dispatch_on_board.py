"""Puts the frames of a file into rings, decodes them from there taking no memory, and tells a sample."""

import struct
import sys

import decoder
import micropython
from bridge.pack import put
from bridge.ring import Ring
from telemetry.dispatch import Dispatcher, RingReader
from telemetry.record import ABNORMAL, INVALID
from telemetry.sampler import Sampler


def shown(value: object) -> str:
    if isinstance(value, tuple):
        return "(" + " ".join([shown(one) for one in value]) + ")"
    return "invalid" if value is INVALID else "abnormal" if value is ABNORMAL else str(value)


def offer(ring: Ring, ticks: int, kind: int, can_id: int, data: bytes) -> None:
    if not put(ring.state, ring.cells, ticks, kind, can_id, data, 0):
        raise ValueError("the ring is full")


dispatcher = Dispatcher(decoder)
sampler = Sampler(decoder)
rings = [Ring(bus, 64, True, 0) for bus in range(len(decoder.BUSES))]
readers = [RingReader(ring, bus, dispatcher) for bus, ring in enumerate(rings)]
frames = 0
with open(sys.argv[1], "rb") as source:  # noqa: PTH123 - MicroPython has no pathlib
    head = source.read(10)
    while head:
        bus, kind, can_id, t_ms = struct.unpack("<BBII", head)
        offer(rings[bus], t_ms * 1000, kind, can_id, source.read(64))
        micropython.heap_lock()
        frames += readers[bus].drain(t_ms, 8)
        micropython.heap_unlock()
        head = source.read(10)
sys.stdout.write(f"{frames} {dispatcher.decoded} {dispatcher.unknown} {dispatcher.not_data}\n")
for value in sampler.read(int(sys.argv[2])):
    sys.stdout.write(shown(value) + "\n")
