"""A network namespace of the bench's own, with a virtual cable for each bus."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import time
from collections.abc import Sequence
from typing import Any

_NEW_NETWORK = 0x40000000
_UP_S = 10.0


def move_out() -> None:
    """Put this process, and all that it starts from now on, into a network of its own.

    Raises:
        OSError: without root.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "network namespace")
    _ip("link", "set", "lo", "up")


def near(place: int) -> str:
    """The interface at which the frames of a bus are received."""
    return f"can{place}"


def far(place: int) -> str:
    """The one at which they are sent."""
    return f"far{place}"


def lay(count: int) -> None:
    """Make the cables and wait until the kernel lets frames through."""
    for place in range(count):
        _ip("link", "add", near(place), "type", "veth", "peer", "name", far(place))
        for link in (near(place), far(place)):
            # Neighbour discovery would send frames of its own.
            _ip("link", "set", link, "addrgenmode", "none")
            _ip("link", "set", link, "up")
    end_s = time.monotonic() + _UP_S
    while any(one["operstate"] != "UP" for one in _told() if one["ifname"] != "lo"):
        if time.monotonic() > end_s:
            raise TimeoutError("the cables do not come up")
        time.sleep(0.01)


def dropped() -> int:
    """Frames that the cables themselves dropped so far."""
    return sum(
        one["stats64"][way]["dropped"] for one in _told() if one["ifname"] != "lo" for way in ("tx", "rx")
    )


def _told() -> Sequence[dict[str, Any]]:
    found: Sequence[dict[str, Any]] = json.loads(
        subprocess.run(["ip", "-j", "-s", "link"], check=True, capture_output=True).stdout
    )
    return found


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
