"""The rows of an index version that are nearest to a query, or to several of them at once."""

from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.columns import literal
from data.indexes import VECTOR, metric_of, nearest, quantised, vectors_of
from data.probing import Probing
from data.tables import STREAMED_ROWS, rows_at, streamed
from models.distances import Metric, Nearest, prepared
from tasks.codebooks import rows_of, told
from tasks.searching.adc import nearest_codes
from tasks.searching.words import Words

Vectors = np.ndarray[Any, np.dtype[Any]]

COLUMNS: Final = ("key", "uri", "labels")
"""What is told of a row that is found, beside how far it is."""

NOWHERE: Final = 1e-6
"""Queries whose mean is shorter than that, of unit vectors, cancel each other out."""

LISTED: Final = 10_000
"""Keys that Lance is told in a filter, at 15 us each; of more it is told nothing, and every row is
compared here."""

SPOKESMEN: Final = 200
"""Sets of visual words, which have no mean, that stand for more of them."""


class Finder:
    """Rows of one index version, at distances. What it finds is tables of `COLUMNS` and more.

    ``_distance`` is how far a row is, from several queries on average. Rows that are found for
    several have ``_score`` too, the greatest first, and where it ties their keys decide.

    Args:
        dataset: the version.
        sql: which of its rows are meant, as a filter of Lance; all where it is empty.
        probing: how its ANN index is asked, where that was tuned.
    """

    def __init__(
        self, dataset: lance.LanceDataset, sql: str = "", probing: Probing | None = None
    ) -> None:
        self.dataset, self.sql, self.probing = dataset, sql, probing
        self.metric: Metric = metric_of(dataset.schema)
        self._whole: Finder | None = None
        self._listed = True

    def among(self, sql: str) -> "Finder":
        """Those of all rows for which SQL holds, which `data.columns` has made."""
        found = Finder(self.dataset, sql, self.probing)
        found._whole = self._whole or self
        return found

    def keyed(self, keys: pa.Array) -> "Finder":
        """Those of all rows whose key is one of KEYS."""
        if len(keys) <= LISTED:
            said = ", ".join(literal(key) for key in keys.to_pylist())
            return self.among(f"key IN ({said})" if said else "false")
        found = self.among("")
        found._listed = False
        batches = streamed(self.dataset, ["key"], STREAMED_ROWS)
        found.mask = np.concatenate(
            [np.asarray(pc.is_in(batch["key"], value_set=keys)) for batch in batches]
        )
        return found

    @cached_property
    def rows(self) -> int:
        """How many rows are meant."""
        if not self._listed:
            return int(self.mask.sum())
        return int(self.dataset.count_rows(filter=self.sql or None))

    @cached_property
    def mask(self) -> Vectors:
        """Which rows of the index are meant, (N,) bool, in its order."""
        if not self.sql:
            return np.ones(self.dataset.count_rows(), bool)
        meant = self._addresses(self.sql)
        return np.isin((self._whole or self)._all, meant)

    @cached_property
    def words(self) -> Words:
        """The rows of an index of visual words, all of them, made ready to be searched."""
        return self._whole.words if self._whole else Words(self.dataset)

    def nearest(
        self, queries: Vectors, n: int, *, exact: bool = False, vectors: bool = False
    ) -> list[pa.Table]:
        """The N rows nearest to each of QUERIES (Q, width), all rows where there are no more.

        Args:
            queries: descriptors as they are stored; of bits also real numbers (Q, 8 width), of
                product-quantised rows nothing else, which are compared with every row as
                `tasks.searching.adc` does.
            n: how many.
            exact: compare with every row, whatever ANN index there is.
            vectors: whether the rows' descriptors are told too, those of codes decoded.
        """
        columns = [*COLUMNS, VECTOR] if vectors else list(COLUMNS)
        bits = self.metric == "hamming"
        if quantised(self.dataset.schema) or (bits and queries.dtype != np.uint8):
            mask = self.mask if self._whole else None
            return nearest_codes(self.dataset, queries, n, columns, mask)
        stored = self.metric == "cosine" or queries.dtype == np.uint8  # no others are compared here
        if not self._listed and stored:
            return [self._compared(query, n).select([*columns, "_distance"]) for query in queries]
        answers = self._asked(queries, n, exact, columns)
        if not exact:  # an index that probes some partitions may hold back rows that are there
            short = [q for q, answer in enumerate(answers) if len(answer) < min(n, self.rows)]
            for q, answer in zip(short, self._asked(queries[short], n, True, columns), strict=True):
                answers[q] = answer
        return answers

    def combined(
        self, like: Vectors | None, unlike: Vectors, beta: float, n: int, *, exact: bool = False
    ) -> pa.Table:
        """The N rows most like all of LIKE (P, width) and least like UNLIKE (M, width).

        A row's score is ``mean over p of s(p, x) - beta mean over m of s(m, x)``, where the
        similarity s is the cosine, of codes ``1 - 2 d / L`` at d of L bits, of visual words the
        score of their kernel. By vectors that is Rocchio's query (Relevance Feedback in Information
        Retrieval, 1971), ``q = mean(like) - beta mean(unlike)``, brought to unit length and asked
        like any other; codes and words, which have no mean, are compared with every row.

        Args:
            like: descriptors as they are stored; None: all rows that are meant, so that those come
                first which are typical of them.
            unlike: the same of what is not wanted; may be none.
            beta: how much that counts.
            n: how many.
            exact: compare with every row, whatever ANN index there is.

        Raises:
            ValueError: the queries cancel each other out.
        """
        if self.metric == "asmk":
            return self._by_words(self._spokesmen() if like is None else like, unlike, beta, n)
        plus, minus, toward = self.aimed(like, unlike, beta)
        if self.metric == "cosine" and self._listed:
            found = self.nearest(toward[None], n, exact=exact, vectors=True)[0]
        else:
            found = self._by_product(toward, n)
        return _scored(found, plus, minus, beta, self.metric)

    def aimed(
        self, like: Vectors | None, unlike: Vectors, beta: float
    ) -> tuple[Vectors, Vectors, Vectors]:
        """The means of LIKE and UNLIKE (D,), and Rocchio's query at unit length, as in `combined`.

        Of codes they are of their bits as -1 and +1.

        Raises:
            ValueError: the queries cancel each other out.
        """
        plus = self._mean() if like is None else prepared(like, self.metric).mean(axis=0)
        minus = prepared(unlike, self.metric).mean(axis=0) if len(unlike) else np.zeros_like(plus)
        toward = plus - np.float32(beta) * minus
        length = float(np.linalg.norm(toward))
        if length < NOWHERE * (1 if self.metric == "cosine" else len(toward) ** 0.5):
            raise ValueError(
                "The queries cancel each other out: no row is more like them than another. Ask "
                "with fewer of them, or with another beta."
            )
        return plus, minus, np.asarray(toward / np.float32(length), np.float32)

    def _asked(self, queries: Vectors, n: int, exact: bool, columns: list[str]) -> list[pa.Table]:
        if not len(queries):
            return []
        order = [("_distance", "ascending"), ("key", "ascending")]
        if self.metric == "asmk":
            mask = self.mask if self._whole else None
            return [one.sort_by(order) for one in self.words.nearest(queries, n, columns, mask)]
        found = self.dataset.scanner(
            columns=[*columns, "_distance"],
            filter=self.sql or None,
            prefilter=True,
            nearest=nearest(self.dataset, queries, n, exact, self.probing),
        ).to_table()
        if "query_index" not in found.column_names:
            return [found.sort_by(order)]
        found = found.sort_by([("query_index", "ascending"), *order])
        ends = np.searchsorted(found["query_index"].to_numpy(), np.arange(len(queries) + 1))
        return [found[a:b] for a, b in pairwise(ends)]

    def _compared(self, query: Vectors, n: int) -> pa.Table:
        """The N rows nearest to QUERY (width,), every row compared here."""
        aim = prepared(query[None], self.metric)[0]
        found = self._by_product(aim / max(float(np.linalg.norm(aim)), NOWHERE), n)
        found = _scored(found, aim, np.zeros_like(aim), 0, self.metric)
        return found.sort_by([("_distance", "ascending"), ("key", "ascending")])

    def _by_product(self, toward: Vectors, n: int) -> pa.Table:
        """The N rows with the greatest inner product with TOWARD (D,), of unit length."""
        best = Nearest(1, n)
        longest = np.float32(np.sqrt(len(toward)) if self.metric == "hamming" else 1)
        for batch in streamed(self.dataset, [VECTOR], STREAMED_ROWS):
            alike = prepared(rows_of(self.dataset, batch[VECTOR]), self.metric) @ toward
            out = ~self.mask[best.seen : best.seen + len(alike)]
            best.see(np.maximum(longest - alike, 0)[None], excluded=out[None])
        return self._placed(best)

    def _by_words(self, like: Vectors, unlike: Vectors, beta: float, n: int) -> pa.Table:
        """The N rows of visual words with the greatest score."""
        plus = self.words.scores(like).mean(axis=0)
        minus = self.words.scores(unlike).mean(axis=0) if len(unlike) else np.zeros_like(plus)
        scores = plus - np.float32(beta) * minus
        best = Nearest(1, n)
        best.see(np.maximum(1 - scores, 0)[None], excluded=~self.mask[None])
        found, (places, *_) = self._placed(best), best.found()
        there = places[0][places[0] >= 0]
        return _told(found, 1 - plus[there], scores[there])

    def _placed(self, best: Nearest) -> pa.Table:
        """The rows that BEST has kept for its one query."""
        places = best.found()[0][0]
        found = rows_at(self.dataset, places[places >= 0].tolist(), [*COLUMNS, VECTOR])
        return told(self.dataset, found)

    def _mean(self) -> Vectors:
        """The mean (D,) of the rows that are meant, of codes that of their bits as -1 and +1."""
        total: Vectors = np.zeros(0)
        seen = 0
        for batch in streamed(self.dataset, [VECTOR], STREAMED_ROWS):
            meant = self.mask[seen : seen + len(batch)]
            seen += len(batch)
            here = prepared(rows_of(self.dataset, batch[VECTOR])[meant], self.metric)
            total = here.sum(axis=0, dtype=np.float64) + (total if len(total) else 0)
        return np.asarray(total / max(1, self.rows), np.float32)

    def _spokesmen(self) -> Vectors:
        """The rows that are meant, (P, width); of more than `SPOKESMEN` so many, evenly spread."""
        places = np.flatnonzero(self.mask)
        if len(places) > SPOKESMEN:
            places = places[np.linspace(0, len(places) - 1, SPOKESMEN).astype(np.int64)]
        return vectors_of(rows_at(self.dataset, places.tolist(), [VECTOR])[VECTOR])

    @cached_property
    def _all(self) -> Vectors:
        """The addresses of all rows, in the index's order."""
        return self._addresses("")

    def _addresses(self, sql: str) -> Vectors:
        found = self.dataset.scanner([], filter=sql or None, with_row_address=True).to_table()
        return np.asarray(found["_rowaddr"].to_numpy())


def _scored(
    found: pa.Table, plus: Vectors, minus: Vectors, beta: float, metric: Metric
) -> pa.Table:
    """FOUND, which has descriptors, by its score for the means PLUS and MINUS (D,)."""
    rows = prepared(vectors_of(found[VECTOR]), metric)
    full = rows.shape[1] if metric == "hamming" else 1
    # row by row and in float64: what a row scores does not depend on those beside it
    alike, unlike = (np.einsum("nd,d->n", rows, mean, dtype=float) / full for mean in (plus, minus))
    scores = alike - beta * unlike
    return _told(found, (1 - alike) * (full / 2 if metric == "hamming" else 1), scores)


def _told(found: pa.Table, apart: Vectors, scores: Vectors) -> pa.Table:
    """FOUND with its distances and SCORES, by which it is put in order."""
    for name, values in (("_distance", np.maximum(apart, 0)), ("_score", scores)):
        if name in found.column_names:
            found = found.drop_columns([name])
        found = found.append_column(name, pa.array(values.astype(np.float32)))
    return found.sort_by([("_score", "descending"), ("key", "ascending")])
