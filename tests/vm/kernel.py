"""Fetches Debian's kernel as a package, and makes the small first file system that starts the guest."""

from __future__ import annotations

import io
import lzma
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edge.errors import SourceError

META_PACKAGE = "linux-image-amd64"
SHELL_PACKAGE = "busybox-static"
HOST_MODULES = ("virtio_pci", "9p", "9pnet_virtio")
DISK_MODULES = ("virtio_blk", "crc32c_generic", "ext4")
CAN_MODULES = ("can", "can_raw", "can_dev", "vcan", "kvaser_pci")
CAMERA_MODULES = ("vivid",)
KEPT_MODULES = HOST_MODULES + DISK_MODULES + CAN_MODULES + CAMERA_MODULES
_FOLDER, _PROGRAM, _FILE, _CONSOLE = 0o040755, 0o100755, 0o100644, 0o020600
_XZ, _ELF = b"\xfd7zXZ\0", b"\x7fELF"
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")
_DRIVERS = "block|media|net/can|virtio"
_MODULE = rf"lib/modules/[^/]+/kernel/(fs|lib|crypto|net/9p|net/can|drivers/({_DRIVERS}))/.*\.ko"
_REGULAR = re.compile(rf"\./(boot/vmlinuz-.*|{_MODULE}|bin/busybox|usr/bin/busybox)")


def kernel_files(cache: Path) -> Path:
    """Return a folder with ``vmlinuz``, ``busybox`` and `KEPT_MODULES`; fetch the packages once.

    Nothing is installed: the packages are downloaded and unpacked below `cache`.

    Raises:
        SourceError: there is no apt, or it cannot reach a registry with these packages.
    """
    folder = cache / "kernel"
    complete = folder / "complete"
    kept = " ".join(("unpacked", *KEPT_MODULES))
    if complete.exists() and complete.read_text() == kept:
        return folder
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise SourceError("there is no apt here to fetch Debian's kernel with")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        fetched = Path(name) / "kernel"
        fetched.mkdir()
        fetch(fetched)
        (fetched / "complete").write_text(kept)
        shutil.rmtree(folder, ignore_errors=True)
        fetched.rename(folder)
    return folder


def fetch(folder: Path) -> None:
    """Download and unpack the packages, and keep what is needed of them."""
    if not downloaded(folder):
        # Its lists are missing or old. Without the right to do this it fails, and so does the second try.
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
        if not downloaded(folder):
            raise SourceError(f"apt cannot download {META_PACKAGE}", todo="Run 'apt-get update' first")
    for package_file in folder.glob("*.deb"):
        unpack(package_file, folder)
        package_file.unlink()
    needed = loading_order(folder, KEPT_MODULES)
    for module in folder.glob("*.ko"):
        if module not in needed:
            module.unlink()


def downloaded(folder: Path) -> bool:
    """Download the packages with kernel and shell; tell whether they are there."""
    done = subprocess.run(["apt-cache", "depends", META_PACKAGE], capture_output=True, check=False, text=True)
    match = re.search(r"Depends: (linux-image-\S+)", done.stdout)
    if match is None:
        return False
    command = ["apt-get", "download", match[1], SHELL_PACKAGE]
    return not subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode


def unpack(package_file: Path, folder: Path) -> None:
    """Take kernel, modules and shell out of a package."""
    shown = subprocess.run(["dpkg-deb", "--fsys-tarfile", package_file], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(shown.stdout)) as archive:
        for member in archive:
            if not member.isfile() or not _REGULAR.fullmatch(member.name):
                continue
            name = Path(member.name).name
            content = archive.extractfile(member)
            if content is not None:
                kernel = name.startswith("vmlinuz")
                data = unpacked_kernel(content.read()) if kernel else content.read()
                (folder / ("vmlinuz" if kernel else name)).write_bytes(data)


def unpacked_kernel(image: bytes) -> bytes:
    """Take the program out of a kernel's image: qemu starts it too, and a guest would unpack it for seconds.

    An image that is packed otherwise than with xz, or whose program does not begin so, is left as it is.
    """
    begin = image.find(_XZ)
    if begin < 0:
        return image
    try:
        program = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(image[begin:])
    except lzma.LZMAError:
        return image
    return program if program.startswith(_ELF) else image


def loading_order(folder: Path, wanted: Sequence[str]) -> list[Path]:
    """Return the wanted modules and those that they depend on, in an order in which they load."""
    files = {path.stem.replace("-", "_"): path for path in folder.glob("*.ko")}
    order: dict[str, Path] = {}

    def load(name: str) -> None:
        if name in order:
            return
        path = files.get(name)
        if path is None:
            raise SourceError("the kernel's package has no such module", where=name)
        match = _DEPENDS.search(path.read_bytes())
        for needed in filter(None, match[1].decode().split(",") if match else ()):
            load(needed.replace("-", "_"))
        order[name] = path

    for name in wanted:
        load(name)
    return list(order.values())


def first_file_system(folder: Path, script: str, wanted: Sequence[str]) -> bytes:
    """Return an archive (cpio, "new ASCII") with shell, modules, and the script that is to be init.

    The modules `wanted`, and those that they need, are loaded before the script begins.
    """
    modules = loading_order(folder, wanted)
    folders = ("bin", "proc", "sys", "dev", "host", "modules")
    entries: list[tuple[str, int, bytes]] = [(name, _FOLDER, b"") for name in folders]
    entries.append(("bin/busybox", _PROGRAM, (folder / "busybox").read_bytes()))
    entries += [(f"modules/{path.name}", _FILE, path.read_bytes()) for path in modules]
    loads = "".join(f"/bin/busybox insmod /modules/{path.name}\n" for path in modules)
    init = f"#!/bin/busybox sh\n/bin/busybox --install -s /bin\nmount -t devtmpfs dev /dev\n{loads}{script}"
    entries.append(("init", _PROGRAM, init.encode()))
    archive = bytearray()
    for inode, (name, mode, data) in enumerate([("dev/console", _CONSOLE, b""), *entries], start=1):
        archive_member(archive, inode, name, mode, data)
    archive_member(archive, 0, "TRAILER!!!", 0, b"")
    return bytes(archive)


def archive_member(archive: bytearray, inode: int, name: str, mode: int, data: bytes) -> None:
    """Append one member to a cpio archive."""
    path = name.encode() + b"\0"
    device = (5, 1) if mode == _CONSOLE else (0, 0)
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
    for part in (b"070701" + b"".join(b"%08X" % value for value in fields) + path, data):
        archive += part
        archive += bytes(-len(archive) % 4)
