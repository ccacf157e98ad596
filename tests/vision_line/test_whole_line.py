"""The line with the real detector on a real picture: faces do not come out, and nothing else is lost."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.clock import NS_PER_S, VirtualClock
from edge.vision.boxes import Subject
from edge.vision.detectors import DetectorSettings, open_detectors
from edge.vision.judging import fit_to_judge
from edge.vision.line import RedactionLine
from edge.vision.measuring.annotations import read_annotations
from edge.vision.memory import Memory
from edge.vision.picture import Picture
from edge.vision.redaction import FILL

NAME = "face_va_sample2.jpg"
PICTURES = Path("pictures")


def test_faces_of_a_photograph_are_filled_and_the_frame_after_it_remembers_them(shared_data: Path) -> None:
    folder = shared_data / PICTURES
    if not (folder / NAME).is_file():
        pytest.skip("the annotated pictures are not beside the project")
    (annotated,) = (one for one in read_annotations(folder).images if one.file == NAME)
    truth = annotated.truth(Subject.FACE)
    assert truth is not None
    photograph = np.asarray(cv2.imread(str(folder / NAME)), np.uint8)
    line = RedactionLine(
        "front",
        open_detectors(DetectorSettings(plates=False)),
        fit_to_judge,
        Memory(),
        clock=VirtualClock(NS_PER_S),
    )
    line.take(Picture("front", 0, NS_PER_S // 2, photograph.copy()))
    hidden = photograph.copy()
    for left, top, right, bottom in truth.astype(int).tolist():
        hidden[top - 10 : bottom + 10, left - 10 : right + 10] = photograph[:40, :40].mean()
    line.take(Picture("front", 1, NS_PER_S, hidden))
    for out in line.finish():
        assert out.faces >= len(truth)
        for left, top, right, bottom in truth.astype(int).tolist():
            assert (out.pixels[top:bottom, left:right] == FILL).all(axis=2).mean() > 0.8
    assert line.hop().left == 2
