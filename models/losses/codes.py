"""Losses of the bits themselves: how binary, balanced and independent they are.

Bits are -1 or +1; 0 counts as +1, as in what is stored.
"""

import torch

from models.losses.terms import cosines, in_float32, mean_where, off_diagonal, straight_through


def sign(features: torch.Tensor) -> torch.Tensor:
    """The bits of FEATURES, of the same shape; the gradient passes them unchanged."""
    return straight_through(_bits(features), features)


def sampled_bits(probabilities: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Bits that are +1 with the given PROBABILITIES, whose gradient they have.

    NOISE, of the same shape and uniform in [0, 1), draws them.
    """
    bits = (probabilities > noise).to(probabilities.dtype) * 2 - 1
    return straight_through(bits, probabilities)


def half_bits(features: torch.Tensor) -> torch.Tensor:
    """Bits (B, K) of which each is +1 for the upper half of the batch; gradients pass unchanged.

    The larger B // 2 of FEATURES (B, K) in each column: of all codes whose bits have maximal
    entropy the nearest (Li and van Gemert, "Deep Unsupervised Image Hashing by Maximizing Bit
    Entropy", 2021, section 3).
    """
    upper = features.argsort(dim=0, descending=True, stable=True)[: len(features) // 2]
    bits = torch.full_like(features, -1).scatter(0, upper, 1.0)
    return straight_through(bits, features)


@in_float32
def bihalf(features: torch.Tensor, source: torch.Tensor, weight: float = 6.0) -> torch.Tensor:
    """How badly balanced bits of FEATURES keep the similarities of the SOURCE, a scalar.

    The mean over pairs of (cos(b_i, b_j) - cos(f_i, f_j))^2, b the `half_bits` of FEATURES (B, K),
    f the rows of SOURCE (B, D), which learns nothing; plus WEIGHT / 2 times the mean of (u - b)^2,
    whose gradient is the paper's gamma (U - B) / |B| (Li and van Gemert, 2021).
    """
    bits = half_bits(features)
    apart = (cosines(bits, bits) - cosines(source, source).detach()).square()
    held = (features - bits.detach()).square().mean()
    return mean_where(apart, off_diagonal(apart)) + weight / 2 * held


@in_float32
def quantisation(features: torch.Tensor, power: int = 2) -> torch.Tensor:
    """How far FEATURES are from -1 and +1: the mean of ||u| - 1|^POWER, a scalar.

    Powers 1 (Liu et al., "DSH", 2016), 2 (Li et al., "DPSH", 2016) and 3
    (Su et al., "Greedy Hash", 2018) are in use.
    """
    return (features.abs() - 1).abs().pow(power).mean()


@in_float32
def imbalance(features: torch.Tensor) -> torch.Tensor:
    """How unevenly bits fall: the mean over bits of (mean over the batch)^2, a scalar.

    FEATURES (B, K) are bits or in [-1, 1]; 0 where each bit is +1 for half the images (Weiss et
    al., "Spectral Hashing", 2008).
    """
    return features.mean(dim=0).square().mean()


@in_float32
def correlation(features: torch.Tensor) -> torch.Tensor:
    """How far bits repeat each other, a scalar: the mean of (1/B sum of b_k b_l)^2, k other than l.

    FEATURES (B, K) are bits or in [-1, 1]; 0 where they are uncorrelated (Weiss et al., "Spectral
    Hashing", 2008).
    """
    products = (features.T @ features / len(features)).square()  # (K, K)
    return mean_where(products, off_diagonal(products))


@in_float32
def bernoulli_divergence(p: torch.Tensor, q: torch.Tensor | float) -> torch.Tensor:
    """KL(p || q) of independent bits of probabilities P and Q: summed over K, mean of B.

    P is (B, K), Q too, or one probability for all (a prior).
    """
    p = p.clamp(1e-6, 1 - 1e-6)
    q = q.to(p) if isinstance(q, torch.Tensor) else p.new_full((), q)
    q = q.clamp(1e-6, 1 - 1e-6)
    bits = p * torch.log(p / q) + (1 - p) * torch.log((1 - p) / (1 - q))
    return bits.sum(dim=1).mean()


def _bits(features: torch.Tensor) -> torch.Tensor:
    return torch.where(features >= 0, 1.0, -1.0).to(features.dtype)
