"""`Storage`: files by path or URL, read as local files and written so that nobody sees a part of one."""

from __future__ import annotations

import glob
import importlib
import os
import shutil
import stat
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, cast

from edge.bus.formats.base import Span
from edge.bus.formats.lines import LINE_MAX_BYTES
from edge.bus.recording import HEAD_BYTES, recognised
from edge.errors import NevgateError

COPY_BYTES = 1 << 20
_WILDCARDS = frozenset("*?[")
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss"})
"""Have no folders to make; making one would make a bucket of a name that was mistyped."""


class StorageError(NevgateError):
    """A file or folder cannot be reached, read or written."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What is known of a file without reading it.

    Attributes:
        size: bytes.
        version: changes when the file does: its time of change, or what the store has for that.
    """

    size: int
    version: str


class Storage(ABC):
    """Where files are; every location is a path or URL as a person writes it.

    Attributes:
        copies: whether what `at_hand` hands out is a copy, which may have holes.
    """

    copies: ClassVar[bool] = False

    @abstractmethod
    def stat(self, location: str) -> Stat | None:
        """What is known of a file; None if there is none."""

    @abstractmethod
    def is_folder(self, location: str) -> bool:
        """Whether it is a folder."""

    @abstractmethod
    def files(self, location: str) -> list[str]:
        """All files in a folder and the folders in it, sorted; hidden ones and theirs are left out."""

    @abstractmethod
    def matching(self, pattern: str) -> list[str]:
        """All files that match a pattern with ``*``, ``?``, ``[...]`` or ``**``, sorted."""

    @abstractmethod
    def remove(self, location: str) -> None:
        """Remove a file, or a folder with all in it; what is not there is removed already."""

    @abstractmethod
    @contextmanager
    def reading(self, location: str) -> Iterator[BinaryIO]:
        """Open a file, which may be sought in."""

    @abstractmethod
    @contextmanager
    def at_hand(self, location: str, span: Span) -> Iterator[Path]:
        """A local file that holds at least what reading `span` of the recording `location` needs.

        Of a format with `Recording.reach`: what it needs as a rule, see `with_margin`.
        """

    @abstractmethod
    @contextmanager
    def draft(self, location: str) -> Iterator[Path]:
        """A local file to write, which becomes `location` at once when all of it is written; else it goes."""

    def check_place(self, location: str) -> None:
        """See that a file can be there, before long work for it.

        Raises:
            StorageError: if its folder is missing, or it is a folder itself.
        """
        if self.is_folder(location):
            raise StorageError("is a folder", where=location, todo="Name a file in it")

    def parts_of(self, location: str) -> str:
        """A folder for the parts of a file until it is whole."""
        return f"{location}.parts"

    def read(self, location: str) -> bytes:
        """A small file's content.

        Raises:
            FileNotFoundError: if it is not there.
        """
        with self.reading(location) as file:
            return file.read()

    def write(self, location: str, content: bytes) -> None:
        """Write a small file."""
        with self.draft(location) as path:
            path.write_bytes(content)


def storage_of(location: str) -> Storage:
    """The storage that holds `location`.

    Raises:
        StorageError: if it is a URL and what reads it is not installed.
    """
    scheme, mark, _ = location.partition("://")
    if not mark:
        return LocalStorage()
    return UrlStorage(scheme)


def without_file_scheme(location: str) -> str:
    """The path that a URL of this machine's files means; all else as it is."""
    return location.removeprefix("file://")


def inside(folder: str, *names: str) -> str:
    """The location of what is in `folder`."""
    return "/".join([folder.rstrip("/") or folder[:1], *names])


def has_wildcard(location: str) -> bool:
    """Whether it is a pattern, unless a file is called so."""
    return not _WILDCARDS.isdisjoint(location)


def fixed_folder(pattern: str) -> str:
    """The folder below which all is that a pattern can mean, without a slash at its end."""
    fixed = pattern[: min(pattern.index(mark) for mark in _WILDCARDS if mark in pattern)]
    return fixed.rpartition("/")[0]


