"""A picture asks for words: the sentences that are said of an index's pictures, nearest first."""

from typing import Final

import numpy as np
import pyarrow as pa

from data.tables import streamed
from models.distances import between, prepared
from models.text.base import must_read
from tasks.searching.finding import Vectors
from tasks.searching.search import Searcher

IN_WORDS: Final = pa.schema(
    [
        pa.field("sentence", pa.string(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("distance", pa.float32(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
    ]
)
"""The columns of an answer: a row a sentence, ranks from 1, with a picture of which it is said."""

AT_ONCE: Final = 4096
"""Rows whose sentences are read together."""


def sentences_for(searcher: Searcher, vector: Vectors, k: int = 10) -> pa.Table:
    """The K sentences nearest to a picture, in the columns of `IN_WORDS`; all if there are fewer.

    Every caption of the index is read by the tower for text of its encoder, a few thousand at a
    time, and compared. A sentence that is said of several pictures is one, with the first of their
    keys.

    Args:
        searcher: the index version.
        vector: (width,) the picture's descriptor, as the index stores it.
        k: how many sentences.

    Raises:
        NoText: the encoder of the index has no tower for text.
        ValueError: K is out of range, or nothing is said of any picture of the index.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}.")
    embedder, metric = searcher.embedder, searcher.metric
    must_read(embedder.encoder.text, embedder.digest, ())  # before the index is looked through
    asked = prepared(vector[None], metric)
    best: dict[str, tuple[float, str]] = {}
    for batch in streamed(searcher.dataset, ["key", "captions"], AT_ONCE):
        rows = zip(batch["key"].to_pylist(), batch["captions"].to_pylist(), strict=True)
        said: dict[str, str] = {}
        for key, captions in rows:
            for caption in captions or ():
                said[caption] = min(key, said.get(caption, key))
        if not said:
            continue
        rows_of = embedder.describe(embedder.read(list(said), lenient=True))
        apart = between(asked, prepared(rows_of, metric), metric)[0].tolist()
        for (caption, key), distance in zip(said.items(), apart, strict=True):
            before = best.get(caption, (distance, key))
            best[caption] = min(before, (distance, key))
        nearest = sorted(best.items(), key=lambda one: (one[1][0], one[0]))[:k]
        best = dict(nearest)
    if not best:
        raise ValueError(
            f"Nothing is said of the pictures of {searcher.lineage.table}: its source gives no "
            "captions."
        )
    columns = [
        list(best),
        np.arange(1, len(best) + 1),
        [distance for distance, _ in best.values()],
        [key for _, key in best.values()],
    ]
    return pa.table(columns, IN_WORDS.names).cast(IN_WORDS)
