"""What is said of the rows of a training set in sentences, of which each epoch draws one a row."""

from collections.abc import Iterator, Sequence
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Rows = NDArray[np.int64]

LOTS: Final = 1
"""Tells the lots of sentences from those by which an epoch orders its pictures."""


class Sentences:
    """The sentences of each of N rows, one row's after the other's.

    Args:
        starts: (N + 1,) where each row's begin.
        texts: of all rows.
    """

    def __init__(self, starts: Rows, texts: Sequence[str]) -> None:
        self._starts, self._texts = starts, list(texts)
        self._draw: tuple[int, int] | None = None
        self._lots = np.zeros(len(self))
        """Of each row by this draw, between 0 and 1; without one the first sentence is drawn."""

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Self:
        """The sentences in a COLUMN of lists of strings; null is as good as empty."""
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return cls(starts, [text or "" for text in pc.list_flatten(column).to_pylist()])

    def __len__(self) -> int:
        return len(self._starts) - 1

    def each(self) -> Iterator[list[str]]:
        """The sentences of each row."""
        for row in range(len(self)):
            yield self._texts[self._starts[row] : self._starts[row + 1]]

    def at(self, kept: NDArray[np.bool_]) -> "Sentences":
        """Those of the rows that are KEPT (N,), which alone are left."""
        counts = np.diff(self._starts)
        starts = np.concatenate([[0], np.cumsum(counts[kept])])
        inside = np.repeat(kept, counts)
        texts = [text for text, mine in zip(self._texts, inside, strict=True) if mine]
        return Sentences(starts, texts)

    def drawn(self, rows: Rows, draw: tuple[int, int] | None = None) -> list[str]:
        """A sentence of each of ROWS, each of which has one.

        Args:
            rows: (B,).
            draw: the seed and the number of the epoch, which decide alone what is drawn for a row,
                whatever else is asked for; None: the first sentence.
        """
        if draw != self._draw:
            self._draw, self._lots = draw, np.zeros(len(self))
            if draw is not None:
                self._lots = np.random.default_rng((*draw, LOTS)).random(len(self))
        counts = self._starts[rows + 1] - self._starts[rows]
        places = self._starts[rows] + (self._lots[rows] * counts).astype(np.int64)
        return [self._texts[place] for place in places]
