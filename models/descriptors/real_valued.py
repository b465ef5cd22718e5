"""The features themselves."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

import pyarrow as pa

from models.descriptors.base import Descriptor, Metric, Storage

if TYPE_CHECKING:
    import torch

_TYPES: Final[Mapping[Storage, pa.DataType]] = {"float32": pa.float32(), "float16": pa.float16()}


class RealValued(Descriptor):
    """D numbers of unit length, as float32 or float16; compared by cosine."""

    metric: ClassVar[Metric] = "cosine"

    def __init__(self, dimensions: int, storage: Storage = "float32") -> None:
        self.width = dimensions
        self.value_type, self._storage = _TYPES[storage], storage

    def stored(self, features: "torch.Tensor") -> "torch.Tensor":
        """The rows (B, D) of FEATURES (B, D)."""
        import torch
        from torch.nn import functional

        return functional.normalize(features.float()).to(getattr(torch, self._storage))
