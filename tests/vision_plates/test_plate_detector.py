"""Plates: found drawn and photographed, and a broken network never looks like a picture without them."""

import random
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import VisionError
from edge.vision.boxes import Subject
from edge.vision.inference import ModelStore, Network, PinnedModel, Tensor
from edge.vision.picture import Pixels
from edge.vision.plates import PlateDetector
from edge.vision.plates_network import PLATES_2, PLATES_3
from edge.vision.redaction import cover, masks_of
from simulator.plates.designs import (
    AMERICAN_DESIGNS,
    CHINESE_DESIGNS,
    EUROPEAN_DESIGNS,
    Design,
    number_of,
)
from simulator.plates.drawing import draw_plate
from simulator.plates.training.samples import sample

CHINESE = {  # of ten pictures; a plate of 8 px is not found
    "plate_cn_00.jpg": ((213, 154, 572, 334),),
    "plate_cn_02.jpg": ((426, 298, 669, 428),),
    "plate_cn_03.jpg": ((295, 609, 446, 657), (315, 552, 437, 615)),
    "plate_cn_04.jpg": ((304, 213, 398, 274),),
    "plate_cn_05.jpg": ((292, 308, 407, 355),),
    "plate_cn_06.jpg": ((228, 416, 335, 443),),
    "plate_cn_07.jpg": ((398, 520, 657, 607),),
    "plate_cn_08.jpg": ((176, 327, 367, 391),),
    "plate_cn_09.jpg": ((300, 462, 519, 567),),
}


@pytest.fixture(scope="module")
def detector() -> PlateDetector:
    return PlateDetector(ModelStore())


def scene(design: Design, size: tuple[int, int], at: tuple[int, int], wide: int, turn: float = 0) -> Pixels:
    """A plate with its left top corner at `at` on the dark back of a vehicle, which stands before a road."""
    width, height = size
    pixels = np.full((height, width, 3), (150, 148, 146), np.uint8)
    flat = draw_plate(design, number_of(design, random.Random(3)), 120)  # noqa: S311 - repeatable
    high = max(1, round(wide * flat.shape[0] / flat.shape[1]))
    left, top = at
    cv2.rectangle(pixels, (left - wide, top - 2 * wide), (left + 2 * wide, top + wide), (60, 40, 40), -1)
    small = cv2.resize(flat, (wide, high), interpolation=cv2.INTER_AREA)
    pixels[top : top + high, left : left + wide] = small
    matrix = cv2.getRotationMatrix2D((left + wide / 2, top + high / 2), turn, 1)
    turned = cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.GaussianBlur(turned, (0, 0), 0.6), np.uint8)


def hidden(detector: PlateDetector, pixels: Pixels, box: tuple[int, int, int, int]) -> float:
    """The share of a box that is filled."""
    filled = np.zeros_like(pixels)
    cover(filled, masks_of(detector.detect(pixels), *pixels.shape[:2]))
    left, top, right, bottom = box
    return float((filled[top:bottom, left:right, 0] > 0).mean())


@pytest.mark.parametrize("design", [CHINESE_DESIGNS[1], EUROPEAN_DESIGNS[0], AMERICAN_DESIGNS[0]])
@pytest.mark.parametrize(("wide", "turn"), [(40, 0.0), (90, 8.0), (140, -5.0)])
def test_drawn_plates_are_found(detector: PlateDetector, design: Design, wide: int, turn: float) -> None:
    pixels = scene(design, (352, 320), (120, 210), wide, turn)
    high = round(wide * design.height_mm / design.width_mm)
    assert hidden(detector, pixels, (120, 210, 120 + wide, 210 + high)) >= 0.8


@pytest.mark.parametrize("left", [650])
def test_a_plate_is_found_where_tiles_meet(detector: PlateDetector, left: int) -> None:
    pixels = scene(EUROPEAN_DESIGNS[0], (1400, 288), (left, 200), 100)
    assert hidden(detector, pixels, (left, 200, left + 100, 221)) >= 0.8


