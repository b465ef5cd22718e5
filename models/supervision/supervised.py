"""Learning from class labels."""

from collections.abc import Callable

import torch
from torch import nn

from models import augment, losses
from models.networks.base import Encoder
from models.supervision.base import Batch, Lesson, Supervision, Taught

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, float, float], torch.Tensor]


class Supervised(Supervision):
    """Features point at their class: bits at a fixed codeword, real features at a learned proxy.

    The losses are OrthoHash, with a temperature of 1/8 (1 / sqrt(K) from 64 bits on, as in the
    paper), and ArcFace, with one of 1/16, unless the lesson says otherwise; the margin is 0.2.
    """

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
        if lesson.binary:
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

    def forward(self, encoder: Encoder, batch: Batch) -> Taught:
        """The loss of ENCODER on gently changed pictures of BATCH."""
        if batch.targets is None:
            raise ValueError("supervised needs a batch with targets.")
        alike = batch.targets @ batch.targets.T > 0
        views = encoder.see(
            augment.gentle(batch.images, batch.generator, self.flip), alike, batch.generator
        )
        loss = self.loss(views.features, self.anchors, batch.targets, self.temperature, self.margin)
        return Taught(loss, views)
