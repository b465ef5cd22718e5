"""Which pictures are near each other as they are, found once among all that are learned from."""

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import nn

from models import losses
from models.neighbours import NOBODY, mutual_neighbours, reduced, walked
from models.networks.base import Encoder, Views
from models.supervision.base import Gallery, Lesson, Rows
from models.supervision.constants import Constants
from models.supervision.source import Shrunk
from models.supervision.twins import CIBHash, Twins

DIMENSIONS: Final = 64
"""Principal directions by which they are compared."""
NEAREST: Final = 10
"""Neighbours that are looked for, of which the mutual ones are kept."""
STEPS: Final = 5
"""Of a walk from a picture to its mate."""
MOST: Final = 100_000
"""Of so many pictures, drawn by the seed, neighbours are looked for where there are more: comparing
all with all takes the square of them. Of the others two views are what is alike."""


class Mutual(nn.Module):
    """The neighbours of each picture, and how badly two views find each other.

    Two pictures are neighbours that are among each other's nearest, by what a pretrained encoder
    pooled before its first step, else by their pixels. A picture's mate is where a walk along
    neighbours ends, so that what hangs together counts as alike, and not only what lies closest.

    Args:
        lesson: says how many pictures there are, and what is stored.
        constants: of the loss.
    """

    neighbours: torch.Tensor
    """(N, k) int32, `NOBODY` where there are fewer; kept with a training."""

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__()
        self.pretrained, self.seed = lesson.pretrained, lesson.seed
        none = torch.full((lesson.pictures, NEAREST), NOBODY, dtype=torch.int32)
        self.register_buffer("neighbours", none)
        self.twins: Twins = (CIBHash if lesson.binary else Numbers)(lesson, constants)
        self._table: Rows | None = None

    def look(self, encoder: Encoder, gallery: Gallery) -> None:
        """Find the neighbours among the pictures of GALLERY; ENCODER has not learned yet."""
        rows = np.arange(len(gallery))
        if len(rows) > MOST:
            rows = np.sort(np.random.default_rng(self.seed).permutation(rows)[:MOST])
        points = gallery.pooled(encoder if self.pretrained else Shrunk(), rows)
        good = points.abs().sum(dim=1) > 0
        where = torch.from_numpy(rows)[good].to(self.neighbours)
        points = points[good].to(self.neighbours.device)
        self._table = None
        self.neighbours.fill_(NOBODY)
        if len(points) < 2:
            return
        found = mutual_neighbours(reduced(points, DIMENSIONS, self.seed), NEAREST)
        theirs = where[found.clamp_min(0)].masked_fill(found == NOBODY, NOBODY)
        self.neighbours[where.long(), : found.shape[1]] = theirs

    def mates(self, rows: Rows, lots: np.random.Generator) -> Rows:
        """Where walks from ROWS (n,) end, as LOTS draw them."""
        if self._table is None:
            self._table = self.neighbours.cpu().numpy()
        return walked(self._table, rows, STEPS, lots)

    def forward(self, views: Views, rows: torch.Tensor) -> torch.Tensor:
        """The loss of VIEWS of the pictures ROWS (2B,), the second half the mates of the first."""
        loss: torch.Tensor = self.twins(replace(views, alike=alike(rows)))
        return loss


def alike(rows: torch.Tensor) -> torch.Tensor:
    """Which of the pictures ROWS (2B,) are one, or one the mate of the other, (2B, 2B) bool.

    The mate of each of the first half stands in its place in the second. A picture may be there
    more than once, as the mate of several, and is then no other than itself.
    """
    same = rows[:, None] == rows
    mates = same.roll(len(rows) // 2, dims=0)  # [i, j]: j is the mate of i
    return same | mates | mates.T


class Numbers(Twins):
    """Each view finds its mate among all of the batch, by the features themselves."""

    def forward(self, views: Views) -> torch.Tensor:
        """The loss of VIEWS."""
        first, second = views.features.chunk(2)
        return losses.ntxent(first, second, self.temperature, views.alike)
