"""`nevgate run` that notes when positions last came to the core, on full buses if asked for.

`NEVGATE_TAP` names the file of the notes, `NEVGATE_FLOOD` the frames a second; without it the buses are those
of the configuration.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from edge.capture import Captured
from edge.capturing import opening
from edge.capturing.opening import CapturePlan
from edge.capturing.process import CaptureProcess
from edge.cli import run
from edge.clock import SystemClock
from edge.config.configuration import Config
from edge.policy.rules import Area
from tests.live_canary.flood import last_position_ns, open_flooded


class TappedCapture(CaptureProcess):
    """Writes a line whenever positions have ceased to come: the last one's time, and when that came."""

    tap: TextIO
    _last: tuple[int, int] | None = None

    def read(self, timeout_s: float) -> Captured | None:
        """See `CaptureProcess.read`."""
        captured = super().read(timeout_s)
        for batch in () if captured is None else captured.batches:
            last_ns = last_position_ns(batch)
            if last_ns is not None:
                self._last = (last_ns, SystemClock().boot_ns())
            elif len(batch) and self._last is not None:
                self.tap.write(json.dumps(self._last) + "\n")
                self.tap.flush()
                self._last = None
        return captured


def _flooded_plan(configuration: Path, config: Config, areas: Sequence[Area] = ()) -> CapturePlan:
    plan = opening.plan_of(configuration, config, areas)
    rate = int(os.environ.get("NEVGATE_FLOOD", "0"))
    if not rate:
        return plan
    opener = f"{open_flooded.__module__}:{open_flooded.__name__}"
    return replace(plan, opener=opener, arguments={**plan.arguments, "frames_per_s": rate})


def main() -> None:
    """Run."""
    with Path(os.environ["NEVGATE_TAP"]).open("w", encoding="ascii") as tap:
        TappedCapture.tap = tap
        vars(run).update(plan_of=_flooded_plan, CaptureProcess=TappedCapture)
        run.command()


if __name__ == "__main__":
    main()
