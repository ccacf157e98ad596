"""Which file becomes which when files are redacted at a desk: decided before anything is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from edge.errors import VisionError
from edge.vision.cameras.files import STILLS, VIDEOS
from edge.vision.encoding.films import FILMS
from edge.vision.media import MediaFormat

STILL_ENDINGS: Mapping[MediaFormat, tuple[str, ...]] = MappingProxyType(
    {MediaFormat.JPEG: (".jpg", ".jpeg"), MediaFormat.AVIF: (".avif",)}
)
"""What files of a format may end with; the first is given."""


@dataclass(frozen=True, slots=True)
class Formats:
    """How what is left is written.

    Attributes:
        still: of pictures.
        film: ending of films.
    """

    still: MediaFormat = MediaFormat.JPEG
    film: str = ".webm"

    def endings(self, source: Path) -> tuple[str, ...]:
        """What the file may end with that is made of a picture or film."""
        return (self.film,) if is_film(source) else STILL_ENDINGS[self.still]


@dataclass(frozen=True, slots=True)
class Job:
    """One file to redact.

    Attributes:
        source: a picture or a film.
        target: what is to be written.
    """

    source: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes:
        jobs: in order of their names.
        passed_over: files that by their names are neither pictures nor films.
    """

    jobs: tuple[Job, ...]
    passed_over: tuple[Path, ...] = ()


def is_film(path: Path) -> bool:
    """Whether a file is a film by its name."""
    return path.suffix.lower() in VIDEOS


def is_known(path: Path) -> bool:
    """Whether a file is a picture or a film by its name."""
    return path.suffix.lower() in STILLS | VIDEOS


def plan_redaction(source: Path, out: Path, formats: Formats) -> Plan:
    """Say which files become which.

    A folder is gone through with all that is in it, and its structure is kept. Files keep their names, with
    another ending where the format is another; where two would then get one name, both keep their old ending
    and get the new one after it, as often as it takes.

    Args:
        source: a picture, a film, or a folder.
        out: a folder where `source` is one; else a folder that is there, or the file itself.
        formats: of what is written.

    Raises:
        VisionError: `source` is nothing of that, or `out` lies in it, over it, or is no such file.
    """
    if source.is_dir():
        return _of_folder(source, out, formats)
    if not source.is_file():
        raise VisionError("there is no such file", where=str(source))
    if not is_known(source):
        raise VisionError(
            "is neither a picture nor a film by its name",
            where=str(source),
            todo=f"Known are {' '.join(sorted(STILLS | VIDEOS))}",
        )
    if out.is_dir():
        target = out / _named(source, formats)
    elif out.suffix.lower() in formats.endings(source):
        target = out
    else:
        raise VisionError(
            f"a {'film' if is_film(source) else 'picture'} is written as {formats.endings(source)[0]}",
            where=str(out),
            todo="Name such a file, or a folder that is there, or another --format",
        )
    if target.resolve() == source.resolve():
        raise VisionError("would be written over itself", where=str(source), todo="Name another --out")
    return Plan((Job(source, target),))


def formats_of(out: Path, formats: Formats) -> Formats:
    """The formats, with that which the ending of a single file asks for."""
    suffix = out.suffix.lower()
    for still, endings in STILL_ENDINGS.items():
        if suffix in endings:
            return Formats(still, formats.film)
    return Formats(formats.still, suffix) if suffix in FILMS else formats


def _of_folder(source: Path, out: Path, formats: Formats) -> Plan:
    if out.exists() and not out.is_dir():
        raise VisionError("is a file, where a folder is needed", where=str(out))
    inside, outside = source.resolve(), out.resolve()
    if inside in {outside, *outside.parents} or outside in inside.parents:
        raise VisionError(
            f"and {source} lie in each other", where=str(out), todo="Name a folder beside or elsewhere"
        )
    files = sorted(_files(source))
    known = [path for path in files if is_known(path)]
    if not known:
        raise VisionError("holds neither pictures nor films", where=str(source))
    places = [path.relative_to(source) for path in known]
    wanted = Counter(place.with_name(_named(place, formats)) for place in places)
    given = {name for name, count in wanted.items() if count == 1}
    jobs = []
    for path, place in zip(known, places, strict=True):
        name = place.with_name(_named(place, formats))
        if wanted[name] > 1:
            name = place
            while name == place or name in given:
                name = name.with_name(f"{name.name}{formats.endings(place)[0]}")
            given.add(name)
        jobs.append(Job(path, out / name))
    originals = {job.source.resolve() for job in jobs}
    for job in jobs:
        # A folder in `out` may be a link back to where the originals are, a file in `source` one into `out`.
        lies = job.target.parent.resolve()
        if inside in {lies, *lies.parents} or lies / job.target.name in originals:
            raise VisionError(
                f"would be written over files of {source}",
                where=str(job.target),
                todo="Name a folder without links into the input, and none that the input links to",
            )
    return Plan(tuple(jobs), tuple(path for path in files if not is_known(path)))


def _files(folder: Path) -> Iterator[Path]:
    """All files below a folder; folders that are links are not entered."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)
        elif path.is_file():
            yield path


def _named(source: Path, formats: Formats) -> str:
    endings = formats.endings(source)
    return source.name if source.suffix.lower() in endings else f"{source.stem}{endings[0]}"
