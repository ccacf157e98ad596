"""The stills and clips of a platform's store as a page for a browser: a card each, and its picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from urllib.parse import quote

from edge.errors import WireError
from edge.report.tables import Html, element
from edge.vision.media import MediaFormat
from edge.wire.media_message import MediaAbout
from simulator.platform.media_rows import KeptMedia, MediaState
from simulator.platform.reader import StoreReader
from simulator.platform.view import iso_time

STYLE_PATH = "/media.css"
CARDS = 24
"""On a page; each picture is read and hashed for it."""

CONTENT_TYPES: Mapping[str, str] = MappingProxyType(
    {
        MediaFormat.JPEG: "image/jpeg",
        MediaFormat.AVIF: "image/avif",
        # Of a sequence as of a picture: AV1 Image File Format 1.1, 10.1.
        MediaFormat.AVIF_SEQUENCE: "image/avif",
        MediaFormat.MP4: "video/mp4",
    }
)
"""As what the formats that vehicles send are served; any other is not served at all."""

STYLE = """
:root { color-scheme: light dark; font: 15px/1.4 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 1280px; padding: 16px; }
nav a { margin-right: 12px; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 16px; }
article { border: 1px solid #8888; border-radius: 6px; overflow: hidden; }
article > img, article > video, article > .none { display: block; width: 100%; aspect-ratio: 16 / 9;
  object-fit: contain; background: #8883; }
article > .none { display: grid; place-items: center; text-align: center; }
dl { display: grid; grid-template-columns: 84px 1fr; gap: 2px 8px; margin: 10px; }
dt { opacity: .8; }
dd { margin: 0; overflow-wrap: anywhere; }
.good { color: #17722f; } .bad { color: #b3261e; font-weight: 600; }
@media (prefers-color-scheme: dark) { .good { color: #6ed08a; } .bad { color: #ff9a92; } }
""".strip()

_GAPS_SHOWN = 3


def media_page(reader: StoreReader, *, vehicle: str | None = None, before: int | None = None) -> str:
    """A page of cards, the newest first; it loads nothing but its style and its pictures.

    Args:
        reader: of the store.
        vehicle: only what came of this one.
        before: only rows below this one.

    Raises:
        StoreError: the store cannot be read.
    """
    found = reader.latest_media(vehicle=vehicle, before=before, count=CARDS)
    title = "Stills and clips" + (f" of {vehicle}" if vehicle else "")
    head = element(
        "head",
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", title),
        Html(f'<link rel="stylesheet" href="{STYLE_PATH}">'),
    )
    older = element("a", "older", href=address(vehicle, found[-1].row)) if len(found) == CARDS else Html()
    body = element(
        "body",
        element("h1", title),
        element("nav", element("a", "all vehicles", href="/"), *_vehicles(reader)),
        element("main", *(_card(reader, one) for one in found)),
        element("p", "There are none here.") if not found else Html(),
        element("nav", older),
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n{head}\n{body}\n</html>\n'


def address(vehicle: str | None, before: int | None = None) -> str:
    """Of the page of a vehicle, or of all, below a row."""
    words = [f"vehicle={quote(vehicle, safe='')}"] if vehicle else []
    words += [f"before={before}"] if before is not None else []
    return "/" + ("?" + "&".join(words) if words else "")


def verified_content(reader: StoreReader, kept: KeptMedia) -> tuple[bytes, str] | None:
    """What a still or clip shows, and as what it is served.

    Returns:
        None for one that is not complete, not of a known format, or not what the hash says that its vehicle
        signed; it is compared each time.

    Raises:
        StoreError: the store cannot be read.
    """
    about = _about(kept)
    if about is None or kept.state is not MediaState.COMPLETE:
        return None
    served, content = CONTENT_TYPES.get(about.format), reader.media_content(kept)
    if served is None or content is None or hashlib.sha256(content).digest() != about.digest:
        return None
    return content, served


def _vehicles(reader: StoreReader) -> Iterable[Html]:
    for vehicle, states in reader.media_states().items():
        counts = ", ".join(f"{count:,} {state}" for state, count in states.items())
        yield element("a", f"{vehicle} ({counts})", href=address(vehicle))


def _card(reader: StoreReader, kept: KeptMedia) -> Html:
    about = _about(kept)
    if about is None:
        words = "what its vehicle said of it cannot be read any more"
        return element(
            "article", element("div", words, kind="none"), _lines({"vehicle": Html.of(kept.vehicle)})
        )
    shown = verified_content(reader, kept) is not None
    lines = {
        "time": Html.of(
            f"{_time(about)} ({about.timebase.quality.name.lower()})",
            f", {(about.to_ns - about.from_ns) / 1e9:.1f} s" if about.frames > 1 else "",
        ),
        "vehicle": Html.of(kept.vehicle),
        "camera": Html.of(about.camera),
        "class": Html.of(about.data_class),
        "purpose": Html.of(about.purpose),
        "cause": Html.of(about.cause),
        "filled": Html.of(f"{about.faces:,} faces, {about.plates:,} plates; {', '.join(about.detectors)}"),
        "content": Html.of(
            f"{about.format}, {about.width} x {about.height}, {_counted(about.frames, 'frame')}, "
            f"{_counted(kept.size, 'byte')}"
        ),
        "state": _state(kept),
        "SHA-256": _hash(kept, about, shown=shown),
        "block": Html.of(f"{kept.block} of stream {kept.stream.hex()}"),
    }
    return element("article", _picture(kept, about, shown=shown), _lines(lines))


def _picture(kept: KeptMedia, about: MediaAbout, *, shown: bool) -> Html:
    if not shown:
        return element("div", "no picture", kind="none")
    source = f"/media/{kept.row}"
    words = f"{about.camera}, {about.data_class}, {_time(about)}"
    if about.format == MediaFormat.MP4:
        video = {"src": source, "controls": "", "muted": "", "preload": "metadata", "aria-label": words}
        return element("video", **video)
    return Html.of(Html("<img"), *_attributes({"src": source, "alt": words, "loading": "lazy"}), Html(">"))


def _attributes(values: Mapping[str, str]) -> Iterable[Html]:
    for name, value in values.items():
        yield Html.of(Html(f' {name}="'), value, Html('"'))


def _lines(lines: Mapping[str, Html]) -> Html:
    return element(
        "dl", *(part for name, what in lines.items() for part in (element("dt", name), element("dd", what)))
    )


def _state(kept: KeptMedia) -> Html:
    match kept.state:
        case MediaState.COMPLETE:
            return Html.of("complete")
        case MediaState.ARRIVING:
            missing = kept.missing()
            spans = ", ".join(f"{first:,} to {last:,}" for first, last in missing[:_GAPS_SHOWN])
            rest = f" and {len(missing) - _GAPS_SHOWN:,} more stretches" if len(missing) > _GAPS_SHOWN else ""
            arrived = f"incomplete: {kept.received.count():,} of {_counted(kept.size, 'byte')} here"
            return element("span", f"{arrived}; missing {spans}{rest}", kind="bad")
        case MediaState.DAMAGED:
            return element("span", "damaged: what arrived was not kept", kind="bad")
        case state:
            return Html.of(f"let go of: {state}")


def _hash(kept: KeptMedia, about: MediaAbout, *, shown: bool) -> Html:
    if shown:
        verdict = element("span", "fits what the store holds", kind="good")
    elif kept.state is MediaState.DAMAGED:
        verdict = element("span", "does not fit what arrived", kind="bad")
    elif kept.state is MediaState.COMPLETE and about.format in CONTENT_TYPES:
        verdict = element("span", "does not fit what the store holds", kind="bad")
    else:
        verdict = Html.of("not compared here")
    return Html.of(verdict, f": {about.digest.hex()}")


def _about(kept: KeptMedia) -> MediaAbout | None:
    try:
        return kept.about
    except WireError:
        return None


def _time(about: MediaAbout) -> str:
    try:
        return iso_time(about.timebase.wall_ns(about.from_ns))
    except (OverflowError, ValueError, OSError):
        return "a time beyond the calendar"


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}{'' if count == 1 else 's'}"
