"""Runs inside the virtual machine: a store works on the logged disk, and its claims go into the same log."""

from __future__ import annotations

import json
import mmap
import os
import sys
import threading
from pathlib import Path

from tests.power.claims import Claim
from tests.power.workloads import workload_named

MARKER = b"claims "
MARKER_BYTES = 4096


class Marker:
    """Writes claims behind the file system, around the page cache: each is one entry of the disk's log.

    Args:
        device: the disk.
        offset: where the file system has ended, in bytes.
    """

    def __init__(self, device: Path, offset: int) -> None:
        self._descriptor = os.open(device, os.O_WRONLY | os.O_DIRECT)
        self._offset = offset
        self._page = mmap.mmap(-1, MARKER_BYTES)
        self._lock = threading.Lock()
        self.count = 0

    def announce(self, claim: Claim) -> None:
        """Have the claim in the log when this returns."""
        text = MARKER + json.dumps([claim.series, claim.number, claim.digest]).encode()
        with self._lock:
            self._page[:] = text.ljust(MARKER_BYTES, b"\0")
            os.pwrite(self._descriptor, self._page, self._offset)
            self.count += 1
        print(f"claims: {self.count}", flush=True)  # noqa: T201 - the console is how the host follows


def main(name: str, folder: str, device: str, offset: str) -> None:
    """Run the workload `name` in `folder`, which lies on `device`."""
    workload = workload_named(name)
    marker = Marker(Path(device), int(offset))
    print("guest: ready", flush=True)  # noqa: T201 - the console is how the host follows
    workload.run(Path(folder), marker.announce)


if __name__ == "__main__":
    main(*sys.argv[1:])
