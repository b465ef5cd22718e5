"""Pairs of rows of an index whose descriptors are near, as they are found: none of them is kept.

Rows are compared a block of them with a chunk at a time, so that memory holds one block of
distances, however many rows or pairs there are; the time grows with the square of the rows. An ANN
index answers sooner, and may leave out a pair.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from data.indexes import VECTOR, metric_of, nearest, vectors_of
from data.tables import streamed
from models.distances import between, of_pairs, prepared
from tasks.codebooks import rows_of
from tasks.measuring.queries import Array, Holding

CHUNK: Final = 8192
"""Rows that are held at once, twice."""
BLOCK: Final = 256
"""Rows of a chunk that are compared with another chunk at once."""
NEIGHBOURS: Final = 32
"""Rows that an ANN index is asked for, the asking row among them."""

Pairs = Iterator[tuple[int, tuple[Array, Array]]]
"""How many rows are through by now, and two arrays (E,) of row numbers: a pair in each place."""


def compared(held: Holding, bound: float) -> Pairs:
    """The pairs of rows of HELD that are no further apart than BOUND, each once."""
    metric = metric_of(held.dataset.schema)
    for start, vectors in _chunks(held):
        asked = prepared(vectors, metric)
        for other, vectors in _chunks(held):
            if other + len(vectors) <= start:  # its rows have met these already
                continue
            rows = prepared(vectors, metric)
            for at in range(0, len(asked), BLOCK):
                apart = between(asked[at : at + BLOCK], rows, metric)
                a, b = np.divmod(np.flatnonzero(apart <= bound), len(rows))
                a, b = a + start + at, b + other
                yield start, (a[a < b], b[a < b])
    yield len(held.rows), (np.empty(0, np.int64), np.empty(0, np.int64))


def proposed(held: Holding, bound: float) -> Pairs:
    """The same of those pairs that the ANN index finds; some come twice."""
    metric = metric_of(held.dataset.schema)
    order = np.argsort(held.rows)
    for start, vectors in _chunks(held):
        for at in range(start, start + len(vectors), BLOCK):
            asked = vectors[at - start : at - start + BLOCK]
            found = held.dataset.scanner(
                [VECTOR, "_distance"],
                with_row_id=True,
                nearest=nearest(held.dataset, asked, NEIGHBOURS),
            ).to_table()
            a = np.zeros(len(found), np.int64)  # of a single question Lance does not say which
            if "query_index" in found.column_names:
                a = found["query_index"].to_numpy().astype(np.int64)
            places = np.searchsorted(held.rows, found["_rowid"].to_numpy(), sorter=order)
            rows = prepared(vectors_of(found[VECTOR]), metric)
            # Lance's own distances are rounded more than a near pair is apart
            apart = of_pairs(prepared(asked, metric)[a], rows, metric)
            a, b = a + at, order[places]
            near = (apart <= bound) & (a != b)
            yield at + len(asked), (a[near], b[near])


def _chunks(held: Holding) -> Iterator[tuple[int, Array]]:
    """The descriptors of consecutive rows, codes decoded, and the number of the first of them."""
    start = 0
    waiting: list[Array] = []
    for batch in streamed(held.dataset, [VECTOR], CHUNK):
        waiting.append(rows_of(held.dataset, batch[VECTOR]))
        rows = sum(map(len, waiting))
        if rows >= CHUNK:  # a fragment may be one small night's
            yield start, np.concatenate(waiting)
            start, waiting = start + rows, []
    if waiting:
        yield start, np.concatenate(waiting)
