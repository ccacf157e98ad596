"""Draws a person, seen from an angle at a size, with the exact region that is face."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.vision.boxes import Subject
from simulator.cameras.painting import eye_colours, face_region, head_colours, smooth, thickness, waves
from simulator.cameras.raster import Floats, rasterized
from simulator.cameras.shapes import PeopleMesh, normals_of, people_mesh
from simulator.cameras.traits import Traits
from simulator.cameras.wearing import Worn, worn_by

_FACE_HEIGHT = 1.9
"""Hairline to chin of the mean head, decimetres of the mesh."""

_HEAD_AXIS = np.array([0.0, 6.4, 0.3])
_SPECULAR = 0.12
_CLOTH_THICKNESS = 0.12
_COLLAR_Y = 5.82
_ASKED_DEG = 95.0
_BEHIND_DEG = 125.0


@dataclass(frozen=True, slots=True)
class View:
    """How somebody is seen.

    Attributes:
        yaw_deg: 0 towards the camera, 90 their left side, 180 from behind.
        pitch_deg: positive looks up.
        roll_deg: positive tilts to the right of the picture.
        body_yaw_deg: of the body; None as the head.
        stride: phase of the walk in radians; None stands.
        light: from where it comes: right, up, towards the camera.
        ambient: share of light from everywhere, 0 to 1.
    """

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    body_yaw_deg: float | None = None
    stride: float | None = None
    light: tuple[float, float, float] = (0.3, 0.6, 0.7)
    ambient: float = 0.45


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """Something drawn, to be put into a picture.

    Attributes:
        colours: (height, width, 3) float32, 0 to 1, multiplied by `alpha`.
        alpha: (height, width) float32, 0 to 1.
        region: (height, width) float32: share of each pixel that is face, or plate.
        anchor: x and y of the point that is put at a place: between the feet, or on the ground under a plate.
        subject: what `region` is of; None where nobody can be recognised by it.
        asked: whether it is turned so far to the camera that a person would draw a box around it.
    """

    colours: NDArray[np.float32]
    alpha: NDArray[np.float32]
    region: NDArray[np.float32]
    anchor: tuple[float, float]
    subject: Subject | None = Subject.FACE
    asked: bool = True

    def box(self) -> tuple[float, float, float, float] | None:
        """The region's outline in the sprite: left, top, right, bottom; None where nothing of it is there."""
        return outline_of(self.region)


