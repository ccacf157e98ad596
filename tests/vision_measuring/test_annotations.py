import json
from pathlib import Path
from typing import Any

import pytest

from edge.errors import VisionError
from edge.vision.boxes import Subject
from edge.vision.measuring.annotations import Annotations, read_annotations, write_annotations

ONE: dict[str, Any] = {"file": "a.png", "width": 100, "height": 50}


def read(folder: Path, *images: dict[str, Any]) -> Annotations:
    (folder / "annotations.json").write_text(json.dumps({"images": images}))
    return read_annotations(folder)


def test_a_task_of_one_subject_says_nothing_of_the_other(tmp_path: Path) -> None:
    (one,) = read(tmp_path, ONE | {"task": "face", "boxes": [[1, 2, 30, 40]]}).images
    faces = one.truth(Subject.FACE)
    assert faces is not None
    assert faces.tolist() == [[1, 2, 30, 40]]
    assert one.truth(Subject.PLATE) is None


def test_separate_lists_say_that_a_picture_was_looked_through_for_both(tmp_path: Path) -> None:
    lists = {"face_boxes": [], "plate_boxes": [[1, 2, 30, 40]], "ignore": [[50, 5, 60, 9]]}
    for one in read(tmp_path, ONE | lists, ONE | lists | {"file": "b.png", "task": "both"}).images:
        faces, plates = one.truth(Subject.FACE), one.truth(Subject.PLATE)
        assert faces is not None
        assert len(faces) == 0
        assert plates is not None
        assert len(plates) == 1
        assert one.everything().tolist() == [[1, 2, 30, 40], [50, 5, 60, 9]]


def test_boxes_are_cut_to_the_picture(tmp_path: Path) -> None:
    (one,) = read(tmp_path, ONE | {"task": "plate", "boxes": [[-5, 2, 130, 90]]}).images
    plates = one.truth(Subject.PLATE)
    assert plates is not None
    assert plates.tolist() == [[0, 2, 100, 50]]


def test_what_was_written_is_read_alike(tmp_path: Path) -> None:
    lists = {"face_boxes": [], "plate_boxes": [[1.5, 2, 30, 40]], "sensor": "front", "t_s": 2.5}
    annotations = read(tmp_path, ONE | lists, ONE | {"file": "b.png", "task": "face"})
    write_annotations(tmp_path, annotations)
    assert read_annotations(tmp_path) == annotations


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "what was looked for"),
        ({"boxes": [[1, 2, 3, 4]]}, "'task'"),
        ({"task": "both", "boxes": [[1, 2, 3, 4]]}, "'task'"),
        ({"task": "cat"}, "face"),
        ({"task": "face", "boxes": [[5, 2, 3, 4]]}, "turned around"),
        ({"task": "face", "boxes": [[5, 2, float("nan"), 4]]}, "finite"),
        ({"task": "face", "boxes": [[200, 2, 300, 4]]}, "outside"),
        ({"task": "face", "boxes": [[1, 2, 3]]}, "Field required"),
        ({"task": "face", "boxes": [[1, 2, 3, 4]], "face_boxes": []}, "both"),
        ({"task": "face", "file": "../a.png"}, "within"),
        ({"task": "face", "width": 0}, "greater than 0"),
    ],
)
def test_what_contradicts_itself_is_refused_in_one_line(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(VisionError, match=said) as caught:
        read(tmp_path, ONE | change)
    assert "\n" not in str(caught.value)


def test_a_picture_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VisionError, match=r"a\.png more than once"):
        read(tmp_path, ONE | {"task": "face"}, ONE | {"task": "face"})


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b'{"images": []}'])
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "annotations.json").write_bytes(content)
    with pytest.raises(VisionError):
        read_annotations(tmp_path)


def test_a_folder_without_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VisionError, match=r"annotations\.json"):
        read_annotations(tmp_path)


def test_the_shared_pictures_are_described_in_this_format(shared_data: Path) -> None:
    folder = shared_data / "pictures"
    if not folder.is_dir():
        pytest.skip("the pictures, ../shared/data/pictures, are not beside the project")
    annotations = read_annotations(folder)
    faces = sum(len(truth) for one in annotations.images if (truth := one.truth(Subject.FACE)) is not None)
    plates = sum(len(truth) for one in annotations.images if (truth := one.truth(Subject.PLATE)) is not None)
    assert (faces, plates) == (343, 37)
    assert all((folder / one.file).is_file() for one in annotations.images)
