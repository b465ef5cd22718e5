"""Rankings as counts: how many items of each grade lie at each distance, nearest first.

All that a measure asks of a ranking stands in these counts. Where distances tie, as those of binary
codes do, nobody has to choose an order: the measures take their exact expectation over all of them.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Levels:
    """The rankings of Q queries, U levels of equal distance each, the nearest first.

    Args:
        grades: (Q, G + 1, U) int, items of each grade 0..G at each level; grade 0 is irrelevant. A
            level may be empty.
        nearest: (Q,) the distance of the nearest item, inf where there is none.
        bits: of binary codes, where a level is a Hamming distance; 0 where it is none.
    """

    grades: Array
    nearest: Array
    bits: int = 0

    @cached_property
    def counts(self) -> Array:
        """Items at each level, (Q, U)."""
        return np.asarray(self.grades.sum(axis=1))

    @cached_property
    def hits(self) -> Array:
        """Relevant items at each level, (Q, U)."""
        return np.asarray(self.grades[:, 1:].sum(axis=1))

    @cached_property
    def relevant(self) -> Array:
        """R: relevant items of each query, (Q,)."""
        return np.asarray(self.hits.sum(axis=1))

    def worth(self, of_grade: Array) -> Array:
        """What the items at each level are worth together, (Q, U), where a grade is OF_GRADE."""
        return np.asarray(np.einsum("qgu,g->qu", self.grades, of_grade))

    @classmethod
    def of_ranks(cls, there: Array, hits: Array, relevant: Array) -> Self:
        """Rankings without ties of which the first k ranks are known: good for k ranks, no more.

        Args:
            there: (Q, k) bool, whether the rank is taken.
            hits: (Q, k) bool, whether the item at it is relevant.
            relevant: (Q,) relevant items in all; those not found stand on a level behind.
        """
        last = (relevant - hits.sum(axis=1))[:, None]
        right = np.concatenate([hits.astype(np.int64), last], axis=1)
        wrong = np.concatenate([(there & ~hits).astype(np.int64), np.zeros_like(last)], axis=1)
        return cls(np.stack([wrong, right], axis=1), np.full(len(hits), np.nan))

    @classmethod
    def of_codes(cls, apart: Array, grades: Array, top: int, bits: int) -> Self:
        """Rankings by Hamming distance.

        Args:
            apart: (Q, N) unsigned integers, the distances.
            grades: (Q, N) uint8, from 0 to TOP; TOP + 1 for what is no answer to a query.
            top: G.
            bits: of a code.
        """
        slots = (top + 2) * (bits + 1)
        kind = np.min_scalar_type(slots - 1)
        places = grades.astype(kind) * kind.type(bits + 1) + apart  # where a pair is counted
        counted = np.zeros((len(apart), slots), np.int64)
        for query, row in enumerate(places):
            counted[query] = np.bincount(row, minlength=slots)
        by_grade = counted.reshape(len(apart), top + 2, bits + 1)[:, :-1]
        there = by_grade.sum(axis=1) > 0
        nearest = np.where(there.any(axis=1), there.argmax(axis=1), np.inf)
        return cls(by_grade, nearest, bits)

    @classmethod
    def of_distances(cls, apart: Array, grades: Array, top: int) -> Self:
        """Rankings by real distance: a level for each distance at which something is relevant.

        What lies between two such levels is one level too, for its order decides nothing.

        Args:
            apart: (Q, N) float, the distances.
            grades: (Q, N) uint8, from 0 to TOP; TOP + 1 for what is no answer to a query.
            top: G.
        """
        rows, nearest = [], np.full(len(apart), np.inf)
        for query, (distances, grade) in enumerate(zip(apart, grades, strict=True)):
            out = grade > top
            if out.any():
                distances, grade = distances[~out], grade[~out]
            rows.append(_compressed(distances, grade, top))
            nearest[query] = distances.min(initial=np.inf)
        longest = max((row.shape[1] for row in rows), default=1)
        by_grade = np.zeros((len(rows), top + 1, longest), np.int64)
        for query, row in enumerate(rows):
            by_grade[query, :, : row.shape[1]] = row
        return cls(by_grade, nearest)


def _compressed(apart: Array, grades: Array, top: int) -> Array:
    """One query's levels, (G + 1, U): gap, level, gap, level, ..., gap."""
    relevant = grades > 0
    distances, level = np.unique(apart[relevant], return_inverse=True)  # (M,), ascending
    order = np.sort(apart)
    first = np.searchsorted(order, distances, "left")
    behind = np.searchsorted(order, distances, "right")
    found = np.zeros((top + 1, 2 * len(distances) + 1), np.int64)
    places = grades[relevant].astype(np.int64) * len(distances) + level
    counted = np.bincount(places, minlength=(top + 1) * len(distances))
    found[:, 1::2] = counted.reshape(top + 1, len(distances))
    found[0, 1::2] = behind - first - found[1:, 1::2].sum(axis=0)
    found[0, ::2] = np.append(first, len(apart)) - np.append(0, behind)
    return found
