"""What the methods of supervised learning ask of features that point at what stands for a class."""

from abc import ABC, abstractmethod
from typing import Final

import torch
from torch import nn

from models import losses
from models.networks.base import Encoder
from models.supervision.base import Batch, Gallery, Lesson, spread
from models.supervision.constants import Constants

LONG: Final = 64
"""Bits of a code from which on OrthoHash divides cosines by 1 / sqrt(K)."""


class Criterion(nn.Module, ABC):
    """Features (B, D) of unit length and targets (B, C) -> a scalar loss.

    What a method learns besides the encoder, proxies of the classes say, is a parameter of it.

    Args:
        lesson: says how many classes there are, and how many dimensions.
        constants: of the loss.
    """

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__()
        self.temperature, self.margin = constants.temperature, constants.margin

    @abstractmethod
    def forward(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of FEATURES (B, D) of pictures with TARGETS (B, C)."""

    def on(self, features: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The loss of FEATURES (B, D) of the pictures of BATCH, which has targets."""
        if batch.targets is None:
            raise ValueError("supervised needs a batch with targets.")
        found: torch.Tensor = self(features, batch.targets)
        return found

    def before_epoch(self, epoch: int, encoder: Encoder, gallery: Gallery) -> None:
        """Called before the first step of EPOCH, from 0."""

    def after_step(self) -> None:
        """Called after each step of the training."""

    def finish(self, encoder: Encoder, gallery: Gallery) -> None:
        """Called once after the last epoch."""


class OrthoHash(Criterion):
    """Cosines to fixed codewords; from 64 bits on the paper's temperature is 1 / sqrt(K)."""

    codebook: torch.Tensor

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        if lesson.temperature is None and lesson.dimensions >= LONG:
            self.temperature = 1 / lesson.dimensions**0.5
        words = losses.codebook(len(lesson.classes), lesson.dimensions, lesson.seed)
        self.register_buffer("codebook", words)

    def forward(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of FEATURES (B, K) of pictures with TARGETS (B, C)."""
        return losses.orthohash(features, self.codebook, targets, self.temperature, self.margin)


class CSQ(Criterion):
    """Bits are those of the hash centre of the labels.

    Whitened features cannot grow, so how sure a bit may be is a gain that is learned.
    """

    centres: torch.Tensor
    ties: torch.Tensor

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        bits = lesson.dimensions
        self.register_buffer("centres", losses.hash_centres(len(lesson.classes), bits, lesson.seed))
        self.register_buffer("ties", losses.codebook(1, bits, lesson.seed + 1)[0])
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of FEATURES (B, K) of pictures with TARGETS (B, C)."""
        return losses.csq(spread(features) * self.gain, self.centres, targets, self.ties)


class Proxies(Criterion):
    """A criterion with a vector a class that is learned; they begin far from each other."""

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        words = losses.codebook(len(lesson.classes), lesson.dimensions, lesson.seed)
        self.proxies = nn.Parameter(words / lesson.dimensions**0.5)  # (C, D)


class GreedyHash(Proxies):
    """The very bits of a picture tell its class, and a gradient passes the sign."""

    def forward(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of FEATURES (B, K) of pictures with TARGETS (B, C)."""
        return losses.greedyhash(spread(features), self.proxies, targets)


class ArcFace(Proxies):
    """Angles to proxies, that to the right one larger by a margin."""

    def forward(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of FEATURES (B, D) of pictures with TARGETS (B, C)."""
        return losses.arcface(features, self.proxies, targets, self.temperature, self.margin)


class ProxyAnchor(Proxies):
    """Proxies pull the pictures of their class, the hardest most; 1 / temperature is its alpha."""

    def forward(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of FEATURES (B, D) of pictures with TARGETS (B, C)."""
        scale = 1 / self.temperature
        return losses.proxy_anchor(features, self.proxies, targets, scale, self.margin)
