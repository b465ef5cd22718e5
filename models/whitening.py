"""Whitening: features -> features, turned and scaled so that no direction drowns the others.

Both kinds are found in closed form from training features, in float64, and end as a mean and a
matrix. Letters: N features, D dimensions, D' dimensions that are kept, P pairs.
"""

from typing import Final, NamedTuple

import torch
from torch import nn
from torch.nn import functional

EPSILON: Final = 1e-6
"""Share of the greatest variance that is added to all of them."""
JITTER: Final = 1e-10
"""Share of the mean variance that is added first where a covariance is not positive definite."""


class Projection(NamedTuple):
    """Features x (D,) -> matrix (x - mean), (D',).

    Args:
        mean: (D,).
        matrix: (D', D), the most important direction first.
    """

    mean: torch.Tensor
    matrix: torch.Tensor

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """The projections (N, D') of FEATURES (N, D)."""
        return (features - self.mean.to(features)) @ self.matrix.to(features).T


class Whitening(nn.Module):
    """Features (..., D) -> (..., D') of unit length: a `Projection` as a layer that is not learned.

    Until one is set it keeps the first D' numbers as they are.

    Args:
        inputs: D.
        dimensions: D'.
    """

    mean: torch.Tensor
    matrix: torch.Tensor

    def __init__(self, inputs: int, dimensions: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("matrix", torch.eye(dimensions, inputs))

    def set(self, projection: Projection) -> None:
        """Whiten by PROJECTION from now on."""
        self.mean.copy_(projection.mean)
        self.matrix.copy_(projection.matrix)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """FEATURES whitened, of unit length."""
        return functional.normalize(Projection(self.mean, self.matrix)(features), dim=-1)


def pca_whitening(
    features: torch.Tensor,
    dimensions: int | None = None,
    epsilon: float = EPSILON,
    power: float = 1.0,
) -> Projection:
    """What gives FEATURES (N, D) variance 1 in each of their D' principal directions.

    Jégou and Chum, "Negative Evidences and Co-occurrences in Image Retrieval: the Benefit of PCA
    and Whitening", 2012. Where most directions are kept, the last of them are noise, and less
    power leaves them less than an equal say: variances v become v^(1 - power).

    Args:
        features: of training images.
        dimensions: D'; all of them if None.
        power: 1 whitens, 0 only turns.
        epsilon: share of the greatest variance that is added to all, so that directions in which
            nothing varies are not blown up; 0 only where there are none.

    Raises:
        ValueError: DIMENSIONS is not from 1 to D.
    """
    mean, variances, directions = principal(features, dimensions)
    scales = (variances + epsilon * (float(variances[0]) or 1.0)) ** (-power / 2)
    return Projection(mean.to(features), (scales[:, None] * directions).to(features))


def learned_whitening(
    features: torch.Tensor, pairs: torch.Tensor, dimensions: int | None = None
) -> Projection:
    """What gives the differences of matching FEATURES (N, D) variance 1 in every direction.

    Then the directions are turned to the principal ones of all features, so that the first D' part
    the images best for how much matching ones differ (Radenovic et al., "Fine-tuning CNN Image
    Retrieval with No Human Annotation", 2018; Mikolajczyk and Matas, "Improving
    Descriptors for Fast Tree Matching by Optimal Linear Projection", 2007).

    Args:
        features: of training images.
        pairs: (P, 2) int64, rows of FEATURES that match; the mean is that of the first of them.
        dimensions: D'; all of them if None.

    Raises:
        ValueError: there are no pairs, or DIMENSIONS is not from 1 to D.
    """
    _check(features, dimensions)
    if not len(pairs):
        raise ValueError("Learned whitening needs pairs of matching images, and there are none.")
    rows = features.double()
    one, other = rows[pairs[:, 0]], rows[pairs[:, 1]]
    mean = one.mean(dim=0)
    apart = one - other
    root = cholesky(apart.T @ apart / len(pairs))
    within = torch.linalg.inv(root)  # (D, D)
    spread = (rows - mean) @ within.T
    directions = _eigenvectors(spread.T @ spread)[1][:dimensions]
    return Projection(mean.to(features), (directions @ within).to(features))


def principal(
    features: torch.Tensor, dimensions: int | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The mean (D,), variances (D',) and principal directions (D', D) of FEATURES, in float64.

    The greatest variance comes first; the largest component of a direction is positive.

    Raises:
        ValueError: DIMENSIONS is not from 1 to D.
    """
    _check(features, dimensions)
    rows = features.double()
    mean = rows.mean(dim=0)
    variances, directions = _eigenvectors((rows - mean).T @ (rows - mean) / len(rows))
    return mean, variances[:dimensions].clamp_min(0), directions[:dimensions]


def cholesky(covariance: torch.Tensor) -> torch.Tensor:
    """The lower triangle L (D, D), of L L^T = COVARIANCE + jitter.

    The jitter is none where that works, else the least power of ten that does, of the mean
    variance.
    """
    identity = torch.eye(len(covariance)).to(covariance)
    unit = float(covariance.diagonal().mean()) or 1.0
    share = 0.0
    while True:
        root, failed = torch.linalg.cholesky_ex(covariance + share * unit * identity)
        if not failed:
            return root
        share = share * 10 or JITTER


def _eigenvectors(symmetric: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The eigenvalues (D,), greatest first, and eigenvectors (D, D) as rows, of a fixed sign."""
    values, vectors = torch.linalg.eigh((symmetric + symmetric.T) / 2)
    rows = vectors.T.flip(0)
    largest = rows.abs().argmax(dim=1, keepdim=True)
    return values.flip(0), rows * torch.where(rows.gather(1, largest) < 0, -1, 1)


def _check(features: torch.Tensor, dimensions: int | None) -> None:
    if features.ndim != 2 or not len(features):
        raise ValueError(f"Features must be (N, D), N > 0, but are {tuple(features.shape)}.")
    broken = int((~torch.isfinite(features).all(dim=1)).sum())
    if broken:
        raise ValueError(f"{broken} of {len(features)} features hold NaN or infinite values.")
    if dimensions is not None and not 1 <= dimensions <= features.shape[1]:
        raise ValueError(
            f"Features of {features.shape[1]} dimensions have no {dimensions} principal ones."
        )
