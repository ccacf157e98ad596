"""Puts a bundle on a board: into the slot that does not run, checked there, then chosen by one rename."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge.errors import FirmwareError
from edge.firmware.bundle import TRAMPOLINE, Bundle
from edge.firmware.repl import Repl, hashes_of, state_of

CHUNK_BYTES = 1024
SPARE_BYTES = 16_384
"""What has to be free beside a bundle: folders and a file system's own need take room."""

_ARCHITECTURES = (
    "",
    "x86",
    "x64",
    "armv6",
    "armv6m",
    "armv7m",
    "armv7em",
    "armv7emsp",
    "armv7emdp",
    "xtensa",
    "xtensawin",
    "rv32imc",
    "rv64imc",
)
"""As MicroPython numbers them in `sys.implementation._mpy`, bits 10 to 13."""
_MPY_VERSION = 6


@dataclass(frozen=True, slots=True)
class Flashed:
    """What was done.

    Attributes:
        slot: where the bundle is now.
        before: the slot that was chosen before; empty for none.
        trampoline: whether ``/main.py`` is a new one.
        warning: what a power cut could do there, and what helps; empty for nothing.
    """

    slot: str
    before: str
    trampoline: bool
    warning: str = ""


def flash(
    repl: Repl,
    bundle: Bundle,
    *,
    take_over: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Flashed:
    """Put a bundle on a board, and choose it; the board is not restarted yet.

    Args:
        repl: the board.
        bundle: the bundle.
        take_over: replace a ``/main.py`` that is none of nevgate's.
        progress: is told how many bytes have gone.

    Raises:
        FirmwareError: the board cannot run it, has no room, or did not keep what it was given.
    """
    state = state_of(repl)
    before = str(state["chosen"])
    slot = "b" if before == "a" else "a"
    trampoline = bundle.contents[TRAMPOLINE]
    renew = state["main"] != hashlib.sha256(trampoline).hexdigest()
    _check(state, bundle, slot)
    if renew and state["main"] and not before and not take_over:
        raise FirmwareError(
            "the board has a main.py of somebody else",
            todo="Save it, then use --take-over to replace it",
        )
    slots = state["slots"]
    if before and not slots.get(before, {}).get("good") and slots.get(slot, {}).get("good"):
        # What was flashed last has not proved itself: it goes, not the one that has.
        repl.run(f"choose({slot!r})")
        before, slot = slot, before
    repl.run(f"begin({slot!r})")
    for path, data in bundle.slot_files.items():
        _put(repl, f"nevgate/{slot}/{path}", data, progress)
    differing = differences(bundle, hashes_of(repl, slot))
    if differing:
        raise FirmwareError(
            f"the board did not keep what it was given: {', '.join(differing)}",
            todo="Nothing has changed. Flash again; if it stays so, the board's flash is worn",
        )
    if renew:
        _put(repl, "main.py.new", trampoline, progress)
        repl.run("rename('main.py.new', 'main.py')")
    repl.run(f"choose({slot!r})")
    return Flashed(slot, before, renew, _warning(state, bundle))


def differences(bundle: Bundle, found: Mapping[str, tuple[int, str]]) -> list[str]:
    """Paths in a slot that are not as in the bundle, with how.

    Args:
        bundle: the bundle.
        found: size and hash of each file of the slot.
    """
    wanted = {path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in bundle.slot_files.items()}
    lines = []
    for path in sorted({*wanted, *found}):
        if path not in found:
            lines.append(f"{path} is missing")
        elif path not in wanted:
            lines.append(f"{path} does not belong there")
        elif wanted[path] != found[path]:
            lines.append(f"{path} differs")
    return lines


def _put(repl: Repl, path: str, data: bytes, progress: Callable[[int], None]) -> None:
    repl.run(f"create({path!r})")
    for chunk in _chunks(data):
        repl.run(f"add({binascii.b2a_base64(chunk, newline=False)!r})")
        progress(len(chunk))
    repl.run("close()")


def _chunks(data: bytes) -> Iterator[bytes]:
    return (data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES))


def _check(state: Mapping[str, Any], bundle: Bundle, slot: str) -> None:
    """See whether the board can run it, and has room for it."""
    manifest = bundle.manifest
    if manifest.form == "mpy":
        mpy = int(state["mpy"])
        version = ".".join(map(str, state["version"]))
        place = mpy >> 10 & 0xF
        has = _ARCHITECTURES[place] if place < len(_ARCHITECTURES) else ""
        if mpy & 0xFF != _MPY_VERSION:
            raise FirmwareError(
                f"the board's MicroPython {version} cannot read what is compiled",
                todo="Use a bundle built with --source, or MicroPython 1.28 or later",
            )
        if not runs(manifest.architecture, has):
            raise FirmwareError(
                f"the bundle is for {manifest.board} ({manifest.architecture}), and this board is "
                f"{state['machine'] or 'another'} ({has or 'without machine code'})",
                todo="Build one for this board",
            )
    need = bundle.size + SPARE_BYTES
    if state["free"] and slot not in state["slots"] and int(state["free"]) < need:
        raise FirmwareError(
            f"the board has {int(state['free']):,} bytes free, and {need:,} are needed",
            todo="Remove what is not needed there: mpremote rm",
        )


def _warning(state: Mapping[str, Any], bundle: Bundle) -> str:
    """What is to be said of the board's file system."""
    if state["file_system"] != "VfsFat":
        return ""
    words = "the board's file system is FAT, which a power cut can damage as a whole, both slots with it"
    if not state["littlefs"]:
        return f"{words}; this image of MicroPython has no littlefs, one built with MICROPY_VFS_LFS2=1 has"
    if bundle.manifest.family == "stm32":
        return f"{words}. Littlefs is not: {STM32_LITTLEFS} at the prompt erases the board for it; flash then"
    return f"{words}. Littlefs is not: format the board's flash with it, and flash again"


STM32_LITTLEFS = "import os, pyb; os.umount('/flash'); os.VfsLfs2.mkfs(pyb.Flash(start=0))"
"""What a STM32's internal flash is formatted with; it takes effect with the next reset."""


def runs(architecture: str, has: str) -> bool:
    """Whether a microcontroller runs machine code of an architecture: ARM's later ones run the earlier."""
    if architecture == has:
        return True
    arm = _ARCHITECTURES[4:9]
    return architecture in arm and has in arm and arm.index(architecture) <= arm.index(has)
