"""One pass over an index version that ranks it for all queries at once, and what that is worth."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.indexes import VECTOR, metric_of, nearest, vectors_of
from data.tables import rows_at
from models import metrics
from models.distances import Nearest, between, prepared
from tasks.health import has_ann
from tasks.protocols import Array, Holding, Protocol, Queries, fingerprints, in_split

TOP: Final = 10
"""Ranks among which churn and the recall of the ANN index are taken."""
CHUNK: Final = 8192
"""Rows compared at once: the memory of a pass is this many rows by the queries."""
TIE: Final = 1e-4
"""Distances no further apart are the same: Lance computes them in another order than we do."""

ANN_RECALL: Final = f"ann_recall@{TOP}"


@dataclass(frozen=True)
class Ranked:
    """One version's answers to the queries.

    Args:
        values: each metric, (Q,), over all rows that may answer.
        shared: the same over the rows that another version holds too.
        answers: (Q, TOP) the row numbers of the nearest, -1 for none.
        keys: of the rows in `answers`, by row number.
    """

    values: dict[str, Array]
    shared: dict[str, Array]
    answers: Array
    keys: dict[int, str]


def headline(protocol: Protocol, k: int) -> str:
    """The name of the metric by which PROTOCOL is judged at K ranks."""
    return f"map@{k}[min]" if protocol == "labels" else f"mrr@{k}"


def rank(
    held: Holding, queries: Queries, k: int, split: str | None, shared: Array | None
) -> Ranked:
    """What the index version HELD answers to QUERIES by exact search, measured at K ranks.

    Where distances tie, as those of binary codes do, a metric is its expectation over the orders of
    the ties.

    Args:
        held: the version; CHUNK of its rows are in memory at a time.
        queries: with descriptors of the version's encoder.
        k: ranks.
        split: rows of this split ask and do not answer.
        shared: (M,) sorted fingerprints of the images that the other version holds too; None
            where there is no other.
    """
    dataset = held.dataset
    metric = metric_of(dataset.schema)
    asked = prepared(queries.vectors, metric)
    bits = asked.shape[1] if metric == "hamming" else None
    everywhere, common = (Tally(len(asked), k, bits) for _ in range(2))
    bare = Nearest(len(asked), TOP) if has_ann(dataset) else None
    if shared is not None and np.isin(held.images, shared).all():
        shared = None
    columns = ["digest", "split", "labels", VECTOR]
    for batch in _chunks(dataset, columns):
        apart = between(asked, prepared(vectors_of(batch[VECTOR]), metric), metric)
        images = fingerprints(batch["digest"])
        ties = (images >> np.uint64(32)).astype(np.uint32)
        relevant, barred = _truth(queries, batch, images, split)
        everywhere.see(apart, ties, relevant, barred)
        if shared is not None:
            common.see(apart, ties, relevant, barred | ~np.isin(images, shared))
        if bare:
            bare.see(apart, ties)
    values = everywhere.values(queries.protocol)
    values[ANN_RECALL] = np.ones(len(asked))
    if bare:
        values[ANN_RECALL] = metrics.recall_within(
            _approximate(held, queries), bare.found()[1], TIE
        )
    answers = everywhere.nearest.found()[0][:, :TOP]
    return Ranked(
        values,
        common.values(queries.protocol) if shared is not None else values,
        answers,
        _keys(held, answers),
    )


class Tally:
    """What is counted of the gallery while it goes by: the k nearest, how many are relevant, ties.

    Args:
        queries: Q.
        k: ranks.
        bits: L of binary codes; None for real-valued descriptors.
    """

    def __init__(self, queries: int, k: int, bits: int | None) -> None:
        self.k, self.bits = k, bits
        self.nearest = Nearest(queries, k)
        self.relevant: Array = np.zeros(queries, np.int64)
        levels = (bits or 0) + 1
        self.counts: Array = np.zeros((queries, levels), np.int64)
        self.hits: Array = np.zeros((queries, levels), np.int64)

    def see(self, apart: Array, ties: Array, relevant: Array, barred: Array) -> None:
        """Count one chunk: distances, relevance and exclusion, (Q, C), and tie breakers (C,)."""
        self.nearest.see(apart, ties, barred, relevant)
        counted = relevant & ~barred
        self.relevant += counted.sum(axis=1)
        if self.bits:
            self.counts += _histogram(apart, ~barred, self.bits)
            self.hits += _histogram(apart, counted, self.bits)

    def values(self, protocol: Protocol) -> dict[str, Array]:
        """Each metric of PROTOCOL by its name, (Q,)."""
        k, name = self.k, headline(protocol, self.k)
        if self.bits:
            at = (self.counts, self.hits)
            if protocol == "labels":
                return {
                    name: metrics.expected_average_precision(*at, k, "min"),
                    "p@10": metrics.expected_precision_at(*at, 10),
                    "cmc@1": metrics.expected_cmc_at(*at, 1),
                }
            return {
                name: metrics.expected_reciprocal_rank(*at, k),
                "cmc@1": metrics.expected_cmc_at(*at, 1),
                "cmc@10": metrics.expected_cmc_at(*at, 10),
            }
        hits, relevant = self.nearest.found()[2], self.relevant
        if protocol == "labels":
            return {
                name: metrics.average_precision(hits, relevant, "min"),
                "p@10": metrics.precision_at(hits, relevant, 10),
                "cmc@1": metrics.cmc_at(hits, relevant, 1),
            }
        return {
            name: metrics.reciprocal_rank(hits, relevant),
            "cmc@1": metrics.cmc_at(hits, relevant, 1),
            "cmc@10": metrics.cmc_at(hits, relevant, 10),
        }


def churn(ours: Ranked, theirs: Ranked) -> Array:
    """Share of their answers that are not among ours, (Q,), as keys: 1 - overlap of the two."""
    numbers = {key: n for n, key in enumerate({*ours.keys.values(), *theirs.keys.values()})}

    def numbered(ranked: Ranked) -> Array:
        of_row = {row: numbers[key] for row, key in ranked.keys.items()} | {-1: -1}
        return np.vectorize(of_row.__getitem__, otypes=[np.int64])(ranked.answers)

    return np.asarray(1 - metrics.overlap(numbered(ours), numbered(theirs)))


def _chunks(dataset: lance.LanceDataset, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows of DATASET, CHUNK and more at a time: a fragment may be one small night's."""
    waiting: list[pa.RecordBatch] = []
    for batch in dataset.scanner(columns, batch_size=CHUNK).to_batches():
        waiting.append(batch)
        if sum(map(len, waiting)) >= CHUNK:
            yield pa.concat_batches(waiting)
            waiting = []
    if waiting:
        yield pa.concat_batches(waiting)


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


def _approximate(held: Holding, queries: Queries) -> Array:
    """Distances (Q, TOP) of what the ANN index, asked as search asks it, finds; inf for none."""
    found = held.dataset.scanner(
        ["_distance"], nearest=nearest(held.dataset, queries.vectors, TOP)
    ).to_table()
    distances = np.full((len(queries.vectors), TOP), np.inf, np.float32)
    asked = found["query_index"].to_numpy()
    order = np.argsort(asked, kind="stable")
    place = np.arange(len(asked)) - np.searchsorted(asked[order], asked[order])
    distances[asked[order], place] = found["_distance"].to_numpy()[order]
    return distances


def _keys(held: Holding, rows: Array) -> dict[int, str]:
    """The keys of the rows numbered in ROWS."""
    numbers = np.unique(rows[rows >= 0])
    if not len(numbers):
        return {}
    keys = rows_at(held.dataset, numbers.tolist(), ["key"])["key"]
    return dict(zip(numbers.tolist(), keys.to_pylist(), strict=True))
