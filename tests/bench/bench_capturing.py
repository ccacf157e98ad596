"""What capture costs as a process of its own: masked frames a second, and CPU at a vehicle's rate."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from edge.capture import MaskedSource
from edge.capturing.process import CaptureProcess
from edge.clock import SystemClock
from tests.bench.comparison import Comparison
from tests.capturing.sources import OPERATION, open_flood, plan

RATE = 32_000
SECONDS = 10.0
FRAMES = 2_000_000
BATCH = 640


def measure() -> list[Comparison]:
    """Frames a second as fast as it goes, and CPU seconds a second at 32,000 frames/s, beside one process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fast: dict[str, object] = {"live": False, "count": FRAMES, "batch": BATCH, "ends": True}
        ours, peer = (_frames_per_s(each) for each in _both(folder, fast))
        found = [
            Comparison(
                name=f"capture as a process of its own, batches of {BATCH}",
                ours=ours,
                peer=peer,
                unit="frames/s",
                peer_name="in one process",
                ratio=ours / peer,
                asked="more than any vehicle sends",
            )
        ]
        apart, together = (_cpu_share(each) for each in _both(folder, {"rate": RATE}))
        found.append(
            Comparison(
                name=f"CPU at {RATE} frames/s, both processes; of it the core's own {apart[0]:.1f} %",
                ours=sum(apart),
                peer=together[0],
                unit="% of a core",
                peer_name="in one process, read every ms",
                ratio=together[0] / sum(apart),
                asked="not more than in one process",
            )
        )
        return found


def _both(folder: Path, arguments: dict[str, object]) -> tuple[Callable[[], MaskedSource], ...]:
    wanted = plan(folder, **arguments)
    clock = SystemClock()
    return (
        lambda: CaptureProcess(wanted, OPERATION, "bench", clock=clock),
        lambda: open_flood(wanted.arguments, OPERATION, "bench", clock).capture,
    )


def _frames_per_s(opened: Callable[[], MaskedSource]) -> float:
    with opened() as capture:
        begin_s = time.perf_counter()
        frames = 0
        while (captured := capture.read(0.1)) is not None:
            frames += sum(map(len, captured.batches))
        return frames / (time.perf_counter() - begin_s)


def _cpu_share(opened: Callable[[], MaskedSource]) -> tuple[float, float]:
    """Percent of a core that this process takes, and the one of capture where there is one."""
    with opened() as capture:
        pid = capture.pid if isinstance(capture, CaptureProcess) else None
        mine_s, other_s = time.process_time(), _cpu_s(pid)
        end_s = time.monotonic() + SECONDS
        while time.monotonic() < end_s:
            capture.read(0.1)
            if pid is None:
                # A live interface wakes its reader for each burst; the made-up one is asked as often.
                time.sleep(0.001)
        return (
            100 * (time.process_time() - mine_s) / SECONDS,
            100 * (_cpu_s(pid) - other_s) / SECONDS,
        )


def _cpu_s(pid: int | None) -> float:
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
