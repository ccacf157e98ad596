"""The page of the peers' bench: one table, one figure, the machine."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of one contender gave; None: does not apply.

    Attributes:
        us: processor time a frame that it handled, all its processes, in microseconds.
        percent: of a core at the full load of 32,000 frames/s.
        lost_percent: of the frames offered.
        bytes_a_frame: of its file or journal.
        memory_mb: proportional set size of all its processes.
        alarm_ms: from sending an alarm's frame to the broker's acknowledgement.
        sender_us: processor time of sending a frame, the kernel's way to the receiver included.
    """

    us: float | None = None
    percent: float | None = None
    lost_percent: float | None = None
    bytes_a_frame: float | None = None
    memory_mb: float | None = None
    alarm_ms: float | None = None
    sender_us: float | None = None


TEMPLATE = Path(__file__).with_name("page.md.in")

WORDS = {
    "nevgate": ("`nevgate run`", "capture, door, encrypted journal of raw frames, records, uplink"),
    "pipeline": ("python-can + cantools", "receive, decode each message, hand each value on (a)"),
    "queued": (
        "the same with a queue",
        "and hand each value to a second thread, as the KUKSA CAN provider does",
    ),
    "asc": ("python-can's logger, ASC", "receive and write"),
    "blf": ("python-can's logger, BLF", "receive and write"),
    "asammdf": ("asammdf", "write frames out of memory as MF4, nothing else (b)"),
    "can-decoder": ("can-decoder", "decode frames out of memory, nothing else (b)"),
    "opendbc": ("opendbc's CANParser", "decode frames out of memory, nothing else (b)"),
}


def page(
    runs: Mapping[str, Sequence[Run]], missing: Mapping[str, str], *, seconds: float, dropped: int
) -> tuple[str, str]:
    """The page as Markdown, and the figure as SVG."""
    ours = _median(runs.get("nevgate", ()), "us")
    idle = _median(runs.get("nobody", ()), "sender_us")
    rows = []
    for name, (who, what) in WORDS.items():
        of = runs.get(name, ())
        if not of:
            continue
        us = _median(of, "us")
        kernel = _median(of, "sender_us")
        cells = [
            who,
            what,
            _figure(us, 2),
            "" if us is None or not ours else f"{us / ours:.1f}",
            _figure(_median(of, "percent"), 1),
            _figure(kernel, 2),
            _figure(_median(of, "lost_percent"), 1),
            _figure(_median(of, "bytes_a_frame"), 1),
            _figure(_median(of, "memory_mb"), 0),
            _spread(of, "alarm_ms"),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    rounds = max((len(of) for of in runs.values()), default=0)
    absent = "".join(f"- `{name}`: {why}\n" for name, why in missing.items())
    text = TEMPLATE.read_text("utf-8").format(
        rounds=rounds,
        seconds=f"{seconds:.0f}",
        processor=_processor(),
        cores=os.cpu_count(),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        rows="\n".join(rows),
        dropped=dropped,
        idle=_figure(idle, 2) or "not measured",
        python_can=version("python-can"),
        cantools=version("cantools"),
        asammdf=version("asammdf"),
    )
    if absent:
        text += f"\nNot had here:\n\n{absent}"
    return text, _svg({WORDS[name][0]: us for name in WORDS if (us := _median(runs.get(name, ()), "us"))})


def _values(runs: Sequence[Run], field: str) -> list[float]:
    return [value for run in runs if (value := getattr(run, field)) is not None]


def _median(runs: Sequence[Run], field: str) -> float | None:
    found = _values(runs, field)
    return statistics.median(found) if found else None


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _spread(runs: Sequence[Run], field: str) -> str:
    found = _values(runs, field)
    return f"{statistics.median(found):,.0f} ({min(found):,.0f} to {max(found):,.0f})" if found else ""


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _svg(bars: Mapping[str, float]) -> str:
    """Bars of microseconds a frame, shortest first."""
    ordered = sorted(bars.items(), key=lambda bar: bar[1])
    longest = max(bars.values(), default=1.0)
    left, width, step = 210, 430, 28
    lines = [
        (
            '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="13" '
            f'width="{left + width + 90}" height="{step * len(ordered) + 40}">'
        ),
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left}" y="18">processor time a frame, µs</text>',
    ]
    for place, (name, value) in enumerate(ordered):
        y = 30 + step * place
        long = max(1.0, width * value / longest)
        colour = "#1f6f54" if "nevgate" in name else "#8a8f98"
        plain = escape(name.replace("`", ""))
        lines += [
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{plain}</text>',
            f'<rect x="{left}" y="{y}" width="{long:.1f}" height="18" fill="{colour}"/>',
            f'<text x="{left + long + 6:.1f}" y="{y + 14}">{value:.2f}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
