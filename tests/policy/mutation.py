"""Breaks the door on purpose, line by line, in a copy; each break that no test notices is printed.

Run it from the project's root: ``python tests/policy/mutation.py``. It ends with 1 if a break went unnoticed,
with 2 if the tests fail as it is.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = (
    "tests/policy/test_door.py",
    "tests/policy/test_transport.py",
    "tests/policy/test_door_properties.py",
)
BREAKS = (
    ("judgement.py", "elif judged.data_class not in collect:", "elif False:"),
    (
        "judgement.py",
        "if judged.data_class is None:\n                judged.reason",
        "if False:\n                judged.reason",
    ),
    ("judgement.py", "        and multiplexer.reason is None\n", ""),
    ("judgement.py", "_together(judged.presence, denier.presence)", "False"),
    ("judgement.py", "            or self._judge_integrity()\n", ""),
    ("judgement.py", "bit: [] for bit in bits if bit not in own", ""),
    (
        "judgement.py",
        "bits = {bit for _, name in declared.covers for bit in names[name].signal.bits}",
        "bits = ()",
    ),
    ("judgement.py", "if not exhausted:", "if False:"),
    ("judgement.py", "& condition.values\n    return frozenset", "| condition.values\n    return frozenset"),
    ("judgement.py", "return mine.arbitration_id == theirs.arbitration_id", "return mine is theirs"),
    ("masks.py", "(judged for judged in kept if not judged.presence)", "kept"),
    ("layers.py", "known &= self.keys[found] == combined", "pass"),
    (
        "layers.py",
        "known &= (values[place] == raw[field]) & present[field]",
        "known &= values[place] == raw[field]",
    ),
    ("masks.py", "kept = [judged for judged in signals if judged.reason is None]", "kept = signals"),
    ("layers.py", "combined = combined * size + classes[place]", "combined = combined + classes[place]"),
    ("masks.py", "[*group, *by_pgn.get(pgn, ())]", "group"),
    ("masks.py", '"collect": sorted(collect),', ""),
    ("masks.py", "rows[extended | (arbitration_id >= STANDARD_IDS)] = UNKNOWN_ROW", "pass"),
    ("door.py", "words[cut] &= _within(kept.length[cut], padded)", "pass"),
    ("door.py", "np.flatnonzero(kept.length < self._masks.ends[rows])", "np.empty(0, np.intp)"),
    ("door.py", "words &= data.view(np.uint64)", "words[:] = data.view(np.uint64)"),
    ("door.py", "keep = keeps & fits", "keep = keeps"),
    ("door.py", "fits = long_enough & (", "fits = ("),
    ("door.py", "judged = known & ~(error | remote)", "judged = known.copy()"),
    ("door.py", "passing.judged[places] = False", "pass"),
    ("door.py", "rule.data_class in self._collect and rule.matches", "rule.matches"),
    ("door.py", "& (first < CLASSIC_BYTES)", ""),
    ("door.py", "if multiplexer not in hidden and", "if"),
    ("classed.py", "len(message) != start + self.data_bytes", "len(message) < start + self.data_bytes"),
    (
        "transport.py",
        "self.set_aside[MERGED] += session.segments - 1",
        "self.set_aside[MERGED] += session.segments",
    ),
    ("transport.py", "if session is not None and session.late(t_ns):", "if False:"),
    ("j1939_transport.py", "if broadcast and number > len(session.received) + 1:", "if False:"),
    ("isotp_transport.py", "segment.data[0] & 0xF != session.segments & 0xF or ", ""),
)


def noticed(copy: Path, name: str, before: str, after: str) -> bool:
    """Whether a test fails when `before` reads `after`."""
    path = copy / "edge" / "policy" / name
    text = path.read_text(encoding="utf-8")
    if text.count(before) != 1:
        sys.stdout.write(f"{name}: {before!r} is there {text.count(before)} times\n")
        return False
    path.write_text(text.replace(before, after), encoding="utf-8")
    try:
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS],
            cwd=copy,
            env={"PYTHONPATH": str(copy), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=False,
        )
    finally:
        path.write_text(text, encoding="utf-8")
    return result.returncode == 1


def main() -> int:
    """Try every break; count those that went unnoticed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for part in ("edge", "tests/policy", "dbc"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("pyproject.toml", "tests/__init__.py", "tests/conftest.py"):
            shutil.copy(ROOT / part, copy / part)
        if noticed(copy, "door.py", "class Door:", "class Door:"):
            sys.stdout.write("the tests fail before anything is broken\n")
            return 2
        unnoticed = [change for change in BREAKS if not noticed(copy, *change)]
    for name, before, after in unnoticed:
        sys.stdout.write(f"unnoticed in {name}: {before!r} -> {after!r}\n")
    sys.stdout.write(f"{len(BREAKS) - len(unnoticed)} of {len(BREAKS)} breaks noticed\n")
    return int(bool(unnoticed))


if __name__ == "__main__":
    sys.exit(main())
