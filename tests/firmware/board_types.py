"""Reads the firmware against MicroPython's stubs of each family of boards: `make firmware-types`.

What a port does not have is found: modules, names in them, arguments of their calls. Not judged is what
stands for several things by design: parameters that are any object with certain methods, attributes that
are None until a start, viper's pointers.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "firmware-types"
FAMILIES = {
    "rp2": (
        "micropython-rp2-stubs==1.29.0.post1",
        ("machine_can", "pyb_can", "stm32"),
        ("telemetry",),
    ),
    "stm32": ("micropython-stm32-stubs==1.29.0.post1", ("mcp2515",), ("telemetry", "starting/wireless.py")),
    "esp32": ("micropython-esp32-stubs==1.29.0.post1", ("machine_can", "pyb_can", "stm32"), ()),
}
"""Stubs, drivers that the family has not, and what else it does not run."""

RULES = {
    "reportArgumentType": "none",
    "reportOptionalMemberAccess": "none",
    "reportOptionalSubscript": "none",
    "reportMissingModuleSource": "none",
    "reportOperatorIssue": "none",
    "reportIndexIssue": "none",
}
BY_DESIGN = re.compile(r'(for class|Object of type) "(object|None|object\*|Unknown \| None)"')
ACCEPTED: dict[tuple[str, str], str] = {
    ("bridge/wire.py", "edge.wire"): "CPython's way to the codec; boards take the other one",
    ("bridge/power.py", "firmware."): "the same",
    ("telemetry/dispatch.py", "firmware."): "the same",
    ("bridge/", "unknown import symbol"): "comes from either of two places",
    ("starting/trampoline.py", 'Import "program"'): "is of a bundle",
    ("starting/trampoline.py", "getvalue"): "the stubs lack it; every port has it",
    ("telemetry/clock.py", "monotonic"): "CPython's, taken where there is no ticks_ms",
    ("bridge/outgoing.py", "__setitem__"): "a list that is filled in later",
}


def main() -> int:
    """Check each family; the exit code says whether anything was found."""
    found = 0
    for family, (stubs, drivers, others) in FAMILIES.items():
        folder = BUILD / "stubs" / family
        if not folder.is_dir():
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), stubs]
            subprocess.run(pip, check=True)
        excluded = [
            *(f"../../firmware/bridge/controllers/{driver}*.py" for driver in drivers),
            *(f"../../firmware/{other}" for other in others),
        ]
        settings = {
            "include": ["../../firmware"],
            "exclude": excluded,
            "extraPaths": ["../../firmware", "../../edge/wire"],
            "stubPath": f"stubs/{family}",
            "typeshedPath": f"stubs/{family}",
            "typeCheckingMode": "basic",
            **RULES,
        }
        path = BUILD / f"{family}.json"
        path.write_text(json.dumps(settings, indent=1))
        ran = subprocess.run(
            [
                str(BUILD / "venv" / "bin" / "basedpyright"),
                "-p",
                str(path),
                "--outputjson",
                "--level",
                "error",
            ],
            capture_output=True,
            check=False,
        )
        lines = list(complaints(json.loads(ran.stdout)["generalDiagnostics"]))
        print(f"{family}: {len(lines)} complaints")  # noqa: T201 - its answer
        for line in lines:
            print(f"  {line}")  # noqa: T201
        found += len(lines)
    return 1 if found else 0


def complaints(diagnostics: list[dict[str, object]]) -> list[str]:
    """What is left when that by design is left out."""
    lines = []
    for one in diagnostics:
        path = str(one["file"]).partition("/firmware/")[2]
        words = str(one["message"]).splitlines()[0]
        if BY_DESIGN.search(words):
            continue
        if any(path.startswith(place) and part in words for place, part in ACCEPTED):
            continue
        place = one["range"]["start"]["line"] + 1  # type: ignore[index]
        lines.append(f"{path}:{place}: {words}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
