"""Learning from the pictures alone, by keeping the structure that they have."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import torch

from models import hashing, losses
from models.networks.base import Encoder, Head
from models.supervision.base import Batch, Gallery, Lesson, Rows, Supervision, Taught
from models.supervision.constants import Constants, chosen
from models.supervision.methods import STRUCTURE
from models.supervision.mutual import Mutual
from models.supervision.source import shrunk
from models.supervision.teacher import Teacher
from models.whitening import Projection

WEIGHT: Final = 0.1
"""Of the distance of features from bits. The paper's 6 is for one layer on a backbone that stands
still; where all layers learn, features go and meet bits that keep nothing of the pictures."""

CLOSED: Final[Mapping[str, Callable[[torch.Tensor, int, int], Projection]]] = {
    "itq": lambda pooled, bits, seed: hashing.itq(pooled, bits, seed).projection,
    "pca_hash": lambda pooled, bits, seed: hashing.pca_hash(pooled, bits),
    "pca": lambda pooled, numbers, seed: hashing.pca_hash(pooled, numbers),
}
"""Pooled activations (N, F), D, a seed -> the head, by the method that finds it in closed form."""


class Unsupervised(Supervision):
    """Features are as near to each other as what they are made of.

    By "bihalf" and "neighbours" the similarities within a batch are to be those of the source:
    what the encoder pooled before its first step where it has learned before, else the pixels
    themselves. By "mutual_neighbours" a picture is to find one that is near it among all pictures,
    see `Mutual`. By the other methods it has no loss of its own: what the network adds, a decoder's
    say, is all that teaches, and the head may be found in closed form at last. Which pictures show
    the same it never knows.
    """

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(lesson)
        self.changes = lesson.changes
        self.seed, self.dimensions = lesson.seed, lesson.dimensions
        self.method = lesson.method or ("bihalf" if lesson.binary else "neighbours")
        self.temperature = chosen(lesson.temperature, STRUCTURE["neighbours"].temperature)
        self.compares = self.method in ("bihalf", "neighbours")
        self.pretrained = lesson.pretrained
        self.teacher: Teacher | None = None
        self.mutual: Mutual | None = None
        if self.method == "mutual_neighbours":
            self.mutual = Mutual(lesson, Constants.of(STRUCTURE, lesson))

    def begin(self, encoder: Encoder) -> None:
        """Copy ENCODER where it is what similarities are taken from.

        Raises:
            ValueError: the head of ENCODER cannot be found in closed form.
        """
        if self.compares and self.pretrained:
            self.teacher = Teacher(encoder, decay=1.0)
        if self.method in CLOSED:
            _fixable(encoder, self.method)

    def before_epoch(self, epoch: int, encoder: Encoder, gallery: Gallery) -> None:
        """Look, once, for neighbours among all pictures of GALLERY, where that is the method."""
        if self.mutual is not None and epoch == 0:
            self.mutual.look(encoder, gallery)

    def mates(self, rows: Rows, lots: np.random.Generator) -> Rows:
        """Pictures near those of ROWS (n,), as LOTS draw them, where that is the method."""
        return rows if self.mutual is None else self.mutual.mates(rows, lots)

    def forward(self, encoder: Encoder, batch: Batch) -> Taught:
        """The loss of ENCODER on gently changed pictures of BATCH."""
        images, rows = batch.images, batch.rows
        if self.mutual is not None and rows is None:  # held out: each is its own mate
            rows = torch.arange(len(images), device=images.device).repeat(2)
            images = torch.cat([images, images])
        views = encoder.see(self.changes.gentle(images, batch.generator), None, batch.generator)
        if self.mutual is not None:
            return Taught(self.mutual(views, rows), views)
        if not self.compares:
            return Taught(views.features.sum() * 0, views)
        if self.teacher is not None:
            source = self.teacher.pooled(batch.images)
        else:
            source = shrunk(batch.images)
        source = source.float() - source.float().mean(dim=0)  # as many are alike as are not
        # a unit vector of D whitened features has entries of about 1 / sqrt(D)
        features = views.features * self.dimensions**0.5
        if self.method == "bihalf":
            return Taught(losses.bihalf(features, source, WEIGHT), views)
        return Taught(losses.neighbourhoods(features, source, self.temperature), views)

    def finish(self, encoder: Encoder, gallery: Gallery) -> None:
        """Find the head of ENCODER where that is the method."""
        if self.method in CLOSED:
            pooled = gallery.pooled(encoder)
            good = pooled[pooled.abs().sum(dim=1) > 0]
            _fixable(encoder, self.method).fix(
                *CLOSED[self.method](good, self.dimensions, self.seed)
            )


def _fixable(encoder: Encoder, method: str) -> Head:
    """The head of ENCODER, which METHOD can find.

    Raises:
        ValueError: there is none, or it makes more numbers than it is given.
    """
    head = encoder.head
    if not isinstance(head, Head):
        raise ValueError(
            f"{method} finds a projection, and this encoder has none between what it pools and its "
            "features: choose other dimensions, or another network."
        )
    inputs, dimensions = head.project.in_features, head.project.out_features
    if dimensions > inputs:
        raise ValueError(
            f"{method} keeps at most as many numbers as there are: choose up to {inputs} "
            f"dimensions instead of {dimensions}, or a larger width."
        )
    return head
