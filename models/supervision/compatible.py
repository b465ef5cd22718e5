"""Learning a space that is there already, so that an older encoder's index answers a new one.

Two ways. By *descriptors* a small encoder for queries is to say of each picture what the large one
says that described the gallery. By *classes* a better encoder is to find its classes where those of
the one before lie, so that what it described need not be described again.
"""

from typing import Final

import numpy as np
import torch
from torch import nn

from models import losses
from models.networks.base import Encoder
from models.supervision.base import Batch, Gallery, Lesson, Rows, Supervision, Taught
from models.supervision.constants import chosen

MARGIN: Final = 0.7
"""Of the contrastive loss, that of Radenovic, Tolias, Chum (2018)."""


class ByDescriptors(Supervision):
    """Pictures are described as an older encoder describes them (Budnik and Avrithis, 2021).

    Regression to its descriptors; and where labels are looked at the contrastive loss of
    "Asymmetric Metric Learning for Knowledge Transfer", the first of each pair described by the
    encoder that learns, the second by the older one.

    Args:
        lesson: what is taught.
        told: (N, D), what the older encoder says of each picture of the `Gallery`.
    """

    told: torch.Tensor

    def __init__(self, lesson: Lesson, told: torch.Tensor) -> None:
        super().__init__(lesson)
        self.changes = lesson.changes
        self.margin = chosen(lesson.margin, MARGIN)
        self.register_buffer("told", told, persistent=False)

    def forward(self, encoder: Encoder, batch: Batch) -> Taught:
        """The loss of ENCODER on gently changed pictures of BATCH."""
        if batch.rows is None:
            raise ValueError("What an older encoder says is known of the pictures to learn from.")
        said = self.told[batch.rows]
        alike = None if batch.targets is None else batch.targets @ batch.targets.T > 0
        seen = self.changes.gentle(batch.images, batch.generator)
        views = encoder.see(seen, alike, batch.generator)
        loss = losses.teacher_regression(views.features, said)
        if batch.targets is not None:
            pairs = losses.Pairs.of(batch.targets)
            loss = loss + losses.contrastive(views.features, pairs, self.margin, said)
        return Taught(loss, views)


class ByClasses(Supervision):
    """A supervision by classes, which the encoder is to find where they lay before as well.

    To the loss of the supervision comes how badly the older encoder's prototypes tell the classes
    of what the new one says (Shen, Xiong, Xia, Soatto, "Towards Backward-Compatible Representation
    Learning", 2020, section 3.2).

    Args:
        own: the supervision.
        told: (N, D), what the older encoder says of each picture that is learned from.
        targets: (N, C), their classes.
    """

    prototypes: torch.Tensor

    def __init__(self, own: Supervision, told: torch.Tensor, targets: torch.Tensor) -> None:
        nn.Module.__init__(self)
        self.own = own
        self.register_buffer("prototypes", losses.prototypes(told, targets), persistent=False)

    def forward(self, encoder: Encoder, batch: Batch) -> Taught:
        """The loss of ENCODER on BATCH."""
        loss, views = self.own(encoder, batch)
        if batch.targets is None:
            raise ValueError("Classes are what two encoders are to agree in: they are not known.")
        told = losses.backward_compatible(views.features, self.prototypes, batch.targets)
        return Taught(loss + told, views)

    def begin(self, encoder: Encoder) -> None:
        """Tell the supervision."""
        self.own.begin(encoder)

    def before_epoch(self, epoch: int, encoder: Encoder, gallery: Gallery) -> None:
        """Tell the supervision."""
        self.own.before_epoch(epoch, encoder, gallery)

    def mates(self, rows: Rows, lots: np.random.Generator) -> Rows:
        """Those of the supervision."""
        return self.own.mates(rows, lots)

    def after_step(self, encoder: Encoder) -> None:
        """Tell the supervision."""
        self.own.after_step(encoder)

    def finish(self, encoder: Encoder, gallery: Gallery) -> None:
        """Tell the supervision."""
        self.own.finish(encoder, gallery)
