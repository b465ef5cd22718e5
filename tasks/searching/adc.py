"""Real-valued queries among binary codes: a scan of all rows, exact, whatever their number.

The query is not rounded to bits, so that rows that differ from it in as many bits no longer tie: a
bit counts as much as the query is sure of it. See `models.distances.directions_of`.
"""

from typing import Any

import lance
import numpy as np
import pyarrow as pa

from data.indexes import VECTOR, vectors_of
from data.tables import STREAMED_ROWS, rows_at, streamed
from models.distances import Nearest, between, directions_of, prepared

Vectors = np.ndarray[Any, np.dtype[Any]]


def nearest_codes(
    dataset: lance.LanceDataset,
    queries: Vectors,
    k: int,
    columns: list[str],
    mask: Vectors | None = None,
) -> list[pa.Table]:
    """COLUMNS and ``_distance`` of the K rows of DATASET nearest to each of QUERIES, nearest first.

    A distance is 1 - cos of the query and the row's bits as -1 and +1, in [0, 2]. Rows at the same
    distance come in the order of their keys, which must be among the columns.

    Args:
        dataset: a version of an index of binary descriptors of L bits.
        queries: (Q, L) float, the features whose signs would be a descriptor.
        k: how many rows.
        columns: of the rows.
        mask: (N,) bool, which rows may answer; all if None.

    Raises:
        ValueError: a query holds NaN or infinite values.
    """
    asked = prepared(queries, "cosine")
    best = Nearest(len(asked), k)
    for batch in streamed(dataset, [VECTOR], STREAMED_ROWS):
        apart = between(asked, directions_of(vectors_of(batch[VECTOR])), "cosine")
        out = None if mask is None else ~mask[best.seen : best.seen + len(batch)]
        best.see(apart, excluded=None if out is None else np.tile(out, (len(asked), 1)))
    rows, distances, _ = best.found()
    answers = []
    for places, far in zip(rows, distances, strict=True):
        there = places >= 0
        found = rows_at(dataset, places[there].tolist(), columns)
        found = found.append_column("_distance", pa.array(far[there]))
        answers.append(found.sort_by([("_distance", "ascending"), ("key", "ascending")]))
    return answers
