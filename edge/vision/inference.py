"""Models of detectors: found, proved to be the pinned ones, and run by ONNX Runtime on one thread."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge.errors import VisionError
from edge.vision.inference_shapes import with_free_shapes

if TYPE_CHECKING:
    import onnxruntime

Tensor = NDArray[np.float32]

OWN = "nevgate"
"""The package of models that are our own; they lie beside this file."""

_INSTALL = "pip install nevgate[vision]"
_MODEL_BYTES_MAX = 256 << 20
_OPTIONS = {
    "session.intra_op.allow_spinning": "0",
    "session.inter_op.allow_spinning": "0",
}


@dataclass(frozen=True, slots=True)
class PinnedModel:
    """One file of weights, byte for byte.

    Attributes:
        name: of the file, in a folder of models and in errors.
        sha256: of its content, 64 lowercase hexadecimal digits.
        distribution: of the installed Python package that carries it.
        path: of the file as that package's record of files has it; of our own, from this folder.
        licence: of the weights.
    """

    name: str
    sha256: str
    distribution: str
    path: str
    licence: str


class ModelStore:
    """Where the files of models are looked for.

    A folder is for vehicles whose models lie on a read-only medium; a file that is there is taken even where
    the installed package has it too, and refused where it is not the pinned one.

    Args:
        folder: looked into first, for `PinnedModel.name`; None looks at installed packages alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def find(self, model: PinnedModel) -> Path:
        """Say where the file is; it is not read.

        Raises:
            VisionError: it is nowhere.
        """
        if self._folder is not None and (path := self._folder / model.name).is_file():
            return path
        if model.distribution == OWN and (path := Path(__file__).parent / model.path).is_file():
            return path
        try:
            distribution = importlib.metadata.distribution(model.distribution)
        except importlib.metadata.PackageNotFoundError:
            distribution = None
        if distribution is not None and (path := Path(str(distribution.locate_file(model.path)))).is_file():
            return path
        looked = f"{self._folder} and " if self._folder is not None else ""
        raise VisionError(
            "the model is not to be found",
            where=model.name,
            todo=f"{looked}the package {model.distribution} were searched; {_INSTALL}",
        )

    def load(self, model: PinnedModel) -> bytes:
        """Read the file once and give its bytes, which are the pinned ones.

        Raises:
            VisionError: it is nowhere, cannot be read, or is not the pinned one.
        """
        path = self.find(model)
        try:
            with path.open("rb") as file:
                content = file.read(_MODEL_BYTES_MAX)
        except OSError as error:
            raise VisionError(
                f"the model cannot be read: {error.strerror}", where=str(path), todo=_INSTALL
            ) from error
        digest = hashlib.sha256(content).hexdigest()
        if digest != model.sha256:
            raise VisionError(
                f"the model is not the pinned one: its SHA-256 is {digest}, not {model.sha256}",
                where=str(path),
                todo=f"put back the file that the package {model.distribution} installs",
            )
        return content

    def verify(self, model: PinnedModel) -> None:
        """See that the file is still the pinned one.

        A network runs on the bytes that were read when it was opened, whatever becomes of the file. This is
        for finding out while driving, and not at the next start, that somebody has been at it.

        Raises:
            VisionError: as `load`.
        """
        self.load(model)


class Network:
    """A network in memory, run on the thread that calls it.

    Args:
        store: where its weights are looked for.
        model: its weights.
        outputs: names of the tensors to compute, in the order in which `run` gives them.
        threads: how many ONNX Runtime may use for one run.

    Raises:
        VisionError: the weights are missing or different, the extra is missing, or ONNX Runtime refuses.
    """

    def __init__(
        self, store: ModelStore, model: PinnedModel, outputs: Sequence[str], *, threads: int = 1
    ) -> None:
        self.model = model
        self._store = store
        self._outputs = list(outputs)
        content = store.load(model)
        try:
            content = with_free_shapes(content, outputs)
        except ValueError as error:
            raise VisionError(f"the model is not understood: {error}", where=model.name) from error
        self._session, self._failures = _session(content, model.name, threads)
        self._input = self._session.get_inputs()[0].name

    def verify(self) -> None:
        """See that the file of the weights is still the pinned one; see `ModelStore.verify`."""
        self._store.verify(self.model)

    def run(self, tensor: Tensor) -> Mapping[str, Tensor]:
        """Compute the outputs of one input, (count, channels, height, width).

        Raises:
            VisionError: ONNX Runtime failed, or an output is not of float32 or holds what is no number.
        """
        try:
            results = self._session.run(self._outputs, {self._input: tensor})
        except self._failures as error:
            raise VisionError(f"the network failed: {_first_line(error)}", where=self.model.name) from error
        named = dict(zip(self._outputs, results, strict=True))
        for name, result in named.items():
            if not isinstance(result, np.ndarray) or result.dtype != np.float32:
                raise VisionError(f"{name} is not of float32", where=self.model.name)
            if not np.isfinite(result).all():
                raise VisionError(f"{name} holds what is no number", where=self.model.name)
        return named


def _session(
    content: bytes, name: str, threads: int
) -> tuple[onnxruntime.InferenceSession, tuple[type[Exception], ...]]:
    """A session of a model's bytes, and what it may raise."""
    try:
        import onnxruntime  # noqa: PLC0415 - the extra; the rest of nevgate does without
        from onnxruntime.capi import onnxruntime_pybind11_state as native  # noqa: PLC0415 - the same
    except ImportError as error:
        raise VisionError("ONNX Runtime is not installed", where=name, todo=_INSTALL) from error
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_mem_pattern = False
    options.log_severity_level = 4
    for key, value in _OPTIONS.items():
        options.add_session_config_entry(key, value)
    kinds = [kind for kind in vars(native).values() if isinstance(kind, type)]
    failures: tuple[type[Exception], ...] = (
        RuntimeError,
        ValueError,
        MemoryError,
        *(kind for kind in kinds if issubclass(kind, Exception)),
    )
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except failures as error:
        raise VisionError(f"the model cannot be opened: {_first_line(error)}", where=name) from error
    return session, failures


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
