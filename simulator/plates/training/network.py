"""The network that finds plates: small, fully convolutional, without anchors; one output map of stride 8."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STRIDE = 8


def _full(inner: int, outer: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU(inplace=True)
    )


class _Separable(nn.Module):
    """A depthwise and a pointwise convolution, with a way around where the shape stays."""

    def __init__(self, inner: int, outer: int, stride: int = 1, size: int = 3) -> None:
        super().__init__()
        self._around = stride == 1 and inner == outer
        self._way = nn.Sequential(
            nn.Conv2d(inner, inner, size, stride, size // 2, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, outer, 1, bias=False),
            nn.BatchNorm2d(outer),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self._way(x)
        return x + found if self._around else found


class PlateNetwork(nn.Module):
    """Pixels to one map.

    In: (1, 3, height, width) float32, 0 to 255, blue, green, red; sides in multiples of 32.
    Out: (1, 5, height / 8, width / 8): how likely a plate's middle is in a cell (0 to 1), then how far from
    the cell's middle the plate reaches to the left, top, right and bottom, in pixels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.quarter = nn.Sequential(_full(3, 16, 2), _Separable(16, 32, 2), _Separable(32, 32))
        self.eighth = nn.Sequential(_Separable(32, 64, 2), _Separable(64, 64), _Separable(64, 64))
        self.sixteenth = nn.Sequential(
            _Separable(64, 96, 2), _Separable(96, 96, size=5), _Separable(96, 96, size=5)
        )
        self.coarse = nn.Sequential(
            _Separable(96, 128, 2), _Separable(128, 128, size=5), _Separable(128, 128, size=5)
        )
        self.from_quarter = nn.Conv2d(32, 64, 2, 2)
        self.from_sixteenth = nn.Conv2d(96, 64, 1)
        self.from_coarse = nn.Conv2d(128, 96, 1)
        self.joined = nn.Sequential(_Separable(64, 64, size=5), _Separable(64, 64, size=5))
        self.head = nn.Conv2d(64, 5, 1)
        nn.init.constant_(self.head.bias, 0.0)
        with torch.no_grad():
            self.head.bias[0] = -4.6  # a plate's middle is rare

    def raw(self, x: Tensor) -> Tensor:
        """The map before its ends: a logit, and logarithms of reach over the stride."""
        quarter = self.quarter((x - 120.0) / 64.0)
        eighth = self.eighth(quarter)
        sixteenth = self.sixteenth(eighth)
        coarse = self.coarse(sixteenth)
        up = nn.functional.interpolate
        sixteenth = sixteenth + up(self.from_coarse(coarse), scale_factor=2.0, mode="nearest")
        joined = eighth + up(self.from_sixteenth(sixteenth), scale_factor=2.0, mode="nearest")
        found: Tensor = self.head(self.joined(joined + self.from_quarter(quarter)))
        return found

    def forward(self, x: Tensor) -> Tensor:
        """The map as the class says."""
        found = self.raw(x)
        return torch.cat([torch.sigmoid(found[:, :1]), torch.exp(found[:, 1:].clamp(max=5.0)) * STRIDE], 1)