def outline_of(region: NDArray[np.float32]) -> tuple[float, float, float, float] | None:
    """Left, top, right, bottom of a region, (height, width) shares of pixels; None where it is empty."""
    shown = region > 0.4
    if not shown.any():
        return None
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def reduced(image: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """An image of another size, each pixel the mean of those that it stands for."""
    result: NDArray[np.float32] = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(
        np.float32, copy=False
    )
    return result


def turned(yaw_deg: float, pitch_deg: float, roll_deg: float) -> Floats:
    """The rotation of somebody who looks by these angles away from the camera, (3, 3)."""
    yaw, pitch, roll = np.radians([yaw_deg, -pitch_deg, -roll_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    result: Floats = about_z @ about_x @ about_y
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A person's shape and colours, ready to be seen from anywhere; made by `figure_of`."""

    traits: Traits
    mesh: PeopleMesh
    vertices: Floats
    normals: Floats
    clothes: Floats
    worn: tuple[Worn, ...]
    worn_vertices: tuple[Floats, ...]

    def sprite(self, view: View, face_px: float, lowest_m: float = 1.3) -> Sprite:
        """Draw.

        Args:
            view: how they are seen.
            face_px: height of a face of mean size seen from the front, in pixels.
            lowest_m: height over the ground below which nothing is drawn.
        """
        density = 3 if face_px < 16 else 2 if face_px < 60 else 1.25
        scale = face_px / _FACE_HEIGHT * density * self.traits.size
        head = turned(view.yaw_deg, view.pitch_deg, view.roll_deg)
        body_yaw = view.yaw_deg if view.body_yaw_deg is None else view.body_yaw_deg
        body = turned(body_yaw, 0, 0)
        clothed = np.unique(self.mesh.clothed)
        points = (self.vertices - _HEAD_AXIS) @ head.T + _HEAD_AXIS
        normals = self.normals @ head.T
        neck = smooth(self.vertices[:, 1], 5.3, 6.0)[:, None]
        upright = (self.vertices - _HEAD_AXIS) @ body.T + _HEAD_AXIS
        points = points * neck + upright * (1 - neck)
        walking = self.clothes if view.stride is None else _walking(self.clothes, view.stride)
        points[clothed] = (walking[clothed] - _HEAD_AXIS) @ body.T + _HEAD_AXIS
        normals[clothed] = self.normals[clothed] @ body.T
        ground = float(points[clothed, 1].min()) - 0.05
        bottom = max(ground, ground + lowest_m * 10 / self.traits.size)
        bottom = min(bottom, float(points[:, 1].max()) - 1)
        offsets = [0, *np.cumsum([len(points), *(len(part) for part in self.worn_vertices)])]
        every = [points] + [(part - _HEAD_AXIS) @ head.T + _HEAD_AXIS for part in self.worn_vertices]
        every_normal = [normals] + [
            normals_of(part, worn.triangles) for part, worn in zip(every[1:], self.worn, strict=True)
        ]
        bare = self.mesh.head[self.mesh.vertices[self.mesh.head, 1].min(axis=1) > _COLLAR_Y]
        facing = [_facing(bare, points), self.mesh.eyes, _facing(self.mesh.clothed, points)]
        triangles = [*facing, *(worn.triangles + offsets[place + 1] for place, worn in enumerate(self.worn))]
        counts = np.cumsum([len(part) for part in triangles])
        joined, vertices = np.concatenate(triangles), np.concatenate(every)
        top = float(vertices[:, 1].max()) + 0.15
        shown = vertices[joined.ravel()]
        reach = float(np.abs(shown[shown[:, 1] > bottom, 0]).max()) + 0.1
        width, height = (max(int(np.ceil(part * scale / density)), 2) for part in (2 * reach, top - bottom))
        canvas = (round(width * density), round(height * density))
        screen = np.column_stack(
            [(vertices[:, 0] + reach) * scale, (top - vertices[:, 1]) * scale, vertices[:, 2]]
        )
        coverage = rasterized(screen, joined, *canvas)
        filled = coverage.filled
        kind = np.searchsorted(counts, coverage.triangle[filled], side="right")
        place = coverage.interpolated(joined, np.concatenate([self.mesh.vertices, *self.worn_rest]))
        light = coverage.interpolated(joined, np.concatenate(every_normal))
        colours, faces = self._painted(kind, place, coverage.interpolated(joined, self._masks(len(vertices))))
        shaded = _lit(colours, light, kind, view)
        image = np.zeros((*filled.shape, 3), np.float32)
        image[filled] = shaded
        face = np.zeros(filled.shape, np.float32)
        face[filled] = faces
        seen = abs((view.yaw_deg + 180) % 360 - 180)
        return Sprite(
            reduced(image, width, height),
            reduced(filled.astype(np.float32), width, height),
            reduced(face, width, height) * np.float32(seen < _BEHIND_DEG),
            (reach * scale / density, (top - ground) * scale / density),
            asked=seen <= _ASKED_DEG,
        )

    @property
    def height_m(self) -> float:
        """From the ground to the top of the head."""
        heights = self.clothes[:, 1]
        return float(heights.max() - heights.min()) / 10 * self.traits.size

    @property
    def worn_rest(self) -> list[Floats]:
        """Vertices of what is worn, before the head's own shape moved them."""
        return [worn.vertices for worn in self.worn]

    def _masks(self, count: int) -> Floats:
        values = np.zeros((count, 5))
        for column, name in enumerate(("lips", "eyelids", "ears", "face", "inside_mouth")):
            values[: len(self.mesh.vertices), column] = self.mesh.masks[name]
        return values

    def _painted(self, kind: NDArray[np.int64], place: Floats, masks: Floats) -> tuple[Floats, Floats]:
        colours, faces = np.zeros((len(kind), 3)), np.zeros(len(kind))
        head = kind == 0
        named = dict(zip(("lips", "eyelids", "ears", "face", "inside_mouth"), masks[head].T, strict=True))
        colours[head] = head_colours(place[head], named, self.traits)
        faces[head] = face_region(place[head], named["face"], self.traits)
        eyes = kind == 1
        centre = np.array([0.31, 7.285, 1.25])
        offset = place[eyes] * (1, 1, 1) - centre * np.column_stack(
            [np.sign(place[eyes, 0]), np.ones(eyes.sum()), np.ones(eyes.sum())]
        )
        colours[eyes] = eye_colours(offset, 0.145, self.traits)
        faces[eyes] = 1
        dressed = kind == 2
        folds = 1 + 0.08 * waves(place[dressed], self.traits.texture_seed + 9, 4.0)
        legs = place[dressed, 1] < 0.3
        shoes = place[dressed, 1] < -7.6
        cloth = np.where(legs[:, None], np.array(self.traits.trousers), np.array(self.traits.cloth))
        cloth = np.where(shoes[:, None], 0.12, cloth)
        hands = (np.abs(place[dressed, 0]) > 4.0) & (place[dressed, 1] > -4)
        colours[dressed] = np.where(hands[:, None], np.array(self.traits.skin), cloth) * folds[:, None]
        for number, worn in enumerate(self.worn):
            here = kind == 3 + number
            look = waves(place[here] * (1, 0.1, 1), self.traits.texture_seed + 6, 45.0)
            colours[here] = np.array(worn.colour) * (1 + 0.35 * worn.strands * look)[:, None]
            faces[here] = float(worn.on_face) * (place[here, 2] > 1.3)
        return colours, faces


def _facing(triangles: NDArray[np.int64], points: Floats) -> NDArray[np.int64]:
    a, b, c = (points[triangles[:, corner], :2] for corner in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return triangles[area > 0]


def _lit(colours: Floats, normals: Floats, kind: NDArray[np.int64], view: View) -> Floats:
    light = np.array(view.light) / np.linalg.norm(view.light)
    two_sided = np.where((kind > 2)[:, None] & (normals[:, 2:3] < 0), -normals, normals)
    toward = two_sided @ light
    diffuse = np.clip(toward * 0.8 + 0.2, 0, 1)
    ground = 0.75 + 0.25 * two_sided[:, 1]
    halfway = light + np.array([0, 0, 1])
    shine = np.clip(two_sided @ (halfway / np.linalg.norm(halfway)), 0, 1) ** 24 * _SPECULAR * (kind < 2)
    shade = view.ambient * ground + (1 - view.ambient) * 1.25 * diffuse
    result: Floats = np.clip(colours * shade[:, None] + shine[:, None], 0, 1)
    return result


def _walking(vertices: Floats, phase: float) -> Floats:
    moved = vertices.copy()
    for side in (-1, 1):
        leg = (
            smooth(-vertices[:, 1], 0.0, 1.2)
            * (np.sign(vertices[:, 0]) == side)
            * (np.abs(vertices[:, 0]) < 3.2)
        )
        swing = np.radians(22) * np.sin(phase) * side * leg
        below = vertices[:, 1] - 0.3
        moved[:, 2] += -np.sin(swing) * below
        moved[:, 1] += (1 - np.cos(swing)) * -below
    return moved


def _arms_lowered(vertices: Floats) -> Floats:
    moved = vertices.copy()
    for side in (-1, 1):
        away = vertices[:, 0] * side
        arm = smooth(away, 1.5, 2.3) * (vertices[:, 1] > -0.8) * (away + (vertices[:, 1] - 0.5) * 0.6 > 2.0)
        angle = -np.radians(27) * side * arm
        x, y = vertices[:, 0] - side * 1.7, vertices[:, 1] - 5.2
        moved[:, 0] = np.where(arm > 0, side * 1.7 + np.cos(angle) * x - np.sin(angle) * y, moved[:, 0])
        moved[:, 1] = np.where(arm > 0, 5.2 + np.sin(angle) * x + np.cos(angle) * y, moved[:, 1])
    return moved


def figure_of(traits: Traits) -> Figure:
    """The person with these traits."""
    mesh = people_mesh()
    plain = mesh.shaped(traits.weights)
    shift, stretch = _fitted(mesh, plain)
    centred = plain - shift
    triangles = np.concatenate([mesh.head, mesh.eyes, mesh.clothed])
    normals = normals_of(centred, triangles)
    vertices = centred.copy()
    head, clothed = np.unique(mesh.head), np.unique(mesh.clothed)
    vertices[clothed] += normals[clothed] * _CLOTH_THICKNESS
    vertices[head] += normals[head] * thickness(mesh.vertices[head], traits)[:, None]
    lowered = _arms_lowered(vertices)
    normals = normals_of(lowered, triangles)
    worn = tuple(worn_by(traits))
    middle = np.array([0.0, 7.1, 0.5])
    return Figure(
        traits,
        mesh,
        vertices,
        normals,
        lowered,
        worn,
        tuple((part.vertices - middle) * stretch + middle for part in worn),
    )


def _fitted(mesh: PeopleMesh, shaped: Floats) -> tuple[Floats, Floats]:
    """How far a shaped head has moved from the mean one, and how much larger it is, by axis."""
    eyes, head = np.unique(mesh.eyes), np.unique(mesh.head)
    high = head[mesh.vertices[head, 1] > 6.4]
    mean, own = mesh.vertices[high], shaped[high]
    stretch = (own.max(axis=0) - own.min(axis=0)) / (mean.max(axis=0) - mean.min(axis=0))
    shift = shaped[eyes].mean(axis=0) - mesh.vertices[eyes].mean(axis=0)
    return shift, stretch
