"""The features themselves."""

from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import pyarrow as pa

from models.descriptors.base import Descriptor, Metric, Storage

if TYPE_CHECKING:
    import torch

_TYPES: Final = {"float32": (pa.float32(), np.float32), "float16": (pa.float16(), np.float16)}


class RealValued(Descriptor):
    """D numbers of unit length, as float32 or float16; compared by cosine."""

    metric: ClassVar[Metric] = "cosine"

    def __init__(self, dimensions: int, storage: Storage = "float32") -> None:
        self.width = dimensions
        self.value_type, self._numbers = _TYPES[storage]

    def __call__(self, features: "torch.Tensor") -> np.ndarray[Any, Any]:
        """The rows (B, D) of FEATURES (B, D)."""
        from torch.nn import functional

        return functional.normalize(features.float()).cpu().numpy().astype(self._numbers)
