"""A mean of the local features in which the telling ones count more."""

from typing import Literal

import torch
from torch import nn

from models.aggregation.base import Aggregation, precise


class AttentionPooling(Aggregation):
    """Maps (B, F, H, W) -> (B, F): the mean, each local feature weighted by what it has to say.

    The weight is the feature's length (Tolias, Jenicek and Chum, "Learning and Aggregating Deep
    Local Descriptors for Instance-Level Recognition", 2020), which needs no weights
    of its own, or what two learned 1x1 convolutions and a softplus make of it (Noh et al.,
    "Large-Scale Image Retrieval with Attentive Deep Local Features", 2017, equation 1). Weights
    sum to 1, which differs from the papers' sums by a factor alone.

    Args:
        inputs: F.
        score: "norm" or "softplus".
        hidden: channels between the two convolutions; F if 0.
    """

    def __init__(
        self, inputs: int, score: Literal["norm", "softplus"] = "norm", hidden: int = 0
    ) -> None:
        super().__init__()
        if score not in ("norm", "softplus"):
            raise ValueError(f"Unknown score {score!r} of attention: choose from norm, softplus.")
        self.dimensions = inputs
        self.score: nn.Module | None = None
        if score == "softplus":
            hidden = hidden or inputs
            self.score = nn.Sequential(
                nn.Conv2d(inputs, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, 1, 1), nn.Softplus()
            )

    def aggregate(self, maps: torch.Tensor) -> torch.Tensor:
        """The weighted means (B, F) of MAPS."""
        return torch.einsum("bfhw,bhw->bf", maps, self.weights(maps))

    def weights(self, maps: torch.Tensor) -> torch.Tensor:
        """How much each cell of MAPS counts, (B, H, W), in sum 1; all 0 where a map is."""
        maps = precise(maps)
        if self.score is None:
            scores = torch.linalg.vector_norm(maps, dim=1)  # (B, H, W)
        else:
            scores = self.score(maps).squeeze(1)
        return scores / scores.sum(dim=(1, 2), keepdim=True).clamp_min(1e-12)