class LocalStorage(Storage):
    """The file system of this machine."""

    def stat(self, location: str) -> Stat | None:
        """See `Storage.stat`."""
        try:
            found = Path(location).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return None if stat.S_ISDIR(found.st_mode) else Stat(found.st_size, str(found.st_mtime_ns))

    def is_folder(self, location: str) -> bool:
        """See `Storage.is_folder`."""
        return Path(location).is_dir()

    def check_place(self, location: str) -> None:
        """See `Storage.check_place`."""
        super().check_place(location)
        if not Path(location).parent.is_dir():
            raise StorageError("there is no such folder", where=str(Path(location).parent))

    def files(self, location: str) -> list[str]:
        """See `Storage.files`."""
        found: list[str] = []
        for folder, folders, names in os.walk(location):
            folders[:] = [name for name in folders if not name.startswith(".")]
            found += [str(Path(folder, name)) for name in names if not name.startswith(".")]
        return sorted(found)

    def matching(self, pattern: str) -> list[str]:
        """See `Storage.matching`."""
        return sorted(name for name in glob.glob(pattern, recursive=True) if Path(name).is_file())  # noqa: PTH207 - its patterns may be absolute

    def remove(self, location: str) -> None:
        """See `Storage.remove`."""
        if Path(location).is_dir():
            shutil.rmtree(location)
        else:
            Path(location).unlink(missing_ok=True)

    @contextmanager
    def reading(self, location: str) -> Iterator[BinaryIO]:
        """See `Storage.reading`."""
        with Path(location).open("rb") as file:
            yield file

    @contextmanager
    def at_hand(self, location: str, span: Span) -> Iterator[Path]:
        """See `Storage.at_hand`."""
        del span
        yield Path(location)

    @contextmanager
    def draft(self, location: str) -> Iterator[Path]:
        """See `Storage.draft`; a device or pipe is given all of it when it is written."""
        special = _is_special(Path(location))
        path = Path(location) if special else Path(os.path.realpath(location))
        folder = Path(tempfile.gettempdir()) if special else path.parent
        draft: Path | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Beside its place, so that giving it its name is one step; the ending tells the format.
            number, name = tempfile.mkstemp(prefix=".nevgate-", suffix=Path(location).suffix, dir=folder)
            os.close(number)
            draft = Path(name)
            yield draft
            if special:
                with draft.open("rb") as written, path.open("wb") as out:
                    shutil.copyfileobj(written, out, COPY_BYTES)
                draft.unlink()
            else:
                umask = os.umask(0)
                os.umask(umask)
                draft.chmod(0o666 & ~umask)
                draft.replace(path)
        except BaseException as error:
            if draft is not None:
                draft.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise StorageError(
                    f"cannot be written ({error.strerror or error})", where=location
                ) from error
            raise

    def parts_of(self, location: str) -> str:
        """See `Storage.parts_of`; beside a device nothing can be."""
        if _is_special(Path(location)):
            return str(Path(tempfile.gettempdir(), f"nevgate-{os.getpid()}.parts"))
        return super().parts_of(location)


def _is_special(path: Path) -> bool:
    """Whether something is there that is neither file nor folder."""
    return path.exists() and not path.is_file() and not path.is_dir()


def with_margin(span: Span, head: bytes, name: str) -> tuple[int, int | None]:
    """A span, and what reading it reaches over its ends as a rule.

    Args:
        span: of a recording.
        head: the recording's first `HEAD_BYTES`.
        name: of the recording.
    """
    known = recognised(head, name)
    margin = 0 if known is None else known.margin_bytes
    return max(0, span.begin - margin), None if span.end is None else span.end + margin


