"""One pass over the rows of an index, whatever their number, that ranks them for all queries.

Two versions of one table share most of their rows, so they are swept together: a distance is
computed once, and what each version answers is read off the nearest rows of both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.indexes import VECTOR, metric_of
from data.tables import rows_at
from models.distances import Nearest, between, prepared
from tasks.codebooks import rows_of
from tasks.measuring.queries import Array, Holding, Queries, fingerprints, in_split

CHUNK: Final = 8192
"""Rows compared at once: the memory of a pass is this many rows by the queries."""


@dataclass(frozen=True)
class Gallery:
    """The rows that one sweep goes over, numbered in this order: all of a version, then the rest.

    Args:
        first: a version.
        second: another of the same table, of which only what FIRST has not is added; or None.
        rest: (E,) the places in SECOND of these rows.
    """

    first: Holding
    second: Holding | None
    rest: Array

    @classmethod
    def of(cls, first: Holding, second: Holding | None = None) -> Self:
        """The gallery of one version or of two."""
        if second is None:
            return cls(first, None, np.empty(0, np.int64))
        return cls(first, second, np.flatnonzero(~np.isin(second.rows, first.rows)))

    @property
    def images(self) -> Array:
        """The rows' `fingerprints` (N,)."""
        return self._of_both("images")

    @property
    def views(self) -> tuple[Array, ...]:
        """Which rows each version has, (N,) bool each."""
        ours = np.arange(len(self.first.rows) + len(self.rest)) < len(self.first.rows)
        if self.second is None:
            return (ours,)
        return ours, np.isin(self._of_both("rows"), self.second.rows)

    def chunks(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """COLUMNS of the rows in their order, `CHUNK` and more at a time."""
        waiting: list[pa.RecordBatch] = []
        for batch in self._batches(columns):  # a fragment may be one small night's
            waiting.append(batch)
            if sum(map(len, waiting)) >= CHUNK:
                yield pa.concat_batches(waiting)
                waiting = []
        if waiting:
            yield pa.concat_batches(waiting)

    def keys(self, numbers: Array) -> dict[int, str]:
        """The keys of the rows of NUMBERS, by number."""
        found: dict[int, str] = {}
        own = len(self.first.rows)
        parts = [(self.first, numbers[numbers < own], numbers[numbers < own])]
        if self.second is not None:
            late = numbers[numbers >= own]
            parts.append((self.second, late, self.rest[late - own]))
        for held, here, places in parts:
            if len(here):
                keys = rows_at(held.dataset, places.tolist(), ["key"])["key"]
                found |= zip(here.tolist(), keys.to_pylist(), strict=True)
        return found

    def _of_both(self, field: str) -> Array:
        ours: Array = getattr(self.first, field)
        if self.second is None:
            return ours
        return np.concatenate([ours, getattr(self.second, field)[self.rest]])

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        yield from _scanned(self.first.dataset, columns)
        if self.second is None or not len(self.rest):
            return
        start = 0
        for batch in _scanned(self.second.dataset, columns):
            low, high = np.searchsorted(self.rest, (start, start + len(batch)))
            if high > low:
                yield batch.take(pa.array(self.rest[low:high] - start))
            start += len(batch)


@dataclass(frozen=True)
class Found:
    """What is found for each query among the rows of a view.

    Args:
        rows: (Q, k) numbers of the nearest rows that may answer, -1 for none.
        hits: (Q, k) whether they are relevant.
        relevant: (Q,) how many rows are.
        levels: (Q, L + 1) rows that may answer at each Hamming distance; (Q, 0) for real vectors.
        relevant_levels: (Q, L + 1) how many of them are relevant.
    """

    rows: Array
    hits: Array
    relevant: Array
    levels: Array
    relevant_levels: Array


def sweep(
    gallery: Gallery,
    queries: Queries,
    k: int,
    split: str | None,
    views: Sequence[Array],
    near: Sequence[tuple[Array, int]] = (),
) -> tuple[list[Found], list[Array]]:
    """What is found in each of VIEWS, and how near the nearest of all rows are.

    The nearest 2k of all rows hold the nearest k of each view as a rule, for the views share most
    of them. Where they do not, the view is swept again for itself.

    Args:
        gallery: the rows.
        queries: with descriptors of the gallery's encoder.
        k: rows kept for each query and view.
        split: rows of this split ask and do not answer.
        views: (N,) bool each, the rows among which answers are looked for.
        near: views with a number n each: the distances (Q, n) of the nearest of their rows are
            wanted, also of those that may not answer; inf where there are fewer.
    """
    metric = metric_of(gallery.first.dataset.schema)
    asked = prepared(queries.vectors, metric)
    bits = asked.shape[1] if metric == "hamming" else 0
    nearest = Nearest(len(asked), k if len(views) == 1 else 2 * k)
    bare = [Nearest(len(asked), n) for _, n in near]
    whole, *left_out = (_Tally(len(asked), bits) for _ in range(1 + len(views)))
    anywhere = np.logical_or.reduce(views)
    start = 0
    for batch in gallery.chunks(["digest", "split", "labels", VECTOR]):
        here = slice(start, start + len(batch))
        start = here.stop
        rows = prepared(rows_of(gallery.first.dataset, batch[VECTOR]), metric)
        apart = between(asked, rows, metric)
        images = fingerprints(batch["digest"])
        ties = (images >> np.uint64(32)).astype(np.uint32)
        relevant, barred = _truth(queries, batch, images, split)
        nearest.see(apart, ties, barred | ~anywhere[here], relevant)
        whole.see(apart, relevant, barred)
        for tally, view in zip(left_out, views, strict=True):
            out = ~view[here]
            if out.any():
                tally.see(apart[:, out], relevant[:, out], barred[:, out])
        for few, (view, _) in zip(bare, near, strict=True):
            few.see(apart, ties, np.broadcast_to(~view[here], apart.shape))
    found = []
    for tally, view in zip(left_out, views, strict=True):
        among = _among(nearest, view, k)
        if among is None:
            (again,), _ = sweep(gallery, queries, k, split, [view])
            found.append(again)
        else:
            found.append(Found(*among, *whole.without(tally)))
    return found, [few.found()[1] for few in bare]


class _Tally:
    """How many rows are relevant to each query, and how many lie at which Hamming distance."""

    def __init__(self, queries: int, bits: int) -> None:
        self.bits = bits
        self.relevant: Array = np.zeros(queries, np.int64)
        levels = bits + 1 if bits else 0
        self.levels: Array = np.zeros((queries, levels), np.int64)
        self.relevant_levels: Array = np.zeros((queries, levels), np.int64)

    def see(self, apart: Array, relevant: Array, barred: Array) -> None:
        """Count one chunk: distances, relevance and exclusion, (Q, C)."""
        counted = relevant & ~barred
        self.relevant += counted.sum(axis=1)
        if self.bits:
            self.levels += _histogram(apart, ~barred, self.bits)
            self.relevant_levels += _histogram(apart, counted, self.bits)

    def without(self, other: "_Tally") -> tuple[Array, Array, Array]:
        """The counts of those rows that OTHER has not seen."""
        return (
            self.relevant - other.relevant,
            self.levels - other.levels,
            self.relevant_levels - other.relevant_levels,
        )


def _among(nearest: Nearest, view: Array, k: int) -> tuple[Array, Array] | None:
    """The rows and marks, (Q, k), of the nearest in VIEW; None where NEAREST does not hold them."""
    rows, _, marks = nearest.found()
    inside = (rows >= 0) & view[rows]
    full = rows[:, -1] >= 0  # else it holds all rows that there are
    if (full & (inside.sum(axis=1) < k)).any():
        return None
    first = np.argsort(~inside, axis=1, kind="stable")[:, :k]
    rows, marks, inside = (np.take_along_axis(of, first, axis=1) for of in (rows, marks, inside))
    return np.where(inside, rows, -1), marks & inside


def _truth(
    queries: Queries, batch: pa.RecordBatch, images: Array, split: str | None
) -> tuple[Array, Array]:
    """Which rows of BATCH are relevant to a query, and which are no answer to it: (Q, C) bool."""
    own = images[None, :] == queries.images[:, None]
    barred = np.broadcast_to(in_split(batch["split"], split), own.shape)
    if queries.protocol == "known_item":
        return own, barred.copy()
    return _sharing(queries.labels, batch["labels"]), barred | own


def _sharing(labels: tuple[tuple[str, ...], ...], column: pa.Array) -> Array:
    """Which rows of COLUMN share a label with a query, (Q, C) bool."""
    words = sorted({label for row in labels for label in row})
    asked = np.array([[word in row for word in words] for row in labels], np.float32)  # (Q, V)
    rows = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
    codes = pc.index_in(pc.list_flatten(column), value_set=pa.array(words, pa.string()))
    codes = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False)
    said = np.zeros((len(column), len(words)), np.float32)  # (C, V)
    said[rows[codes >= 0], codes[codes >= 0]] = 1
    return np.asarray(asked.reshape(len(labels), len(words)) @ said.T > 0)


def _histogram(apart: Array, counted: Array, bits: int) -> Array:
    """How many of the COUNTED rows lie at each distance 0..BITS of each query, (Q, BITS + 1)."""
    query, _ = np.nonzero(counted)
    places = query * (bits + 1) + apart[counted].astype(np.int64)
    return np.bincount(places, minlength=len(apart) * (bits + 1)).reshape(len(apart), bits + 1)


def _scanned(dataset: lance.LanceDataset, columns: list[str]) -> Iterator[pa.RecordBatch]:
    yield from dataset.scanner(columns, batch_size=CHUNK).to_batches()
