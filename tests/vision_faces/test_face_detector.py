"""Faces: found wherever they are, and a broken detector never looks like a picture without them."""

import json
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import VisionError
from edge.vision.boxes import Subject
from edge.vision.detectors import DetectorSettings, open_detectors
from edge.vision.faces import FaceDetector
from edge.vision.faces_crops import cropped
from edge.vision.faces_network import YuNet
from edge.vision.faces_self_test import drawn_face
from edge.vision.inference import ModelStore, Network, Tensor
from edge.vision.picture import Pixels
from edge.vision.suppression import suppressed

PICTURES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "pictures"
FACE_IN_DRAWING = np.array([48.8, 39.3, 116.7, 128.5]) / 160


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(ModelStore())


def scene(width: int, height: int, *places: tuple[int, int, int]) -> Pixels:
    """A wall with drawn heads: left, top and side of each drawing, which may reach beyond the picture."""
    margin = 1000
    canvas = np.full((height + 2 * margin, width + 2 * margin, 3), (150, 140, 120), np.uint8)
    for left, top, side in places:
        head = cv2.resize(drawn_face(), (side, side), interpolation=cv2.INTER_AREA)
        canvas[top + margin : top + margin + side, left + margin : left + margin + side] = head
    return np.ascontiguousarray(canvas[margin : margin + height, margin : margin + width])


def read(name: str) -> Pixels:
    return np.asarray(cv2.imread(str(PICTURES / name)), np.uint8)


def best_overlap(boxes: np.ndarray, box: np.ndarray) -> float:
    low = np.maximum(boxes[:, :2], box[:2])
    high = np.minimum(boxes[:, 2:], box[2:])
    shared = np.maximum(high - low, 0).prod(axis=1)
    both = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return float((shared / (both - shared)).max(initial=0))


def test_nothing_is_found_where_nothing_is(detector: FaceDetector) -> None:
    found = detector.detect(np.full((240, 320, 3), 90, np.uint8))
    assert len(found) == 0
    assert detector.subject is Subject.FACE


@pytest.mark.parametrize("side", [32, 60, 160, 600])
def test_a_face_is_found_at_every_size(detector: FaceDetector, side: int) -> None:
    found = detector.detect(scene(side + 140, side + 40, (100, 10, side)))
    expected = FACE_IN_DRAWING * side + np.array([100, 10, 100, 10])
    assert best_overlap(found.corners, expected) > 0.5
    assert (found.subjects == Subject.FACE).all()


def test_faces_across_the_edges_of_tiles_are_found_once(detector: FaceDetector) -> None:
    places = [(left, 40, 80) for left in range(400, 1200, 90)]
    found = detector.detect(scene(1500, 160, *places))
    assert len(found) == len(places)
    for left, top, side in places:
        expected = FACE_IN_DRAWING * side + np.array([left, top, left, top])
        assert best_overlap(found.corners, expected) > 0.6


def test_boxes_stay_inside_the_picture(detector: FaceDetector) -> None:
    found = detector.detect(scene(300, 200, (-40, 30, 160)))
    assert len(found) == 1
    assert found.corners.min() >= 0
    assert (found.corners[:, 2:] <= (300, 200)).all()


def test_a_third_of_a_face_at_the_edge_of_the_picture_is_found(detector: FaceDetector) -> None:
    found = detector.detect(scene(300, 125, (20, 20, 240)))
    left, top, right, _ = FACE_IN_DRAWING * 240 + 20
    assert best_overlap(found.corners, np.array([left, top, right, 125])) > 0.5


def test_the_mirror_image_of_a_face_beyond_the_edge_is_none(detector: FaceDetector) -> None:
    assert len(detector.detect(scene(29, 90, (10, 10, 24)))) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (3, 5), (31, 33)])
def test_pictures_too_small_for_a_face_have_none(detector: FaceDetector, shape: tuple[int, int]) -> None:
    assert len(detector.detect(np.zeros((*shape, 3), np.uint8))) == 0


@pytest.mark.parametrize("shape", [(0, 10, 3), (10, 10), (10, 10, 4), (10, 10, 3, 1)])
def test_what_is_no_picture_is_refused(detector: FaceDetector, shape: tuple[int, ...]) -> None:
    with pytest.raises(VisionError, match="no picture"):
        detector.detect(np.zeros(shape, np.uint8))


def test_what_is_not_of_bytes_is_refused(detector: FaceDetector) -> None:
    with pytest.raises(VisionError, match="no picture"):
        detector.detect(np.zeros((64, 64, 3), np.float32))


