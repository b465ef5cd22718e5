"""What every method of weak supervision is: features of pictures, and what was said of them."""

from abc import ABC, abstractmethod
from typing import Final

import torch
from torch import nn

from models.networks.base import Encoder
from models.supervision.base import Batch, Lesson
from models.supervision.constants import Constants

QUANTISED: Final = 0.1
"""Weight of how far bits are from -1 and +1."""


class Hearsay(nn.Module, ABC):
    """What a method makes of what was said; what it learns of it is a parameter or a buffer of it.

    Args:
        lesson: says how many words there are, and how many dimensions.
        constants: of the loss.
    """

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__()
        self.quantised = QUANTISED if lesson.binary else 0.0

    def begin(self, encoder: Encoder) -> None:
        """Called once with ENCODER as it is before the first step."""

    def look(self, words: torch.Tensor) -> None:
        """Called once before the first step with the WORDS of all pictures, sparse (N, T)."""

    @abstractmethod
    def told(self, encoder: Encoder, features: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The loss, a scalar, of FEATURES (B, D) that ENCODER made of the pictures of BATCH.

        Raises:
            ValueError: the batch lacks what was said.
        """

    def bound(self) -> None:
        """Called after each step: what is learned of the loss itself is kept within its bounds."""