class UrlStorage(Storage):
    """Whatever fsspec reaches: S3 and its like, memory, HTTP, SFTP.

    Args:
        scheme: of the URLs.

    Raises:
        StorageError: if fsspec, or what it needs for the scheme, is not installed.
    """

    copies: ClassVar[bool] = True

    def __init__(self, scheme: str) -> None:
        try:
            fsspec: Any = importlib.import_module("fsspec")
            self._files: Any = fsspec.filesystem(scheme)
        except (ImportError, ValueError) as error:
            raise StorageError(
                f"URLs of '{scheme}' cannot be read here ({error})", todo="pip install 'nevgate[remote]'"
            ) from error
        self._scheme = scheme

    def stat(self, location: str) -> Stat | None:
        """See `Storage.stat`."""
        self._files.invalidate_cache()
        with _told(location):
            try:
                found = self._files.info(location)
            except FileNotFoundError:
                return None
        if found["type"] != "file":
            return None
        version = next(
            (found[key] for key in ("ETag", "LastModified", "mtime", "created") if key in found), ""
        )
        return Stat(int(found["size"] or 0), str(version))

    def is_folder(self, location: str) -> bool:
        """See `Storage.is_folder`."""
        with _told(location):
            return bool(self._files.isdir(location))

    def files(self, location: str) -> list[str]:
        """See `Storage.files`."""
        root = self._bare(location)
        with _told(location):
            found = [name.removeprefix(root) for name in self._files.find(location)]
        return sorted(location.rstrip("/") + name for name in found if not _hidden(name))

    def matching(self, pattern: str) -> list[str]:
        """See `Storage.matching`."""
        with _told(pattern):
            found = self._files.glob(pattern, detail=True)
        folder = fixed_folder(pattern)
        root = self._bare(folder)
        return sorted(
            folder + name.removeprefix(root) for name, info in found.items() if info["type"] == "file"
        )

    def remove(self, location: str) -> None:
        """See `Storage.remove`."""
        with _told(location), suppress(FileNotFoundError):
            self._files.rm(location, recursive=True)

    @contextmanager
    def reading(self, location: str) -> Iterator[BinaryIO]:
        """See `Storage.reading`."""
        with self._files.open(location, "rb") as file:
            yield cast("BinaryIO", file)

    @contextmanager
    def at_hand(self, location: str, span: Span) -> Iterator[Path]:
        """See `Storage.at_hand`: a copy with holes where nothing is read."""
        with tempfile.TemporaryDirectory(prefix="nevgate-") as folder:
            path = Path(folder, location.rsplit("/", 1)[-1])
            with (
                _told(location),
                self._files.open(location, "rb", cache_type="none") as far,
                path.open("wb") as near,
            ):
                size = int(far.size)
                head = _range(far, 0, min(HEAD_BYTES, size))
                near.write(head)
                first, last = with_margin(span, head, location)
                end = size if last is None else min(last, size)
                begin, step = min(first, size), LINE_MAX_BYTES
                while begin and first == span.begin:
                    before = min(step, begin)
                    begin, step = begin - before, 2 * step
                    block = _range(far, begin, before)
                    near.seek(begin)
                    near.write(block)
                    if b"\n" in block:
                        break
                near.seek(first)
                for place in range(first, end, COPY_BYTES):
                    near.write(_range(far, place, min(COPY_BYTES, end - place)))
                near.truncate(size)
            yield path

    @contextmanager
    def draft(self, location: str) -> Iterator[Path]:
        """See `Storage.draft`: object stores show an object when it is whole; others have it moved there."""
        with tempfile.TemporaryDirectory(prefix="nevgate-") as folder:
            name = location.rsplit("/", 1)[-1]
            path = Path(folder, name)
            path.touch()
            yield path
            waiting = f"{location.removesuffix(name)}.{os.urandom(8).hex()}-{name}"
            try:
                with _told(location):
                    if self._scheme not in _OBJECT_STORES:
                        self._files.makedirs(location.rsplit("/", 1)[0], exist_ok=True)
                    self._files.put_file(str(path), waiting)
                    self._files.mv(waiting, location)
            except FileNotFoundError as error:
                raise StorageError("cannot be written (there is no such folder)", where=location) from error

    def _bare(self, location: str) -> str:
        """A location as fsspec itself names it."""
        return str(self._files._strip_protocol(location)).rstrip("/")  # noqa: SLF001 - it has no other name


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _range(file: Any, begin: int, size: int) -> bytes:  # noqa: ANN401 - fsspec has no types
    """Bytes of a far file, as many as asked for."""
    file.seek(begin)
    content = bytearray()
    while len(content) < size:
        read = file.read(size - len(content))
        if not read:
            raise OSError("it is shorter than it was")
        content += read
    return bytes(content)


@contextmanager
def _told(location: str) -> Iterator[None]:
    """Name the URL where its store fails in one of its many ways."""
    try:
        yield
    except (NevgateError, FileNotFoundError):
        raise
    except OSError as error:
        raise StorageError(f"cannot be reached ({error.strerror or error})", where=location) from error
    except Exception as error:
        # Every store has errors of its own; botocore's are not even of OSError.
        if type(error).__module__.partition(".")[0] in {"botocore", "aiohttp", "aiobotocore"}:
            raise StorageError(f"cannot be reached ({error})", where=location) from error
        raise
