"""Tracks: which boxes of several frames are of one thing, and where it was when it was not found."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge.clock import NS_PER_S
from edge.vision.boxes import Boxes

Corners: TypeAlias = NDArray[np.float32]

SURE = 0.7
"""Score from which on one find is enough to be held as long as many."""

_REACH = 0.6
_REACH_PER_S = 4.0
_REACH_MOST = 2.0
_SIZE_RATIO = 2.0
_BASELINE = 3
_SMALLEST_PX = 1.0


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """How far a track reaches.

    Attributes:
        gap_ns: longest time between two finds of one track.
        hold_ns: how long a track shows before its first find and after its last; in proportion less where its
            finds' scores do not come to `SURE` together.
        growth_per_s: share of its size by which a box that was not found grows on each side a second.
    """

    gap_ns: int
    hold_ns: int
    growth_per_s: float


@dataclass(slots=True)
class _Track:
    subject: int
    scene: int
    evidence: float = 0.0
    times: list[int] = field(default_factory=list)
    corners: list[Corners] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)

    def append(self, t_ns: int, corners: Corners, score: float) -> None:
        self.times.append(t_ns)
        self.corners.append(corners)
        self.scores.append(score)
        self.evidence += score

    def velocity(self, first: int, last: int) -> Corners:
        """Pixels a second of the centre between two finds, for all four corners; 0 where they are one."""
        if first == last:
            return np.zeros(4, np.float32)
        seconds = (self.times[last] - self.times[first]) / NS_PER_S
        way = (_centre(self.corners[last]) - _centre(self.corners[first])) / seconds
        return np.concatenate([way, way]).astype(np.float32)


class Tracks:
    """Joins finds of successive frames to tracks, and says where each is at a moment.

    A find goes to the nearest track that it can belong to by its place and size, the nearest pair first;
    what belongs to none begins a track. Nothing is random, and what is kept is bounded by what was found
    within the settings' times of the frames that may still be asked for.

    Args:
        settings: how far a track reaches.
    """

    def __init__(self, settings: TrackSettings) -> None:
        self._settings = settings
        self._tracks: list[_Track] = []
        self._scene = 0
        self._scenes: dict[int, int] = {}

    def add(self, t_ns: int, boxes: Boxes) -> None:
        """Take in the finds of a frame, whose time is later than all before."""
        self._scenes[t_ns] = self._scene
        tracks = [
            track
            for track in self._tracks
            if track.scene == self._scene and t_ns - track.times[-1] <= self._settings.gap_ns
        ]
        taken = self._pairs(t_ns, tracks, boxes)
        for at in range(len(boxes)):
            track = taken.get(at)
            if track is None:
                track = _Track(int(boxes.subjects[at]), self._scene)
                self._tracks.append(track)
            track.append(t_ns, boxes.corners[at], float(boxes.scores[at]))

    def at(self, t_ns: int) -> Boxes:
        """All that shows at the time of a frame that was added, by all finds up to now.

        Raises:
            KeyError: no such frame was added, or it was forgotten.
        """
        scene = self._scenes[t_ns]
        shown = [
            (*place, track.subject)
            for track in self._tracks
            if track.scene == scene and (place := self._place(track, t_ns)) is not None
        ]
        if not shown:
            return Boxes.none()
        return Boxes(
            np.array([corners for corners, _, _ in shown], np.float32),
            np.array([score for _, score, _ in shown], np.float32),
            np.array([subject for _, _, subject in shown], np.uint8),
        )

    def forget(self, before_ns: int) -> None:
        """Say that no time earlier than `before_ns` will be asked for again."""
        self._scenes = {t_ns: scene for t_ns, scene in self._scenes.items() if t_ns >= before_ns}
        reach_ns = max(self._settings.gap_ns, self._settings.hold_ns)
        self._tracks = [track for track in self._tracks if track.times[-1] >= before_ns - reach_ns]
        for track in self._tracks:
            surplus = max(0, bisect_left(track.times, before_ns) - _BASELINE)
            del track.times[:surplus], track.corners[:surplus], track.scores[:surplus]

    @property
    def size(self) -> int:
        """How many finds are kept."""
        return sum(len(track.times) for track in self._tracks)

    def cut(self) -> None:
        """Begin another scene: no track goes on, and none shows on the other side."""
        self._scene += 1

    def _pairs(self, t_ns: int, tracks: list[_Track], boxes: Boxes) -> dict[int, _Track]:
        """Which find continues which track."""
        corners = boxes.corners
        if not tracks or not len(corners):
            return {}
        last = np.array([track.corners[-1] for track in tracks])
        age_s = np.array([(t_ns - track.times[-1]) / NS_PER_S for track in tracks])[:, None]
        velocities = np.array(
            [track.velocity(max(0, len(track.times) - _BASELINE), len(track.times) - 1) for track in tracks]
        )
        size, found_size = _size(last)[:, None], _size(corners)[None]
        there = _centre(corners)[None]
        stayed = np.linalg.norm(_centre(last)[:, None] - there, axis=2)
        moved = np.linalg.norm(_centre(last + velocities * age_s)[:, None] - there, axis=2)
        distance = np.minimum(stayed, moved) / np.sqrt(size * found_size)
        possible = (
            (distance <= np.minimum(_REACH + _REACH_PER_S * age_s, _REACH_MOST))
            & (size <= found_size * _SIZE_RATIO)
            & (found_size <= size * _SIZE_RATIO)
            & (np.array([track.subject for track in tracks])[:, None] == boxes.subjects[None])
        )
        rows, columns = np.nonzero(possible)
        pairs: dict[int, _Track] = {}
        used: set[int] = set()
        for pair in np.argsort(distance[rows, columns], kind="stable"):
            row, column = int(rows[pair]), int(columns[pair])
            if row not in used and column not in pairs:
                pairs[column] = tracks[row]
                used.add(row)
        return pairs

    def _place(self, track: _Track, t_ns: int) -> tuple[Corners, float] | None:
        """Where a track is, and its score; None where it does not show."""
        after = bisect_left(track.times, t_ns)
        before = after - 1
        last = len(track.times) - 1
        if after <= last and track.times[after] == t_ns:
            return track.corners[after], track.scores[after]
        if before >= 0 and after <= last:
            return self._between(track, before, after, t_ns), min(track.scores[before], track.scores[after])
        if before >= 0:
            nearest, velocity = before, track.velocity(max(0, last - _BASELINE + 1), last)
        else:
            nearest, velocity = after, track.velocity(0, min(_BASELINE - 1, last))
        away_ns = t_ns - track.times[nearest]
        if abs(away_ns) > self._settings.hold_ns * min(1.0, track.evidence / SURE):
            return None
        stayed = track.corners[nearest]
        moved = stayed + velocity * (away_ns / NS_PER_S)
        hull = np.concatenate([np.minimum(stayed[:2], moved[:2]), np.maximum(stayed[2:], moved[2:])])
        return self._grown(hull, stayed, abs(away_ns)), track.scores[nearest]

    def _between(self, track: _Track, before: int, after: int, t_ns: int) -> Corners:
        earlier, later = track.times[before], track.times[after]
        share = (t_ns - earlier) / (later - earlier)
        corners = track.corners[before] * (1 - share) + track.corners[after] * share
        away_ns = min(t_ns - earlier, later - t_ns)
        return self._grown(corners, corners, away_ns)

    def _grown(self, corners: Corners, thing: Corners, away_ns: int) -> Corners:
        added = (thing[2:] - thing[:2]) * (self._settings.growth_per_s * away_ns / NS_PER_S)
        return np.concatenate([corners[:2] - added, corners[2:] + added]).astype(np.float32)


def _centre(corners: Corners) -> NDArray[np.float32]:
    """(..., 2) centres of (..., 4) corners."""
    return np.asarray((corners[..., :2] + corners[..., 2:]) / 2, np.float32)


def _size(corners: Corners) -> NDArray[np.float32]:
    """(n,) geometric means of width and height of (n, 4) corners, at least a pixel."""
    sides = np.maximum(corners[:, 2:] - corners[:, :2], _SMALLEST_PX)
    return np.asarray(np.sqrt(sides.prod(axis=1)), np.float32)
