"""Truth comes from the renderer: boxes lie where the face or plate was drawn."""

from __future__ import annotations

import random

import numpy as np
import pytest

from edge.vision.boxes import Subject
from simulator.cameras.figures import Sprite, View, figure_of
from simulator.cameras.scene import Placed, composed
from simulator.cameras.shapes import people_mesh
from simulator.cameras.traits import Glasses, Hair, Hat, Traits
from simulator.cameras.vehicles import Vehicle

PLAIN = {"asian-female-young": 1.0, "universal-female-young-averagemuscle-averageweight": 1.0}


def sprite(yaw_deg: float = 0.0, face_px: float = 60.0, **traits: object) -> Sprite:
    return figure_of(Traits(PLAIN, **traits)).sprite(View(yaw_deg=yaw_deg), face_px)  # type: ignore[arg-type]


def box_of(drawn: Sprite) -> tuple[float, float, float, float]:
    box = drawn.box()
    assert box is not None
    return box


@pytest.fixture(scope="module")
def frontal() -> Sprite:
    return sprite()


def test_a_face_reaches_from_chin_to_hairline_and_is_as_high_as_asked(frontal: Sprite) -> None:
    left, top, right, bottom = box_of(frontal)
    assert bottom - top == pytest.approx(60, rel=0.2)
    assert 0.6 < (right - left) / (bottom - top) < 0.9
    assert (left + right) / 2 == pytest.approx(frontal.anchor[0], abs=1.5)


def test_eyes_and_lips_lie_within_the_face(frontal: Sprite) -> None:
    mesh = people_mesh()
    lips = mesh.vertices[mesh.masks["lips"] > 0.5]
    assert lips[:, 1].max() < mesh.vertices[np.unique(mesh.eyes), 1].min()
    left, top, right, bottom = (round(edge) for edge in box_of(frontal))
    face = frontal.colours[top:bottom, left + 6 : right - 6].mean(axis=2)
    forehead, eyes = face[4:10], face[15:25]
    assert eyes.min() < 0.5 * forehead.min()


def test_a_profile_is_narrower_and_still_asked_for_and_a_back_has_no_face(frontal: Sprite) -> None:
    profile = sprite(85)
    wide = box_of(frontal)[2] - box_of(frontal)[0]
    assert 0.35 * wide < box_of(profile)[2] - box_of(profile)[0] < wide
    assert profile.asked
    assert sprite(180).box() is None
    assert not sprite(115).asked


def test_glasses_and_masks_hide_no_face_and_hats_and_fringes_do(frontal: Sprite) -> None:
    plain = box_of(frontal)
    masked = box_of(sprite(masked=True, glasses=Glasses.DARK))
    assert masked[3] - masked[1] == pytest.approx(plain[3] - plain[1], abs=4)
    for covered in (sprite(hat=Hat.HELMET), sprite(hair=Hair.FRINGE)):
        assert box_of(covered)[3] - box_of(covered)[1] < plain[3] - plain[1] - 1.5


def square(side: int, subject: Subject | None) -> Sprite:
    full = np.ones((side, side), np.float32)
    return Sprite(
        np.ones((side, side, 3), np.float32), full, full if subject is not None else full * 0, (0, 0), subject
    )


def test_what_is_nearer_hides_and_by_how_much_is_told() -> None:
    ground = np.zeros((100, 200, 3), np.float32)
    face = Placed(square(40, Subject.FACE), 20, 20, 10.0, 7)
    post = Placed(square(40, None), 50, 20, 5.0, -1)
    _, (truth,) = composed(ground, [post, face])
    assert truth.box == (20, 20, 50, 60)
    assert truth.hidden == pytest.approx(0.25)
    assert truth.counted
    assert truth.track == 7
    behind = Placed(square(40, None), 50, 20, 15.0, -1)
    assert composed(ground, [behind, face])[1][0].hidden == 0
    _, (hidden,) = composed(ground, [Placed(square(40, None), 30, 20, 5.0, -1), face])
    assert not hidden.counted


def test_what_reaches_over_the_edge_is_cut_and_counts_as_hidden() -> None:
    ground = np.zeros((100, 200, 3), np.float32)
    _, (truth,) = composed(ground, [Placed(square(40, Subject.FACE), -10, 20, 10.0, 1)])
    assert truth.box == (0, 20, 30, 60)
    assert truth.hidden == pytest.approx(0.25)


def test_small_ones_are_told_and_not_counted() -> None:
    ground = np.zeros((100, 200, 3), np.float32)
    _, (truth,) = composed(ground, [Placed(square(7, Subject.FACE), 10, 20, 10.0, 1)])
    assert not truth.counted


@pytest.mark.parametrize("yaw_deg", [0.0, 25.0, -25.0])
def test_the_outline_of_a_plate_is_as_large_as_the_plate(yaw_deg: float) -> None:
    vehicle = Vehicle.drawn(random.Random(3))  # noqa: S311 - draws pictures
    drawn = vehicle.sprite(yaw_deg, 200.0, 6.0)
    assert drawn.subject is Subject.PLATE
    left, top, right, bottom = box_of(drawn)
    width = vehicle.plate.width_m * np.cos(np.radians(yaw_deg)) * 200
    assert right - left == pytest.approx(width, rel=0.12)
    assert bottom - top == pytest.approx(vehicle.plate.height_m * 200, rel=0.35, abs=3)
    middle = drawn.anchor[1] - vehicle.plate_height_m * 200
    assert (top + bottom) / 2 == pytest.approx(middle, abs=4)


def test_persons_differ_by_seed_and_a_seed_gives_the_same_one() -> None:
    seeds = [random.Random(seed) for seed in (5, 5, 6)]  # noqa: S311 - draws pictures
    first, again, other = (figure_of(Traits.drawn(rng)).sprite(View(), 30) for rng in seeds)
    assert np.array_equal(first.colours, again.colours)
    assert first.colours.shape != other.colours.shape or not np.array_equal(first.colours, other.colours)
