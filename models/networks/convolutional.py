"""A small residual network that learns from scratch on a CPU."""

import torch
from torch import nn
from torch.nn import functional

from models.networks.base import Encoder, Head
from models.pooling import Pooling, build_pooling
from models.spec import STEMS


class Block(nn.Module):
    """Two 3x3 convolutions and a way around them (He et al. 2016); at stride 2 half the size."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = convolution(inputs, outputs, 3, stride)
        self.second = convolution(outputs, outputs, 3, 1)
        self.around: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            # pooled, then convolved at stride 1 (ResNet-D): keeps all activations in sight, and
            # torch 2.13 crashes in the gradient of a 1x1 kernel at stride 2 of 8 channels on a CPU
            shrink = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
            self.around = nn.Sequential(shrink, convolution(inputs, outputs, 1, 1))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The maps (B, outputs, h, w) after the block."""
        changed = self.second(functional.relu(self.first(maps), inplace=True))
        return functional.relu(changed + self.around(maps), inplace=True)


class ConvolutionalEncoder(Encoder):
    """A residual network of three stages (W, 2W, 4W channels), pooled, projected and whitened.

    Made for pictures of 28 to 224 pixels: the stem brings them to a map of about 32 x 32.

    Args:
        dimensions: D.
        width: W, channels of the first stage; the cost grows with its square.
        depth: residual blocks a stage.
        stem: stride of the stem: 1, 2, 4 or 8; `stem_for` (models.spec) chooses it for a size.
        pooling: what makes one vector of the last map, in the words of `models.aggregation`.
    """

    def __init__(
        self,
        dimensions: int,
        width: int = 32,
        depth: int = 1,
        stem: int = 1,
        pooling: Pooling = "gem",
    ) -> None:
        super().__init__()
        if stem not in STEMS:
            raise ValueError(f"A stem strides 1, 2, 4 or 8 pixels, not {stem}.")
        self.dimensions = dimensions
        self.stem = stem_of(width, stem)
        blocks: list[Block] = []
        for stage, outputs in enumerate((width, 2 * width, 4 * width)):
            inputs = max(width, outputs // 2)
            blocks.append(Block(inputs, outputs, 1 if stage == 0 else 2))
            blocks += [Block(outputs, outputs, 1) for _ in range(depth - 1)]
        self.stages = nn.Sequential(*blocks)
        self.pool = build_pooling(pooling, 4 * width)
        self.head = Head(self.pool.dimensions, dimensions)

    def maps(self, images: torch.Tensor) -> torch.Tensor:
        """The maps (B, 4W, h, w) of IMAGES (B, 3, H, W), not negative."""
        return self.stages(functional.relu(self.stem((images - 0.5) / 0.25), inplace=True))

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        """The pooled maps of IMAGES, (B, 4W) for most ways of pooling."""
        return self.pool(self.maps(images))


def convolution(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    """A convolution that keeps the size (but for its stride), and its batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


def stem_of(width: int, stride: int) -> nn.Sequential:
    """From 3 channels to WIDTH at a STRIDE of 1, 2, 4 or 8."""
    first = convolution(3, width, {1: 3, 2: 5}.get(stride, 7), min(stride, 4))
    if stride < 8:
        return first
    return nn.Sequential(first, nn.ReLU(), convolution(width, width, 3, 2))
