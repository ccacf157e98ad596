"""Makes the page of a measurement: one HTML file, no script, nothing from elsewhere, nobody recognisable."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np

from edge.errors import VisionError
from edge.report.tables import DASH, Html, element
from edge.vision.boxes import Subject
from edge.vision.measuring.annotations import AnnotatedPicture, Annotations
from edge.vision.measuring.folder import Looking, Measurement, read_pixels
from edge.vision.measuring.measure import (
    COVERED,
    LEAST_DETECTED,
    MOST_FALSE,
    SIZES_PX,
    STANDARD_SIZE_PX,
    Miss,
    Share,
    SubjectMeasure,
)
from edge.vision.picture import Pixels
from edge.vision.redaction import cover

_ALLOWED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_NAMES = {Subject.FACE: "Faces", Subject.PLATE: "Plates"}
_VERDICTS = {
    True: ("met", "good"),
    False: ("not met", "bad"),
    None: ("met by what was measured, which is not all", "unknown"),
}
_MOST_CROPS = 60
_CROP_PX = 160
_AROUND = 1.5


def page_of(measurement: Measurement, settings: Sequence[tuple[str, str]], crops: Sequence[Html] = ()) -> str:
    """The whole page.

    Args:
        measurement: of a folder.
        settings: what the detectors were set to, and hashes of the models: name and value.
        crops: of `redacted_crops`.
    """
    style = files("edge.vision.measuring").joinpath("report.css").read_text("utf-8")
    head = element(
        "head",
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_ALLOWED}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", "Faces and plates, measured"),
        element("style", Html(style)),
    )
    verdict, kind = _VERDICTS[measurement.passed]
    parts = [
        element("h1", "Faces and plates, measured"),
        element(
            "p",
            f"Detection rate of GB/T 44464-2024, 5.6.2, for faces and plates: {verdict}",
            kind=f"verdict {kind}",
        ),
        *_remarks(measurement),
        element("h2", "The standard's measure"),
        _standard(measurement),
        *_test_set(measurement),
        *_hidden(measurement),
        *_misses(measurement, crops),
        element("h2", "What was measured with"),
        _table(
            ("what", "value"),
            [
                ("pictures", f"{measurement.pictures:,}"),
                *((f"detector {place}", name) for place, name in enumerate(measurement.detectors, 1)),
                *settings,
                *measurement.versions.items(),
            ],
        ),
    ]
    return f'<!DOCTYPE html>\n<html lang="en">\n{head}\n{element("body", *parts)}\n</html>\n'


def redacted_crops(
    folder: Path,
    annotations: Annotations,
    misses: Iterable[Miss],
    looking: Looking,
    most: int = _MOST_CROPS,
) -> list[Html]:
    """Pictures of the surroundings of what was missed, in which all that is marked or found is filled.

    A picture that a detector would not judge is shown as nothing but its miss's name.

    Args:
        folder: of the pictures.
        annotations: of the folder.
        misses: in the order in which they are shown.
        looking: what looked, for every subject: what people did not mark may be found.
        most: how many at most.

    Raises:
        VisionError: a picture cannot be read.
    """
    pictures = {one.file: one for one in annotations.images}
    shown = list(misses)[:most]
    filled: dict[str, Pixels] = {}
    for file in dict.fromkeys(miss.file for miss in shown):
        filled[file] = _filled(folder, pictures[file], looking)
    return [_figure(filled[miss.file], miss) for miss in shown]


def _filled(folder: Path, picture: AnnotatedPicture, looking: Looking) -> Pixels:
    """The picture with everything that is marked or found in it filled, a quarter around it too."""
    pixels = read_pixels(folder / picture.file, picture)
    try:
        found = looking.masks(looking.at(pixels), picture.height, picture.width)
    except VisionError:
        return np.zeros_like(pixels)
    cover(pixels, found)
    for left, top, right, bottom in picture.everything().tolist():
        wide, high = (right - left) / 4, (bottom - top) / 4
        first = round(max(left - wide, 0)), round(max(top - high, 0))
        last = round(min(right + wide, picture.width)), round(min(bottom + high, picture.height))
        cover(pixels, np.array([[*first, *last]], np.int32))
    return pixels


def _figure(pixels: Pixels, miss: Miss) -> Html:
    left, top, right, bottom = miss.corners
    wide, high = (right - left) * _AROUND, (bottom - top) * _AROUND
    crop = pixels[
        max(int(top - high), 0) : max(int(bottom + high), 1),
        max(int(left - wide), 0) : max(int(right + wide), 1),
    ]
    scale = _CROP_PX / max(crop.shape[:2])
    size = max(round(crop.shape[1] * scale), 1), max(round(crop.shape[0] * scale), 1)
    shown = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    good, encoded = cv2.imencode(".png", np.ascontiguousarray(shown))
    source = base64.b64encode(encoded.tobytes()).decode() if good else ""
    words = f"{miss.file}: {miss.size_px:.0f} px, {miss.covered:.0%} masked"
    image = Html(f'<img src="data:image/png;base64,{source}" alt="" width="{size[0]}" height="{size[1]}">')
    return element("figure", image, element("figcaption", words))


def _remarks(measurement: Measurement) -> list[Html]:
    remarks = [
        f"{_NAMES[subject]} were not measured: no detector for them was to be had."
        for subject in measurement.without_detector
    ]
    remarks += [
        f"{_NAMES[subject]} were not measured: no picture here was looked through for them."
        for subject in measurement.without_truth
    ]
    if measurement.refused:
        files_refused = ", ".join(sorted({file for file, _ in measurement.refused}))
        remarks.append(
            f"{len(measurement.refused)} times a detector would not judge a picture, which counts as if"
            f" nothing had been found in it: {files_refused}"
        )
    return [element("p", remark, kind="remark") for remark in remarks]


def _standard(measurement: Measurement) -> Html:
    rows: list[Sequence[str]] = []
    for one in measurement.subjects:
        name = f"{_NAMES[one.subject]} of at least {STANDARD_SIZE_PX[one.subject]} px"
        rows.append(
            (
                name,
                "detected",
                *_share(one.detected),
                f"at least {LEAST_DETECTED:.2f}",
                _met(one.enough_detected),
            )
        )
        rows.append(
            (
                _NAMES[one.subject],
                "false detections",
                *_share(one.false),
                f"at most {MOST_FALSE:.2f} (should)",
                _met(one.few_false),
            )
        )
    return _table(("what", "measure", "counted", "rate", "95 % interval", "asked", ""), rows)


def _test_set(measurement: Measurement) -> list[Html]:
    rows = [(one.name, one.asked, one.found, _met(one.met)) for one in measurement.requirements]
    whole = all(one.met for one in measurement.requirements)
    words = (
        "These pictures are a set as annex B asks for."
        if whole
        else "These pictures are no set as annex B asks for: the rates above show how the detectors do on"
        " them, and are no test by the standard."
    )
    return [
        element("h2", "The pictures, held against annex B"),
        element("p", words),
        _table(("what", "asked", "found", ""), rows),
    ]


def _hidden(measurement: Measurement) -> list[Html]:
    parts = [
        element("h2", "How much is hidden, by size"),
        element("p", f"Hidden is what has at least {COVERED:.0%} of its true box under masks."),
    ]
    names = [
        f"{low} to {high} px" if high else f"{low} px and more"
        for low, high in zip(SIZES_PX, (*SIZES_PX[1:], None), strict=True)
    ]
    for one in measurement.subjects:
        rows = [(name, *_share(one.hidden[low])) for name, low in zip(names, SIZES_PX, strict=True)]
        time = DASH if one.cpu_ms is None else f"{one.cpu_ms:.0f} ms"
        parts += [
            element("h3", _NAMES[one.subject]),
            _table(("shorter side", "hidden", "rate", "95 % interval"), rows),
            element(
                "p",
                f"{one.objects:,} in {one.pictures:,} pictures; processor time of a picture, median: {time}.",
            ),
        ]
    return parts


def _misses(measurement: Measurement, crops: Sequence[Html]) -> list[Html]:
    misses = sum(len(one.misses) for one in measurement.subjects)
    counting = sum(miss.counts for one in measurement.subjects for miss in one.misses)
    parts = [
        element("h2", "What was missed"),
        element(
            "p",
            f"{misses:,} are not hidden, of which the standard counts {counting:,} as missed. Everything"
            " that is marked or found is filled in these pictures, the missed one in the middle too.",
        ),
    ]
    if crops:
        parts.append(element("div", *crops, kind="crops"))
    if len(crops) < misses:
        parts.append(element("p", f"{misses - len(crops):,} more are not shown."))
    return parts


def _share(share: Share) -> tuple[str, str, str]:
    low, high = share.interval
    rate = DASH if share.rate is None else f"{share.rate:.3f}"
    return f"{share.part:,} of {share.whole:,}", rate, DASH if not share.whole else f"{low:.3f} to {high:.3f}"


def _met(met: bool | None) -> Html:
    if met is None:
        return element("span", "not known", kind="unknown")
    return element("span", "met", kind="good") if met else element("span", "not met", kind="bad")


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    head = element("tr", *(element("th", name, scope="col") for name in columns))
    body = [element("tr", *(element("td", cell) for cell in row)) for row in rows]
    return element("table", element("thead", head), element("tbody", *body))


def in_order_of_weight(measures: Iterable[SubjectMeasure]) -> list[Miss]:
    """All misses, those first that the standard counts, then the largest."""
    everything = [miss for measure in measures for miss in measure.misses]
    return sorted(everything, key=lambda miss: (not miss.counts, -miss.size_px))
