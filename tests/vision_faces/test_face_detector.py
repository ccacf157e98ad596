"""Faces in pictures: that a broken or changed detector never looks like a picture without faces."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("cv2")

from edge.errors import VisionError
from edge.vision.boxes import Subject
from edge.vision.faces import FaceDetector
from edge.vision.inference import ModelStore


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(ModelStore())


def test_nothing_is_found_where_nothing_is(detector: FaceDetector) -> None:
    found = detector.detect(np.full((240, 320, 3), 90, np.uint8))
    assert len(found) == 0
    assert detector.subject is Subject.FACE


@pytest.mark.parametrize("shape", [(0, 10, 3), (10, 10), (10, 10, 4)])
def test_what_is_no_picture_is_refused(detector: FaceDetector, shape: tuple[int, ...]) -> None:
    with pytest.raises(VisionError, match="no picture"):
        detector.detect(np.zeros(shape, np.uint8))
