"""The mean of the local features."""

import torch

from models.aggregation.base import Aggregation


class Average(Aggregation):
    """Maps (B, F, H, W) -> (B, F): their mean; sum pooling, but for a factor that length takes out.

    Args:
        inputs: F.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.dimensions = inputs

    def aggregate(self, maps: torch.Tensor) -> torch.Tensor:
        """The means (B, F) of MAPS."""
        return maps.mean(dim=(2, 3))
