"""Bundles: all files of a board's program with their hashes, as a ZIP file or a folder, always the same."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import FirmwareError
from edge.firmware.boards import Architecture, Family
from edge.firmware.main_source import Kind

MANIFEST = "manifest.json"
FORMAT = 1
TRAMPOLINE = "main.py"
"""The one file that lies at the top of a board; all others lie in a slot."""
BUILD_ID = "slot/build_id.py"
"""The one file that the build hash is not over, since it tells it."""
SLOT = "slot/"

_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_MOST_BYTES = 4 << 20


class BundleFile(BaseModel):
    """A file of a bundle."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(ge=0, le=_MOST_BYTES)


class Manifest(BaseModel):
    """What a bundle says of itself.

    Attributes:
        format: of bundles.
        name: board, kind and version in one.
        form: ``mpy``, compiled, or ``source``.
        build: SHA-256 over what is built; its first 8 bytes are told in HELLO.
        files: by their paths.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = Field(ge=FORMAT, le=FORMAT)
    name: str
    version: str = Field(pattern=r"^[ -~]{1,60}$")
    board: str
    family: Family
    architecture: Architecture
    kind: Kind
    form: str = Field(pattern="^(mpy|source)$")
    build: str = Field(pattern="^[0-9a-f]{64}$")
    files: dict[str, BundleFile]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle.

    Attributes:
        manifest: what it says of itself.
        contents: its files by their paths; those of `SLOT` lie in a slot of the board.
    """

    manifest: Manifest
    contents: Mapping[str, bytes]

    @property
    def slot_files(self) -> dict[str, bytes]:
        """What lies in a slot, by the path there."""
        return {path[len(SLOT) :]: data for path, data in self.contents.items() if path.startswith(SLOT)}

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.contents.values()))


def build_hash(about: Mapping[str, str], contents: Mapping[str, bytes]) -> str:
    """SHA-256 over what a bundle is and over its files, `BUILD_ID` excepted.

    Args:
        about: name, version, board and the like.
        contents: files by their paths.
    """
    digest = hashlib.sha256()
    for name in sorted(about):
        digest.update(f"{name}={about[name]}\n".encode())
    for path in sorted(contents):
        if path != BUILD_ID:
            digest.update(
                f"{hashlib.sha256(contents[path]).hexdigest()} {len(contents[path])} {path}\n".encode()
            )
    return digest.hexdigest()


def listed(contents: Mapping[str, bytes]) -> dict[str, BundleFile]:
    """Hashes and sizes of files, in the order of their paths."""
    return {
        path: BundleFile(sha256=hashlib.sha256(contents[path]).hexdigest(), size=len(contents[path]))
        for path in sorted(contents)
    }


def write_bundle(bundle: Bundle, path: Path) -> None:
    """Write a bundle: a ZIP file where the name ends so, else a folder.

    Raises:
        FirmwareError: the folder is there already, and is not empty.
    """
    manifest = json.dumps(bundle.manifest.model_dump(mode="json"), indent=1, ensure_ascii=True) + "\n"
    contents = {
        MANIFEST: manifest.encode(),
        **{name: bundle.contents[name] for name in sorted(bundle.contents)},
    }
    if path.suffix == ".zip":
        part = path.with_name(f"{path.name}.part")
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as file:
            for name, data in contents.items():
                # Neither times nor rights of this machine: the same bundle is the same file.
                info = zipfile.ZipInfo(name, _DATE)
                info.external_attr = _MODE
                info.create_system = 3
                file.writestr(info, data)
        part.replace(path)
        return
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FirmwareError("is there already", where=str(path), todo="Name a new folder, or a file *.zip")
    for name, data in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle, and check every hash in it.

    Raises:
        FirmwareError: it is none, or not as its manifest says.
    """
    where = str(path)
    contents = _contents(path)
    try:
        manifest = Manifest.model_validate_json(contents.pop(MANIFEST))
    except KeyError:
        raise FirmwareError(
            f"has no {MANIFEST}", where=where, todo="Is it a bundle of 'firmware build'?"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise FirmwareError(f"{MANIFEST}: {place}: {first['msg']}", where=where) from error
    if listed(contents) != manifest.files:
        named = sorted(
            name
            for name in {*contents, *manifest.files}
            if listed({name: contents[name]} if name in contents else {}).get(name)
            != manifest.files.get(name)
        )
        raise FirmwareError(f"is damaged: {', '.join(named)}", where=where, todo="Build it anew")
    if build_hash(about(manifest), contents) != manifest.build:
        raise FirmwareError("is damaged: its build hash is another", where=where, todo="Build it anew")
    return Bundle(manifest, contents)


def about(manifest: Manifest) -> dict[str, str]:
    """What of a manifest the build hash is over."""
    return {
        name: str(getattr(manifest, name))
        for name in ("name", "version", "board", "family", "architecture", "kind", "form")
    }


def _contents(path: Path) -> dict[str, bytes]:
    where = str(path)
    if path.is_dir():
        files = {
            found.relative_to(path).as_posix(): found for found in sorted(path.rglob("*")) if found.is_file()
        }
        return {name: found.read_bytes() for name, found in files.items()}
    try:
        with zipfile.ZipFile(path) as file:
            if sum(info.file_size for info in file.infolist()) > _MOST_BYTES:
                raise FirmwareError("is far too large for a bundle", where=where)
            for info in file.infolist():
                parts = PurePosixPath(info.filename)
                if parts.is_absolute() or ".." in parts.parts:
                    raise FirmwareError(f"has a path that leads out of it: {info.filename}", where=where)
            return {info.filename: file.read(info) for info in file.infolist()}
    except FileNotFoundError:
        raise FirmwareError(
            "there is no such bundle", where=where, todo="'nevgate firmware build' makes one"
        ) from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise FirmwareError(f"is no bundle: {error}", where=where) from error
