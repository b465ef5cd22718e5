"""Learning from clusters of the pictures as if they were classes."""

from dataclasses import replace
from typing import Final

import torch
from torch import nn
from torch.nn import functional

from models import losses
from models.clustering import kmeans
from models.losses.terms import cosines
from models.networks.base import Encoder
from models.supervision.anchors import Anchors
from models.supervision.base import Batch, Gallery, Lesson, Supervision, Taught
from models.supervision.constants import chosen
from models.supervision.methods import CLUSTERS
from models.supervision.source import Shrunk

ALONE: Final = -1
"""The cluster of a picture that is in none: it cannot be decoded, or was not looked at yet."""


class PseudoSupervised(Supervision):
    """Features point at their cluster, and the clusters are found anew as they get better.

    By "deepcluster" k-means finds them before each epoch among all pictures (Caron et al., "Deep
    Clustering for Unsupervised Learning of Visual Features", 2018), the first ones by the pixels
    where the encoder has not learned before: what it makes of a picture then says less. By "swav"
    each step finds those of its own views (Caron et al., "SwAV", 2020). There are as many as the
    lesson says, or else the square root of the number of pictures, rounded.
    """

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(lesson)
        self.changes = lesson.changes
        self.seed, self.binary = lesson.seed, lesson.binary
        self.pretrained = lesson.pretrained
        wanted = lesson.clusters or round(lesson.pictures**0.5)
        self.clusters = max(2, min(wanted, lesson.pictures))
        self.swaps = lesson.method == "swav"
        if self.swaps:
            words = losses.codebook(self.clusters, lesson.dimensions, lesson.seed)
            self.prototypes = nn.Parameter(words / lesson.dimensions**0.5)
            self.temperature = chosen(lesson.temperature, CLUSTERS["swav"].temperature)
            return
        self.anchors = Anchors(self.clusters, lesson, CLUSTERS["deepcluster"].margin)
        self.register_buffer("cluster", torch.full((lesson.pictures,), ALONE))

    cluster: torch.Tensor
    """(N,) int64, in which each picture is; kept with a training, so that going on changes none."""

    @torch.no_grad()
    def before_epoch(self, epoch: int, encoder: Encoder, gallery: Gallery) -> None:
        """Part the pictures of GALLERY into clusters anew, and put the anchors at their centres."""
        if self.swaps:
            return
        pooled = gallery.pooled(encoder)
        good = pooled.abs().sum(dim=1) > 0
        pooled = functional.normalize(pooled[good])  # (n, F)
        points = pooled
        if epoch == 0 and not self.pretrained:
            points = functional.normalize(gallery.pooled(Shrunk())[good])
        count = min(self.clusters, len(points))
        labels = kmeans(points, count, self.seed + epoch).labels
        self.cluster.fill_(ALONE)
        self.cluster[good.to(self.cluster.device)] = labels.to(self.cluster)
        centres = _centres(pooled, labels, count)
        self.anchors.move(_finished(encoder, centres.to(self.cluster.device)))

    def forward(self, encoder: Encoder, batch: Batch) -> Taught:
        """The loss of ENCODER on changed pictures of BATCH."""
        return self._swapped(encoder, batch) if self.swaps else self._pointing(encoder, batch)

    def _pointing(self, encoder: Encoder, batch: Batch) -> Taught:
        """Cross-entropy over the cosines to the anchors, every cluster of BATCH counting alike.

        That stands for drawing pictures evenly over the clusters (DeepCluster, section 3.3), so
        that large ones do not drown the others.
        """
        if batch.rows is None:
            raise ValueError("pseudo_supervised needs a batch that says which rows it holds.")
        cluster = self.cluster[batch.rows]  # (B,)
        images = self.changes.gentle(batch.images, batch.generator)
        views = encoder.see(images, _together(cluster), batch.generator)
        there = cluster != ALONE
        targets = functional.one_hot(cluster.clamp_min(0), self.clusters) * there[:, None]  # (B, k)
        handicap = self.anchors.margin / self.anchors.temperature
        logits = self.anchors.logits(views.features) - handicap * targets
        costs = functional.cross_entropy(logits, cluster, ignore_index=ALONE, reduction="none")
        weights = there / targets.sum(dim=0)[cluster.clamp_min(0)].clamp_min(1)
        return Taught((costs * weights).sum() / weights.sum().clamp_min(1), views)

    def _swapped(self, encoder: Encoder, batch: Batch) -> Taught:
        """How badly each of two strong views of BATCH tells the cluster of the other one."""
        twice = torch.cat([batch.images, batch.images])
        images = self.changes.strong(twice, batch.generator)
        views = encoder.see(images, None, batch.generator)
        features = views.features
        if self.binary:
            features = losses.sign(features * features.shape[1] ** 0.5)
        scores = cosines(features, self.prototypes)  # (2B, k)
        first, second = scores.chunk(2)
        codes = losses.sinkhorn(first), losses.sinkhorn(second)
        loss = losses.swapped(first, second, *codes, self.temperature)
        alike = _together((codes[0] + codes[1]).argmax(dim=1).repeat(2))
        return Taught(loss, replace(views, alike=alike))


def _together(cluster: torch.Tensor) -> torch.Tensor:
    """Which pictures are in the same CLUSTER (B,), each of them with itself, (B, B) bool."""
    same = (cluster == cluster[:, None]) & (cluster != ALONE)
    return same | torch.eye(len(cluster), dtype=torch.bool, device=cluster.device)


def _centres(points: torch.Tensor, labels: torch.Tensor, count: int) -> torch.Tensor:
    """The means (count, F) of POINTS (n, F) by their LABELS (n,); zeros for a label of none."""
    sums = points.new_zeros(count, points.shape[1]).index_add_(0, labels, points)
    return sums / torch.bincount(labels, minlength=count).clamp_min(1)[:, None]


def _finished(encoder: Encoder, pooled: torch.Tensor) -> torch.Tensor:
    """The features (k, D) that ENCODER, not learning meanwhile, makes of POOLED (k, F)."""
    learns = encoder.training
    features = encoder.eval().finished(pooled)
    encoder.train(learns)
    return features
