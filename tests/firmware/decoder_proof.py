"""Generated decoders run on this Python and on MicroPython, and compared with what cantools says."""

from __future__ import annotations

import random
import struct
import types
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.database.model import Message
from edge.firmware.decoder_plan import DecoderPlan, PlannedField, PlannedMessage
from tests.decode.test_parity import Oracle, random_payloads, same
from tests.firmware.micropython import run

PROGRAM = Path(__file__).parent / "programs" / "decode_on_board.py"


@dataclass(frozen=True)
class Case:
    """A frame for one message."""

    planned: PlannedMessage
    payload: bytes

    def places(self) -> tuple[int, int, int, int]:
        """First cell, cells, first group and groups of its message."""
        groups = self.planned.groups
        fields = [field for group in groups for field in group.fields]
        cell = min(field.cell for field in fields)
        cells = sum(field.cells for field in fields)
        return cell, cells, groups[0].number, len(groups)


def cases_of(plan: DecoderPlan, payloads: int, seed: int) -> list[Case]:
    """Random payloads of every message, whole, and cut at random places."""
    source = random.Random(seed)  # noqa: S311 - to be repeated, not secret
    cases: list[Case] = []
    for planned in plan.messages:
        cases += [Case(planned, payload) for payload in payloads_of(planned.message, payloads, source)]
    source.shuffle(cases)
    return cases


def payloads_of(message: Message, count: int, source: random.Random) -> Iterator[bytes]:
    whole = list(random_payloads(message, count, source))
    yield from whole
    # Every length: those of a long message one after the other.
    for length in range(message.length):
        yield whole[length % len(whole)][:length]


def expected_of(cases: Sequence[Case]) -> list[Mapping[str, object]]:
    """What cantools says of each frame, but for multiplexers that a short frame does not hold.

    It makes up their bits, and then finds signals that nothing says are there.
    """
    oracles: dict[int, Oracle] = {}
    expected: list[Mapping[str, object]] = []
    for case in cases:
        message, size = case.planned.message, 8 * len(case.payload)
        values = oracles.setdefault(id(case.planned), Oracle(message)).values(case.payload)[0]
        steered = {
            signal.name
            for signal in message.signals
            if all(max(message.signal(one.multiplexer).bits) < size for one in signal.conditions)
        }
        expected.append({name: value for name, value in values.items() if name in steered})
    return expected


def loaded(text: str) -> types.ModuleType:
    """A generated module on this Python."""
    module = types.ModuleType("decoder")
    exec(compile(text, "decoder.py", "exec"), vars(module))  # noqa: S102 - what is generated is what is tested
    return module


Shown = Callable[[int, Case], tuple[Sequence[int], Sequence[int], Sequence[int]]]
"""From the number of a frame to VALUES, TIMES and LENGTHS of its message after it."""


def on_this_python(module: types.ModuleType, wrap: Callable[[bytes], Any] = bytearray) -> Shown:
    def show(now: int, case: Case) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
        function = getattr(module, case.planned.function)
        function(wrap(case.payload), len(case.payload), now)
        cell, cells, group, groups = case.places()
        return (
            module.VALUES[cell : cell + cells],
            module.TIMES[group : group + groups],
            module.LENGTHS[group : group + groups],
        )

    return show


@dataclass(frozen=True)
class BoardRun:
    """What a program on MicroPython made of frames: their arrays, and how long the fast pass took."""

    shown: Shown
    us_per_frame: float


def on_board(
    text: str, cases: Sequence[Case], folder: Path, *, rounds: int = 1, name: str = "decoder"
) -> BoardRun:
    """Decode on MicroPython, once for each round without memory to take."""
    (folder / f"{name}.py").write_text(text)
    frames, answers = folder / f"{name}.frames", folder / f"{name}.answers"
    functions = list(dict.fromkeys(case.planned.function for case in cases))
    numbers = {function: number for number, function in enumerate(functions)}
    with frames.open("wb") as sink:
        sink.write("\n".join(functions).encode() + b"\n\n")
        for case in cases:
            number = numbers[case.planned.function]
            sink.write(struct.pack("<HBHHHH", number, len(case.payload), *case.places()) + case.payload)
    output = run(
        PROGRAM,
        name,
        str(frames),
        str(answers),
        str(rounds),
        paths=(folder,),
        heap="128m",
        timeout_s=120,
    )
    source = memoryview(answers.read_bytes())
    found: list[tuple[Sequence[int], Sequence[int], Sequence[int]]] = []
    at = 0
    for case in cases:
        _, cells, _, groups = case.places()
        values, times = array("i"), array("i")
        values.frombytes(source[at : at + 4 * cells])
        times.frombytes(source[at + 4 * cells : at + 4 * (cells + groups)])
        at += 4 * (cells + groups)
        found.append((values, times, source[at : at + groups]))
        at += groups
    assert at == len(source)
    return BoardRun(lambda now, _: found[now], int(output.stdout) / len(cases) / rounds)


def physical(field: PlannedField, raw: int) -> object:
    """A raw value as cantools gives it."""
    if field.signal.is_float:
        bits = len(field.signal.bits)
        form = {16: "e", 32: "f", 64: "d"}[bits]
        (value,) = struct.unpack(f"<{form}", raw.to_bytes(bits // 8, "little"))
        return field.conversion.raw_to_scaled(value, decode_choices=False)
    return field.conversion.raw_to_scaled(raw, decode_choices=False)


def differences(
    cases: Sequence[Case], shown: Shown, expected: Sequence[Mapping[str, object]]
) -> tuple[int, list[str]]:
    """How many values were compared, and where they differ from cantools'."""
    compared = 0
    found: list[str] = []
    for now, case in enumerate(cases):
        values, times, lengths = shown(now, case)
        first_cell, _, first_group, _ = case.places()
        offset = [0] * first_cell
        mine: dict[str, object] = {}
        for group in case.planned.groups:
            if times[group.number - first_group] != now:
                continue
            length = lengths[group.number - first_group]
            for field in group.fields:
                if length >= field.needed_bytes:
                    mine[field.signal.name] = physical(field, field.raw([*offset, *values]))
        theirs = expected[now]
        compared += len(theirs)
        name = f"{case.planned.message.name} {case.payload.hex()}"
        if mine.keys() != theirs.keys():
            found.append(f"{name}: {sorted(mine.keys() ^ theirs.keys())}")
        found += [
            f"{name} {signal}: {mine[signal]!r} is not {value!r}"
            for signal, value in theirs.items()
            if signal in mine and not same(mine[signal], value)
        ]
    return compared, found
