"""What the features of each class point at while they learn."""

import torch
from torch import nn
from torch.nn import functional

from models import hashing, losses
from models.losses.terms import cosines
from models.supervision.base import Lesson
from models.supervision.constants import chosen


class Anchors(nn.Module):
    """C anchors of D numbers: fixed codewords where bits are stored, else proxies that learn.

    Args:
        count: C.
        lesson: its temperature is what cosines are divided by: by default 1/8 for bits
            (1 / sqrt(K) from 64 of them on, Hoe et al., "OrthoHash", 2021), 1/16 for numbers.
        margin: of the right class, where the lesson says none.
    """

    anchors: torch.Tensor
    """(C, D)."""

    def __init__(self, count: int, lesson: Lesson, margin: float | None) -> None:
        super().__init__()
        dimensions = lesson.dimensions
        self.binary = lesson.binary
        words = losses.codebook(count, dimensions, lesson.seed)
        if self.binary:
            self.register_buffer("anchors", words)
            own = 1 / max(8.0, dimensions**0.5)
        else:
            self.anchors = nn.Parameter(words / dimensions**0.5)
            own = 1 / 16
        self.temperature = chosen(lesson.temperature, own)
        self.margin = chosen(lesson.margin, margin)

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """How likely each class is by FEATURES (B, D), (B, C) float32 at least."""
        return cosines(features, self.anchors) / self.temperature

    def forward(self, features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """OrthoHash or ArcFace of FEATURES (B, D) and TARGETS (B, C), a scalar."""
        loss = losses.orthohash if self.binary else losses.arcface
        return loss(features, self.anchors, targets, self.temperature, self.margin)

    @torch.no_grad()
    def move(self, features: torch.Tensor) -> None:
        """Stand, the first c of them, where FEATURES (c, D) are as seen from their mean.

        Those of bits stand at the signs of that. So what is alike has anchors that are.
        """
        centred = features - features.mean(dim=0)
        moved = hashing.signs(centred) if self.binary else functional.normalize(centred)
        self.anchors[: len(features)].copy_(moved)
