"""An accelerometer of the kernel's industrial I/O subsystem, read through sysfs (ABI sysfs-bus-iio)."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

from edge.account import Hop
from edge.clock import NS_PER_S, Clock
from edge.errors import SourceError
from edge.sensors.observation import Observation
from edge.sensors.source import ItemSource, hop_of

AXES = ("x", "y", "z")
IIO_ITEMS = tuple(f"imu.accel_{axis}" for axis in AXES)
Matrix = tuple[tuple[float, float, float], ...]
_IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_MATRICES = ("in_accel_mount_matrix", "in_mount_matrix", "mount_matrix")


class IioAccelerometer(ItemSource):
    """Reads the three axes of an accelerometer at a fixed period.

    Acceleration in m/s^2 is (raw + offset) * scale, turned into the vehicle's axes by the mount matrix, each
    as the kernel gives them; a matrix that is not there leaves the sensor's own axes.

    Args:
        folder: the device, such as ``/sys/bus/iio/devices/iio:device0``.
        clock: stamps and paces.
        period_s: time between two readings; instants are multiples of it on the boot clock.

    Raises:
        SourceError: if the folder is no accelerometer, or its constants cannot be read.
    """

    def __init__(self, folder: Path, *, clock: Clock, period_s: float = 0.05) -> None:
        self._folder = folder
        self._clock = clock
        self._period_ns = max(1, round(period_s * NS_PER_S))
        self._next = clock.boot_ns() // self._period_ns + 1
        self._closed = threading.Event()
        self._counts: Counter[str] = Counter()
        self._missed = 0
        lacking = [f"in_accel_{axis}_raw" for axis in AXES if not (folder / f"in_accel_{axis}_raw").exists()]
        if lacking:
            raise SourceError(
                f"is no accelerometer: {', '.join(lacking)} missing",
                where=str(folder),
                todo="Give the folder of the device, such as /sys/bus/iio/devices/iio:device0",
            )
        self._scales = tuple(self._constant(axis, "scale") for axis in AXES)
        self._offsets = tuple(self._constant(axis, "offset", 0.0) for axis in AXES)
        self._matrix = self._mount_matrix()

    @property
    def name(self) -> str:
        """See `ItemSource.name`."""
        return f"iio {self._folder.name}"

    @property
    def items(self) -> tuple[str, ...]:
        """See `ItemSource.items`."""
        return IIO_ITEMS

    def read(self, timeout_s: float) -> tuple[Observation, ...] | None:
        """See `ItemSource.read`; readings that were missed are skipped and counted."""
        if self._closed.is_set():
            return None
        wait_s = (self._next * self._period_ns - self._clock.boot_ns()) / NS_PER_S
        if wait_s > 0 and self._clock.wait(self._closed, min(wait_s, timeout_s)):
            return None
        now_ns = self._clock.boot_ns()
        due = now_ns // self._period_ns
        if due < self._next:
            return ()
        self._missed += due - self._next
        self._next = due + 1
        self._counts["entered"] += 1
        try:
            sensed = [self._axis(place) for place in range(len(AXES))]
        except (OSError, ValueError):
            self._counts["unreadable"] += 1
            return ()
        self._counts["left"] += 1
        return tuple(
            Observation(
                item_id, now_ns, sum(factor * value for factor, value in zip(row, sensed, strict=True))
            )
            for item_id, row in zip(IIO_ITEMS, self._matrix, strict=True)
        )

    def close(self) -> None:
        """See `ItemSource.close`."""
        self._closed.set()

    def hop(self) -> Hop:
        """See `ItemSource.hop`; counts readings of the three axes."""
        return hop_of(self.name, "readings", self._counts, {"missed": self._missed})

    def _axis(self, place: int) -> float:
        raw = float((self._folder / f"in_accel_{AXES[place]}_raw").read_text(encoding="ascii"))
        return (raw + self._offsets[place]) * self._scales[place]

    def _constant(self, axis: str, which: str, otherwise: float | None = None) -> float:
        for name in (f"in_accel_{axis}_{which}", f"in_accel_{which}"):
            path = self._folder / name
            if path.exists():
                try:
                    return float(path.read_text(encoding="ascii"))
                except (OSError, ValueError) as error:
                    raise SourceError(f"cannot be read as a number: {error}", where=str(path)) from error
        if otherwise is None:
            raise SourceError(
                f"has neither in_accel_{axis}_{which} nor in_accel_{which}", where=str(self._folder)
            )
        return otherwise

    def _mount_matrix(self) -> Matrix:
        path = next((path for name in _MATRICES if (path := self._folder / name).exists()), None)
        if path is None:
            return _IDENTITY
        try:
            rows = [
                [float(cell) for cell in row.split(",")]
                for row in path.read_text(encoding="ascii").split(";")
            ]
        except (OSError, ValueError) as error:
            raise SourceError(f"is no mount matrix: {error}", where=str(path)) from error
        if len(rows) != len(AXES) or any(len(row) != len(AXES) for row in rows):
            raise SourceError("is no mount matrix of three rows of three", where=str(path))
        return tuple((row[0], row[1], row[2]) for row in rows)
