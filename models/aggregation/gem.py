"""The generalised mean of the local features."""

import torch
from torch import nn

from models.aggregation.base import Aggregation


class GeM(Aggregation):
    """Maps (B, F, H, W), not negative -> (B, F): the generalised mean, its exponent learned.

    p = 1 is the average, p -> infinity the maximum (Radenovic et al., "Fine-tuning CNN Image
    Retrieval with No Human Annotation", 2018, equation 3). What is under 1e-6 counts as 1e-6.

    Args:
        inputs: F.
        p: the exponent from which learning starts.
    """

    def __init__(self, inputs: int, p: float = 3.0) -> None:
        super().__init__()
        self.dimensions = inputs
        self.p = nn.Parameter(torch.tensor(p))

    def aggregate(self, maps: torch.Tensor) -> torch.Tensor:
        """The pooled MAPS (B, F)."""
        maps = maps.clamp_min(1e-6)
        # as shares of the greatest: the mean is homogeneous, and no power is too small for float32
        greatest = maps.detach().amax(dim=(2, 3), keepdim=True)  # (B, F, 1, 1)
        shares = (maps / greatest).pow(self.p).mean(dim=(2, 3))  # (B, F)
        return shares.pow(1 / self.p) * greatest.flatten(1)
