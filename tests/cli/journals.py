"""A journal as a gateway leaves it, with the configuration that it was made by."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.gateway.rig import Rig, recording


@dataclass(frozen=True)
class Kept:
    """The folder that a gateway has left.

    Attributes:
        folder: holds configuration, keys and journal.
    """

    folder: Path

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def config(self) -> Path:
        return self.folder / "nevgate.toml"

    @property
    def vehicle_key(self) -> Path:
        return self.folder / "vehicle.pub.pem"

    def copy(self, to: Path) -> Kept:
        """The same elsewhere, to be changed."""
        shutil.copytree(self.folder, to)
        return Kept(to)


def leave(folder: Path, seconds: int = 47) -> Kept:
    """Let a gateway keep a recording in a journal, and end it."""
    table = '[journal]\nfolder = "journal"\nframes = true\ncheckpoint_period_s = 5\n'
    rig = Rig(folder, uplink=table)
    rig.gateway.run(recording(seconds), stop=rig.stop)
    assert rig.gateway.finish(60)
    return Kept(folder)
