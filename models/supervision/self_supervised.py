"""Learning from the pictures alone: two views of one picture are the same, all others differ."""

from collections.abc import Mapping
from typing import Final

import torch

from models.networks.base import Encoder
from models.supervision import momentum, twins
from models.supervision.base import Batch, Lesson, Supervision, Taught
from models.supervision.constants import Constants
from models.supervision.methods import PICTURES
from models.supervision.twins import Twins

TWINS: Final[Mapping[str, type[Twins]]] = {
    "cibhash": twins.CIBHash,
    "simclr": twins.SimCLR,
    "moco": momentum.MoCo,
    "dino": momentum.DINO,
}
"""What each method asks of two views of a picture."""


class SelfSupervised(Supervision):
    """Two strongly changed views of a picture are twins, and the method says what that means."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(lesson)
        constants = Constants.of(PICTURES, lesson)
        self.changes = lesson.changes
        self.twins = TWINS[constants.method](lesson, constants)

    def begin(self, encoder: Encoder) -> None:
        """Let the method copy ENCODER."""
        self.twins.begin(encoder)

    def forward(self, encoder: Encoder, batch: Batch) -> Taught:
        """The loss of ENCODER on two strongly changed views of each picture of BATCH."""
        count = len(batch.images)
        twice = torch.cat([batch.images, batch.images])
        alike = torch.eye(count, dtype=torch.bool, device=batch.images.device).repeat(2, 2)
        images = self.changes.strong(twice, batch.generator)
        views = encoder.see(images, alike, batch.generator)
        return Taught(self.twins(views), views)

    def after_step(self, encoder: Encoder) -> None:
        """Let what follows ENCODER follow."""
        self.twins.after_step(encoder)
