"""Core dumps: of a process that goes on, as a crash leaves them, or what can be read of one that lives."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np

CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
_LIMIT_S = 120.0
_PAGE = 4096
_UNREADABLE = frozenset({"[vvar]", "[vsyscall]", "[vvar_vclock]"})


def core_name() -> str | None:
    """How the kernel calls a core dump in the folder of who crashes; None where it puts them elsewhere."""
    pattern = CORE_PATTERN.read_text().strip()
    elsewhere = pattern.startswith(("|", "@", "/")) or resource.getrlimit(resource.RLIMIT_CORE)[1] == 0
    return None if elsewhere or "%" in pattern else pattern


def dumped(pid: int, folder: Path) -> bytes:
    """The memory of a process that goes on, as gcore(1) dumps it; without gcore as root reads it."""
    if shutil.which("gcore") is None:
        return read_memory(pid)
    path = folder / "dump"
    subprocess.run(
        ["gcore", "-o", str(path), str(pid)], check=True, capture_output=True, timeout=_LIMIT_S, cwd=folder
    )
    core = path.with_name(f"dump.{pid}")
    content = used(core.read_bytes())
    core.unlink()
    return content


def memory_of(pid: int, folder: Path) -> bytes:
    """What a process has in memory, as root reads it, and everybody else dumps it: the former is quicker."""
    return read_memory(pid) if os.geteuid() == 0 else dumped(pid, folder)


def used(memory: bytes) -> bytes:
    """Memory without pages of zeros, which are most of a dump; each run of them leaves one."""
    content = np.frombuffer(memory, np.uint8)
    pages = content[: len(content) // _PAGE * _PAGE].reshape(-1, _PAGE)
    filled = np.asarray(pages.any(axis=1))
    filled[1:] |= filled[:-1].copy()
    return pages[filled].tobytes() + content[pages.size :].tobytes()


def read_memory(pid: int) -> bytes:
    """All memory of a process that may be read, in order, but for files that it only reads."""
    pieces = []
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_, name = [*line.split(maxsplit=5), ""][:6]
            of_a_file = name.startswith("/") and "w" not in rights
            if "r" not in rights or of_a_file or name.strip() in _UNREADABLE:
                continue
            begin, end = (int(each, 16) for each in span.split("-"))
            memory.seek(begin)
            try:
                pieces.append(memory.read(end - begin))
            except OSError:
                continue
    return used(b"".join(pieces))


def allow_core_files(pid: int) -> None:
    """Let a process leave a core file of any size."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.prlimit(pid, resource.RLIMIT_CORE, (hard, hard))


def crashed(process: subprocess.Popen[bytes] | subprocess.Popen[str], folder: Path) -> list[Path]:
    """End a process by SIGABRT; give the files that this leaves in its folder."""
    before = set(folder.iterdir())
    allow_core_files(process.pid)
    process.send_signal(signal.SIGABRT)
    process.wait(_LIMIT_S)
    return sorted(set(folder.iterdir()) - before)
