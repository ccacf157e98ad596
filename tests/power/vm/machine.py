"""Starts the virtual machine, follows its console, and takes its power away."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from select import select

from edge.errors import SourceError
from tests.vm.boot import QEMU, init_script, mount_point, python_module, qemu_command
from tests.vm.kernel import DISK_MODULES, HOST_MODULES, first_file_system, kernel_files

MODULES = HOST_MODULES + DISK_MODULES
TOOLS = ("mkfs.ext4", "e2fsck", "debugfs")
MEBIBYTE = 1 << 20
FILE_SYSTEM_BYTES = 56 * MEBIBYTE
DISK_BYTES = 64 * MEBIBYTE


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
    (folder / "initramfs").write_bytes(first_file_system(kernel, guest_script(workload), MODULES))
    command = [
        *qemu_command(kernel, folder / "initramfs"),
        *("-blockdev", f"driver=file,node-name=disk,filename={disk}"),
        *("-blockdev", f"driver=file,node-name=log,filename={log}"),
        *("-blockdev", "driver=blklogwrites,node-name=logged,file=disk,log=log,log-sector-size=512"),
        *("-device", "virtio-blk-pci,drive=logged"),
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
    program = python_module("tests.power.vm.guest", workload, data, "/dev/vda", str(FILE_SYSTEM_BYTES))
    return init_script(program, mounts=f"mount -t ext4 /dev/vda /host{data}")
