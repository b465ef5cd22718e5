"""Images as sets of visual words, each with a few bits, and what two of them have in common.

ASMK* of Tolias, Avrithis and Jégou, "Image Search with Selective Match Kernels: Aggregation Across
Single and Multiple Images", 2016. No torch here: `models.aggregation.asmk` makes the sets,
`models.aggregation.inverted_file` searches among them.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_SIGNS: Final[Array] = (
    np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) * np.float32(2) - 1
)
"""The bits of every byte as -1 and +1, (256, 8)."""


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
    """What one common visual word adds to the likeness of two images: sgn(u) |u|^alpha, or 0.

    Args:
        alpha: the greater, the more a good match counts against several poor ones.
        tau: cosine u of the two codes up to which they do not match at all.
    """

    alpha: float = 3.0
    tau: float = 0.0

    def table(self, bits: int) -> Array:
        """The additions (BITS + 1,) float32 where 0, 1, ... of the BITS of two codes agree."""
        cosines = np.arange(-bits, bits + 1, 2) / bits
        added = np.sign(cosines) * np.abs(cosines) ** self.alpha
        return np.where(cosines > self.tau, added, 0).astype(np.float32)


def agreeing(codes: Array, others: Array) -> Array:
    """How many bits of CODES (Q, W) and OTHERS (N, W) are the same, (Q, N) int64."""
    alike = _spread(codes) @ _spread(others).T  # (Q, N), whole numbers in float32
    return np.asarray((alike + np.float32(8 * codes.shape[1])).astype(np.int64) >> 1)


def _spread(codes: Array) -> Array:
    """The bits of CODES (N, W) as -1 and +1, (N, 8 W) float32."""
    return _SIGNS[codes].reshape(len(codes), 8 * codes.shape[1])
