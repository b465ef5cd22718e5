"""Learning from class labels."""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import nn

from data.taxonomy import DescriptorType
from models import augment, losses
from models.networks.base import Encoder
from models.supervision.base import Annotation, Batch, Lesson, Supervision

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float, float], torch.Tensor]


class Supervised(Supervision):
    """Features point at their class: bits at a fixed codeword, real features at a learned proxy.

    The losses are OrthoHash, with a temperature of 1/8 (1 / sqrt(K) from 64 bits on, as in the
    paper), and ArcFace, with one of 1/16, unless the lesson says otherwise; the margin is 0.2.
    """

    needs: ClassVar[frozenset[Annotation]] = frozenset({"labels"})

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(lesson)
        classes, dimensions = len(lesson.classes), lesson.dimensions
        if classes < 2:
            raise ValueError(
                f"supervised needs labels of at least 2 classes, but there are {classes}. "
                "Choose self_supervised, which needs none."
            )
        self.flip = lesson.flip
        self.margin = 0.2 if lesson.margin is None else lesson.margin
        words = losses.codebook(classes, dimensions, lesson.seed)
        if lesson.descriptor is DescriptorType.BINARY:
            self.loss: Loss = losses.orthohash
            self.register_buffer("anchors", words)
            own = 1 / max(8.0, dimensions**0.5)
        else:
            self.loss = losses.arcface
            self.anchors = nn.Parameter(words / dimensions**0.5)
            own = 1 / 16
        self.temperature = own if lesson.temperature is None else lesson.temperature

    anchors: torch.Tensor
    """(C, D): what the features of each class point at."""

    def forward(self, encoder: Encoder, batch: Batch) -> torch.Tensor:
        """The loss of ENCODER on gently changed pictures of BATCH."""
        if batch.targets is None:
            raise ValueError("supervised needs a batch with targets.")
        features = encoder(augment.gentle(batch.images, batch.generator, self.flip))  # (B, D)
        return self.loss(features, self.anchors, batch.targets, self.temperature, self.margin)
