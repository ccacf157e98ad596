from pathlib import Path

import numpy as np
import pytest

from tests.vision_attacks.hiding import WAYS, mask_of
from tests.vision_attacks.linking import GLANCES, top_1
from tests.vision_attacks.views import View, faces, plates

PLATES, FACES = 12, 12


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_does_not_depend_on_what_lies_under_the_mask(seed: int) -> None:
    random = np.random.default_rng(seed)
    ((first, _),) = plates(1, seed)
    left, top, right, bottom = mask_of(first).tolist()
    other = first.pixels.copy()
    other[top:bottom, left:right] = random.integers(0, 256, (bottom - top, right - left, 3))
    swapped = View(other, first.box)
    assert np.array_equal(WAYS["constant fill"](first), WAYS["constant fill"](swapped))
    clip = WAYS["constant fill, in a clip"]
    assert np.array_equal(clip(first), clip(swapped)), "also in a frame that memory alone hides"
    assert not np.array_equal(WAYS["mean colour"](first), WAYS["mean colour"](swapped))


def test_plates_are_linked_through_soft_ways_of_hiding_and_not_through_the_constant_fill() -> None:
    pairs = plates(PLATES, 7)
    pixels = {"pixels": GLANCES["pixels"]}
    sharp = {name: GLANCES[name] for name in ("pixels", "mean colour", "whole mask")}
    assert top_1(pairs, WAYS["as it is"], pixels)["pixels"] > 0.9, "too weak an attack"
    assert top_1(pairs, WAYS["Gaussian blur"], pixels)["pixels"] > 0.6, "too weak an attack"
    found = top_1(pairs, WAYS["constant fill"], sharp)
    assert max(found.values()) <= 3 / PLATES, found


def test_faces_are_linked_through_soft_ways_of_hiding_and_not_through_the_constant_fill(
    shared_data: Path,
) -> None:
    folder = shared_data / "pictures"
    if not folder.is_dir():
        pytest.skip("the pictures, ../shared/data/pictures, are not beside the project")
    pairs = faces(folder, surroundings=False, smallest_px=72)[:FACES]
    assert top_1(pairs, WAYS["mosaic 6x6"], {"pixels": GLANCES["pixels"]})["pixels"] > 0.5
    found = top_1(pairs, WAYS["constant fill"], {"pixels": GLANCES["pixels"], "colours": GLANCES["colours"]})
    assert max(found.values()) <= 4 / len(pairs), found
