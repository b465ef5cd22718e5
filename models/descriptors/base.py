"""What every descriptor is."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import torch

Storage = Literal["float32", "float16", "pq"]
Metric = Literal["cosine", "hamming", "asmk"]


class Descriptor(ABC):
    """Features (B, D) float32 -> what a table row stores of each image, (B, width).

    Args:
        dimensions: D of the features.
        storage: the number format, where the descriptor stores numbers.
    """

    metric: ClassVar[Metric]
    """How two stored rows are compared."""

    value_type: pa.DataType
    """The type of one value of what a picture is described by, kept in the cache, asked with."""

    width: int
    """Values a row."""

    @abstractmethod
    def __init__(self, dimensions: int, storage: Storage = "float32") -> None: ...

    @abstractmethod
    def stored(self, features: "torch.Tensor") -> "torch.Tensor":
        """The rows (B, width) of FEATURES (B, D), by operations that an exported file can hold."""

    def __call__(self, features: "torch.Tensor") -> np.ndarray[Any, Any]:
        """The rows (B, width) of FEATURES (B, D)."""
        rows: np.ndarray[Any, Any] = self.stored(features).cpu().numpy()
        return rows
