"""What every aggregation is."""

from abc import ABC, abstractmethod

import torch
from torch import nn


class Aggregation(nn.Module, ABC):
    """Maps (B, F, H, W) -> one vector an image, (B, D), float32 unless the maps are float64.

    It is built from ``inputs``, F, and keyword arguments that JSON can hold. H and W may be any,
    and differ from batch to batch. The vectors are of unit length only where a class says so.
    """

    dimensions: int
    """D."""

    fits: bool = False
    """Whether a part of it is found in closed form from training images: see `fit`."""

    learns: bool = False
    """Whether what was found is where learning by gradients starts, and so is found but once."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """The vectors (B, D) of MAPS, in full precision also where the network has less."""
        if not torch.is_autocast_enabled(maps.device.type):
            return self.aggregate(precise(maps))
        with torch.autocast(maps.device.type, enabled=False):
            return self.aggregate(precise(maps))

    @abstractmethod
    def aggregate(self, maps: torch.Tensor) -> torch.Tensor:
        """The vectors (B, D) of MAPS in full precision."""

    def samples(self, maps: torch.Tensor) -> torch.Tensor:
        """What `fit` is to be told of the images of MAPS, (B, n, F): their local features."""
        return local_features(maps)

    def fit(self, samples: torch.Tensor, seed: int) -> None:
        """Find in closed form what is not learned by gradients; most have nothing to find.

        Args:
            samples: (N, F), `samples` of training images, or a random part of them.
            seed: of whatever is drawn; on a CPU equal seeds find the same.
        """


def precise(maps: torch.Tensor) -> torch.Tensor:
    """MAPS in float32 where they come in less: powers and sums are not for half precision."""
    return maps if maps.dtype in (torch.float32, torch.float64) else maps.float()


def local_features(maps: torch.Tensor) -> torch.Tensor:
    """The local features (B, H W, F) that MAPS (B, F, H, W) consist of, row by row."""
    return precise(maps).flatten(2).transpose(1, 2)
