"""What the methods of supervised learning ask of the pairs and triplets in a batch."""

from typing import Final

import torch
from torch import nn

from models import losses
from models.losses import Pairs
from models.supervision.base import Lesson, spread
from models.supervision.constants import Constants
from models.supervision.criteria import Criterion

SHARPENED: Final = 200
"""Steps after which HashNet's bits become sharper, to (1 + 0.005 steps)^0.5 (the authors' code)."""


class DPSH(Criterion):
    """Half the inner product of two codes is the log-odds of being alike."""

    def forward(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of FEATURES (B, K) of pictures with TARGETS (B, C)."""
        return losses.dpsh(spread(features), Pairs.of(targets))


class HashNet(Criterion):
    """As DPSH, rare likeness weighted up, with bits that become sharper in stages."""

    steps: torch.Tensor

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @property
    def sharpness(self) -> torch.Tensor:
        """The beta of tanh(beta z) by now."""
        stage = self.steps // SHARPENED * SHARPENED
        return (1 + 0.005 * stage).sqrt()

    def forward(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of FEATURES (B, K) of pictures with TARGETS (B, C)."""
        return losses.hashnet(spread(features) * self.sharpness, Pairs.of(targets))

    def after_step(self) -> None:
        """Count the step."""
        self.steps += 1


class IDHN(Criterion):
    """Codes are as similar as their sets of labels; how sure a bit may be is learned."""

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of FEATURES (B, K) of pictures with TARGETS (B, C)."""
        return losses.idhn(spread(features) * self.gain, targets)


class SupCon(Criterion):
    """Each picture finds all of its class among the batch, without SimCLR's projection."""

    def forward(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of FEATURES (B, D) of pictures with TARGETS (B, C)."""
        return losses.supcon(features, Pairs.of(targets), self.temperature)


class Triplet(Criterion):
    """The farthest picture of the class is to be nearer than the nearest of another."""

    def forward(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of FEATURES (B, D) of pictures with TARGETS (B, C)."""
        hardest = losses.batch_hard(features, Pairs.of(targets))
        return losses.triplet(features, hardest, self.margin)


class Contrastive(Criterion):
    """Pictures of a class lie in one place, others farther than a margin."""

    def forward(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of FEATURES (B, D) of pictures with TARGETS (B, C)."""
        return losses.contrastive(features, Pairs.of(targets), self.margin)
