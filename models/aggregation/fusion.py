"""Several aggregations of the same maps as one vector."""

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from models.aggregation.base import Aggregation


class Fusion(Aggregation):
    """Maps (B, F, H, W) -> (B, sum of D) of unit length: what PARTS make of them, side by side.

    Args:
        parts: the aggregations.
        shares: how much each counts in the cosine of two images; all alike if None.

    Raises:
        ValueError: a share is not positive, or there are not as many as parts.
    """

    def __init__(self, parts: Sequence[Aggregation], shares: Sequence[float] | None = None) -> None:
        super().__init__()
        self.shares = tuple(shares) if shares is not None else (1.0,) * len(parts)
        if len(self.shares) != len(parts) or not all(share > 0 for share in self.shares):
            raise ValueError(
                f"{len(parts)} fused descriptors need as many positive shares, not {self.shares}."
            )
        self.parts = nn.ModuleList(parts)
        self.dimensions = sum(part.dimensions for part in parts)

    def aggregate(self, maps: torch.Tensor) -> torch.Tensor:
        """The fused vectors of MAPS, of unit length."""
        return fused([part(maps) for part in self.parts], self.shares)


def fused(vectors: Sequence[torch.Tensor], shares: Sequence[float]) -> torch.Tensor:
    """VECTORS (B, D_i) of several descriptors as one of unit length, (B, sum of D_i).

    The cosine of two of them is the mean of the descriptors' cosines, weighted by SHARES.
    """
    total = sum(shares)
    scaled = (
        functional.normalize(of) * math.sqrt(share / total)
        for of, share in zip(vectors, shares, strict=True)
    )
    return functional.normalize(torch.cat(list(scaled), dim=1))
