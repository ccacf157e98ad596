"""Where the sources of boards' programs are: in a clone, or among the data of an installation."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from edge.errors import FirmwareError
from edge.wire import vlink

_SHARED = ("vlink.py", "vlink_messages.py", "vlink_frames.py")
_CLONE = Path(__file__).parents[2] / "firmware"


def sources_folder() -> Path:
    """The folder `firmware` with the programs of boards and the descriptions of boards.

    Raises:
        FirmwareError: it is not there.
    """
    installed = Path(sysconfig.get_path("data")) / "share" / "nevgate" / "firmware"
    for folder in (_CLONE, installed):
        if (folder / "bridge" / "bridge.py").is_file():
            return folder
    raise FirmwareError(
        "the sources of the boards' programs are not installed",
        where=str(installed),
        todo="Install nevgate from its wheel, or work in a clone",
    )


def sources_of(packages: tuple[str, ...]) -> dict[str, Path]:
    """The modules of packages by their path on a board, with what boards and gateway share at the top.

    Args:
        packages: such as ``bridge``, with all below it.

    Raises:
        FirmwareError: they are not installed.
    """
    folder = sources_folder()
    wire = Path(vlink.__file__).parent
    found = {name: wire / name for name in _SHARED}
    for package in packages:
        for path in sorted((folder / package).rglob("*.py")):
            found[path.relative_to(folder).as_posix()] = path
    return found
