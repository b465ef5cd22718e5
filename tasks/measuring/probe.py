"""Measure the recall of an index as it is served, against comparing with every row."""

from dataclasses import dataclass
from typing import Any, Final

import lance
import numpy as np

from data.indexes import VECTOR, metric_of, nearest, vectors_of
from data.probing import Probing

Vectors = np.ndarray[Any, Any]

K: Final = 10
"""Neighbours among which recall is measured, where nobody says another number."""

TIE: Final = 1e-4
HALF_TIE: Final = 1e-3
"""Distances no further apart are the same: Lance computes them in another order than we do, and
those of half precision with less of it."""


@dataclass(frozen=True)
class Probe:
    """Fixed queries and how far their K-th neighbour is: what recall is measured against.

    Args:
        queries: rows of the index itself, (Q, width).
        reach: distance to the k-th neighbour other than the query, (Q,).
        k: neighbours among which recall is measured.
    """

    queries: Vectors
    reach: Vectors
    k: int = K


def exact_probe(dataset: lance.LanceDataset, queries: int, k: int = K) -> Probe:
    """QUERIES rows of DATASET, the same whenever it holds the same rows, and their exact reach.

    One pass over the descriptors, a batch at a time in memory.
    """
    rows = dataset.count_rows()
    chosen = np.random.default_rng(0).choice(rows, min(queries, rows), replace=False)
    asked = vectors_of(dataset.take(np.sort(chosen).tolist(), columns=[VECTOR])[VECTOR])
    hamming = metric_of(dataset.schema) == "hamming"
    unit = _signs if hamming else _unit
    left = unit(asked)
    # the query itself is in the table: the k-th other neighbour is the (k + 1)-th
    nearest_so_far = np.full((len(asked), k + 1), np.inf, np.float32)
    for batch in dataset.scanner([VECTOR], batch_size=8192).to_batches():
        alike = left @ unit(vectors_of(batch[VECTOR])).T  # (Q, rows)
        distances = (left.shape[1] - alike) / 2 if hamming else 1 - alike
        both = np.concatenate([nearest_so_far, distances], axis=1)
        nearest_so_far = np.partition(both, k, axis=1)[:, : k + 1]
    return Probe(asked, nearest_so_far.max(axis=1), k)


def recall(dataset: lance.LanceDataset, probe: Probe, probing: Probing | None = None) -> float:
    """The share of the probe's nearest neighbours that searching DATASET as served finds.

    Ties count: any neighbour no further than the k-th exact one is right (as in ann-benchmarks).

    Args:
        dataset: the index version.
        probe: what is asked, and how far the answers are.
        probing: how the ANN index is asked, where that was tuned.
    """
    if not len(probe.queries):
        return 1.0
    asking = nearest(dataset, probe.queries, probe.k + 1, probing=probing)
    answer = dataset.scanner(["_distance"], nearest=asking).to_table()
    asked = answer["query_index"].to_numpy()
    tie = HALF_TIE if probe.queries.dtype == np.float16 else TIE
    right = answer["_distance"].to_numpy() <= probe.reach[asked] + tie
    hits = np.bincount(asked[right], minlength=len(probe.queries)) - 1  # without the query itself
    possible = min(probe.k, dataset.count_rows() - 1)
    return float(np.clip(hits, 0, possible).mean() / possible) if possible else 1.0


def _unit(vectors: Vectors) -> Vectors:
    """VECTORS (rows, D) at unit length, float32."""
    wide = vectors.astype(np.float32)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)


def _signs(packed: Vectors) -> Vectors:
    """PACKED bits (rows, bits / 8) as -1 and 1 (rows, bits): a product of two counts equal bits."""
    return np.unpackbits(packed, axis=1).astype(np.float32) * 2 - 1
