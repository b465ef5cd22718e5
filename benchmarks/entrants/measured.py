"""Measures map[all] of made-up codes exactly, and tells seconds and value. WHO QUERIES ROWS.

WHO is nightjar; numpy, which sorts every row for every query as the code of many papers does; or
faiss, which ranks every row and leaves the measure to NumPy. The two last take ties in the order of
the rows, where Nightjar takes the mean over all orders.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa

from data.relevance import Kind, Truth
from models.measures import measure
from tasks.crew import cores
from tasks.measuring.depth import Rows, depth

Array = np.ndarray[Any, np.dtype[Any]]

BITS: Final = 64
CLASSES: Final = 10
FLIPPED: Final = 0.3
"""Share of a code's bits that are not those of its class."""
BLOCK: Final = 100
"""Queries that the baselines rank at once."""


def drawn(count: int, seed: int) -> tuple[Array, Array]:
    """COUNT codes (N, 8) uint8 around those of their classes, and the classes (N,)."""
    kinds = np.random.default_rng(0).integers(0, 2, (CLASSES, BITS), np.uint8)
    lots = np.random.default_rng(seed)
    said = lots.integers(0, CLASSES, count)
    codes = np.empty((count, BITS // 8), np.uint8)
    for start in range(0, count, 2**16):
        here = slice(start, start + 2**16)
        flips = lots.random((len(said[here]), BITS)) < FLIPPED
        codes[here] = np.packbits(kinds[said[here]] ^ flips, axis=1)
    return codes, said


def nightjar(asked: Array, held: Array, of_asked: Array, of_held: Array) -> Callable[[], float]:
    """As `nightjar evaluate` does."""
    rows = Rows(len(held), BITS // 8, BITS)
    rows.add(held)
    names = np.array([str(one) for one in range(CLASSES)])
    truth = Truth(Kind(), tuple((one,) for one in names[of_asked]), ((),) * len(asked))
    starts = np.arange(len(held) + 1, dtype=np.int32)
    labels = pa.ListArray.from_arrays(pa.array(starts), pa.array(names[of_held]))
    keys = pa.array(np.arange(len(held)).astype(str))
    images = np.arange(len(held), dtype=np.uint64)
    judged = truth.among(keys, labels)

    def run() -> float:
        found = depth(rows, images, asked, judged, [measure("map[all]")])
        return float(found.values["map[all]"].mean())

    return run


def numpy(asked: Array, held: Array, of_asked: Array, of_held: Array) -> Callable[[], float]:
    """A product of signs for the distances, and a stable sort of each query's rows."""

    def run() -> float:
        rows = np.unpackbits(held, axis=1).astype(np.float32) * 2 - 1
        total = 0.0
        for start in range(0, len(asked), BLOCK):
            here = slice(start, start + BLOCK)
            signs = np.unpackbits(asked[here], axis=1).astype(np.float32) * 2 - 1
            apart = ((BITS - signs @ rows.T) / 2).astype(np.uint8)
            order = np.argsort(apart, axis=1, kind="stable")
            total += _precisions(of_held[order] == of_asked[here, None])
        return total / len(asked)

    return run


def faiss(asked: Array, held: Array, of_asked: Array, of_held: Array) -> Callable[[], float]:
    """`IndexBinaryFlat`, asked for all rows."""
    import faiss as library

    library.omp_set_num_threads(cores())
    index: Any = library.IndexBinaryFlat(BITS)
    index.use_heap = False  # counting, which is far faster where all rows are wanted
    index.add(held)

    def run() -> float:
        total = 0.0
        for start in range(0, len(asked), BLOCK):
            here = slice(start, start + BLOCK)
            _, order = index.search(asked[here], len(held))
            total += _precisions(of_held[order] == of_asked[here, None])
        return total / len(asked)

    return run


def _precisions(hits: Array) -> float:
    """The sum of the average precisions of the rankings HITS (B, N)."""
    ranks = np.arange(1, hits.shape[1] + 1)
    found = np.cumsum(hits, axis=1) / ranks
    return float(((found * hits).sum(axis=1) / hits.sum(axis=1)).sum())


ENTRANTS: Final = {"nightjar": nightjar, "numpy": numpy, "faiss": faiss}


def main(who: str, queries: str, rows: str) -> None:
    """Measure once, and tell."""
    asked, of_asked = drawn(int(queries), 1)
    held, of_held = drawn(int(rows), 2)
    run = ENTRANTS[who](asked, held, of_asked, of_held)
    began = time.perf_counter()
    value = run()
    print(json.dumps({"seconds": time.perf_counter() - began, "value": value}))


if __name__ == "__main__":
    main(*sys.argv[1:])
