"""What pictures are compared by before an encoder has learned: themselves."""

from typing import Final

import torch
from torch.nn import functional

from models.networks.base import Encoder

SIDE: Final = 16
"""To that many pixels a side pictures are shrunk, to be compared."""


def shrunk(images: torch.Tensor) -> torch.Tensor:
    """IMAGES (B, 3, H, W) as they are, `SIDE` pixels a side, (B, F)."""
    return functional.adaptive_avg_pool2d(images.float(), SIDE).flatten(1)


class Shrunk(Encoder):
    """No network: what it pools are the pixels, `shrunk`."""

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        """The pixels of IMAGES, (B, F)."""
        return shrunk(images)
