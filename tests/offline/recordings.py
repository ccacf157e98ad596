"""Recordings and databases for the tests of bulk decoding."""

from __future__ import annotations

import random
from pathlib import Path

DBC = """VERSION ""
BS_:
BU_:
BO_ 256 Plain: 8 A
 SG_ Low : 0|16@1+ (0.1,0) [0|0] "" A
 SG_ High : 16|16@1- (1,0) [0|0] "" A
 SG_ Whole : 0|64@1+ (1,0) [0|0] "" A
BO_ 257 Other: 8 A
 SG_ Float : 0|32@1- (1,0) [0|0] "" A
BO_ 258 Switched: 8 A
 SG_ Which M : 0|8@1+ (1,0) [0|0] "" A
 SG_ First m0 : 8|16@1+ (0.5,0) [0|0] "" A
 SG_ Second m1 : 8|16@1+ (2,0) [0|0] "" A
SIG_VALTYPE_ 257 Float : 1;
"""
CLASSES = """[operation]
signals = ["Plain.Whole", "Switched.*"]

[cabin]
signals = ["Plain.Low", "Plain.High", "Other.Float"]
"""


def candump_line(source: random.Random, t_us: int) -> str:
    """A line: mostly a data frame that the database describes, now and then something else."""
    bus = source.choice(("can0", "can1", "pt"))
    number = source.choice((256, 256, 257, 258, 258, 291))
    length = source.choice((8, 8, 8, 8, 3, 0))
    data = source.choice((source.randbytes(length), bytes([source.randrange(3), *bytes(length)])[:length]))
    stamp = f"({t_us // 1_000_000}.{t_us % 1_000_000:06d})"
    return source.choice(
        (
            *[f"{stamp} {bus} {number:03X}#{data.hex().upper()}"] * 12,
            f"{stamp} {bus} {number:03X}#R4",
            f"{stamp} {bus} 20000008#0000000000000000",
            "what is this",
        )
    )


def candump(lines: int, seed: int = 1, begin_us: int = 1_700_000_000_000_000) -> bytes:
    """A candump log."""
    source = random.Random(seed)  # noqa: S311 - to be repeated, not secret
    return b"".join(candump_line(source, begin_us + 137 * number).encode() + b"\n" for number in range(lines))


def write_all(folder: Path, *, logs: int = 1, lines: int = 400) -> list[Path]:
    """Write ``car.dbc``, ``car.classes.toml`` and some logs into `folder`; return the logs."""
    (folder / "car.dbc").write_text(DBC)
    (folder / "car.classes.toml").write_text(CLASSES)
    made = []
    for number in range(logs):
        path = folder / "trips" / f"{number}.log"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(candump(lines, seed=number))
        made.append(path)
    return made