def spoilt_outputs(kind: str) -> object:
    run = Network.run

    def spoilt(network: Network, tensor: Tensor) -> Mapping[str, Tensor]:
        outputs = dict(run(network, tensor))
        if kind == "nothing":
            outputs |= {name: np.zeros_like(held) for name, held in outputs.items() if "cls" in name}
        elif kind == "everything":
            outputs |= {name: np.ones_like(held) for name, held in outputs.items() if "bbox" not in name}
        elif kind == "elsewhere":
            outputs |= {name: held + 1 for name, held in outputs.items() if "bbox" in name}
        elif kind == "shape":
            outputs["bbox_8"] = outputs["bbox_8"][:, :-1]
        return outputs

    return spoilt


@pytest.mark.parametrize("kind", ["nothing", "everything", "elsewhere", "shape"])
def test_a_runtime_that_computes_wrongly_does_not_pass_for_an_empty_road(
    detector: FaceDetector, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(Network, "run", spoilt_outputs(kind))
    with pytest.raises(VisionError):
        detector.verify()
    with pytest.raises(VisionError):
        FaceDetector(ModelStore())


def test_a_network_that_fails_is_an_error_and_no_empty_result(
    detector: FaceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise VisionError("the network failed")

    monkeypatch.setattr(YuNet, "look", fails)
    with pytest.raises(VisionError, match="the network failed"):
        detector.detect(scene(320, 240, (50, 30, 160)))


def test_what_is_in_doubt_is_kept_where_the_second_look_confirms_it_and_else_not(
    detector: FaceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = scene(400, 300, (50, 30, 120))
    assert len(detector.detect(picture)) == 1
    monkeypatch.setattr("edge.vision.faces._SURE", 2.0)
    assert len(detector.detect(picture)) == 1
    monkeypatch.setattr("edge.vision.faces.cropped", blank_crop)
    assert len(detector.detect(picture)) == 0


@pytest.mark.parametrize("crowd", [True, False])
def test_a_second_look_that_is_less_sure_is_enough_in_a_crowd(
    detector: FaceDetector, monkeypatch: pytest.MonkeyPatch, crowd: bool
) -> None:
    monkeypatch.setattr("edge.vision.faces._SURE", 2.0)
    monkeypatch.setattr("edge.vision.faces.in_crowd", lambda found, _: np.full(len(found), crowd))
    monkeypatch.setattr("edge.vision.faces.looked_at", lambda crops, *_: np.full(len(crops), 0.1, np.float32))
    assert len(detector.detect(scene(400, 300, (50, 30, 120)))) == crowd


def blank_crop(pixels: Pixels, box: np.ndarray) -> object:
    return cropped(np.full_like(pixels, 90), box)


def test_more_doubt_than_may_be_looked_at_goes_by_the_first_score(
    detector: FaceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.vision.faces._SURE", 2.0)
    monkeypatch.setattr("edge.vision.faces._LOOKS_MAX", 1)
    assert len(detector.detect(scene(600, 160, (20, 20, 100), (220, 20, 100), (420, 20, 100)))) == 3


def test_the_stronger_of_two_boxes_over_one_face_is_kept() -> None:
    corners = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]], np.float32)
    assert suppressed(corners, np.array([0.5, 0.9, 0.4], np.float32), 0.3).tolist() == [1, 2]
    assert suppressed(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.3).size == 0


def test_settings_open_the_detectors_asked_for(tmp_path: Path) -> None:
    (faces,) = open_detectors(DetectorSettings(plates=False))
    assert faces.subject is Subject.FACE
    with pytest.raises(VisionError, match="neither"):
        open_detectors(DetectorSettings(faces=False, plates=False))
    (tmp_path / "face_detection_yunet_2023mar.onnx").write_bytes(b"another")
    with pytest.raises(VisionError, match="not the pinned one"):
        open_detectors(DetectorSettings(models=tmp_path, plates=False))


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(VisionError, match=r"pip install nevgate\[vision\]"):
        open_detectors(DetectorSettings(plates=False))


@pytest.mark.skipif(not PICTURES.is_dir(), reason="the test pictures are not beside the project")
def test_faces_of_a_group_are_covered_and_an_empty_road_stays_empty(detector: FaceDetector) -> None:
    named = {
        entry["file"]: entry for entry in json.loads((PICTURES / "annotations.json").read_text())["images"]
    }
    group = named["face_human_solvay1927.jpg"]
    found = detector.detect(read(group["file"]))
    covered = sum(best_overlap(found.corners, np.array(box)) > 0.4 for box in group["boxes"])
    assert covered == len(group["boxes"])
    assert len(detector.detect(read("face_bdd_7dd9ef45-f197db95.jpg"))) == 0
