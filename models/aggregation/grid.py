"""The means of the cells of a grid, side by side, so that it counts where a thing is."""

import torch
from torch.nn import functional

from models.aggregation.base import Aggregation


class Grid(Aggregation):
    """Maps (B, F, H, W) -> (B, F G G): the mean of each of G by G cells, channel by channel.

    The finest level of a spatial pyramid (Lazebnik, Schmid and Ponce, "Beyond Bags of Features:
    Spatial Pyramid Matching for Recognizing Natural Scene Categories", 2006). The cells of a map
    that G does not divide overlap by a row or column; where it has fewer, some are equal.

    Args:
        inputs: F.
        cells: G.
    """

    def __init__(self, inputs: int, cells: int = 4) -> None:
        super().__init__()
        if cells < 1:
            raise ValueError(f"A grid has at least 1 cell a side, not {cells}.")
        self.dimensions, self.cells = inputs * cells**2, cells

    def aggregate(self, maps: torch.Tensor) -> torch.Tensor:
        """The means (B, F G G) of MAPS, those of a channel together, row by row."""
        return functional.adaptive_avg_pool2d(maps, self.cells).flatten(1)
