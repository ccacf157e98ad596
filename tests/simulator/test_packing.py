"""The packer against cantools: the same bits for every message of the reference vehicle."""

import random
import struct

import numpy as np
import pytest

from edge.database.model import Message, Signal
from simulator.vehicle.checksum import crc8
from simulator.vehicle.packing import Packer, Page, Quantiser, pages
from simulator.vehicle.wiring import BUSES, load_databases

ROWS = 8
MESSAGES = [
    pytest.param(message, id=f"{bus}:{message.name}")
    for bus in BUSES
    for message in load_databases()[bus].messages
]


def _random_raw(signal: Signal, page: Page, draw: random.Random) -> int:
    if signal.name in page.selectors:
        return page.selectors[signal.name]
    width = len(signal.bits)
    if signal.is_float:
        code, integer = ("<f", "<I") if width == 32 else ("<d", "<Q")
        return int(struct.unpack(integer, struct.pack(code, draw.uniform(-1e6, 1e6)))[0])
    return draw.getrandbits(width)


def _as_cantools(signal: Signal, raw: int) -> float:
    width = len(signal.bits)
    if signal.is_float:
        code, integer = ("<f", "<I") if width == 32 else ("<d", "<Q")
        return float(struct.unpack(code, struct.pack(integer, raw))[0])
    return raw - (1 << width) if signal.signed and raw >> width - 1 else raw


@pytest.mark.parametrize("message", MESSAGES)
def test_raw_values_give_cantools_bits(message: Message) -> None:
    draw = random.Random(message.name)  # noqa: S311 - reproducible payloads, nothing secret
    for page in pages(message):
        packer = Packer(page.signals, message.length)
        rows = [[_random_raw(signal, page, draw) for signal in page.signals] for _ in range(ROWS)]
        packed = packer.pack(np.array(rows, np.uint64).T)
        for row, payload in zip(rows, packed, strict=True):
            values = {
                signal.name: _as_cantools(signal, raw) for signal, raw in zip(page.signals, row, strict=True)
            }
            expected = message.codec.encode(values, scaling=False, strict=False)
            assert payload.tobytes() == expected


@pytest.mark.parametrize("message", MESSAGES)
def test_physical_values_are_rounded_as_cantools_rounds(message: Message) -> None:
    draw = random.Random(message.name)  # noqa: S311 - reproducible payloads, nothing secret
    for page in pages(message):
        signals = [signal for signal in page.signals if signal.name not in page.selectors]
        selectors = [signal for signal in page.signals if signal.name in page.selectors]
        packer = Packer([*signals, *selectors], message.length)
        chosen = np.array([[page.selectors[signal.name]] for signal in selectors], np.uint64).reshape(-1, 1)
        values = {
            signal.name: draw.uniform(-1e3, 1e3)
            if signal.is_float
            else draw.uniform(signal.minimum or 0, signal.maximum or 0)
            for signal in signals
        }
        raw = Quantiser(signals).raw(np.array(list(values.values())).reshape(-1, 1))
        payload = packer.pack(np.vstack([raw, chosen]))[0].tobytes()
        expected = message.codec.encode({**values, **page.selectors}, scaling=True, strict=False)
        assert payload == expected


def test_values_beyond_the_databases_range_are_sent_at_its_edge() -> None:
    message = load_databases()["powertrain"].by_name["VCU_VehicleMotion"]
    speed = message.signal("VehicleSpeed")
    raw = Quantiser([speed]).raw(np.array([[-5.0, 1_000.0]]))
    assert raw.tolist() == [[0, 30_000]]


def test_crc8_gives_the_published_check_value() -> None:
    # CRC-8/SAE-J1850 of "123456789" is 0x4B: the data id holds the first two characters, byte 0 is left out.
    payload = np.frombuffer(b"\0" + b"3456789", np.uint8).reshape(1, -1)
    assert crc8(payload, int.from_bytes(b"12", "little")).tolist() == [0x4B]
