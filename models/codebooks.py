"""Product-quantised rows: a byte a part, what the bytes stand for, how far a query is from them.

A row of D numbers is cut into M parts of S = D / M numbers, and of each part a row keeps which of
256 words is nearest. A query is not quantised: its distance from what a row stands for is looked
up, a part at a time (Jegou, Douze, Schmid, "Product Quantization for Nearest Neighbor Search",
2011: the asymmetric distance, here by the cosine). Letters: N rows, Q queries, M parts.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from models.distances import prepared

Array = np.ndarray[Any, np.dtype[Any]]

WORDS: Final = 256
"""Words of a codebook: as many as a byte tells apart."""
TENSOR: Final = "quantiser.words"
"""What they are called in the file of an encoder."""
ROWS: Final = 8192
"""Rows that are coded at once."""


@dataclass(frozen=True)
class Codebooks:
    """The words of each part, which say what the codes of an index stand for.

    Args:
        words: (M, 256, S) float32.

    Raises:
        ValueError: they are of another shape, or not finite.
    """

    words: Array

    def __post_init__(self) -> None:
        if self.words.ndim != 3 or self.words.shape[1] != WORDS or not self.words.size:
            raise ValueError(
                f"Codebooks must be (parts, {WORDS}, numbers a part) but are {self.words.shape}."
            )
        if not np.isfinite(self.words).all():
            raise ValueError("Codebooks hold NaN or infinite values.")

    @property
    def parts(self) -> int:
        """M, the bytes of a row."""
        return int(self.words.shape[0])

    @property
    def dimensions(self) -> int:
        """D, the numbers that a row stands for."""
        return int(self.words.shape[0] * self.words.shape[2])

    def encoded(self, rows: Array) -> Array:
        """The codes (N, M) uint8 of ROWS (N, D): the nearest word of each part, of ties the first.

        Counted in float64, so that which rows are coded together decides nothing.

        Raises:
            ValueError: ROWS are of another width.
        """
        if rows.ndim != 2 or rows.shape[1] != self.dimensions:
            raise ValueError(f"Rows must be (N, {self.dimensions}) but are {rows.shape}.")
        codes = np.empty((len(rows), self.parts), np.uint8)
        words = self.words.astype(np.float64)
        lengths = np.square(words).sum(axis=2)  # (M, 256)
        for start in range(0, len(rows), ROWS):
            some = self._parted(rows[start : start + ROWS]).astype(np.float64)  # (n, M, S)
            for part, book in enumerate(words):
                apart = lengths[part] - 2 * (some[:, part] @ book.T)  # (n, 256), but for |row|^2
                codes[start : start + ROWS, part] = apart.argmin(axis=1)
        return codes

    def decoded(self, codes: Array) -> Array:
        """What CODES (N, M) uint8 stand for, (N, D) float32: their words, one part after another.

        Raises:
            ValueError: CODES are no such rows.
        """
        self._check(codes)
        return self.words[np.arange(self.parts), codes].reshape(len(codes), self.dimensions)

    def off(self, rows: Array, codes: Array) -> Array:
        """By how much farther ROWS (N, D) are from what CODES (N, M) say than they need be, (N,).

        The squared distance from the words of the codes, less that from the nearest words: 0 where
        the codes are right, and nearly so where a part lies between two words.
        """
        best = self.decoded(self.encoded(rows))
        squares = [
            np.square(rows.astype(np.float64) - stood).sum(axis=1)
            for stood in (self.decoded(codes), best)
        ]
        return np.asarray(squares[0] - squares[1])

    def apart(self, queries: Array, codes: Array) -> Array:
        """Distances (Q, N) float32, 1 - cos, of QUERIES (Q, D) from what CODES (N, M) stand for.

        Looked up in tables of each part's inner products with its words, so that a row costs M
        additions. A row that stands for nothing is at distance 1 from all.

        Raises:
            ValueError: CODES are no such rows, or a query is not finite.
        """
        self._check(codes)
        asked = self._parted(prepared(queries, "cosine"))
        tables = np.einsum("qms,mws->mqw", asked, self.words, dtype=np.float32)  # (M, Q, 256)
        lengths = np.square(self.words).sum(axis=2)  # (M, 256)
        alike = np.zeros((len(queries), len(codes)), np.float32)
        squares = np.zeros(len(codes), np.float32)
        for part, column in enumerate(codes.T):
            alike += np.take(tables[part], column, axis=1)
            squares += lengths[part, column]
        alike /= np.where(squares > 0, np.sqrt(squares), np.float32(1))
        return np.maximum(np.float32(1) - alike, np.float32(0))

    def _parted(self, rows: Array) -> Array:
        """ROWS (N, D) as (N, M, S)."""
        return rows.reshape(len(rows), self.parts, -1)

    def _check(self, codes: Array) -> None:
        if codes.ndim != 2 or codes.shape[1] != self.parts or codes.dtype != np.uint8:
            raise ValueError(
                f"Codes must be (N, {self.parts}) uint8 but are {codes.shape} {codes.dtype}."
            )
