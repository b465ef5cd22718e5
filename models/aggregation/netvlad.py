"""VLAD whose visual words, and who goes to which, are learned."""

import math
from typing import Final

import torch
from torch import nn
from torch.nn import functional

from models.aggregation.base import Aggregation, local_features
from models.clustering import kmeans, nearest

RATIO: Final = 100.0
"""How much more of a local feature goes to its nearest word than to the next, to begin with."""


class NetVLAD(Aggregation):
    """Maps (B, F, H, W) -> (B, K F) of unit length: residuals of K words, softly assigned.

    Every local feature, of unit length, goes to all words in shares that a softmax gives; the sum
    of each word is brought to unit length, and then the whole (Arandjelović et al., "NetVLAD: CNN
    Architecture for Weakly Supervised Place Recognition", 2016, equation 4).

    Args:
        inputs: F.
        words: K.
    """

    fits = True
    learns = True

    def __init__(self, inputs: int, words: int = 64) -> None:
        super().__init__()
        self.dimensions = words * inputs
        self.centres = nn.Parameter(functional.normalize(torch.randn(words, inputs)))
        self.assign = nn.Linear(inputs, words)
        self.start(self.centres, alpha=math.log(RATIO))

    def aggregate(self, maps: torch.Tensor) -> torch.Tensor:
        """The vectors (B, K F) of MAPS."""
        local = self.samples(maps)  # (B, L, F)
        shares = self.assign(local).softmax(dim=2)  # (B, L, K)
        sums = torch.einsum("blk,blf->bkf", shares, local)
        sums = sums - shares.sum(dim=1)[:, :, None] * self.centres
        return functional.normalize(functional.normalize(sums, dim=2).flatten(1))

    def samples(self, maps: torch.Tensor) -> torch.Tensor:
        """The local features (B, H W, F) of MAPS, of unit length."""
        return functional.normalize(local_features(maps), dim=2)

    def fit(self, samples: torch.Tensor, seed: int) -> None:
        """Start from the centres of SAMPLES (N, F), assigned nearly as `VLAD` would; then learn."""
        centres = kmeans(samples, len(self.centres), seed).centres
        self.start(centres, sharpness(samples, centres))

    @torch.no_grad()
    def start(self, centres: torch.Tensor, alpha: float) -> None:
        """Begin with CENTRES (K, F) and shares proportional to exp(-ALPHA |x - c|²), equation 2."""
        self.centres.copy_(centres)
        self.assign.weight.copy_(2 * alpha * centres)
        self.assign.bias.copy_(-alpha * centres.square().sum(dim=1))


def sharpness(samples: torch.Tensor, centres: torch.Tensor) -> float:
    """The alpha with which the nearest of CENTRES gets about `RATIO` times the next one's share."""
    if len(centres) < 2:
        return math.log(RATIO)
    squares = nearest(samples, centres, 2)[1]  # (N, 2)
    gap = (squares[:, 1] - squares[:, 0]).mean()
    return math.log(RATIO) / max(float(gap), 1e-6)
