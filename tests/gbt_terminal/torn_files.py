"""A file system that dies before any of its steps, and then has lost what was not synced, or kept it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edge.uplink.gbt.durable_file import FileSystem


class PowerCut(BaseException):
    """Nothing runs after it."""


@dataclass
class TornFiles(FileSystem):
    """Files in memory, of which a power cut leaves what the disk had.

    Attributes:
        steps_left: steps that are still carried out; negative: without end.
        refuses: whether the step behind them raises OSError, and each after it, instead of cutting the power.
        once: whether only that one step is refused.
    """

    steps_left: int = -1
    refuses: bool = False
    once: bool = False
    seen: dict[Path, bytes] = field(default_factory=dict)
    disk: dict[Path, bytes] = field(default_factory=dict)
    unsynced: dict[Path, bytes] = field(default_factory=dict)

    def _step(self) -> None:
        if self.steps_left == 0:
            if self.refuses:
                self.steps_left = -1 if self.once else 0
                raise OSError(28, "No space left on device")
            raise PowerCut
        self.steps_left -= 1

    def read(self, path: Path, most_bytes: int) -> bytes | None:
        content = self.seen.get(path)
        return None if content is None else content[:most_bytes]

    def write(self, path: Path, content: bytes) -> None:
        self.seen[path] = self.unsynced[path] = content[: len(content) // 2]
        self._step()
        self.seen[path] = self.disk[path] = content
        self.unsynced.pop(path, None)

    def rename(self, path: Path, to: Path) -> None:
        self._step()
        self.seen[to] = self.unsynced[to] = self.seen.pop(path)

    def sync_folder(self, folder: Path) -> None:
        assert all(path.parent == folder for path in self.unsynced)
        self._step()
        self.disk = dict(self.seen)
        self.unsynced.clear()

    def after_the_cut(self, *, reached_the_disk: bool) -> TornFiles:
        """What the next start finds, where what was never synced had reached the disk or not."""
        found = {**self.disk, **(self.unsynced if reached_the_disk else {})}
        return TornFiles(seen=dict(found), disk=dict(found))
