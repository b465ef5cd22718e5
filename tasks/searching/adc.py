"""Real-valued queries among codes: a scan of all rows, exact, whatever their number.

The query is not made into a code. Among binary codes, rows that differ from it in as many bits no
longer tie: a bit counts as much as the query is sure of it (`models.distances.directions_of`).
Among product-quantised rows it is compared with what their codes stand for (`models.codebooks`).
"""

from typing import Any

import lance
import numpy as np
import pyarrow as pa

from data.indexes import VECTOR, vectors_of
from data.tables import STREAMED_ROWS, rows_at, streamed
from models.distances import Nearest, between, directions_of, prepared
from tasks.codebooks import codebooks_of, told

Vectors = np.ndarray[Any, np.dtype[Any]]


def nearest_codes(
    dataset: lance.LanceDataset,
    queries: Vectors,
    k: int,
    columns: list[str],
    mask: Vectors | None = None,
) -> list[pa.Table]:
    """COLUMNS and ``_distance`` of the K rows of DATASET nearest to each of QUERIES, nearest first.

    A distance is 1 - cos of the query and what the row stands for, its bits as -1 and +1 or its
    words, in [0, 2]. Rows at the same distance come in the order of their keys, which must be among
    the columns.

    Args:
        dataset: a version of an index of binary descriptors, or of product-quantised ones.
        queries: (Q, D) float, the features of which a row would store a code.
        k: how many rows.
        columns: of the rows; descriptors among them are told as they are compared.
        mask: (N,) bool, which rows may answer; all if None.

    Raises:
        ValueError: a query holds NaN or infinite values.
    """
    asked, books = prepared(queries, "cosine"), codebooks_of(dataset)
    best = Nearest(len(asked), k)
    for batch in streamed(dataset, [VECTOR], STREAMED_ROWS):
        codes = vectors_of(batch[VECTOR])
        if books is None:
            apart = between(asked, directions_of(codes), "cosine")
        else:
            apart = books.apart(asked, codes)
        out = None if mask is None else ~mask[best.seen : best.seen + len(batch)]
        best.see(apart, excluded=None if out is None else np.tile(out, (len(asked), 1)))
    rows, distances, _ = best.found()
    answers = []
    for places, far in zip(rows, distances, strict=True):
        there = places >= 0
        found = told(dataset, rows_at(dataset, places[there].tolist(), columns))
        found = found.append_column("_distance", pa.array(far[there]))
        answers.append(found.sort_by([("_distance", "ascending"), ("key", "ascending")]))
    return answers
