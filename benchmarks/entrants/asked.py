"""An entrant that is asked for neighbours: it builds its index, answers one query after another.

``python -m benchmarks.entrants.asked WHO VECTORS QUERIES FOLDER``, where VECTORS and QUERIES are
``.npy`` of unit vectors (N, D) and (Q, D), float32, and FOLDER takes what it builds. Prints seconds
of building, seconds of each answer, and the places of its ten nearest rows, nearest first.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from data.indexes import NPROBES, REFINE, VECTOR, index_schema, index_table
from data.manifest import MANIFEST, manifest
from data.store import Store
from data.tables import RUN
from tasks.health import HealthPlan, maintain
from tasks.seal import Candidate, seal
from tasks.searching.search import Searcher

Array = np.ndarray[Any, np.dtype[np.float32]]
Ask = Callable[[Array], list[int]]
"""A query (D,) -> the places of its nearest rows."""

K: Final = 10
ENCODER: Final = "0" * 64
PLAN: Final = HealthPlan(budget_minutes=600, budget_mb=1 << 20)
CHUNK: Final = 100_000
NONE: Final = np.empty(0, np.uint64)


def nightjar(vectors: Array, folder: Path) -> Ask:
    """An index as a night leaves it, asked by what serves a search."""
    store = Store(str(folder))
    schema = index_schema(pa.float32(), vectors.shape[1], ENCODER)
    table = index_table(store, f"asked-{ENCODER[:12]}", schema)
    staged = table.stage(pa.RecordBatchReader.from_batches(schema, _rows(vectors, schema)))
    table.commit(None, staged, NONE, {RUN: "benchmark"})
    listed = manifest(store, "asked")  # of nothing: an index version names one
    listed.commit(None, listed.stage(MANIFEST.empty_table()), NONE, {RUN: "benchmark"})
    dataset, health = maintain(index_table(store, f"asked-{ENCODER[:12]}"), PLAN, _nobody_else)
    candidate = Candidate(
        f"asked-{ENCODER[:12]}",
        dataset.version,
        len(vectors),
        len(vectors),
        0,
        0,
        health,
        dataset="asked",
        dataset_version=1,
        encoder=ENCODER,
        run="benchmark",
    )
    sealed = seal(store, candidate, {"recipe": "asked"}, _nobody_else)
    searcher = Searcher(store, sealed.table, sealed.version)

    def ask(query: Array) -> list[int]:
        return [int(key) for key in searcher.search(query, K)["key"].to_pylist()]

    return ask


def lancedb(vectors: Array, folder: Path, *, tuned: bool = False) -> Ask:
    """LanceDB by itself, as its guide says; TUNED: the same kind of index and the same effort."""
    import lancedb

    schema = pa.schema([("key", pa.int64()), (VECTOR, pa.list_(pa.float32(), vectors.shape[1]))])

    def batches() -> Any:
        for start in range(0, len(vectors), CHUNK):
            some = vectors[start : start + CHUNK]
            flat = pa.FixedSizeListArray.from_arrays(pa.array(some.ravel()), vectors.shape[1])
            yield pa.record_batch([pa.array(np.arange(start, start + len(some))), flat], schema)

    table = lancedb.connect(str(folder)).create_table("asked", batches(), schema=schema)
    if tuned:
        table.create_index("cosine", vector_column_name=VECTOR, index_type="IVF_SQ")
    else:
        table.create_index("cosine", vector_column_name=VECTOR)

    def ask(query: Array) -> list[int]:
        asked = table.search(query).distance_type("cosine").limit(K).select(["key", "_distance"])
        if tuned:
            asked = asked.nprobes(NPROBES).refine_factor(REFINE)
        return [int(key) for key in asked.to_arrow()["key"].to_pylist()]

    return ask


def lancedb_tuned(vectors: Array, folder: Path) -> Ask:
    """LanceDB with the kind of index and the effort of Nightjar's."""
    return lancedb(vectors, folder, tuned=True)


def faiss_ivf(vectors: Array, folder: Path) -> Ask:
    """Faiss in memory: inverted lists of whole vectors, as many lists and probes as ours."""
    import faiss

    width = vectors.shape[1]
    lists = round(len(vectors) ** 0.5)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[:: max(1, len(vectors) // (64 * lists))])
    index.add(vectors)
    index.nprobe = NPROBES
    return lambda query: [int(place) for place in index.search(query[None], K)[1][0]]


def faiss_hnsw(vectors: Array, folder: Path) -> Ask:
    """Faiss in memory: a graph of 32 neighbours."""
    import faiss

    index = faiss.IndexHNSWFlat(vectors.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efSearch = 64
    index.add(vectors)
    return lambda query: [int(place) for place in index.search(query[None], K)[1][0]]


def exact(vectors: Array, folder: Path) -> Ask:
    """Every row compared, by one multiplication of matrices in memory."""

    def ask(query: Array) -> list[int]:
        scores = vectors @ query
        best = np.argpartition(-scores, K)[:K]
        return [int(place) for place in best[np.argsort(-scores[best])]]

    return ask


ENTRANTS: Final[Mapping[str, Callable[[Array, Path], Ask]]] = {
    "exact": exact,
    "nightjar": nightjar,
    "lancedb": lancedb,
    "lancedb_tuned": lancedb_tuned,
    "faiss_ivf": faiss_ivf,
    "faiss_hnsw": faiss_hnsw,
}


def main(words: list[str]) -> None:
    """Build the index that WORDS name, ask it, and print what came of it."""
    who, vectors, queries, folder = words
    asked = np.load(queries)
    began = time.perf_counter()
    ask = ENTRANTS[who](np.load(vectors), Path(folder))
    built = time.perf_counter() - began
    for query in asked[:5]:  # what is opened or mapped once is not a query's
        ask(query)
    seconds, found = [], []
    for query in asked:
        began = time.perf_counter()
        found.append(ask(query))
        seconds.append(time.perf_counter() - began)
    print(json.dumps({"built": built, "seconds": seconds, "found": found}))


def _rows(vectors: Array, schema: pa.Schema) -> Any:
    """VECTORS as rows of an index table, some at a time."""
    for start in range(0, len(vectors), CHUNK):
        some = vectors[start : start + CHUNK]
        keys = pa.array([f"{number:09d}" for number in range(start, start + len(some))])
        blank = pa.nulls(len(some), pa.list_(pa.string()))
        columns = {
            "key": keys,
            "digest": keys,
            "uri": keys,
            "labels": blank,
            "tags": blank,
            "captions": blank,
            "split": pa.nulls(len(some), pa.string()),
            "meta": pa.nulls(len(some), pa.string()),
            VECTOR: pa.FixedSizeListArray.from_arrays(pa.array(some.ravel()), vectors.shape[1]),
        }
        yield pa.record_batch([columns[name] for name in schema.names], schema)


def _nobody_else() -> None:
    """Nobody else writes."""


if __name__ == "__main__":
    main(sys.argv[1:])
