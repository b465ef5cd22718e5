"""Losses of pairs and triplets of images, and the miners that choose them.

Distances are squared Euclidean ones of unit vectors, in [0, 4], if not said otherwise.
"""

from typing import NamedTuple, Self

import torch
from torch.nn import functional

from models.losses.codes import quantisation
from models.losses.terms import cosines, in_float32, mean_where, off_diagonal


class Pairs(NamedTuple):
    """Which images of a batch belong together, and which do not; a pair in neither teaches nothing.

    Args:
        alike: (B, B) bool; no image is a pair with itself.
        unlike: (B, B) bool.
    """

    alike: torch.Tensor
    unlike: torch.Tensor

    @classmethod
    def of(cls, targets: torch.Tensor) -> Self:
        """Alike is who shares a label in TARGETS (B, C); a row without labels is in no pair."""
        shared = (targets @ targets.T) > 0
        labelled = targets.sum(dim=1) > 0
        counted = labelled[:, None] & labelled & off_diagonal(shared)
        return cls(shared & counted, ~shared & counted)

    @classmethod
    def known(cls, alike: torch.Tensor) -> Self:
        """ALIKE (B, B) bool is who shows the same; no others do, but an image is in no own pair."""
        others = off_diagonal(alike)
        return cls(alike & others, ~alike & others)

    @classmethod
    def among(cls, triplets: torch.Tensor, count: int) -> Self:
        """The pairs that TRIPLETS (T, 3) of COUNT images consist of: whoever is in none is out."""
        none = torch.zeros(count, count, dtype=torch.bool, device=triplets.device)
        anchors, positives, negatives = triplets.unbind(dim=1)
        there = torch.ones_like(anchors, dtype=torch.bool)
        return cls(
            none.index_put((anchors, positives), there), none.index_put((anchors, negatives), there)
        )

    @property
    def counted(self) -> torch.Tensor:
        """(B, B) bool: alike or unlike."""
        return self.alike | self.unlike


@in_float32
def contrastive(
    features: torch.Tensor,
    pairs: Pairs,
    margin: float = 0.7,
    others: torch.Tensor | None = None,
) -> torch.Tensor:
    """How far alike pairs are apart, and unlike ones nearer than MARGIN, a scalar.

    1/2 d^2 for a pair alike, 1/2 max(0, margin - d)^2 for an unlike one, d the Euclidean distance
    of unit vectors (Hadsell et al., "Dimensionality Reduction by Learning an Invariant Mapping",
    2006, equation 4). Either kind counts by its own mean, however rare.

    Args:
        features: (B, D).
        pairs: of (B, B).
        margin: in (0, 2].
        others: (B, D), what the second of each pair is described by; None for FEATURES themselves.
    """
    squared = _squared_distances(features, features if others is None else others)
    gap = functional.relu(margin - squared.clamp_min(1e-12).sqrt())
    return mean_where(squared / 2, pairs.alike) + mean_where(gap.square() / 2, pairs.unlike)


@in_float32
def triplet(
    features: torch.Tensor, triplets: torch.Tensor, margin: float | None = 0.2
) -> torch.Tensor:
    """How far the positives of TRIPLETS are from being nearer than the negatives, a scalar.

    The mean of max(0, d(a, p) - d(a, n) + margin) (Schroff et al., "FaceNet", 2015, equation 3).

    Args:
        features: (B, D).
        triplets: (T, 3) int64, the rows of anchor, positive and negative; none of them gives 0.
        margin: None for the soft one, log(1 + exp(d(a, p) - d(a, n))) (Hermans et al., "In Defense
            of the Triplet Loss for Person Re-Identification", 2017, section 2).
    """
    anchors, positives, negatives = functional.normalize(features)[triplets].unbind(dim=1)
    near = (anchors - positives).square().sum(dim=1)  # (T,)
    excess = near - (anchors - negatives).square().sum(dim=1)
    costs = functional.softplus(excess) if margin is None else functional.relu(excess + margin)
    return costs.sum() / max(len(triplets), 1)


@in_float32
def triplet_of_all(features: torch.Tensor, pairs: Pairs, margin: float = 0.2) -> torch.Tensor:
    """As `triplet`, of all triplets that PAIRS of (B, B) hold, a scalar: the mean of those above 0.

    Of the many triplets most are soon right, and would make the mean vanish (Hermans et al., 2017,
    section 2, "batch all" without zeros). FEATURES are (B, D).
    """
    squared = _squared_distances(features, features)
    anchors, positives = torch.nonzero(pairs.alike, as_tuple=True)
    excess = squared[anchors, positives, None] - squared[anchors] + margin  # (P, B)
    return mean_where(excess, pairs.unlike[anchors] & (excess > 0))


@torch.no_grad()
@in_float32
def batch_hard(features: torch.Tensor, pairs: Pairs) -> torch.Tensor:
    """Of each image with both: its farthest alike and its nearest unlike image, (T, 3) int64.

    FEATURES are (B, D), PAIRS of (B, B) (Hermans et al., 2017, equation 5).
    """
    squared = _squared_distances(features, features)
    positives = squared.masked_fill(~pairs.alike, float("-inf")).argmax(dim=1)
    negatives = squared.masked_fill(~pairs.unlike, float("inf")).argmin(dim=1)
    anchors = torch.arange(len(features), device=features.device)
    both = pairs.alike.any(dim=1) & pairs.unlike.any(dim=1)
    return torch.stack([anchors, positives, negatives], dim=1)[both]


