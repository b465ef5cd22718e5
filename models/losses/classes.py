"""Losses of class labels: features point at what stands for their class.

TARGETS (B, C) are 1 where an image belongs to a class, with several in a row for a multi-label
dataset, or shares of it. A row without any label teaches nothing and is left out of the mean.
"""

import torch
from torch.nn import functional

from models.losses.centres import majority
from models.losses.codes import quantisation, sign
from models.losses.terms import cosines, in_float32, mean_where


@in_float32
def soft_cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of LOGITS (B, C) to TARGETS (B, C) spread to a sum of 1 a row, a scalar."""
    total = targets.sum(dim=1, keepdim=True)
    shares = targets / torch.where(total > 0, total, torch.ones_like(total))
    costs = -(shares * functional.log_softmax(logits, dim=1)).sum(dim=1)  # (B,)
    return mean_where(costs, total[:, 0] > 0)


@in_float32
def orthohash(
    features: torch.Tensor,
    codebook: torch.Tensor,
    targets: torch.Tensor,
    temperature: float,
    margin: float,
) -> torch.Tensor:
    """How far FEATURES (B, K) are from pointing at the codewords of their classes, a scalar.

    Cross-entropy over cosines to the CODEBOOK (C, K) of -1 and +1, the right class handicapped by
    MARGIN; for several labels the target is spread over them evenly (OrthoHash: Hoe et al., "One
    Loss for All: Deep Hashing with a Single Cosine Similarity based Learning Objective", 2021).
    """
    logits = (cosines(features, codebook) - margin * targets) / temperature
    return soft_cross_entropy(logits, targets)


@in_float32
def arcface(
    features: torch.Tensor,
    proxies: torch.Tensor,
    targets: torch.Tensor,
    temperature: float,
    margin: float | torch.Tensor,
) -> torch.Tensor:
    """How far FEATURES (B, D) are, in angle, from the PROXIES of their classes, a scalar.

    Cross-entropy over cosines, with MARGIN added to the angle of the right class (Deng et al.,
    "ArcFace", 2019, equation 3). Where the angle would pass pi, the cosine falls on linearly, so
    that it never rises again.

    Args:
        features: (B, D).
        proxies: (C, D); or (C, k, D) with k sub-centres a class, of which the nearest counts, so
            that wrongly labelled images gather at centres of their own (Deng et al., "Sub-center
            ArcFace", 2020).
        targets: (B, C).
        temperature: what cosines are divided by; 1 / s of the paper.
        margin: in radians; or (C,), one a class.
    """
    if proxies.dim() == 3:
        # (C, B, k) -> (B, C)
        near = cosines(features, proxies).amax(dim=2).T
    else:
        near = cosines(features, proxies)  # (B, C)
    near = near.clamp(-1 + 1e-6, 1 - 1e-6)
    angles = torch.acos(near)
    margins = margin if isinstance(margin, torch.Tensor) else near.new_full((), margin)
    margins = margins.to(near)
    beyond = near - margins * torch.sin(margins)
    turned = torch.where(angles + margins < torch.pi, torch.cos(angles + margins), beyond)
    return soft_cross_entropy(torch.where(targets > 0, turned, near) / temperature, targets)


@in_float32
def csq(
    features: torch.Tensor,
    centres: torch.Tensor,
    targets: torch.Tensor,
    ties: torch.Tensor,
    weight: float = 1e-4,
) -> torch.Tensor:
    """How far the bits of FEATURES are from the hash centres of their labels, a scalar.

    Binary cross-entropy of (u + 1) / 2 to the centre's bits, u = tanh FEATURES, plus WEIGHT times
    the mean of (|u| - 1)^2 (Yuan et al., "Central Similarity Quantization", 2020, L_C and L_Q,
    with a square, as in common use, for the log cosh).

    Args:
        features: (B, K), before tanh.
        centres: (C, K) of -1 and +1, see `hash_centres`.
        targets: (B, C).
        ties: (K,) of -1 and +1, see `majority`.
        weight: of the quantisation, lambda of the paper.
    """
    bits = (majority(centres, targets, ties) + 1) / 2  # (B, K)
    # (tanh x + 1) / 2 is the sigmoid of 2x
    costs = functional.binary_cross_entropy_with_logits(
        2 * features, bits.to(features.dtype), reduction="none"
    ).mean(dim=1)
    central = mean_where(costs, targets.sum(dim=1) > 0)
    return central + weight * quantisation(torch.tanh(features))


@in_float32
def greedyhash(
    features: torch.Tensor, proxies: torch.Tensor, targets: torch.Tensor, weight: float = 0.1
) -> torch.Tensor:
    """How badly the very bits of FEATURES (B, K) tell their classes apart, a scalar.

    Cross-entropy of the bits' products with PROXIES (C, K), which are learned; the gradient passes
    the sign unchanged. Plus WEIGHT times the mean of ||u| - 1|^3 (Su et al., "Greedy Hash", 2018).
    """
    logits = sign(features) @ proxies.T
    return soft_cross_entropy(logits, targets) + weight * quantisation(features, power=3)


@in_float32
def proxy_anchor(
    features: torch.Tensor,
    proxies: torch.Tensor,
    targets: torch.Tensor,
    scale: float = 32.0,
    margin: float = 0.1,
) -> torch.Tensor:
    """How far PROXIES (C, D) are from the images of their class, and near to others, a scalar.

    A proxy is the anchor, and the harder an image of the batch (FEATURES (B, D), TARGETS (B, C)) is
    to it, the more it counts (Kim et al., "Proxy Anchor Loss for Deep Metric Learning", 2020,
    equation 4). P+ are the proxies with an image in the batch.
    """
    near = cosines(proxies, features)  # (C, B)
    mine = targets.T > 0
    others = ~mine & mine.any(dim=0)
    pulled = _log_one_plus_sum(-scale * (near - margin), mine)  # (C,)
    pushed = _log_one_plus_sum(scale * (near + margin), others)
    return mean_where(pulled, mine.any(dim=1)) + pushed.mean()


def _log_one_plus_sum(exponents: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """log(1 + sum of exp) over the COUNTED EXPONENTS of each row, (C, B) -> (C,)."""
    kept = exponents.masked_fill(~counted, float("-inf"))
    return torch.logsumexp(functional.pad(kept, (1, 0)), dim=1)
