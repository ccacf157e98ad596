import io
import json
import os
import random
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edge.cli import redact
from edge.errors import VisionError
from edge.vision.boxes import Boxes, Subject
from edge.vision.detector import Detector
from edge.vision.encoding.films import open_film
from edge.vision.picture import Pixels
from edge.vision.redacting import Redacting, RedactingSettings, StoppedError, Written
from edge.vision.redacting_plan import Job
from edge.vision.redaction import FILL
from tests.vision_encoding.painted import MagentaDetector, frames_of, magenta, redacted, street

Run = Callable[..., Result]
FRAMES = 9


@pytest.fixture
def nevgate(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command with a detector of magenta, or those that are given."""

    def run(*words: str | Path, detectors: Sequence[Detector] | None = None) -> Result:
        looking = (MagentaDetector(),) if detectors is None else detectors
        monkeypatch.setattr(redact, "open_detectors", lambda _: tuple(looking))
        return CliRunner().invoke(redact.command, [str(word) for word in words])

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "a.png"
    path.parent.mkdir()
    cv2.imwrite(str(path), street(40))
    return path


def write_film(path: Path, lefts: Sequence[int | None], step_ms: int = 100) -> None:
    """Write a film whose face is where `lefts` say, frame by frame."""
    with open_film(path, 90) as film:
        for number, left in enumerate(lefts):
            film.add(redacted(street(left), number, number * step_ms * 1_000_000))
        film.finish()


def all_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_picture_is_written_without_its_face(picture: Path, tmp_path: Path, nevgate: Run) -> None:
    before = picture.read_bytes()
    done = nevgate(picture, "--out", tmp_path / "b.jpg")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "1 file: 1 written; 1 face and 0 plates filled in 1 frame\n"
    shown = cv2.imread(str(tmp_path / "b.jpg"))
    assert shown is not None
    assert magenta(np.asarray(shown, np.uint8)) == 0
    assert abs(int(shown[48, 48, 0]) - FILL) < 4
    assert picture.read_bytes() == before
    assert stat.S_IMODE((tmp_path / "b.jpg").stat().st_mode) == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_nothing_of_exif_goes_along_but_what_it_says_of_up(tmp_path: Path, nevgate: Run) -> None:
    exif = Image.Exif()
    exif[274], exif[271], exif[306] = 6, "MAKER-OF-CAMERA", "2026:01:01 00:00:00"
    small = io.BytesIO()
    Image.fromarray(street(40)).save(small, "JPEG")
    path = tmp_path / "a.jpg"
    Image.fromarray(street(40)[:, :, ::-1]).save(path, exif=exif, comment=b"COMMENT", quality=95)
    path.write_bytes(path.read_bytes() + small.getvalue())
    assert nevgate(path, "--out", tmp_path / "b.jpg").exit_code == 0
    content = (tmp_path / "b.jpg").read_bytes()
    assert b"MAKER" not in content
    assert b"COMMENT" not in content
    assert content.count(b"\xff\xd8\xff") == 1
    with Image.open(tmp_path / "b.jpg") as shown:
        assert shown.size == (96, 160)
        assert not shown.getexif()


def test_a_folder_keeps_its_structure_and_what_cannot_be_written_is_named(
    tmp_path: Path, nevgate: Run
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    (source / "deep" / "deeper").mkdir(parents=True)
    cv2.imwrite(str(source / "a.jpg"), street(40))
    cv2.imwrite(str(source / "a.png"), street(60))
    cv2.imwrite(str(source / "deep" / "deeper" / "c.PNG"), street(20))
    cv2.imwrite(str(source / "dark.jpg"), np.zeros((96, 160, 3), np.uint8))
    (source / "cut.jpg").write_bytes((source / "a.jpg").read_bytes()[:-600])
    (source / "film.mp4").write_bytes(b"no film")
    (source / "notes.txt").write_text("passed over")
    write_film(source / "deep" / "d.mkv.webm", [10] * 3)
    done = nevgate(source, "--out", out, "--json")
    assert done.exit_code == 1
    assert all_in(out) == ["a.jpg.jpg", "a.png.jpg", "deep/d.mkv.webm", "deep/deeper/c.jpg"]
    told = json.loads(done.stdout)
    by_name = {Path(one["file"]).name: one for one in told["files"]}
    assert by_name["dark.jpg"]["reason"] == "too dark to judge"
    assert "truncated" in by_name["cut.jpg"]["reason"]
    assert by_name["film.mp4"]["written"] == "not written"
    assert {name for name, one in by_name.items() if one["out"] is None} == {
        "dark.jpg",
        "cut.jpg",
        "film.mp4",
    }
    assert [Path(one).name for one in told["passed_over"]] == ["notes.txt"]
    for name in ("dark.jpg", "cut.jpg", "film.mp4"):
        assert f"{name}: not written: " in done.stderr


def test_json_says_what_was_filled_frame_by_frame(picture: Path, tmp_path: Path, nevgate: Run) -> None:
    told = json.loads(nevgate(picture, "--out", tmp_path / "b.jpg", "--json").stdout)
    assert told["detectors"] == ["magenta"]
    (one,) = told["files"]
    assert (one["frames"], one["kept"], one["dropped"], one["faces"]) == (1, 1, {}, 1)
    (frame,) = one["hidden"]
    assert (frame["frame"], frame["t_s"]) == (0, 0)
    assert frame["boxes"] == [
        {"subject": "face", "found": [40, 40, 56, 56], "filled": [36, 36, 60, 60], "score": 0.9}
    ]


def test_a_film_keeps_its_times_and_memory_hides_what_was_missed(tmp_path: Path, nevgate: Run) -> None:
    write_film(tmp_path / "a.webm", [10 + 4 * number for number in range(FRAMES)])
    missing = (0, 3, 4, 8)
    without = nevgate(
        tmp_path / "a.webm", "--out", tmp_path / "b.webm", "--no-memory", detectors=[MagentaDetector(missing)]
    )
    assert without.exit_code == 0
    assert [magenta(one) > 0 for _, one in frames_of(tmp_path / "b.webm")] == [
        number in missing for number in range(FRAMES)
    ]
    done = nevgate(tmp_path / "a.webm", "--out", tmp_path / "c.webm", detectors=[MagentaDetector(missing)])
    assert done.stdout == f"1 file: 1 written; {FRAMES} faces and 0 plates filled in {FRAMES} frames\n"
    assert [magenta(one) for _, one in frames_of(tmp_path / "c.webm")] == [0] * FRAMES
    times = [round(t_ms) for t_ms, _ in frames_of(tmp_path / "c.webm")]
    assert times == [100 * number for number in range(FRAMES)]


def test_frames_that_cannot_be_judged_are_left_out_and_counted(tmp_path: Path, nevgate: Run) -> None:
    write_film(tmp_path / "a.webm", [10] * FRAMES)
    failing = MagentaDetector(failing=(2, 5))
    done = nevgate(tmp_path / "a.webm", "--out", tmp_path / "b.webm", "--json", detectors=[failing])
    assert done.exit_code == 1
    (one,) = json.loads(done.stdout)["files"]
    assert (one["written"], one["kept"], one["dropped"]) == ("written in part", 7, {"a detector failed": 2})
    assert [hidden["frame"] for hidden in one["hidden"]] == [0, 1, 3, 4, 6, 7, 8]
    assert "written in part: frames left out, a detector failed: 2" in done.stderr
    assert len(frames_of(tmp_path / "b.webm")) == 7


@pytest.mark.parametrize("name", ["a.png", "a.webm"])
def test_where_detectors_fail_nothing_is_written(tmp_path: Path, nevgate: Run, name: str) -> None:
    write_film(tmp_path / "a.webm", [10] * 12)
    cv2.imwrite(str(tmp_path / "a.png"), street(40))
    out = tmp_path / "out"
    out.mkdir()
    done = nevgate(tmp_path / name, "--out", out, detectors=[MagentaDetector(failing=(-1,))])
    assert done.exit_code == 1
    assert "not written" in done.stderr
    assert list(out.iterdir()) == []


def test_a_film_that_was_cut_off_is_written_as_far_as_it_goes_and_named(tmp_path: Path, nevgate: Run) -> None:
    whole = tmp_path / "whole.webm"
    write_film(whole, [10] * 40)
    content = whole.read_bytes()
    (tmp_path / "cut.webm").write_bytes(content[: len(content) // 2])
    done = nevgate(tmp_path / "cut.webm", "--out", tmp_path / "out.webm")
    assert done.exit_code == 1
    assert "written in part: ends at" in done.stderr
    assert "says that it is 3.9 s long" in done.stderr
    assert [magenta(one) for _, one in frames_of(tmp_path / "out.webm")].count(0) > 5
    assert nevgate(whole, "--out", tmp_path / "all.webm").exit_code == 0


def test_a_preview_outlines_boxes_and_opens_none(picture: Path, tmp_path: Path, nevgate: Run) -> None:
    for name, words in {"plain.avif": [], "boxes.avif": ["--preview", "boxes"]}.items():
        assert nevgate(picture, "--out", tmp_path / name, "--quality", 100, *words).exit_code == 0
    plain, boxes = (
        np.asarray(Image.open(tmp_path / name).convert("RGB")).astype(int)
        for name in ("plain.avif", "boxes.avif")
    )
    changed = np.abs(plain - boxes).max(axis=2) > 40
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (36, 60, 36, 60)
    assert not changed[40:56, 40:56].any()
    assert magenta(boxes[:, :, ::-1].astype(np.uint8)) == 0


def test_files_that_are_there_stay_unless_forced(picture: Path, tmp_path: Path, nevgate: Run) -> None:
    there = tmp_path / "b.jpg"
    there.write_bytes(b"mine")
    refused = nevgate(picture, "--out", there)
    assert (refused.exit_code, there.read_bytes()) == (1, b"mine")
    assert "--force" in refused.stderr
    assert nevgate(picture, "--out", there, "--force").exit_code == 0
    assert there.read_bytes().startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("source", "out"),
    [
        ("in", "in"),
        ("in", "in/redacted"),
        ("in", "."),
        ("in", "in/../in"),
        ("in", "link"),
        ("in/a.jpg", "in/a.jpg"),
        ("in/a.jpg", "in"),
        ("in/a.jpg", "link/a.jpg"),
        ("in/a.jpg", "b.webm"),
        ("in/a.jpg", "b.png"),
        ("in/a.jpg", "b"),
        ("in/notes.txt", "b.jpg"),
        ("empty", "b"),
        ("in", "in.txt"),
    ],
)
def test_what_would_write_over_or_into_its_source_is_refused(
    tmp_path: Path, nevgate: Run, source: str, out: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "in.txt").write_text("a file")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    cv2.imwrite(str(tmp_path / "in" / "a.jpg"), street(40))
    before = {path: (tmp_path / path).read_bytes() for path in all_in(tmp_path)}
    done = nevgate(tmp_path / source, "--out", tmp_path / out, "--force")
    assert isinstance(done.exception, VisionError)
    assert {path: (tmp_path / path).read_bytes() for path in all_in(tmp_path)} == before


def test_a_folder_that_links_back_into_the_originals_is_refused(tmp_path: Path, nevgate: Run) -> None:
    original = tmp_path / "in" / "rear" / "a.jpg"
    original.parent.mkdir(parents=True)
    cv2.imwrite(str(original), street(40))
    before = original.read_bytes()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "rear").symlink_to(original.parent)
    done = nevgate(tmp_path / "in", "--out", tmp_path / "out", "--force")
    assert isinstance(done.exception, VisionError)
    assert original.read_bytes() == before


def test_a_link_that_leads_out_or_round_is_not_followed(tmp_path: Path, nevgate: Run) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "round").symlink_to(tmp_path / "in")
    cv2.imwrite(str(tmp_path / "in" / "a.jpg"), street(40))
    assert nevgate(tmp_path / "in", "--out", tmp_path / "out").exit_code == 0
    assert all_in(tmp_path / "out") == ["a.jpg"]


def test_no_two_files_of_a_folder_become_one(tmp_path: Path, nevgate: Run) -> None:
    names = ["a.jpg", "a.png", "a.jpg.jpg", "a.png.jpg.png"]
    (tmp_path / "in").mkdir()
    for number, name in enumerate(names):
        cv2.imwrite(str(tmp_path / "in" / name), street(20 * number, seed=number))
    done = nevgate(tmp_path / "in", "--out", tmp_path / "out", "--force", "--json")
    assert done.exit_code == 0
    told = [Path(one["out"]).name for one in json.loads(done.stdout)["files"]]
    assert sorted(told) == all_in(tmp_path / "out")
    assert len(told) == len(names)


def test_a_picture_of_the_input_that_lies_in_the_output_is_not_written_over(
    tmp_path: Path, nevgate: Run
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    original = tmp_path / "out" / "a.jpg"
    cv2.imwrite(str(original), street(40))
    before = original.read_bytes()
    (tmp_path / "in" / "b.jpg").symlink_to(original)
    cv2.imwrite(str(tmp_path / "in" / "a.jpg"), street(60))
    done = nevgate(tmp_path / "in", "--out", tmp_path / "out", "--force")
    assert isinstance(done.exception, VisionError)
    assert original.read_bytes() == before


def test_an_ending_in_capitals_is_one(tmp_path: Path, nevgate: Run) -> None:
    write_film(tmp_path / "a.webm", [10] * 3)
    (tmp_path / "a.webm").rename(tmp_path / "DASH.WEBM")
    (tmp_path / "out").mkdir()
    assert nevgate(tmp_path / "DASH.WEBM", "--out", tmp_path / "out").exit_code == 0
    assert len(frames_of(tmp_path / "out" / "DASH.WEBM")) == 3


@pytest.mark.parametrize("stop_after", [0, 1, 4])
def test_whoever_stops_finds_no_half_file(tmp_path: Path, stop_after: int) -> None:
    write_film(tmp_path / "a.webm", [10] * FRAMES)
    asked = iter(range(100))
    redacting = Redacting([MagentaDetector()], stopped=lambda: next(asked) >= stop_after)
    with pytest.raises(StoppedError):
        redacting.run(Job(tmp_path / "a.webm", tmp_path / "out" / "b.webm"))
    assert all_in(tmp_path) == ["a.webm"]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_leaves_no_file_and_is_named(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    job = Job(picture, tmp_path / "out" / "b.jpg")
    outcome = Redacting([MagentaDetector()]).run(job)
    assert (outcome.written, outcome.kept) == (Written.NOT, 0)
    assert "No space left" in outcome.reason
    assert list((tmp_path / "out").iterdir()) == []


class EverywhereDetector(Detector):
    """Finds random boxes, some of them beyond the picture."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a seed replays the test
        self.found: list[Boxes] = []

    @property
    def subject(self) -> Subject:
        return Subject.PLATE

    @property
    def name(self) -> str:
        return "everywhere"

    def detect(self, pixels: Pixels) -> Boxes:
        del pixels
        corners = []
        for _ in range(self._random.randrange(4)):
            left, top = self._random.uniform(-40, 150), self._random.uniform(-40, 90)
            corners.append([left, top, left + self._random.uniform(0, 60), top + self._random.uniform(0, 40)])
        boxes = np.array(corners, np.float32).reshape(-1, 4)
        self.found.append(Boxes.of(Subject.PLATE, boxes, np.ones(len(boxes), np.float32)))
        return self.found[-1]


@pytest.mark.parametrize("seed", range(8))
def test_outlines_are_drawn_within_what_is_filled_wherever_boxes_lie(tmp_path: Path, seed: int) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), street())
    shown = []
    for outlines in (False, True):
        detector = EverywhereDetector(seed)
        settings = RedactingSettings(quality=100, outlines=outlines, boxes=True)
        outcome = Redacting([detector], settings).run(
            Job(tmp_path / "a.png", tmp_path / f"{outlines}.jpg"),
        )
        assert outcome.written is Written.WHOLE
        shown.append(np.asarray(Image.open(tmp_path / f"{outlines}.jpg")).astype(int))
    changed = np.abs(shown[0] - shown[1]).max(axis=2) > 30
    for left, top, right, bottom in outcome.hidden[0].masks.tolist():
        changed[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = False
    assert not changed.any()


def test_help_and_completion_know_the_command(nevgate: Run) -> None:
    done: Any = nevgate("--help")
    assert done.exit_code == 0
    assert "--preview" in done.stdout
    assert "nevgate redact street.jpg" in done.stdout
