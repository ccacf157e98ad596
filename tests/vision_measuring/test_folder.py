import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.cli import vision_detectors, vision_test
from edge.errors import VisionError
from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector
from edge.vision.detectors import DetectorSettings
from edge.vision.measuring.annotations import Annotations, read_annotations
from edge.vision.measuring.folder import Looking, measure_folder
from edge.vision.measuring.measure import Share
from edge.vision.measuring.report import in_order_of_weight, page_of, redacted_crops
from edge.vision.picture import Pixels
from edge.vision.redaction import FILL

FOUND, MISSED, UNMARKED = (20, 20, 60, 60), (100, 20, 140, 60), (70, 70, 110, 110)


class Told(Detector):
    """Finds what it was told, wherever it looks."""

    def __init__(self, subject: Subject, *boxes: tuple[int, int, int, int], fails: bool = False) -> None:
        self._subject, self._boxes, self._fails = subject, boxes, fails

    @property
    def subject(self) -> Subject:
        return self._subject

    @property
    def name(self) -> str:
        return f"told-{self._subject.name.lower()}"

    def detect(self, pixels: Pixels) -> Boxes:
        del pixels
        if self._fails:
            raise VisionError("cannot judge this")
        corners = np.array(self._boxes, np.float32).reshape(-1, 4)
        return Boxes.of(self._subject, corners, np.ones(len(corners), np.float32))


def looking(*detectors: Detector) -> Looking:
    return Looking(detectors)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a picture of noise in which every true box has a pattern of its own."""
    random = np.random.default_rng(1)
    cv2.imwrite(str(tmp_path / "a.png"), random.integers(0, 256, (160, 200, 3), dtype=np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), random.integers(0, 256, (160, 200, 3), dtype=np.uint8))
    size = {"width": 200, "height": 160}
    images: list[dict[str, Any]] = [
        {"file": "a.png", "task": "face", "boxes": [FOUND, MISSED]} | size,
        {"file": "b.png", "face_boxes": [], "plate_boxes": [[10, 120, 60, 140]]} | size,
    ]
    (tmp_path / "annotations.json").write_text(json.dumps({"images": images}))
    return tmp_path


def test_each_subject_is_measured_where_people_looked_for_it(folder: Path) -> None:
    found = measure_folder(folder, read_annotations(folder), looking(Told(Subject.FACE, FOUND)))
    faces = found.of(Subject.FACE)
    assert faces is not None
    assert (faces.detected, faces.false, faces.pictures) == (Share(1, 2), Share(1, 2), 2)
    assert found.of(Subject.PLATE) is None
    assert found.without_detector == (Subject.PLATE,)
    assert found.passed is False
    assert found.versions["onnxruntime"]


def test_the_standard_is_passed_only_where_both_were_measured(folder: Path) -> None:
    faces = Told(Subject.FACE, FOUND, MISSED)
    plates = Told(Subject.PLATE, (10, 120, 60, 140))
    annotations = read_annotations(folder)
    assert measure_folder(folder, annotations, looking(faces)).passed is None
    assert measure_folder(folder, annotations, looking(faces, plates)).passed is True


def test_a_picture_that_a_detector_refuses_counts_as_all_missed_and_is_named(folder: Path) -> None:
    found = measure_folder(folder, read_annotations(folder), looking(Told(Subject.FACE, fails=True)))
    faces = found.of(Subject.FACE)
    assert faces is not None
    assert faces.detected == Share(0, 2)
    assert [file for file, _ in found.refused] == ["a.png", "b.png"]


@pytest.mark.parametrize("damage", ["missing", "empty", "no picture", "another size"])
def test_a_picture_that_is_not_as_annotated_is_an_error_that_names_it(folder: Path, damage: str) -> None:
    path = folder / "b.png"
    if damage == "missing":
        path.unlink()
    elif damage == "another size":
        cv2.imwrite(str(path), np.zeros((160, 201, 3), np.uint8))
    else:
        path.write_bytes(b"" if damage == "empty" else b"GIF89a")
    with pytest.raises(VisionError, match=r"b\.png"):
        measure_folder(folder, read_annotations(folder), looking(Told(Subject.FACE)))


class Page(HTMLParser):
    """What a page would load, and what it would run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href", "style", "srcset"}]


