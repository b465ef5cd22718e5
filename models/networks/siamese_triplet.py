"""Towers of shared weights that learn from pairs and triplets of a step's own pictures."""

from typing import Final, Literal

import torch

from models import losses
from models.networks.base import Encoder, Term, Views
from models.networks.convolutional import ConvolutionalEncoder
from models.pooling import Pooling

Loss = Literal["triplet", "contrastive"]
Mining = Literal["batch_hard", "semi_hard", "all"]

MARGINS: Final = {"triplet": 0.2, "contrastive": 0.7}
"""Of unit vectors: of squared distances, as in FaceNet; of distances, as for GeM."""


class SiameseTripletEncoder(ConvolutionalEncoder):
    """A convolutional trunk, shown several pictures at a time: which are alike is all it learns.

    The towers of a siamese or a triplet network share their weights, so they are one tower that
    sees a whole step, and its pairs and triplets are those that the step holds (Schroff,
    Kalenichenko and Philbin, "FaceNet", 2015, section 3.2). What is alike its teacher says: what
    shares a label or a cluster, two views of one picture. With the default SHARE of 0 that is all
    that the teacher has to say, whatever its method; a greater one adds its loss.

    Args:
        dimensions: D.
        width: W, as of the trunk.
        depth: residual blocks a stage.
        stem: stride of the stem.
        pooling: what makes one vector of the last map, in the words of `models.aggregation`.
        loss: "triplet" or "contrastive".
        mining: which triplets of a step count, or which pairs: those of the triplets. "batch_hard":
            of each picture the farthest one alike and the nearest other; "semi_hard": of each two
            alike the nearest other that is farther; "all": all of them.
        margin: by which others are to be farther than those alike, in squared distance from 0 to 4
            (triplet); or as far as they are to be, in distance from 0 to 2 (contrastive). None for
            0.2 and 0.7.
        share: by what the teacher's loss is multiplied.
    """

    def __init__(
        self,
        dimensions: int,
        width: int = 32,
        depth: int = 1,
        stem: int = 1,
        pooling: Pooling = "gem",
        loss: Loss = "triplet",
        mining: Mining = "semi_hard",
        margin: float | None = None,
        share: float = 0.0,
    ) -> None:
        super().__init__(dimensions, width, depth, stem, pooling)
        self.share = share
        self.loss, self.mining = loss, mining
        self.margin = MARGINS[loss] if margin is None else margin

    def term(self, seed: int) -> Term:
        """The loss of the pairs or triplets of a step; it has no parameters to draw."""
        return Metric(self.loss, self.mining, self.margin)


class Metric(Term):
    """How far the features of a step are from lying near where they are alike, and apart elsewhere.

    Args:
        loss: "triplet" or "contrastive".
        mining: "batch_hard", "semi_hard" or "all".
        margin: of the loss.
    """

    def __init__(self, loss: Loss, mining: Mining, margin: float) -> None:
        super().__init__()
        self.loss, self.mining, self.margin = loss, mining, margin

    def forward(self, encoder: Encoder, views: Views) -> torch.Tensor:
        """The mean over the mined pairs or triplets of VIEWS, a scalar; 0 where there are none."""
        if views.alike is None:
            raise ValueError("siamese_triplet learns from views of which it is known who is alike.")
        features, pairs = views.features, losses.Pairs.known(views.alike)
        if self.loss == "contrastive":
            return losses.contrastive(features, self._mined_pairs(features, pairs), self.margin)
        if self.mining == "all":
            return losses.triplet_of_all(features, pairs, self.margin)
        miner = losses.batch_hard if self.mining == "batch_hard" else self._semi_hard
        return losses.triplet(features, miner(features, pairs), self.margin)

    def _semi_hard(self, features: torch.Tensor, pairs: losses.Pairs) -> torch.Tensor:
        return losses.semi_hard(features, pairs, self.margin)

    def _mined_pairs(self, features: torch.Tensor, pairs: losses.Pairs) -> losses.Pairs:
        if self.mining == "all":
            return pairs
        if self.mining == "batch_hard":
            return losses.Pairs.among(losses.batch_hard(features, pairs), len(features))
        # what is right as a triplet may still teach as a pair: every two alike have their triplet
        triplets = losses.semi_hard(features, pairs, float("inf"))
        return losses.Pairs.among(triplets, len(features))
