"""Aggregated selective match kernels: images as sets of visual words, each with a few bits.

ASMK* of Tolias, Avrithis and Jégou, "Image Search with Selective Match Kernels: Aggregation Across
Single and Multiple Images", 2016, as Tolias, Jenicek and Chum, "Learning and Aggregating Deep Local
Descriptors for Instance-Level Recognition", 2020, use it. `models.aggregation.inverted_file`
searches by it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from models.aggregation.vlad import residuals

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Bags:
    """The visual words of some images, image after image, ascending within each, none twice.

    Args:
        count: B, how many images there are, those without a word among them.
        images: (M,) int32, whose word it is, from 0.
        words: (M,) int32.
        codes: (M, F / 8) uint8, the signs of the summed residual, the first in the highest bit.
    """

    count: int
    images: Array
    words: Array
    codes: Array

    @property
    def sizes(self) -> Array:
        """How many words each image has, (B,)."""
        return np.bincount(self.images, minlength=self.count)


@dataclass(frozen=True)
class Selectivity:
    """What one common visual word adds to the likeness of two images.

    Args:
        alpha: the greater, the more a good match counts against several poor ones.
        tau: cosine of the two codes up to which they do not match at all.
    """

    alpha: float = 3.0
    tau: float = 0.0

    def __call__(self, cosines: Array) -> Array:
        """What each u of COSINES, of any shape, adds: sgn(u) |u|^alpha where u > tau, else 0."""
        kept = np.where(cosines > self.tau, cosines, 0)
        return np.asarray(np.sign(kept) * np.abs(kept) ** cosines.dtype.type(self.alpha))


def bags(local: torch.Tensor, words: torch.Tensor, assignments: int = 1) -> Bags:
    """LOCAL features (B, L, F) as visual words with the signs of their residuals.

    A sign of 0 counts as positive.

    Args:
        local: F a multiple of 8.
        words: the codebook (K, F).
        assignments: nearest words that each local feature goes to: 1 in an index, and up to 5 of a
            query, for a feature near the border of two words.

    Raises:
        ValueError: F bits fill no whole bytes.
    """
    if local.shape[2] % 8:
        raise ValueError(
            f"The signs of a residual fill whole bytes: {local.shape[2]} are not a multiple of 8."
        )
    slots, sums = residuals(local, words, assignments)
    image, word = np.divmod(slots.cpu().numpy(), len(words))
    codes = np.packbits(sums.detach().cpu().numpy() >= 0, axis=1, bitorder="big")
    return Bags(len(local), image.astype(np.int32), word.astype(np.int32), codes)


def cosines(codes: Array, others: Array) -> Array:
    """Cosines (Q, N) float32 of the signs packed in CODES (Q, W) and OTHERS (N, W), exact."""
    one, other = (np.unpackbits(of, axis=1).astype(np.float32) * 2 - 1 for of in (codes, others))
    return np.asarray(one @ other.T / np.float32(8 * codes.shape[1]), dtype=np.float32)
