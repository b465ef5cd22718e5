"""Sum pooling in which the middle of the picture counts more."""

import torch

from models.aggregation.base import Aggregation


class SPoC(Aggregation):
    """Maps (B, F, H, W) -> (B, F): the mean, weighted by a Gaussian around the middle.

    Its deviation is a third of the way from the middle to the nearest border (Babenko and
    Lempitsky, "Aggregating Deep Convolutional Features for Image Retrieval", 2015). The weights sum
    to 1 here, which differs from the paper's sum by a factor alone. Without this prior SPoC is
    `Average`.

    Args:
        inputs: F.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.dimensions = inputs

    def aggregate(self, maps: torch.Tensor) -> torch.Tensor:
        """The weighted means (B, F) of MAPS."""
        weights = centre_prior(maps.shape[2], maps.shape[3]).to(maps)  # (H, W)
        return torch.einsum("bfhw,hw->bf", maps, weights)


def centre_prior(height: int, width: int) -> torch.Tensor:
    """How much each cell of a map counts, (H, W) float64, in sum 1."""
    deviation = min(height, width) / 2 / 3
    y, x = (torch.arange(n, dtype=torch.float64) + 0.5 - n / 2 for n in (height, width))
    far = y[:, None] ** 2 + x[None, :] ** 2  # (H, W), of a cell's middle from the map's
    weights = torch.exp(-far / (2 * deviation**2))
    return weights / weights.sum()
