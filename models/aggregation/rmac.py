"""The maxima of regions of several sizes, added up."""

from itertools import product
from typing import Final

import torch
from torch.nn import functional

from models.aggregation.base import Aggregation, precise
from models.whitening import Whitening, pca_whitening

OVERLAP: Final = 0.4
"""How much neighbouring regions of the largest size should overlap."""


class RMAC(Aggregation):
    """Maps (B, F, H, W) -> (B, F) of unit length: square regions, each one vector, in sum.

    A region is the maximum of each channel, of unit length, where asked whitened and again of unit
    length (Tolias, Sicre and Jégou, "Particular Object Retrieval with Integral Max-Pooling of CNN
    Activations", 2016).

    Args:
        inputs: F.
        scales: L, how many sizes of regions there are.
        whiten: whether each region is whitened by what `fit` finds; until then it is not.
    """

    def __init__(self, inputs: int, scales: int = 3, whiten: bool = False) -> None:
        super().__init__()
        if scales < 1:
            raise ValueError(f"R-MAC needs at least 1 scale of regions, not {scales}.")
        self.dimensions, self.scales, self.fits = inputs, scales, whiten
        self.whitening = Whitening(inputs, inputs) if whiten else None

    def aggregate(self, maps: torch.Tensor) -> torch.Tensor:
        """The summed regions (B, F) of MAPS, of unit length."""
        vectors = self.samples(maps)  # (B, R, F)
        if self.whitening is not None:
            vectors = self.whitening(vectors)
        return functional.normalize(vectors.sum(dim=1))

    def samples(self, maps: torch.Tensor) -> torch.Tensor:
        """The regions (B, R, F) of MAPS, of unit length, not whitened."""
        maps = precise(maps)
        pooled = [
            maps[:, :, top : top + side, left : left + side].amax(dim=(2, 3))
            for top, left, side in regions(maps.shape[2], maps.shape[3], self.scales)
        ]
        return functional.normalize(torch.stack(pooled, dim=1), dim=2)

    def fit(self, samples: torch.Tensor, seed: int) -> None:
        """Find the whitening of the regions SAMPLES (N, F); nothing is drawn, so SEED is unused."""
        if self.whitening is not None:
            self.whitening.set(pca_whitening(samples))


def regions(height: int, width: int, scales: int) -> list[tuple[int, int, int]]:
    """The regions (top, left, side) of a map of HEIGHT by WIDTH cells, largest first.

    At the first scale the side is that of the map's short edge, and along the long one lie m
    regions, so many that neighbours overlap by about 40 %. At scale l the side is 2 / (l + 1) of
    that, rounded down, and there are l by l + m - 1. A scale of less than a cell is left out.
    """
    short, long = sorted((height, width))
    m = _along(short, long)
    found: list[tuple[int, int, int]] = []
    for scale in range(1, scales + 1):
        side = 2 * short // (scale + 1)
        if not side:
            break
        rows = _starts(height, side, scale + (m - 1 if height > width else 0))
        columns = _starts(width, side, scale + (m - 1 if width > height else 0))
        found += [(top, left, side) for top, left in product(rows, columns)]
    return found


def _along(short: int, long: int) -> int:
    """How many squares of SHORT along LONG overlap by as near to `OVERLAP` as can be."""
    if short == long:
        return 1
    fewest = max(1, int((long - short) / ((1 - OVERLAP) * short)))  # gaps between m regions
    overlaps = {gaps: 1 - (long - short) / gaps / short for gaps in (fewest, fewest + 1)}
    return 1 + min(overlaps, key=lambda gaps: abs(overlaps[gaps] - OVERLAP))


def _starts(length: int, side: int, count: int) -> list[int]:
    """Where COUNT stretches of SIDE begin, evenly from the start of LENGTH to its end."""
    return [n * (length - side) // max(1, count - 1) for n in range(count)]
