"""How the process of capture of a gateway that runs is guarded, tried out from outside."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.live_canary.drive import PATIENCE_S, Drive, until
from tests.live_canary.dumps import allow_core_files, core_name, crashed, dumped, read_memory
from tests.live_canary.tokens import Kind

NOBODY = 65_534


@dataclass(frozen=True, slots=True)
class Guarding:
    """What was tried.

    Attributes:
        dump_filter: what of its memory a core dump would hold.
        core_limit: greatest core file, soft and hard.
        new_rights: whether programs that it starts could gain rights.
        owner: of its memory's file.
        in_memory: kinds of tokens that it has in its memory, as root sees; None where this is not root.
        dumped_bytes: of a dump that root's debugger forces, 0 without one. It holds no memory, but the
            processor's registers, in which a frame can be.
        open_to_strangers: what another user may read of its memory, and of a process of their own.
        core_files: left by its death by SIGABRT.
        control_files: left by another program's; None where the machine keeps them elsewhere.
        again: whether it was started again.
    """

    dump_filter: int
    core_limit: tuple[int, int]
    new_rights: bool
    owner: int
    in_memory: frozenset[Kind] | None
    dumped_bytes: int
    open_to_strangers: tuple[bool, bool] | None
    core_files: tuple[str, ...]
    control_files: tuple[str, ...] | None
    again: bool


def look_at_capture(drive: Drive, scratch: Path, *, forced: bool) -> Guarding:
    """Try everything that could get at what capture has in its memory, and kill it last.

    Args:
        drive: with a gateway that runs.
        scratch: a folder for dumps.
        forced: whether root's debugger forces a dump too, which takes its time.
    """
    pid = drive.gateway.capture_pid
    assert pid is not None
    root = os.geteuid() == 0
    process = Path(f"/proc/{pid}")
    lines = (process / "status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    return Guarding(
        dump_filter=int((process / "coredump_filter").read_text(), 16),
        core_limit=resource.prlimit(pid, resource.RLIMIT_CORE),
        new_rights=status["NoNewPrivs"].strip() != "1",
        owner=(process / "mem").stat().st_uid,
        in_memory=_kinds(drive, read_memory(pid)) if root else None,
        dumped_bytes=len(dumped(pid, scratch)) if forced and root and shutil.which("gcore") else 0,
        open_to_strangers=_open_to_strangers(pid) if root else None,
        core_files=_core_files(drive, pid),
        control_files=_control_files(scratch) if core_name() else None,
        again=_started_again(drive, pid),
    )


def _kinds(drive: Drive, content: bytes) -> frozenset[Kind]:
    sent = drive.sender.number
    found = drive.tokens.found(content)
    return frozenset(kind for kind, numbers in found.items() if any(one < sent for one in numbers))


def _open_to_strangers(pid: int) -> tuple[bool, bool]:
    with subprocess.Popen(["sleep", "60"], user=NOBODY, group=NOBODY, extra_groups=[]) as own:
        try:
            return _stranger_reads(pid), _stranger_reads(own.pid)
        finally:
            own.kill()


def _stranger_reads(pid: int) -> bool:
    done = subprocess.run(
        ["head", "-c", "1", f"/proc/{pid}/maps"],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        check=False,
    )
    return bool(done.stdout)


def _core_files(drive: Drive, pid: int) -> tuple[str, ...]:
    """Kill capture, with room for a dump if that can be had, and look at what appears in its folder."""
    folder = drive.folder
    before = set(folder.iterdir())
    with suppress(PermissionError):
        # To raise a limit that was lowered takes CAP_SYS_RESOURCE, which not every root has.
        allow_core_files(pid)
    os.kill(pid, signal.SIGABRT)
    until(lambda: drive.gateway.capture_pid != pid, "capture does not die")
    return tuple(sorted(path.name for path in set(folder.iterdir()) - before))


def _control_files(scratch: Path) -> tuple[str, ...]:
    folder = scratch / "control"
    folder.mkdir()
    with subprocess.Popen(["sleep", "60"], cwd=folder) as control:
        return tuple(path.name for path in crashed(control, folder))


def _started_again(drive: Drive, pid: int) -> bool:
    until(lambda: drive.gateway.capture_pid not in {None, pid}, f"no capture within {PATIENCE_S:.0f} s")
    return True
