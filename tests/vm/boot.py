"""What all virtual machines here have: Debian's kernel, no accelerator, the host's files read-only."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import join

from edge.errors import SourceError

PROJECT = Path(__file__).parents[2]
CACHE = PROJECT / "build" / "vm"
"""Where `tests.vm.kernel.kernel_files` keeps the kernel for all machines."""

QEMU = "qemu-system-x86_64"
_MEMORY_MB = 768
_MOUNT_POINTS = ("/mnt", "/media", "/srv", "/opt")


def missing(*programs: str) -> str:
    """Say which program this machine lacks for the virtual one, `programs` included; empty if none."""
    if platform.machine() != "x86_64":
        return "a processor whose programs the virtual machine runs (x86-64)"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return ", ".join(name for name in (QEMU, *programs) if shutil.which(name, path=path) is None)


def qemu_command(kernel: Path, first_files: Path, *, counted_time: bool = False) -> list[str]:
    """Return the command that starts the machine, its console on standard output, without other devices.

    Args:
        kernel: folder that `tests.vm.kernel.kernel_files` returned.
        first_files: the archive of `tests.vm.kernel.first_file_system`.
        counted_time: whether the guest's clocks count its instructions while it works, two nanoseconds each,
            so that it does not matter to it how busy this machine is. It then starts somewhat slower.
    """
    clocks = ("-icount", "shift=1") if counted_time else ()
    return [
        QEMU,
        *("-accel", "tcg", "-cpu", "max", "-m", str(_MEMORY_MB), *clocks),
        *("-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"),
        *("-kernel", str(kernel / "vmlinuz"), "-initrd", str(first_files)),
        *("-append", "console=ttyS0 quiet panic=-1 mitigations=off"),
        *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
    ]


def init_script(program: Sequence[str], *, mounts: str) -> str:
    """Return what the guest's init does: mount, run a program out of the host's files, end.

    Args:
        program: words of a command; it starts in the project's folder.
        mounts: shell lines that mount what this machine needs besides, below ``/host``.
    """
    return f"""
mount -t proc proc /proc
mount -t 9p -o trans=virtio,ro,cache=loose,msize=512000,version=9p2000.L host /host
{mounts}
mount -o bind /dev /host/dev
mount -o bind /proc /host/proc
cd /host{PROJECT}
chroot /host /bin/sh -c 'cd {PROJECT} && exec {join(program)}'
poweroff -f
"""


def python_module(name: str, *arguments: str) -> list[str]:
    """Return the command that runs a module with the Python that runs here."""
    return [sys.executable, "-u", "-B", "-m", name, *arguments]


def mount_point() -> str:
    """Return a folder that every Debian has and that hides nothing that the guest's Python needs."""
    needed = [PROJECT, Path(sys.executable), Path(sys.base_prefix)]
    for place in _MOUNT_POINTS:
        if Path(place).is_dir() and not any(path.is_relative_to(place) for path in needed):
            return place
    raise SourceError("there is no folder to mount a file system over", where=", ".join(_MOUNT_POINTS))
