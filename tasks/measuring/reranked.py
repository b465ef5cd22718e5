"""Answers of a protocol as re-rankings give them: the first of each query in another order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from models.distances import Metric
from models.reranking import Pictures, Reranking, rerank

Array = np.ndarray[Any, np.dtype[Any]]


class Stored(Protocol):
    """Rows of a database."""

    def stored(self, numbers: Array) -> Array:
        """Those of NUMBERS (n,), as they are stored: (n, width)."""


@dataclass(frozen=True)
class Reranked:
    """Re-rankings, ready for the queries of a protocol.

    Args:
        steps: in their order.
        depth: first answers that they see.
        metric: by which rows were found.
        shown: what a query of a number and rows of some fingerprints show; None where no step
            looks at pictures.
        labels: of the N rows that may be found, lists.
    """

    steps: Sequence[Reranking]
    depth: int
    metric: Metric
    shown: Callable[[int, Array], Pictures] | None = None
    labels: pa.Array | None = None

    def of(self, queries: Array, labels: pa.Array) -> "Reranked":
        """The same for some of the QUERIES (q,), which count from 0 again, among rows of LABELS."""
        told, shown = replace(self, labels=labels), self.shown
        if shown is None:
            return told
        return replace(told, shown=lambda query, images: shown(int(queries[query]), images))

    def apart(
        self, query: int, asked: Array, rows: Stored, apart: Array, may: Array, images: Array
    ) -> Array:
        """How far rows are from a query after the steps, (N,) float32, the first below 0.

        Rows that no step tells apart, at one distance before and of one score after, stay tied.

        Args:
            query: its number.
            asked: (width,) its descriptor.
            rows: N.
            apart: (N,) their distances.
            may: (N,) bool, those that may answer; the others stay where they are.
            images: (N,) fingerprints, by which ties are broken where the depth ends.
        """
        found = np.asarray(apart, np.float32).copy()
        among = np.flatnonzero(may)
        if len(among) > self.depth:
            bound = np.partition(apart[among], self.depth - 1)[self.depth - 1]
            among = among[apart[among] <= bound]
        first = among[np.lexsort((images[among], apart[among]))[: self.depth]]
        pictures = self.shown(query, images[first]) if self.shown else None
        labels = None
        if self.labels is not None:
            labels = [row or () for row in self.labels.take(pa.array(first)).to_pylist()]
        order, scores = rerank(
            self.steps, asked, rows.stored(first), found[first], self.metric, pictures, labels
        )
        before = found[first][order]
        level = np.cumsum((np.diff(scores) != 0) | (np.diff(before) != 0))
        found[first[order]] = np.append(0, level)[: len(first)] - len(first)
        return found
