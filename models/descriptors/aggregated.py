"""Local features that were aggregated: as one vector, or as a set of visual words."""

from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa

from models.aggregation.rows import BITS, EMPTY, row_width
from models.descriptors.base import Descriptor, Metric, Storage
from models.descriptors.real_valued import RealValued

if TYPE_CHECKING:
    import torch


class Aggregated(RealValued):
    """D numbers of pooled local features, whitened; by asmk the signs of its visual words.

    A vector has unit length and is stored as a real-valued one is; what differs is how its encoder
    comes to it: nothing learned stands after the pooling, but a whitening found in closed form.
    What a bag of visual words stores is `VisualWords`.
    """


class VisualWords(Descriptor):
    """S visual words, 16 bits each, with D bits; compared by selective match kernels.

    The features are K blocks of D numbers, block after block, 0 where an image has not the word; a
    feature of 0 or more is a 1. How the rows are laid out stands in `models.aggregation.rows`.

    Args:
        dimensions: K D.
        storage: of numbers, of which there are none.
        words: K.
        slots: S, the most words that an image has.

    Raises:
        ValueError: the bits of a word fill no whole values.
    """

    metric: ClassVar[Metric] = "asmk"

    def __init__(
        self, dimensions: int, storage: Storage = "float32", *, words: int, slots: int
    ) -> None:
        self.words, self.slots, self.bits = words, slots, dimensions // words
        if self.bits * words != dimensions or self.bits % BITS:
            raise ValueError(
                f"The signs of a visual word fill values of {BITS} bits: {dimensions / words:g} "
                f"bits are not a multiple of {BITS}."
            )
        self.value_type, self.width = pa.uint16(), row_width(slots, self.bits)

    def stored(self, features: "torch.Tensor") -> "torch.Tensor":
        """The rows (B, width) uint16 of FEATURES (B, K D)."""
        import torch

        blocks = features.reshape(-1, self.words, self.bits)  # (B, K, D)
        there = (blocks != 0).any(dim=2)  # (B, K)
        # words that are there in their order, then the others; ONNX knows no stable sort
        places = torch.arange(self.words, device=features.device) + self.words * (~there).long()
        first = places.topk(self.slots, dim=1, largest=False).values % self.words  # (B, S)
        taken = torch.gather(there, 1, first)[:, :, None]  # (B, S, 1)
        signs = torch.gather(blocks, 1, first[:, :, None].expand(-1, -1, self.bits)) >= 0
        values = signs.int().reshape(*first.shape, self.bits // BITS, BITS)
        worth = 2 ** torch.arange(BITS - 1, -1, -1, dtype=torch.int32, device=features.device)
        slots = torch.cat([first[:, :, None].int(), (values * worth).sum(dim=3).int()], dim=2)
        rows = torch.where(taken, slots, EMPTY).flatten(1)  # (B, S (1 + D / 16))
        lengths = torch.full_like(rows[:, :1], slots.shape[2])
        return torch.cat([lengths, rows], dim=1).to(torch.uint16)
