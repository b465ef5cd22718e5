"""The maxima of the local features."""

import torch

from models.aggregation.base import Aggregation


class MAC(Aggregation):
    """Maps (B, F, H, W) -> (B, F): the maximum activation of each channel.

    Tolias, Sicre and Jégou, "Particular Object Retrieval with Integral Max-Pooling of CNN
    Activations", 2016.

    Args:
        inputs: F.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.dimensions = inputs

    def aggregate(self, maps: torch.Tensor) -> torch.Tensor:
        """The maxima (B, F) of MAPS."""
        return maps.amax(dim=(2, 3))
