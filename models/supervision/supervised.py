"""Learning from class labels."""

from collections.abc import Mapping
from typing import Final

import torch

from models.networks.base import Encoder
from models.supervision import criteria, pairwise
from models.supervision.base import Batch, Gallery, Lesson, Supervision, Taught
from models.supervision.constants import Constants
from models.supervision.criteria import Criterion
from models.supervision.free_codes import ADSH
from models.supervision.methods import LABELS

CRITERIA: Final[Mapping[str, type[Criterion]]] = {
    "orthohash": criteria.OrthoHash,
    "csq": criteria.CSQ,
    "greedyhash": criteria.GreedyHash,
    "dpsh": pairwise.DPSH,
    "hashnet": pairwise.HashNet,
    "idhn": pairwise.IDHN,
    "adsh": ADSH,
    "arcface": criteria.ArcFace,
    "proxy_anchor": criteria.ProxyAnchor,
    "supcon": pairwise.SupCon,
    "triplet": pairwise.Triplet,
    "contrastive": pairwise.Contrastive,
}
"""What each method asks of the features of labelled pictures."""


class Supervised(Supervision):
    """Pictures of a class lie together and classes apart, as the criterion of the method asks."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(lesson)
        if len(lesson.classes) < 2:
            raise ValueError(
                f"supervised needs labels of at least 2 classes, but there are "
                f"{len(lesson.classes)}. Choose self_supervised, which needs none."
            )
        constants = Constants.of(LABELS, lesson)
        self.changes = lesson.changes
        self.criterion = CRITERIA[constants.method](lesson, constants)

    def forward(self, encoder: Encoder, batch: Batch) -> Taught:
        """The loss of ENCODER on gently changed pictures of BATCH."""
        if batch.targets is None:
            raise ValueError("supervised needs a batch with targets.")
        alike = batch.targets @ batch.targets.T > 0
        views = encoder.see(
            self.changes.gentle(batch.images, batch.generator),
            alike,
            batch.generator,
        )
        return Taught(self.criterion.on(views.features, batch), views)

    def before_epoch(self, epoch: int, encoder: Encoder, gallery: Gallery) -> None:
        """Tell the criterion."""
        self.criterion.before_epoch(epoch, encoder, gallery)

    def after_step(self, encoder: Encoder) -> None:
        """Tell the criterion."""
        self.criterion.after_step()

    def finish(self, encoder: Encoder, gallery: Gallery) -> None:
        """Tell the criterion."""
        self.criterion.finish(encoder, gallery)

    @property
    def codes(self) -> torch.Tensor | None:
        """The codes of the pictures, where the criterion learns them too."""
        return self.criterion.codes if isinstance(self.criterion, ADSH) else None
