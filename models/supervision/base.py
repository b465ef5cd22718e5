"""What teaches an encoder, whatever the annotations."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from data.taxonomy import DescriptorType
from models.augment import Changes
from models.networks.base import Encoder, Views

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Images that are learned from together, all on one device.

    Args:
        images: (B, 3, H, W) float32 in [0, 1].
        targets: (B, C) float32, 1 where an image belongs to a class, a row of zeros where nobody
            said; None without labels.
        generator: whatever is random about this batch comes from it.
        words: (B, T) float32, how often each word of the vocabulary was said of an image, by tags
            or clicks; None without.
        rows: (B,) int64, which pictures of the `Gallery` they are; None for pictures that are held
            out of it, by which an encoder is only judged. In a step of pairs the second half are
            the `mates` of the first.
        sentences: (B, L) int64, the codes of a sentence of each image; None without.
    """

    images: torch.Tensor
    targets: torch.Tensor | None
    generator: torch.Generator
    words: torch.Tensor | None = None
    rows: torch.Tensor | None = None
    sentences: torch.Tensor | None = None


@dataclass(frozen=True)
class Lesson:
    """What a supervision is told about what it teaches.

    Args:
        dimensions: D of the encoder's features.
        descriptor: what will be stored, which decides the loss.
        classes: names of the classes, in the order of the targets' columns.
        words: the vocabulary, in the order of the words' columns.
        pictures: N, all that are learned from.
        method: one of the supervision's methods; empty for the first that suits the descriptor.
        temperature: of the loss; None for the paper's.
        margin: of the loss, where it has one; None for the paper's.
        flip: whether a mirrored picture shows the same (not so for digits or text).
        change: how much gently changed views are changed, of `augment.gentle`.
        seed: of what the supervision draws once (codewords, projections).
        clusters: how many it is to find, where it finds some; 0 for a guess.
        pretrained: whether the encoder has learned before.
        sketches: the share of views that are drawn as sketches.
        vocabulary: the words of a tower for text that is still to be made, in the order of their
            codes.
    """

    dimensions: int
    descriptor: DescriptorType
    classes: Sequence[str] = ()
    words: Sequence[str] = ()
    pictures: int = 0
    method: str = ""
    temperature: float | None = None
    margin: float | None = None
    flip: bool = True
    change: float = 1.0
    seed: int = 0
    clusters: int = 0
    pretrained: bool = False
    sketches: float = 0.0
    vocabulary: tuple[str, ...] = ()

    @property
    def changes(self) -> Changes:
        """How the views that are learned from differ from the pictures."""
        return Changes(self.flip, self.change, self.sketches)

    @property
    def binary(self) -> bool:
        """Whether bits are what will be stored."""
        return self.descriptor is DescriptorType.BINARY


class Taught(NamedTuple):
    """What one step of a supervision says: its loss, a scalar, and the views it has looked at."""

    loss: torch.Tensor
    views: Views


class Gallery(Protocol):
    """All pictures that are learned from, as they are: N rows, the same ones all the time."""

    def __len__(self) -> int:
        """N."""

    def pooled(self, encoder: Encoder, rows: Rows | None = None) -> torch.Tensor:
        """What ENCODER, not learning meanwhile, makes of each before its head, (N, F) on the CPU.

        Of ROWS (n,) alone, ascending, where they are given. A picture that could not be decoded has
        a row of zeros.
        """

    @property
    def targets(self) -> torch.Tensor | None:
        """Their targets (N, C); None without labels."""

    @property
    def words(self) -> torch.Tensor | None:
        """Their words (N, T) as a sparse tensor; None without."""


class Supervision(nn.Module, ABC):
    """(encoder, batch) -> a scalar loss, and the views that were looked at.

    Parameters and buffers that only serve to teach live here. Hooks stand around the steps of
    a training; most supervisions need none of them.

    Raises:
        ValueError: the lesson lacks what this supervision needs.
    """

    @abstractmethod
    def __init__(self, lesson: Lesson) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, encoder: Encoder, batch: Batch) -> Taught:
        """The loss of ENCODER on BATCH."""

    def begin(self, encoder: Encoder) -> None:
        """Called once with ENCODER as it is before the first step: to copy a teacher from it, say.

        Buffers and parameters that are made here are kept with a killed training like all others.
        """

    def before_epoch(self, epoch: int, encoder: Encoder, gallery: Gallery) -> None:
        """Called before the first step of EPOCH, from 0: to assign pseudo-labels, say."""

    def mates(self, rows: Rows, lots: np.random.Generator) -> Rows:
        """With which pictures of the gallery ROWS (n,) are shown, (n,), where steps are paired.

        LOTS draws; without pairs to make, each is its own mate.
        """
        return rows

    def after_step(self, encoder: Encoder) -> None:
        """Called after each step, when ENCODER has learned: to let a teacher follow it, say."""

    def finish(self, encoder: Encoder, gallery: Gallery) -> None:
        """Called once after the last epoch: to find a rotation of the head in closed form, say."""


def spread(features: torch.Tensor) -> torch.Tensor:
    """FEATURES (B, D) of unit length made sqrt(D) long, so that each number is of the size of 1.

    That is what losses of bits and projections expect; whitened features have it before they become
    unit vectors.
    """
    return features * features.shape[1] ** 0.5
