"""The signs of the features."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
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

    def __call__(self, features: "torch.Tensor") -> np.ndarray[Any, Any]:
        """The rows (B, K / 8) uint8 of FEATURES (B, K)."""
        return np.packbits(features.cpu().numpy() >= 0, axis=1, bitorder="big")
