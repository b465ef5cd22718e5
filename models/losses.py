"""Losses of retrieval, as plain functions; each names its paper.

Letters: B batch, D features, K bits, C classes. ``targets`` (B, C) is 1 where an image belongs to a
class, with several in a row for a multi-label dataset.
"""

import math

import torch
from torch.nn import functional


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
    cosines = functional.normalize(features) @ functional.normalize(codebook).T  # (B, C)
    logits = (cosines - margin * targets) / temperature
    return functional.cross_entropy(logits, _shares(targets))


def arcface(
    features: torch.Tensor,
    proxies: torch.Tensor,
    targets: torch.Tensor,
    temperature: float,
    margin: float,
) -> torch.Tensor:
    """How far FEATURES (B, D) are, in angle, from the PROXIES (C, D) of their classes, a scalar.

    Cross-entropy over cosines, with MARGIN (radians) added to the angle of the right class (Deng et
    al., "ArcFace", 2019, equation 3). Where the angle would pass pi, the cosine falls on linearly,
    so that it never rises again.
    """
    cosines = functional.normalize(features) @ functional.normalize(proxies).T  # (B, C)
    cosines = cosines.clamp(-1 + 1e-6, 1 - 1e-6)
    angles = torch.acos(cosines)
    beyond = cosines - margin * math.sin(margin)
    turned = torch.where(angles + margin < torch.pi, torch.cos(angles + margin), beyond)
    logits = torch.where(targets > 0, turned, cosines) / temperature
    return functional.cross_entropy(logits, _shares(targets))


def ntxent(first: torch.Tensor, second: torch.Tensor, temperature: float) -> torch.Tensor:
    """How badly each view finds its twin among all 2B views, a scalar.

    FIRST and SECOND (B, D) are two views of the same images; similarity is the cosine (Chen et al.,
    "A Simple Framework for Contrastive Learning of Visual Representations", 2020, equation 1).
    """
    views = functional.normalize(torch.cat([first, second]))  # (2B, D)
    count = len(first)
    itself = torch.eye(2 * count, dtype=torch.bool, device=views.device)
    logits = (views @ views.T / temperature).masked_fill(itself, float("-inf"))
    twins = torch.arange(2 * count, device=views.device).roll(count)
    return functional.cross_entropy(logits, twins)


def cibhash(
    first: torch.Tensor,
    second: torch.Tensor,
    noise: torch.Tensor,
    temperature: float,
    weight: float = 1e-3,
) -> torch.Tensor:
    """How badly the sampled codes of each view find their twins, a scalar.

    FIRST and SECOND (B, K) are logits of bits; NOISE (2, B, K), uniform in [0, 1), draws the bits,
    through which gradients pass straight to the probabilities. To the `ntxent` of the codes comes
    WEIGHT times the divergence between the two views' bits (Qiu et al., "Unsupervised Hashing with
    Contrastive Information Bottleneck", 2021).
    """
    p, q = torch.sigmoid(first), torch.sigmoid(second)
    codes = ntxent(_drawn(p, noise[0]), _drawn(q, noise[1]), temperature)
    apart = (bernoulli_divergence(p, q) + bernoulli_divergence(q, p)) / 2
    return codes + weight * apart


def bernoulli_divergence(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """KL(p || q) of independent bits of probabilities P and Q (B, K): summed over K, mean of B."""
    p, q = p.clamp(1e-6, 1 - 1e-6), q.clamp(1e-6, 1 - 1e-6)
    bits = p * torch.log(p / q) + (1 - p) * torch.log((1 - p) / (1 - q))
    return bits.sum(dim=1).mean()


def codebook(classes: int, bits: int, seed: int) -> torch.Tensor:
    """Codewords far from each other, (C, K) of -1 and +1.

    Each is the best of 64 random ones: the one whose nearest predecessor is farthest in Hamming
    distance. So a new class leaves the codewords of the old ones as they are.
    """
    generator = torch.Generator().manual_seed(seed)
    words = torch.empty(classes, bits)
    for row in range(classes):
        drawn = torch.randint(0, 2, (64, bits), generator=generator) * 2.0 - 1  # (64, K)
        closeness = (drawn @ words[:row].T).amax(dim=1) if row else torch.zeros(64)
        words[row] = drawn[closeness.argmin()]
    return words


def _shares(targets: torch.Tensor) -> torch.Tensor:
    """TARGETS (B, C), each row spread to a sum of 1."""
    return targets / targets.sum(dim=1, keepdim=True).clamp_min(1)


def _drawn(probabilities: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Bits of -1 and +1, +1 with the given probability; its gradient is that of the probability."""
    bits = (probabilities > noise).to(probabilities.dtype) * 2 - 1
    return bits.detach() + probabilities - probabilities.detach()
