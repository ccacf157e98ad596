"""Starts the virtual machine, follows its console, and takes its power away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from select import select

from edge.errors import SourceError
from tests.power.vm.kernel import first_file_system, kernel_files

PROJECT = Path(__file__).parents[3]
QEMU = "qemu-system-x86_64"
MEBIBYTE = 1 << 20
FILE_SYSTEM_BYTES = 56 * MEBIBYTE
DISK_BYTES = 64 * MEBIBYTE
_MEMORY_MB = 768
_MOUNT_POINTS = ("/mnt", "/media", "/srv", "/opt")


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """What a run left.

    Attributes:
        before: image of the disk before the guest started.
        log: of all its writes and flushes.
        boot_s: from the start of qemu until the guest's program was ready.
        run_s: from then until the power was taken.
        claims: how many the console had told of.
    """

    before: Path
    log: Path
    boot_s: float
    run_s: float
    claims: int


def missing() -> str:
    """Say which program this machine lacks for the virtual one; empty if none."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    wanted = (QEMU, "mkfs.ext4", "e2fsck", "debugfs")
    return ", ".join(name for name in wanted if shutil.which(name, path=path) is None)


def run_and_cut(workload: str, folder: Path, cache: Path, *, claims: int, patience_s: float) -> LoggedRun:
    """Boot, let the workload make `claims` claims or work for `patience_s`, and kill the machine.

    The guest sees the host's files read-only over 9p, has no network, and writes to one virtio disk; qemu
    logs its writes and flushes.

    Raises:
        SourceError: the machine cannot be made, or the guest ended by itself.
    """
    kernel = kernel_files(cache)
    disk, before, log = folder / "disk", folder / "before", folder / "log"
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    make = ["mkfs.ext4", "-q", "-F", str(disk), f"{FILE_SYSTEM_BYTES // 1024}k"]
    subprocess.run(make, check=True, env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"})
    shutil.copyfile(disk, before)
    log.touch()
    (folder / "initramfs").write_bytes(first_file_system(kernel, guest_script(workload)))
    command = [
        QEMU,
        *("-accel", "tcg", "-cpu", "max", "-m", str(_MEMORY_MB), "-nodefaults", "-no-user-config"),
        *("-display", "none", "-serial", "stdio", "-no-reboot"),
        *("-kernel", str(kernel / "vmlinuz"), "-initrd", str(folder / "initramfs")),
        *("-append", "console=ttyS0 quiet panic=-1 mitigations=off"),
        *("-blockdev", f"driver=file,node-name=disk,filename={disk}"),
        *("-blockdev", f"driver=file,node-name=log,filename={log}"),
        *("-blockdev", "driver=blklogwrites,node-name=logged,file=disk,log=log,log-sector-size=512"),
        *("-device", "virtio-blk-pci,drive=logged"),
        *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
    ]
    began = time.monotonic()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as qemu:
        try:
            ready, count = follow(qemu, claims, patience_s)
        finally:
            qemu.kill()
    return LoggedRun(before, log, ready - began, time.monotonic() - ready, count)


def follow(qemu: subprocess.Popen[bytes], claims: int, patience_s: float) -> tuple[float, int]:
    """Read the console until enough has been claimed; return when the guest was ready, and the count."""
    assert qemu.stdout is not None
    descriptor = qemu.stdout.fileno()
    deadline = time.monotonic() + patience_s
    ready, count, text = 0.0, 0, b""
    while count < claims and time.monotonic() < deadline:
        if not select([descriptor], [], [], 0.5)[0]:
            continue
        if not (piece := os.read(descriptor, 65536)):
            break
        text += piece
        *_, told = text.rsplit(b"claims: ", 1)
        count = int(told.split(b"\r")[0]) if b"claims: " in text and b"\r" in told else count
        if not ready and b"guest: ready" in text:
            ready = time.monotonic()
    if not ready or qemu.poll() is not None or not count:
        console = text.decode(errors="replace")[-2000:]
        raise SourceError(f"the guest did not work: {console}", where=QEMU)
    return ready, count


def guest_script(workload: str) -> str:
    """Return what the guest's init does: mount, start Python out of the host's files, end."""
    data = mount_point()
    program = " ".join(
        [
            sys.executable,
            "-u",
            "-B",
            "-m",
            "tests.power.vm.guest",
            workload,
            data,
            "/dev/vda",
            str(FILE_SYSTEM_BYTES),
        ]
    )
    return f"""
mount -t proc proc /proc
mount -t 9p -o trans=virtio,ro,cache=loose,msize=1048576,version=9p2000.L host /host
mount -t ext4 /dev/vda /host{data}
mount -o bind /dev /host/dev
mount -o bind /proc /host/proc
cd /host{PROJECT}
chroot /host /bin/sh -c 'cd {PROJECT} && exec {program}'
poweroff -f
"""


def mount_point() -> str:
    """Return a folder that every Debian has and that hides nothing that the guest's Python needs."""
    needed = [PROJECT, Path(sys.executable), Path(sys.base_prefix)]
    for place in _MOUNT_POINTS:
        if Path(place).is_dir() and not any(path.is_relative_to(place) for path in needed):
            return place
    raise SourceError("there is no folder to mount the logged disk over", where=", ".join(_MOUNT_POINTS))
