"""Landlock alone keeps a process from writing to any file system, and from ports that are not its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import ctypes, errno, json, os, socket, sys
from pathlib import Path
sys.path.append(sys.argv[1])
from edge.vision.process.landlock import keep_from_writing
folder, port, other = Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
lacking = keep_from_writing(devices=(str(folder / "device"),), ports=(port,))
def outcome(attempt):
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
print(json.dumps({"lacking": lacking, **{name: outcome(attempt) for name, attempt in {
    "read": (folder / "file").read_bytes,
    "write": lambda: (folder / "file").open("r+b"),
    "make": lambda: (folder / "new").touch(),
    "remove": (folder / "file").unlink,
    "device": lambda: (folder / "device").open("r+b"),
    "execute": lambda: os.execv("/bin/true", ["true"]),
    "camera": lambda: socket.create_connection(("127.0.0.1", port)),
    "elsewhere": lambda: socket.create_connection(("127.0.0.1", other)),
}.items()}}))
"""


def test_nothing_is_written_made_or_run_and_one_port_is_reached(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "device").touch()
    with socket.create_server(("127.0.0.1", 0)) as camera, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [str(one.getsockname()[1]) for one in (camera, other)]
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(ROOT), str(tmp_path), *ports],
            capture_output=True,
            text=True,
            check=True,
        )
    found = json.loads(run.stdout)
    if found.pop("lacking"):
        pytest.skip("the kernel has no Landlock")
    allowed = {name for name, came_to in found.items() if came_to == "done"}
    assert allowed == {"read", "device", "camera"}
    assert {came_to for name, came_to in found.items() if name not in allowed} == {"EACCES"}
