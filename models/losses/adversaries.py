"""Losses of a discriminator whose features are the code, and of its generator."""

import torch
from torch.nn import functional

from models.losses.codes import imbalance
from models.losses.terms import cosines, in_float32, mean_where, off_diagonal


@in_float32
def hinge_discriminator(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """How badly REAL (B,) scores above 1 and FAKE (B,) below -1, a scalar.

    The mean of max(0, 1 - real) plus that of max(0, 1 + fake) (Lim and Ye, "Geometric GAN", 2017;
    Miyato et al., "Spectral Normalization", 2018, equation 16).
    """
    return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()


@in_float32
def hinge_generator(fake: torch.Tensor) -> torch.Tensor:
    """How badly FAKE (B,) deceives, a scalar: minus its mean score (Miyato et al., equation 17)."""
    return -fake.mean()


@in_float32
def distance_matching(
    features: torch.Tensor, wide: torch.Tensor, softness: float = 1e-3
) -> torch.Tensor:
    """How far the code's similarities are from those of a wider layer's signs, a scalar.

    The mean over pairs of images of |s_i s_j / K - b_i b_j / D|, s the softened signs of FEATURES
    (B, K), b the signs of WIDE (B, D), which is not taught by it (Zieba et al., "BinGAN", 2018, the
    distance matching regulariser).

    Args:
        features: (B, K), the layer that becomes the code.
        wide: (B, D), a layer before it, D larger than K.
        softness: gamma in s = u / (|u| + gamma).
    """
    soft, signs = _softened(features, softness), torch.sign(wide).detach()
    apart = soft @ soft.T / soft.shape[1] - signs @ signs.T / signs.shape[1]  # (B, B)
    return mean_where(apart.abs(), off_diagonal(apart))


@in_float32
def cosine_matching(features: torch.Tensor, wide: torch.Tensor) -> torch.Tensor:
    """How far the cosines of FEATURES (B, D) are from those of a WIDE layer (B, F), a scalar.

    The mean over pairs of images of |cos(f_i, f_j) - cos(w_i, w_j)|, WIDE not taught by it:
    `distance_matching` for numbers, which have no need of signs.
    """
    apart = (cosines(features, features) - cosines(wide, wide).detach()).abs()
    return mean_where(apart, off_diagonal(apart))


@in_float32
def representation_entropy(
    features: torch.Tensor, wide: torch.Tensor, softness: float = 1e-3, decay: float = 0.5
) -> torch.Tensor:
    """How far the code is from having maximal entropy over the batch, a scalar.

    The `imbalance` of the softened signs s of FEATURES (B, K), plus the mean over pairs of images
    of w_ij |s_i s_j| / K with w_ij = exp(-|b_i b_j| / (D decay)): images that the signs b of WIDE
    (B, D) hold for unlike should have codes that have nothing to do with each other (Zieba et al.,
    "BinGAN", 2018, after Cao et al., "Improving GAN Training via Binarized Representation Entropy
    (BRE) Regularization", 2018).
    """
    soft, signs = _softened(features, softness), torch.sign(wide).detach()
    weights = torch.exp(-(signs @ signs.T).abs() / (signs.shape[1] * decay))  # (B, B)
    products = weights * (soft @ soft.T).abs() / soft.shape[1]
    return imbalance(soft) + mean_where(products, off_diagonal(products))


def _softened(features: torch.Tensor, softness: float) -> torch.Tensor:
    return features / (features.abs() + softness)
