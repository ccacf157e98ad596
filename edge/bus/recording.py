"""`open_recording`: find out which format a recorded file has, and open it as a `FrameSource`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path, PurePath
from types import MappingProxyType

from edge.bus.formats import asc, blf, busmaster, candump, crtd, gvret, mf4, trc
from edge.bus.formats.base import Defect, Opening, Recording, Span
from edge.errors import SourceError

__all__ = ["FORMATS", "Defect", "Format", "Recording", "Span", "open_recording", "recognised"]

HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Format:
    """A recording format.

    Attributes:
        name: what people call it.
        endings: file name endings it usually has, in small letters.
        recognises: whether a file that begins with the given bytes has this format.
        open: opens such a file.
        divisible: whether a `Span` can be read of a file that begins with the given `HEAD_BYTES`.
        margin_bytes: how far over both ends of a span its reading reaches as a rule; see `Recording.reach`.
    """

    name: str
    endings: tuple[str, ...]
    recognises: Callable[[bytes], bool]
    open: Callable[[Opening], Recording]
    divisible: Callable[[bytes], bool] = lambda _: False
    margin_bytes: int = 0


def _always(head: bytes) -> bool:
    """Whatever it says."""
    del head
    return True


FORMATS: tuple[Format, ...] = (
    Format("MF4", (".mf4", ".mdf"), mf4.recognises, mf4.Mf4Recording),
    Format("BLF", (".blf",), blf.recognises, blf.BlfRecording, divisible=_always, margin_bytes=1 << 20),
    Format("GVRET CSV", (".csv",), gvret.recognises, gvret.GvretRecording, divisible=_always),
    Format("BUSMASTER log", (), busmaster.recognises, busmaster.BusmasterRecording),
    Format("candump log", (".log",), candump.recognises, candump.CandumpRecording, divisible=_always),
    Format("CRTD", (".crtd",), crtd.recognises, crtd.CrtdRecording, divisible=_always),
    Format("TRC", (".trc",), trc.recognises, trc.TrcRecording),
    Format("ASC", (".asc",), asc.recognises, asc.AscRecording),
)
"""The formats that can be read, in the order in which a file's beginning is shown to them."""


def open_recording(
    path: Path,
    *,
    buses: Mapping[str, str] | None = None,
    batch_frames: int = 65536,
    zone: tzinfo | None = None,
    span: Span | None = None,
) -> Recording:
    """Open a recorded file; its format is found by its content, then by its ending.

    Frames come in the order of the file; `edge.bus.merge.merge` puts them into that of time. What cannot be
    read is counted in `hop` and named in `defects`, and all before and after it is kept.

    Args:
        path: the file; it is only ever read.
        buses: names of buses by the recording's labels of its channels (``0``, ``can1``, ``vcan0``; ASC and
            BLF count from ``1``); a label that is not in it names its own bus. Labels may share a name.
        batch_frames: the most frames in a batch.
        zone: the time zone of formats that write wall-clock time without one (ASC, BLF, BUSMASTER, TRC).
            Without it they are read as UTC and the quality of that time is NONE.
        span: the stretch of it to read, of a format that is `divisible`; None for all of it.

    Raises:
        SourceError: if the file cannot be read, or is of no format known here.
        ValueError: if a part is asked for of a format that is not `divisible`.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    found = recognised(head, path.name)
    if found is None:
        raise SourceError(
            "is no recording of a known format",
            where=str(path),
            todo="Known are " + ", ".join(known.name for known in FORMATS),
        )
    span = span or Span()
    if (span.begin or span.end is not None) and not found.divisible(head):
        raise ValueError(f"a recording of the format {found.name} is not divisible")
    names = MappingProxyType(dict(buses or {}))
    return found.open(Opening(path, names, batch_frames, zone, span))


def recognised(head: bytes, name: str) -> Format | None:
    """The format of a file, by its first `HEAD_BYTES` bytes, else by the ending of its name."""
    found = next((known for known in FORMATS if known.recognises(head)), None)
    if found is None:
        ending = PurePath(name).suffix.lower()
        found = next((known for known in FORMATS if ending in known.endings), None)
    return found
