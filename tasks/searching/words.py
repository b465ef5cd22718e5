"""Exact search among sets of visual words, which Lance knows no distance of: an inverted file.

A search looks only at rows that share a visual word with the query. The file holds
4 + D / 8 bytes a word of a row, in memory, and is made when the first question comes.
"""

from typing import Any, Final

import lance
import numpy as np
import pyarrow as pa

from data.indexes import VECTOR, vectors_of
from data.tables import STREAMED_ROWS, rows_at, streamed
from models.aggregation.inverted_file import InvertedFile
from models.aggregation.match_kernel import Bags
from models.aggregation.rows import EMPTY, distances, slot_length, unpacked
from models.distances import Nearest

Vectors = np.ndarray[Any, np.dtype[Any]]

SCORES: Final = 2**24
"""Scores held at once: 64 MB."""


class Words:
    """The rows of an index version, by visual word.

    Args:
        dataset: the version.
    """

    def __init__(self, dataset: lance.LanceDataset) -> None:
        self._dataset = dataset
        width: int = dataset.schema.field(VECTOR).type.list_size
        self._length = 0
        parts: list[Bags] = []
        for batch in streamed(dataset, [VECTOR], STREAMED_ROWS):
            rows = vectors_of(batch[VECTOR])
            self._length = slot_length(rows)
            parts.append(unpacked(rows))
        self._held = InvertedFile(EMPTY, 2 * (self._length - 1) if parts else width)
        if parts:
            self._held.add(_together(parts))

    def check(self, queries: Vectors) -> None:
        """Return if QUERIES (Q, W) are rows like those that are held.

        Raises:
            ValueError: their slots are of another length.
        """
        length = slot_length(queries)
        if length != self._length:
            raise ValueError(
                f"The index has slots of {self._length} values, and the query of {length}: it is "
                "of another encoder."
            )

    def scores(self, queries: Vectors) -> Vectors:
        """How alike QUERIES (Q, W) and all rows (N) are, (Q, N) float32 in the index's order."""
        return self._held.scores(unpacked(queries))

    def nearest(
        self, queries: Vectors, k: int, columns: list[str], mask: Vectors | None = None
    ) -> list[pa.Table]:
        """COLUMNS and ``_distance`` of the K rows nearest to each of QUERIES (Q, W), nearest first.

        Rows at the same distance come in the order of the index.

        Args:
            queries: rows that are asked with.
            k: how many.
            columns: of the index.
            mask: (N,) bool, which rows may be found; all if None.
        """
        answers = []
        step = max(1, SCORES // max(1, len(self._held)))
        for start in range(0, len(queries), step):
            some = queries[start : start + step]
            few = Nearest(len(some), k)
            apart = distances(self.scores(some))
            few.see(apart, excluded=None if mask is None else np.broadcast_to(~mask, apart.shape))
            rows, found_at, _ = few.found()
            for places, far in zip(rows, found_at, strict=True):
                there = places >= 0
                found = rows_at(self._dataset, places[there].tolist(), columns)
                answers.append(found.append_column("_distance", pa.array(far[there])))
        return answers


def _together(parts: list[Bags]) -> Bags:
    """The images of PARTS, one part after the other."""
    before = np.cumsum([0, *(part.count for part in parts)])
    images = [part.images + np.int32(n) for part, n in zip(parts, before[:-1], strict=True)]
    return Bags(
        int(before[-1]),
        np.concatenate(images),
        np.concatenate([part.words for part in parts]),
        np.concatenate([part.codes for part in parts]),
    )
