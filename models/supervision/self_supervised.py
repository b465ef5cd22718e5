"""Learning from the pictures alone: two views of one picture are the same, all others differ."""

import torch
from torch import nn

from models import augment, losses
from models.networks.base import Encoder
from models.supervision.base import Batch, Lesson, Supervision, Taught


class SelfSupervised(Supervision):
    """SimCLR for real features, CIBHash for bits; the temperature defaults to 0.2 and 0.3.

    Real features pass a projection on their way to the loss (SimCLR's, thrown away afterwards):
    what is best for telling views apart is not what is best for search.
    """

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(lesson)
        self.binary = lesson.binary
        self.flip = lesson.flip
        own = 0.3 if self.binary else 0.2
        self.temperature = own if lesson.temperature is None else lesson.temperature
        dimensions = lesson.dimensions
        self.project: nn.Module = nn.Identity()
        if self.binary:
            # whitened features cannot grow, so how sure a bit may be is learned apart from them
            self.gain = nn.Parameter(torch.tensor(3.0))
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(lesson.seed)
                self.project = nn.Sequential(
                    nn.Linear(dimensions, dimensions), nn.ReLU(), nn.Linear(dimensions, dimensions)
                )

    def forward(self, encoder: Encoder, batch: Batch) -> Taught:
        """The loss of ENCODER on two strongly changed views of each picture of BATCH."""
        count = len(batch.images)
        twice = torch.cat([batch.images, batch.images])
        twins = torch.eye(count, dtype=torch.bool, device=batch.images.device).repeat(2, 2)
        views = encoder.see(
            augment.strong(twice, batch.generator, self.flip), twins, batch.generator
        )
        # a unit vector of D whitened features has entries of about 1 / sqrt(D)
        features = views.features * views.features.shape[1] ** 0.5  # (2B, D)
        if not self.binary:
            seen = self.project(features)
            return Taught(losses.ntxent(seen[:count], seen[count:], self.temperature), views)
        logits = features * self.gain
        noise = torch.rand(
            (2, count, features.shape[1]), generator=batch.generator, device=features.device
        )
        loss = losses.cibhash(logits[:count], logits[count:], noise, self.temperature)
        return Taught(loss, views)