@torch.no_grad()
@in_float32
def semi_hard(features: torch.Tensor, pairs: Pairs, margin: float = 0.2) -> torch.Tensor:
    """Of each pair alike: the nearest unlike image that is farther than the positive, (T, 3) int64.

    Only where it is farther by less than MARGIN, since there is nothing to learn else; where every
    unlike image is nearer than the positive, the farthest of them (Schroff et al., 2015, section
    3.2, and the fallback of TensorFlow's semi-hard loss). FEATURES are (B, D), PAIRS of (B, B).
    """
    squared = _squared_distances(features, features)
    ascending, order = squared.masked_fill(~pairs.unlike, float("inf")).sort(dim=1, stable=True)
    count = pairs.unlike.sum(dim=1, keepdim=True)  # (B, 1)
    farther = torch.searchsorted(ascending, squared, right=True)  # the first that is farther
    # without any unlike image the nearest is at infinity, and teaches nothing
    place = torch.minimum(farther, count - 1).clamp_min(0)  # (B, B)
    teaches = ascending.gather(1, place) < squared + margin
    anchors, positives = torch.nonzero(pairs.alike & teaches, as_tuple=True)
    negatives = order[anchors, place[anchors, positives]]
    return torch.stack([anchors, positives, negatives], dim=1)


@in_float32
def supcon(features: torch.Tensor, pairs: Pairs, temperature: float = 0.1) -> torch.Tensor:
    """How badly each image finds those alike among all it is paired with, a scalar.

    The mean over images with one alike of -1/|P(i)| sum over p in P(i) of the log-softmax of the
    cosines (B, B) of FEATURES (B, D), divided by TEMPERATURE (Khosla et al., "Supervised
    Contrastive Learning", 2020, equation 2, L_out).
    """
    logits = cosines(features, features) / temperature
    kept = logits.masked_fill(~pairs.counted, torch.finfo(logits.dtype).min)
    chances = logits - torch.logsumexp(kept, dim=1, keepdim=True)
    found = torch.where(pairs.alike, chances, torch.zeros_like(chances)).sum(dim=1)
    count = pairs.alike.sum(dim=1)
    return mean_where(-found / count.clamp_min(1), count > 0)


@in_float32
def dpsh(features: torch.Tensor, pairs: Pairs, weight: float = 0.1) -> torch.Tensor:
    """How unlikely the PAIRS are if u_i u_j / 2 is the log-odds of being alike, a scalar.

    The mean of log(1 + e^t) - s t over pairs, s 1 where alike, plus WEIGHT times the `quantisation`
    of FEATURES (B, K) (Li et al., "Feature Learning based Deep Supervised Hashing with Pairwise
    Labels", 2016).
    """
    costs = _unlikelihood(features @ features.T / 2, pairs.alike.to(features.dtype))
    return mean_where(costs, pairs.counted) + weight * quantisation(features)


@in_float32
def hashnet(
    features: torch.Tensor, pairs: Pairs, sharpness: float = 1.0, scale: float = 10.0
) -> torch.Tensor:
    """As `dpsh`, with bits that become sharper as training goes on, and either kind weighted alike.

    u = tanh(SHARPNESS z) of FEATURES z (B, K), log-odds SCALE u_i u_j / K; the weights |S|/|S1| and
    |S|/|S0| of the paper make of the mean over all pairs the sum of the means of both kinds (Cao et
    al., "HashNet: Deep Learning to Hash by Continuation", 2017, weighted maximum likelihood).
    """
    bits = torch.tanh(sharpness * features)
    odds = scale * bits @ bits.T / bits.shape[1]
    costs = _unlikelihood(odds, pairs.alike.to(bits.dtype))
    return mean_where(costs, pairs.alike) + mean_where(costs, pairs.unlike)


@in_float32
def idhn(
    features: torch.Tensor,
    targets: torch.Tensor,
    scale: float = 5.0,
    soft_weight: float = 0.1,
    weight: float = 0.1,
) -> torch.Tensor:
    """How far codes are from being as similar as their sets of labels, a scalar.

    s_ij = cos(y_i, y_j). Where it is 0 or 1 a pair costs log(1 + e^t) - s t with t = SCALE u_i u_j
    / K, in between SOFT_WEIGHT K ((u_i u_j / K + 1) / 2 - s)^2; the mean over pairs, plus WEIGHT
    times the mean of ||u| - 1|, u the softsign of FEATURES (Zhang et al., "Improved Deep Hashing
    with Soft Pairwise Similarity for Multi-label Image Retrieval", 2019, constants of the authors'
    code).

    Args:
        features: (B, K).
        targets: (B, C); rows without labels count for the last term alone.
        scale: of the log-odds.
        soft_weight: gamma.
        weight: lambda.
    """
    count = features.shape[1]
    bits = functional.softsign(features)
    products = bits @ bits.T / count  # (B, B) in (-1, 1)
    likeness = cosines(targets, targets).to(bits.dtype)
    soft = (likeness > 0.01) & (likeness < 0.99)
    costs = torch.where(
        soft,
        soft_weight * count * ((products + 1) / 2 - likeness).square(),
        _unlikelihood(scale * products, likeness),
    )
    return mean_where(costs, Pairs.of(targets).counted) + weight * quantisation(bits, power=1)


def _unlikelihood(odds: torch.Tensor, alike: torch.Tensor) -> torch.Tensor:
    """-log p(alike), p the sigmoid of ODDS; of one shape."""
    return functional.softplus(odds) - alike * odds


def _squared_distances(rows: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """The squared distances (B, N) of the unit vectors along ROWS (B, D) and OTHERS (N, D)."""
    return (2 - 2 * cosines(rows, others)).clamp_min(0)
