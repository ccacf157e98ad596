"""`earlier_network`: weights that were exported, taken up again for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from simulator.plates.training.network import PlateNetwork


def earlier_network(exported: Path, pixels: Tensor) -> PlateNetwork:
    """Load what `export` wrote.

    Exporting folds each normalisation into the convolution before it. Here it is taken out again, so that the
    network says the same, and each normalisation has the mean and the spread that it would have had.

    Args:
        exported: the ONNX file, of the same layers.
        pixels: (n, 3, height, width) float32, 0 to 255: pictures as those of training.
    """
    graph = onnx.load(exported).graph
    stored = {one.name: np.array(numpy_helper.to_array(one)) for one in graph.initializer}
    folded = [[stored[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"]
    network = PlateNetwork()
    network.eval()
    order: list[nn.Conv2d] = []
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    hooks = [
        module.register_forward_hook(lambda module, _given, _found: order.append(module))
        for module in convolutions
    ]
    with torch.no_grad():
        network.raw(pixels[:1])
    for hook in hooks:
        hook.remove()
    after = {
        id(one): other
        for row in network.modules()
        if isinstance(row, nn.Sequential)
        for one, other in zip(list(row)[:-1], list(row)[1:], strict=True)
        if isinstance(other, nn.BatchNorm2d)
    }
    hooks = []
    with torch.no_grad():
        for module, (weight, bias) in zip(order, folded, strict=True):
            module.weight.copy_(torch.from_numpy(weight))
            normal = after.get(id(module))
            if normal is None:
                assert module.bias is not None  # noqa: S101 - as the class has it
                module.bias.copy_(torch.from_numpy(bias))
            else:
                normal.bias.copy_(torch.from_numpy(bias))
                normal.running_mean.zero_()
                normal.running_var.fill_(1 - normal.eps)
                hooks.append(normal.register_forward_pre_hook(_unfold))
        network.raw(pixels)
    for hook in hooks:
        hook.remove()
    return network


def _unfold(normal: nn.Module, given: tuple[Tensor, ...]) -> None:
    """Give a normalisation the mean and spread of what comes in, and let what goes out stay as it is."""
    assert isinstance(normal, nn.BatchNorm2d)  # noqa: S101 - as it was hooked
    (found,) = given
    mean, spread = found.mean((0, 2, 3)), found.var((0, 2, 3), unbiased=False)
    normal.running_mean.copy_(mean)
    normal.running_var.copy_(spread)
    normal.weight.copy_((spread + normal.eps).sqrt())
    normal.bias.add_(mean)