def page(folder: Path, *detectors: Detector) -> str:
    annotations: Annotations = read_annotations(folder)
    found = measure_folder(folder, annotations, looking(*detectors))
    crops = redacted_crops(folder, annotations, in_order_of_weight(found.subjects), looking(*detectors))
    return page_of(found, [("note", "<script>alert(1)</script>")], crops)


def test_the_page_has_no_script_and_nothing_from_elsewhere(folder: Path) -> None:
    text = page(folder, Told(Subject.FACE, FOUND))
    read = Page()
    read.feed(text)
    assert not {"script", "link", "iframe", "object", "base"} & set(read.tags)
    assert read.sources
    assert all(source.startswith("data:image/png;base64,") for source in read.sources)
    assert "http://" not in text
    assert "https://" not in text
    assert "detected" in text
    assert "0.500" in text


def shown(text: str) -> list[Pixels]:
    encoded = re.findall(r"data:image/png;base64,([^\"]+)", text)
    decoded = [cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), 1) for one in encoded]
    assert all(one is not None for one in decoded)
    return [np.asarray(one, np.uint8) for one in decoded]


def test_no_pixel_of_what_is_marked_or_found_is_shown_only_what_is_around_it(folder: Path) -> None:
    original = cv2.imread(str(folder / "a.png"))
    assert original is not None
    marks = np.zeros(original.shape[:2], np.bool_)
    for left, top, right, bottom in (FOUND, MISSED, UNMARKED):
        marks[top:bottom, left:right] = True
    secret = {tuple(one) for one in original[marks].tolist()}
    around = {tuple(one) for one in original[~marks].tolist()}
    (crop,) = shown(page(folder, Told(Subject.FACE, FOUND, UNMARKED)))
    colours = {tuple(one) for one in crop.reshape(-1, 3).tolist()}
    assert not (colours & secret) - around - {(FILL, FILL, FILL)}
    assert len(colours & around) > 100


def test_a_picture_that_cannot_be_judged_is_not_shown(folder: Path) -> None:
    assert all(not one.any() for one in shown(page(folder, Told(Subject.FACE, fails=True))))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[Subject, Detector]:
    """Let the command open these; what is not there is not to be had."""
    detectors: dict[Subject, Detector] = {}

    def open_told(settings: DetectorSettings) -> tuple[Detector, ...]:
        wanted = Subject.FACE if settings.faces else Subject.PLATE
        if wanted not in detectors:
            raise VisionError("the model is not to be found", where="plates.onnx")
        return (detectors[wanted],)

    monkeypatch.setattr(vision_detectors, "open_detectors", open_told)
    return detectors


def test_the_command_says_what_was_not_measured_and_why(
    folder: Path, opened: dict[Subject, Detector]
) -> None:
    opened[Subject.FACE] = Told(Subject.FACE, FOUND, MISSED)
    told = CliRunner().invoke(vision_test.command, [str(folder)])
    assert told.exit_code == 0
    assert "plates were not measured: plates.onnx: the model is not to be found" in told.output
    assert "not known: not all was measured" in told.output


def test_the_command_ends_with_one_where_the_standard_is_not_met(
    folder: Path, opened: dict[Subject, Detector]
) -> None:
    opened[Subject.FACE] = Told(Subject.FACE, FOUND)
    report = folder / "report.html"
    told = CliRunner().invoke(
        vision_test.command, [str(folder), "--json", "--only", "faces", "--report", str(report)]
    )
    assert told.exit_code == 1
    figures = json.loads(told.stdout)
    assert figures["subjects"]["face"]["detected"]["part"] == 1
    assert figures["passed"] is False
    assert report.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_without_any_detector_the_command_is_an_error(folder: Path, opened: dict[Subject, Detector]) -> None:
    del opened
    told = CliRunner().invoke(vision_test.command, [str(folder)], standalone_mode=False)
    assert isinstance(told.exception, VisionError)
    assert isinstance(vision_test.command, click.Command)
