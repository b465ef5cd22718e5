"""Search: a query in; the nearest rows of one index version out."""

from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.indexes import VECTOR, encoder_of, index_table, metric_of, nearest
from data.lineage import Lineage, lineage_of
from data.store import Store
from tasks.question import Query, Vectors, descriptors
from tasks.versions import previous, resolve, sealed_numbers
from tasks.words import Words

if TYPE_CHECKING:
    from models.weights import Embedder

__all__ = ["ANSWER", "MixedEncoders", "Searcher", "previous", "resolve"]

ANSWER: Final = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("distance", pa.float32(), nullable=False),
        pa.field("uri", pa.string()),
        pa.field("labels", pa.list_(pa.string())),
    ]
)
"""The columns of an answer: one row a found image, nearest first, ranks from 1."""

_WHOLE: Final = {"hamming": ("packed bits", "uint8"), "asmk": ("visual words", "uint16")}
"""What an index whose descriptors are no real numbers holds, and in which type."""


class MixedEncoders(ValueError):
    """A query of one encoder was put to an index of another."""


class Searcher:
    """One index version, ready to be asked.

    Args:
        store: where it lies.
        table: the index table's name.
        version: a sealed version of it.
        embedder: the index's encoder if it is loaded already; else it is loaded from the store when
            the first image is asked for.

    Raises:
        FileNotFoundError: there is no such table or version.
        ValueError: the version was never sealed, so nothing says what it holds.
        MixedEncoders: EMBEDDER is not the encoder that made the index.
    """

    def __init__(
        self, store: Store, table: str, version: int, embedder: "Embedder | None" = None
    ) -> None:
        self.store = store
        self.dataset = index_table(store, table).open(version)
        lineage = lineage_of(self.dataset)
        if lineage is None:
            raise ValueError(
                f"Version {version} of {table} was never sealed (a run was cut off there): "
                f"choose from {sealed_numbers(store, table)}."
            )
        self.lineage: Lineage = lineage
        self.metric = metric_of(self.dataset.schema)
        self.width: int = self.dataset.schema.field(VECTOR).type.list_size
        self.rows: int = self.dataset.count_rows()
        _check_encoder(f"{table}@{version}", encoder_of(self.dataset.schema), lineage.encoder)
        if embedder is not None:
            _check_encoder(f"{table}@{version}", lineage.encoder, embedder.digest)
            self.__dict__["embedder"] = embedder

    @cached_property
    def embedder(self) -> "Embedder":
        """The encoder that made the index."""
        from tasks.train import load_encoder

        return load_encoder(self.store, self.lineage.encoder)

    @cached_property
    def words(self) -> Words:
        """The rows of an index of visual words, made ready to be searched."""
        return Words(self.dataset)

    def search(
        self, query: Query | bytes | Vectors, k: int = 10, *, exact: bool = False, offset: int = 0
    ) -> pa.Table:
        """The K nearest rows of QUERY after the first OFFSET, in the columns of `ANSWER`.

        An index of fewer rows answers with all of them.

        Args:
            query: a query of any form, an image's bytes, or a descriptor (width,).
            k: how many rows.
            exact: compare with every row, whatever ANN index there is.
            offset: rows to leave out from the front, for the next page.

        Raises:
            BadQuery: the query's bytes are no image that could be in an index.
            ValueError: a number or the descriptor is out of range, or the index is empty.
        """
        if offset < 0:
            raise ValueError(f"offset must not be negative, but is {offset}.")
        vectors = descriptors(self, [Query.of(query)])
        answer = self.search_rows(vectors, k + offset if k > 0 else k, exact=exact)[0]
        return answer.slice(offset)

    def search_rows(self, vectors: Vectors, k: int = 10, *, exact: bool = False) -> list[pa.Table]:
        """What `search` answers to each of the descriptors VECTORS (Q, width), in their order.

        Raises:
            ValueError: K or a descriptor is out of range, or the index is empty.
        """
        queries = self._checked(vectors, k)
        answers = self._ask(queries, k, exact)
        if not exact:  # an index that probes some partitions may hold back rows that are there
            short = [q for q, answer in enumerate(answers) if len(answer) < min(k, self.rows)]
            for q, answer in zip(short, self._ask(queries[short], k, True), strict=True):
                answers[q] = answer
        return answers

    def _ask(self, queries: Vectors, k: int, exact: bool) -> list[pa.Table]:
        if not len(queries):
            return []
        columns = ["key", "uri", "labels"]
        order = [("_distance", "ascending"), ("key", "ascending")]
        if self.metric == "asmk":
            return [_answer(one.sort_by(order)) for one in self.words.nearest(queries, k, columns)]
        found = self.dataset.scanner(
            columns=[*columns, "_distance"], nearest=nearest(self.dataset, queries, k, exact)
        ).to_table()
        if "query_index" not in found.column_names:
            return [_answer(found.sort_by(order))]
        found = found.sort_by([("query_index", "ascending"), *order])
        ends = np.searchsorted(found["query_index"].to_numpy(), np.arange(len(queries) + 1))
        return [_answer(found[a:b]) for a, b in pairwise(ends)]

    def _checked(self, vectors: Vectors, k: int) -> Vectors:
        """VECTORS in the stored type."""
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}.")
        if vectors.ndim != 2 or vectors.shape[1] != self.width:
            raise ValueError(
                f"Query descriptors must be (Q, {self.width}) for {self.lineage.table} but are "
                f"{vectors.shape}: were they made with encoder {self.lineage.encoder[:12]}?"
            )
        if self.metric != "cosine":
            holds, kind = _WHOLE[self.metric]
            if vectors.dtype != kind:
                raise ValueError(
                    f"{self.lineage.table} holds {holds}: a query must be {kind}, not "
                    f"{vectors.dtype}."
                )
        elif not np.isfinite(vectors).all():
            raise ValueError("A query descriptor holds NaN or infinite values.")
        if not self.rows:
            raise ValueError(
                f"{self.lineage.table}@{self.lineage.version} is empty: index images first."
            )
        if self.metric == "asmk":
            self.words.check(vectors)
        return vectors.astype(np.float32) if self.metric == "cosine" else vectors


def _check_encoder(index: str, made_by: str, other: str) -> None:
    if made_by != other:
        raise MixedEncoders(
            f"{index} was made by encoder {made_by[:12] or 'unknown'}, the query by "
            f"{other[:12] or 'unknown'}: distances between them mean nothing. Search with the "
            f"index's own encoder, or index the images with the other."
        )


def _answer(found: pa.Table) -> pa.Table:
    return pa.table(
        [
            found["key"],
            pa.array(np.arange(1, len(found) + 1), pa.int32()),
            # Lance rounds: of a row and itself it may say a little less than nothing
            pc.max_element_wise(
                pc.cast(found["_distance"], pa.float32()), pa.scalar(0, pa.float32())
            ),
            found["uri"],
            found["labels"],
        ],
        schema=ANSWER,
    )
