"""What every encoder is."""

from abc import ABC, abstractmethod
from typing import Self

import torch
from torch import nn


class Encoder(nn.Module, ABC):
    """Images (B, 3, H, W) float32 in [0, 1] -> features (B, D) float32, unit length.

    For a binary descriptor the features are the real values whose signs become the bits, so D is
    the number of bits. An encoder normalises colours itself and works at any H, W that it is
    trained for. It is built from ``dimensions`` and keyword arguments that JSON can hold, so that
    an `EncoderSpec` can build it again.
    """

    dimensions: int
    """D."""

    head: nn.Module
    """The last part, the only one that depends on D."""

    frozen: bool = False
    """Whether only the head learns."""

    @abstractmethod
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The features (B, D) of IMAGES."""

    def freeze(self) -> None:
        """Let only the head learn from now on."""
        self.frozen = True
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name.startswith("head."))
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Switch to training or back; what is frozen keeps its batch statistics too."""
        super().train(mode)
        for name, part in self.named_children():
            if self.frozen and name != "head":
                part.eval()
        return self