@pytest.mark.parametrize("level", [0, 90, 255])
def test_nothing_is_found_on_a_plain_ground(detector: PlateDetector, level: int) -> None:
    assert len(detector.detect(np.full((200, 300, 3), level, np.uint8))) == 0
    assert detector.subject is Subject.PLATE


def test_chinese_plates_are_found_in_photographs(detector: PlateDetector, shared_data: Path) -> None:
    folder = shared_data / "pictures"
    if not folder.is_dir():
        pytest.skip("the pictures, ../shared/data/pictures, are not beside the project")
    shares = {}
    for name, boxes in CHINESE.items():
        pixels = np.asarray(cv2.imread(str(folder / name)), np.uint8)
        for box in boxes:
            shares[name, box] = hidden(detector, pixels, box)
    assert min(shares.values()) >= 0.8, shares


@pytest.mark.parametrize("model", [PLATES_2, PLATES_3], ids=lambda model: str(model.name))
def test_weights_that_are_not_the_pinned_ones_are_refused(tmp_path: Path, model: PinnedModel) -> None:
    content = bytearray(ModelStore().load(model))
    (tmp_path / model.name).write_bytes(content)
    running = PlateDetector(ModelStore(tmp_path))
    running.verify()
    content[1000] ^= 1
    (tmp_path / model.name).write_bytes(content)
    with pytest.raises(VisionError, match="not the pinned one"):
        PlateDetector(ModelStore(tmp_path))
    with pytest.raises(VisionError, match="not the pinned one"):
        running.verify()


class _Session:
    def __init__(self, output: Tensor) -> None:
        self._output = output

    def run(self, names: list[str], given: Mapping[str, Tensor]) -> list[Tensor]:
        assert names == ["plates"]
        assert given
        return [self._output]


@pytest.mark.parametrize(
    "output",
    [np.zeros((1, 5, 3, 4), np.float32), np.full((1, 5, 8, 8), np.nan, np.float32)],
    ids=["another shape", "no number"],
)
@pytest.mark.parametrize("which", ["_network", "_other"])
def test_an_output_that_makes_no_sense_is_refused(
    output: Tensor, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = PlateDetector(ModelStore())
    pixels = scene(EUROPEAN_DESIGNS[0], (352, 320), (120, 210), 100)
    assert len(broken.detect(pixels)) == 1
    network: Network = getattr(broken, which).network
    monkeypatch.setattr(network, "_session", _Session(output))
    with pytest.raises(VisionError):
        broken.detect(pixels)


def test_both_networks_have_a_say(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = scene(EUROPEAN_DESIGNS[0], (352, 320), (120, 210), 100)
    sure = PlateDetector(ModelStore()).detect(pixels).scores
    for which in ("_network", "_other"):
        doubting = PlateDetector(ModelStore())
        monkeypatch.setattr(getattr(doubting, which), "best", lambda *_: 0.01)
        assert (doubting.detect(pixels).scores < sure).all()


@pytest.mark.parametrize("shape", [(0, 10, 3), (10, 10), (10, 10, 4)])
def test_what_is_no_picture_is_refused(detector: PlateDetector, shape: tuple[int, ...]) -> None:
    with pytest.raises(VisionError):
        detector.detect(np.zeros(shape, np.uint8))


def test_a_seed_draws_the_same_pictures_with_boxes_in_them() -> None:
    ground = [np.full((400, 400, 3), 120, np.uint8)]
    boxes = 0
    for seed in range(12):
        pixels, around = sample(ground, random.Random(seed))  # noqa: S311 - repeatable
        again, same = sample(ground, random.Random(seed))  # noqa: S311 - repeatable
        assert np.array_equal(pixels, again)
        assert np.array_equal(around, same)
        assert (around >= 0).all()
        assert (around <= pixels.shape[0]).all()
        assert (around[:, 2:] > around[:, :2]).all()
        boxes += len(around)
    assert boxes > 4
