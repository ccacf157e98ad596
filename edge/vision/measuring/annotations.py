"""What is truly in the pictures of a folder: the file `annotations.json`, read and checked.

Every picture says for which subjects all its boxes are given:

- ``task`` is ``face``, ``plate`` or ``both``, and ``boxes`` holds the boxes of the one subject;
- ``face_boxes`` and ``plate_boxes`` hold the boxes of each, where a picture was looked through for both. A
  list that is there, also an empty one, says that the picture was looked through for that subject.

What was not looked for is not measured there: a mask over a plate is no false detection in a picture whose
faces alone are known. ``ignore`` holds what counts neither way, whatever was looked for: too small, too much
hidden, a poster. A picture with ``exhaustive`` false may show more than is marked, so that nothing in it is
false.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.errors import VisionError
from edge.vision.boxes import Subject

FILE_NAME = "annotations.json"

Coordinate = Annotated[float, Field(allow_inf_nan=False)]
Corners = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
"""Left, top, right, bottom in pixels; right and bottom are outside the box."""


class AnnotatedPicture(BaseModel):
    """One picture and what is truly in it.

    Attributes:
        file: its name, relative to the folder.
        width: in pixels.
        height: in pixels.
        task: what `boxes` holds, or ``both``; None where `face_boxes` or `plate_boxes` is given.
        boxes: of the one subject of `task`.
        face_boxes: all faces; None where nobody looked for them (and `task` does not say so).
        plate_boxes: all plates; likewise.
        ignore: what counts neither way.
        exhaustive: whether all there is of the subject is marked.
        labels: where the boxes come from, in words.
        sensor: name of the camera; empty where that is not known.
        clip: name of the clip that it is a frame of; empty for a picture of its own.
        t_s: when it was taken, in seconds from any start; None where that is not known.
    """

    model_config = ConfigDict(frozen=True)

    file: str = Field(min_length=1)
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    task: Literal["face", "plate", "both"] | None = None
    boxes: tuple[Corners, ...] = ()
    face_boxes: tuple[Corners, ...] | None = None
    plate_boxes: tuple[Corners, ...] | None = None
    ignore: tuple[Corners, ...] = ()
    exhaustive: bool = True
    labels: str = ""
    sensor: str = ""
    clip: str = ""
    t_s: Coordinate | None = None

    @model_validator(mode="after")
    def _is_of_one_mind(self) -> Self:
        if self.boxes and self.task not in {"face", "plate"}:
            raise ValueError("'boxes' needs a 'task' of \"face\" or \"plate\" that says what they hold")
        if self.task is None and self.face_boxes is None and self.plate_boxes is None:
            raise ValueError(
                "says neither by 'task' nor by 'face_boxes' or 'plate_boxes' what was looked for"
            )
        for task, separate in (("face", self.face_boxes), ("plate", self.plate_boxes)):
            if self.task == task and self.boxes and separate is not None:
                raise ValueError(f"has both 'boxes' of {task}s and '{task}_boxes'")
        everything = (*self.boxes, *(self.face_boxes or ()), *(self.plate_boxes or ()), *self.ignore)
        for left, top, right, bottom in everything:
            if not (left < right and top < bottom):
                raise ValueError(f"box {[left, top, right, bottom]} is empty or turned around")
            if right <= 0 or bottom <= 0 or left >= self.width or top >= self.height:
                raise ValueError(f"box {[left, top, right, bottom]} is outside the picture")
        if Path(self.file).is_absolute() or ".." in Path(self.file).parts:
            raise ValueError(f"file {self.file!r} is not within the folder")
        return self

    def truth(self, subject: Subject) -> NDArray[np.float32] | None:
        """The true boxes of `subject`, (n, 4) float32 within the picture; None where nobody looked for it."""
        task, separate = ("face", self.face_boxes) if subject is Subject.FACE else ("plate", self.plate_boxes)
        if self.task == task and separate is None:
            return self._within(self.boxes)
        if separate is not None or self.task == "both":
            return self._within(separate or ())
        return None

    def everything(self) -> NDArray[np.float32]:
        """All boxes, those to be ignored too, (n, 4) float32: what may be someone's face or plate."""
        faces, plates = self.face_boxes or (), self.plate_boxes or ()
        return self._within((*self.boxes, *faces, *plates, *self.ignore))

    def ignored(self) -> NDArray[np.float32]:
        """What counts neither way, (n, 4) float32."""
        return self._within(self.ignore)

    def _within(self, boxes: Sequence[Corners]) -> NDArray[np.float32]:
        corners = np.array(boxes, np.float32).reshape(-1, 4)
        corners[:, 0::2] = corners[:, 0::2].clip(0, self.width)
        corners[:, 1::2] = corners[:, 1::2].clip(0, self.height)
        return corners


class Annotations(BaseModel):
    """The file `annotations.json` of a folder.

    Attributes:
        format: in words, for people.
        images: the pictures, in the order in which they are measured.
    """

    model_config = ConfigDict(frozen=True)

    format: str = ""
    images: tuple[AnnotatedPicture, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        names = [image.file for image in self.images]
        doubled = (
            sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else ()
        )
        if doubled:
            raise ValueError(f"names {', '.join(doubled)} more than once")
        return self


def read_annotations(folder: Path) -> Annotations:
    """Read what is truly in the pictures of `folder`.

    Raises:
        VisionError: there is no such file, or it does not say what it should.
    """
    path = folder / FILE_NAME
    try:
        return Annotations.model_validate(json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise VisionError(
            f"there is no {FILE_NAME} that says what is truly in the pictures",
            where=str(folder),
            todo="docs/vision.md shows what it holds",
        ) from None
    except OSError as error:
        raise VisionError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except ValidationError as error:
        first = error.errors()[0]
        spot = ".".join(str(part) for part in first["loc"])
        raise VisionError(f"{spot or 'it'}: {first['msg']}", where=str(path)) from None
    except (ValueError, RecursionError) as error:
        raise VisionError(f"is no JSON: {error}", where=str(path)) from None


def write_annotations(folder: Path, annotations: Annotations) -> Path:
    """Write the file that `read_annotations` reads; hands out its path."""
    path = folder / FILE_NAME
    path.write_text(annotations.model_dump_json(indent=1, exclude_none=True) + "\n", "utf-8")
    return path
