"""The public peer in a Python of its own: it is GPL, and never imported here."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

VARIABLE = "NEVGATE_RTM_CON"
"""Names the peer's Python, in which ``rtm-con`` is installed."""

PROGRAM = """
import datetime, json, sys
from construct import EnumInteger, EnumIntegerString
from rtm_con import DataItem, msg_checked

def plain(one):
    if isinstance(one, DataItem):
        return {"item": one.value, "valid": one.valid, "unit": one.unit}
    if isinstance(one, EnumIntegerString):
        return {"enum": one.intvalue, "name": str(one)}
    if isinstance(one, EnumInteger):
        return {"enum": int(one), "name": ""}
    if isinstance(one, datetime.datetime):
        return {"time": one.isoformat(" ")}
    if isinstance(one, bytes):
        return one.hex()
    if isinstance(one, dict):
        return {key: plain(inner) for key, inner in one.items() if not key.startswith("_")}
    if isinstance(one, (list, tuple)):
        return [plain(inner) for inner in one]
    return one

for line in sys.stdin:
    data = bytes.fromhex(line)
    try:
        read = msg_checked.parse(data)
        told = {"read": plain(read)}
        try:
            told["written"] = msg_checked.build(read).hex()
        except Exception as error:
            told["written"] = repr(error)
    except Exception as error:
        told = {"error": repr(error)}
    print(json.dumps(told), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the peer said of a message.

    Attributes:
        read: its fields; None where it could not read it.
        written: what it wrote of what it had read, in hex.
        error: why it could not read it.
    """

    read: dict[str, Any] | None
    written: str
    error: str


class Peer:
    """The peer's process.

    Args:
        python: that has it.
    """

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TZ": "Asia/Shanghai", "PYTHONPATH": ""},
        )

    def __enter__(self) -> Self:
        """Nothing more to start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End its process."""
        self._process.communicate()

    def read(self, data: bytes) -> Heard:
        """Let it read a message, and write it again.

        Raises:
            RuntimeError: the process is gone.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the peer has no pipes")
        self._process.stdin.write(data.hex() + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended; is rtm-con installed in what {VARIABLE} names?")
        told = json.loads(line)
        return Heard(told.get("read"), told.get("written", ""), told.get("error", ""))
