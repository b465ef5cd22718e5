"""Re-rankings as a person says them, and the rows of a search put into their order."""

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.indexes import VECTOR, vectors_of
from data.lineage import Lineage
from data.manifest import manifest, shard_name
from data.store import Store
from models.distances import Metric
from models.reranking import Pictures, Reranking, check_installed, rerank, steps_of

Vectors = np.ndarray[Any, np.dtype[Any]]


def steps(said: str) -> tuple[Reranking, ...]:
    """The steps that SAID means: ``alpha_qe:n=5,alpha=2+database_augmentation``.

    Raises:
        ValueError: a word or an option is unknown, or cannot be; names what can.
        MissingExtra: a step needs a package that cannot be imported here.
    """
    found = steps_of(*words_and_options(said))
    check_installed(found)
    return found


def words_and_options(said: str) -> tuple[str, dict[str, dict[str, str]]]:
    """The words in SAID as a recipe has them, joined by ``+``, and the options of each by its word.

    Options follow a word's colon, with commas between.

    Raises:
        ValueError: what should be an option is none.
    """
    options: dict[str, dict[str, str]] = {}
    words: list[str] = []
    for part in said.split("+"):
        word, colon, rest = part.strip().partition(":")
        words.append(word)
        for pair in rest.split(",") if colon else ():
            name, equals, value = (text.strip() for text in pair.partition("="))
            if not equals or not value:
                raise ValueError(
                    f"{pair.strip()!r} is no option of a re-ranking: write {word}:NAME=VALUE, "
                    "several with commas between."
                )
            options.setdefault(word, {})[name] = value
    return "+".join(words), options


def reranked(
    found: pa.Table,
    by: tuple[Reranking, ...],
    query: Vectors,
    distances: Vectors,
    metric: Metric,
    pictures: Pictures | None,
) -> pa.Table:
    """FOUND, which has descriptors, in the order of the steps BY, with ``_score``.

    Args:
        found: the first rows of a search.
        by: the steps.
        query: (width,) what was asked with, as the index stores it.
        distances: (N,) of the rows from it.
        metric: of the index.
        pictures: of query and rows; None where nobody asks with a picture.

    Raises:
        ValueError: a step does not go with the metric, or wants pictures and has none.
    """
    rows = vectors_of(found[VECTOR])
    labels = [row or () for row in found["labels"].to_pylist()]
    places, scores = rerank(by, query, rows, distances, metric, pictures, labels)
    found = found.take(pa.array(places, pa.int64()))
    if "_score" in found.column_names:
        found = found.drop_columns(["_score"])
    return found.append_column("_score", pa.array(scores.astype(np.float32)))


class StoredPictures:
    """The files behind rows of an index, read where they lie.

    Args:
        store: where they lie.
        lineage: of the index version.
        keys: of the rows, in their order.
    """

    def __init__(self, store: Store, lineage: Lineage, keys: list[str]) -> None:
        self._store, self._lineage, self._keys = store, lineage, keys

    def __call__(self, place: int) -> bytes | None:
        """The file behind the row in PLACE; None where the store keeps no bytes of it."""
        shard, offset, length = self._places.get(self._keys[place], ("", 0, 0))
        if not shard:
            return None
        return self._store.read_range(shard_name(self._lineage.dataset, shard), offset, length)

    @cached_property
    def _places(self) -> dict[str, tuple[str, int, int]]:
        """Where each file lies, by key; of none where the dataset version is not kept any more."""
        try:
            held = manifest(self._store, self._lineage.dataset).open(self._lineage.dataset_version)
        except FileNotFoundError:
            return {}
        columns = ["key", "shard", "offset", "length"]
        wanted = pc.field("key").isin(pa.array(self._keys, pa.string()))
        rows = held.to_table(columns=columns, filter=wanted).to_pylist()
        return {row["key"]: (row["shard"], row["offset"], row["length"]) for row in rows}
