"""The signs of the features."""

from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from models.descriptors.base import Descriptor, Metric, Storage

if TYPE_CHECKING:
    import torch


class Binary(Descriptor):
    """K = D bits, eight a byte, the first feature in the highest bit; compared by Hamming distance.

    A feature of 0 or more is a 1.
    """

    metric: ClassVar[Metric] = "hamming"

    def __init__(self, dimensions: int, storage: Storage = "float32") -> None:
        if dimensions % 8:
            raise ValueError(
                f"A binary descriptor fills whole bytes: {dimensions} bits are not a multiple of 8."
            )
        self.width = dimensions // 8
        self.value_type = pa.uint8()

    def stored(self, features: "torch.Tensor") -> "torch.Tensor":
        """The rows (B, K / 8) uint8 of FEATURES (B, K)."""
        import torch

        bits = (features >= 0).to(torch.int32).reshape(-1, self.width, 8)  # (B, K / 8, 8)
        places = torch.tensor([128, 64, 32, 16, 8, 4, 2, 1], dtype=torch.int32)
        return (bits * places.to(features.device)).sum(dim=2).to(torch.uint8)
