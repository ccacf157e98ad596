"""What processes take: processor time and memory of a process and all that it started."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a process and all its descendants, until now.

    Attributes:
        cpu_s: user and system, those included that have ended and been waited for.
        by_process: the same by name and process id.
        memory_bytes: proportional set size: memory shared with others counts in part.
    """

    cpu_s: float
    by_process: dict[str, float]
    memory_bytes: int


def cost_of(pid: int, *, memory: bool = False) -> Cost:
    """Look at a process and its descendants (proc(5), ``/proc/PID/stat``)."""
    fields = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                head, _, rest = (folder / "stat").read_text().rpartition(")")
            except OSError:
                continue
            fields[int(folder.name)] = (head.partition("(")[2], rest.split())
    family = {pid}
    while more := {each for each, (_, rest) in fields.items() if int(rest[1]) in family} - family:
        family |= more
    used = {
        f"{fields[each][0]} {each}": sum(map(int, fields[each][1][11:15])) / _TICKS
        for each in sorted(family)
        if each in fields
    }
    return Cost(sum(used.values()), used, sum(map(_proportional, family)) if memory else 0)


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
