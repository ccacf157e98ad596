from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.vision_faults.planted import FRAME_HIGH, FRAME_WIDE, HIGH, WIDE, KnowsThePattern, Planted


@pytest.mark.parametrize("quality", [95, 60, 25])
def test_the_pattern_is_seen_through_an_encoder_and_not_where_it_is_not(tmp_path: Path, quality: int) -> None:
    planted, other = Planted(1), Planted(2)
    path = tmp_path / "a.jpg"
    cv2.imwrite(str(path), planted.frame(4), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert list(planted.traces(tmp_path)) == ["to be seen in a.jpg"]
    assert list(other.traces(tmp_path)) == []


def test_the_pattern_is_found_raw_wherever_a_frame_was_written(tmp_path: Path) -> None:
    planted = Planted(1)
    frame = planted.frame(7)
    (tmp_path / "core").write_bytes(b"\0" * 1001 + frame.tobytes())
    (tmp_path / "grey").write_bytes(np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)).tobytes())
    (tmp_path / "red").write_bytes(frame[:, :, ::-1].tobytes())
    assert len(list(planted.traces(tmp_path))) == 3
    assert list(planted.traces(tmp_path / "none", [frame.tobytes()])) == [
        "raw pixels in what was said, part 0"
    ]
    assert list(Planted(2).traces(tmp_path, [frame.tobytes()])) == []


def test_a_clip_is_looked_through_frame_by_frame(tmp_path: Path) -> None:
    planted = Planted(1)
    writer = cv2.VideoWriter(
        str(tmp_path / "a.webm"), cv2.VideoWriter.fourcc(*"VP80"), 5, (FRAME_WIDE, FRAME_HIGH)
    )
    for number in range(3):
        frame = planted.frame(number)
        if number != 1:
            left, top = planted.place(number)
            frame[top : top + HIGH, left : left + WIDE] = 0
        writer.write(frame)
    writer.release()
    assert list(planted.traces(tmp_path)) == ["to be seen in a.webm"]


def test_the_detector_that_knows_the_pattern_finds_it_to_the_pixel_in_every_frame() -> None:
    planted = Planted(3)
    for number in range(0, 300, 41):
        found = KnowsThePattern(planted).detect(planted.frame(number))
        left, top = planted.place(number)
        assert found.corners.tolist() == [[left, top, left + WIDE, top + HIGH]]
    assert len(KnowsThePattern(Planted(4)).detect(planted.frame(1))) == 0
