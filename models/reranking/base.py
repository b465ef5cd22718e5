"""The contract of re-rankings: a shortlist in, its rows in another order out. No torch here."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from data.plan import Plan
from models.distances import Metric, prepared

Array = np.ndarray[Any, np.dtype[Any]]
Wanted = Literal["vectors", "pictures", "labels"]
Labels = Sequence[Collection[str]]


@dataclass(frozen=True)
class Pictures:
    """What a query and the rows that answer it show.

    Args:
        query: the file that is asked with.
        of_row: the file behind the row that the search put in a place, counted from 0; None where
            the store keeps no bytes of it. Asked only for rows that are looked at.
    """

    query: bytes
    of_row: Callable[[int], bytes | None]


@dataclass(frozen=True)
class Shortlist:
    """A query and the N rows that were found for it, in the order in which they stand, best first.

    Vectors are of unit length, so that an inner product is a cosine. Packed codes of L bits are
    unpacked to -1 and +1 and divided by the root of L: their cosine is 1 - 2 d / L at a Hamming
    distance of d. Of sets of visual words there are none.

    Args:
        query: (D,) float32.
        rows: (N, D) float32.
        scores: (N,) float32 by which the rows stand, none greater than the one before.
        places: (N,) int64, where in the search's own order each row stood.
        pictures: what all of them show; None where nobody wants to know.
        labels: N, those of each row; None where nobody wants to know.
    """

    query: Array
    rows: Array
    scores: Array
    places: Array
    pictures: Pictures | None = None
    labels: Labels | None = None

    @classmethod
    def of(
        cls,
        query: Array,
        rows: Array,
        distances: Array,
        metric: Metric,
        pictures: Pictures | None = None,
        labels: Labels | None = None,
    ) -> "Shortlist":
        """What a search by METRIC found: stored ROWS (N, width) at DISTANCES (N,) from QUERY.

        Raises:
            ValueError: shapes do not fit, or a value is NaN or infinite.
        """
        if query.ndim != 1 or rows.shape != (len(distances), len(query)):
            raise ValueError(
                f"Re-ranking takes a query (width,), rows (N, width) and distances (N,), not "
                f"{query.shape}, {rows.shape} and {distances.shape}."
            )
        if not np.isfinite(distances).all():
            raise ValueError("Re-ranking takes rows that were found, each at a finite distance.")
        scores: Array = 1 - distances.astype(np.float32)
        if metric == "asmk":
            vectors = np.zeros((1 + len(rows), 0), np.float32)
        else:
            vectors = prepared(np.concatenate([query[None], rows]), metric)
        if metric == "hamming":
            bits = max(1, vectors.shape[1])
            vectors = vectors / np.float32(np.sqrt(bits))
            scores = 1 - 2 * distances.astype(np.float32) / bits
        found = cls(vectors[0], vectors[1:], scores, np.arange(len(rows)), pictures, labels)
        return found.sorted_by(scores)

    def sorted_by(self, scores: Array) -> "Shortlist":
        """The rows by SCORES (N,), the greatest first; where they tie, as the rows stood before."""
        order = np.argsort(-scores, kind="stable")
        return replace(
            self,
            rows=self.rows[order],
            scores=scores[order].astype(np.float32),
            places=self.places[order],
            labels=None if self.labels is None else [self.labels[place] for place in order],
        )


class Reranking(Plan, ABC):
    """Shortlist -> the same rows in another order; its fields are what may be said of it.

    A step may also leave other vectors behind: query expansion another query, augmentation other
    rows. The step after it goes on with those. Nothing is drawn by lot, and no row is added or
    lost.
    """

    cite: ClassVar[str]
    """Author, title, year of the paper."""
    wants: ClassVar[Wanted] = "vectors"
    """What it looks at; with pictures alone it can be asked of any index."""

    @abstractmethod
    def __call__(self, found: Shortlist) -> Shortlist:
        """FOUND in the order of this re-ranking, with its scores."""

    @classmethod
    def check_installed(cls) -> None:
        """Return if the packages that it needs can be imported here.

        Raises:
            MissingExtra: one cannot; says how to install it.
        """

    @classmethod
    def refusal(cls, metric: Metric) -> str:
        """Why rows that are compared by METRIC cannot be re-ranked; empty where they can."""
        if metric == "asmk" and cls.wants == "vectors":
            return "compares vectors, and visual words are none"
        return ""
