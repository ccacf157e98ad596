"""Opens the camera that a source names."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from edge.clock import Clock
from edge.errors import VisionError
from edge.vision.cameras.camera import Camera, CameraSettings

Opener = Callable[[CameraSettings, Clock], Camera]
_OF_SCHEMES = {
    "v4l2": "edge.vision.cameras.devices:V4l2Camera",
    "rtsp": "edge.vision.cameras.devices:RtspCamera",
    "file": "edge.vision.cameras.files:FileCamera",
    "simulator": "simulator.cameras.simulated:open_simulated",
}
"""Who opens the sources of a scheme; taken up only where one is asked for."""


def open_camera(settings: CameraSettings, clock: Clock) -> Camera:
    """Open a camera; from here on the device is in use.

    Raises:
        VisionError: nobody knows such a source, or it cannot be opened.
    """
    scheme = settings.source.partition(":")[0]
    opener = _OF_SCHEMES.get(scheme)
    if opener is None:
        raise VisionError(
            f"nobody knows the source '{settings.source}'",
            where=f"camera {settings.name}",
            todo="Write v4l2:/dev/video0, rtsp://ADDRESS/PATH or file:PATH",
        )
    module, _, name = opener.partition(":")
    try:
        made: Opener = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise VisionError(
            f"{error.name} is not installed",
            where=f"camera {settings.name}",
            todo="pip install nevgate[vision]",
        ) from error
    return made(settings, clock)
