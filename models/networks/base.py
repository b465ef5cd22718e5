"""What every encoder is."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import nn


class Encoder(nn.Module, ABC):
    """Images (B, 3, H, W) float32 in [0, 1] -> features (B, D) float32, unit length.

    For a binary descriptor the features are the real values whose signs become the bits, so D is
    the number of bits. An encoder normalises colours itself and works at any H, W that it is
    trained for. It is built from ``dimensions`` and keyword arguments that JSON can hold, so that
    an `EncoderSpec` can build it again.
    """

    needs: ClassVar[str] = ""
    """The extra packages that it cannot be built without; empty where there are none."""

    dimensions: int

    @abstractmethod
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The features (B, D) of IMAGES."""
