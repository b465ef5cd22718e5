"""What teaches an encoder, whatever the annotations."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import nn

from data.taxonomy import DescriptorType
from models.networks.base import Encoder

Annotation = Literal["labels", "tags", "captions", "boxes"]


@dataclass(frozen=True)
class Batch:
    """Images that are learned from together, all on one device.

    Args:
        images: (B, 3, H, W) float32 in [0, 1].
        targets: (B, C) float32, 1 where an image belongs to a class; None without labels.
        generator: whatever is random about this batch comes from it.
    """

    images: torch.Tensor
    targets: torch.Tensor | None
    generator: torch.Generator


@dataclass(frozen=True)
class Lesson:
    """What a supervision is told about what it teaches.

    Args:
        dimensions: D of the encoder's features.
        descriptor: what will be stored, which decides the loss.
        classes: names of the classes, in the order of the targets' columns.
        temperature: of the loss; None for the paper's.
        margin: of the loss, where it has one; None for the paper's.
        flip: whether a mirrored picture shows the same (not so for digits or text).
        seed: of what the supervision draws once (codewords, projections).
    """

    dimensions: int
    descriptor: DescriptorType
    classes: Sequence[str] = ()
    temperature: float | None = None
    margin: float | None = None
    flip: bool = True
    seed: int = 0


class Supervision(nn.Module, ABC):
    """(encoder, batch) -> a scalar loss; parameters that only serve to teach live here.

    Raises:
        ValueError: the lesson lacks what this supervision needs.
    """

    needs: ClassVar[frozenset[Annotation]] = frozenset()
    """The annotations that it asks of a dataset."""

    @abstractmethod
    def __init__(self, lesson: Lesson) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, encoder: Encoder, batch: Batch) -> torch.Tensor:
        """The loss of ENCODER on BATCH."""
