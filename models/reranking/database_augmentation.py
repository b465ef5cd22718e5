"""Database augmentation: every row becomes a mean of itself and its neighbours."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from models.reranking.alpha_qe import unit, weights
from models.reranking.base import Reranking, Shortlist


class DatabaseAugmentation(Reranking):
    """Compares with the mean of each row and its neighbours, the more alike the more they count.

    ``x_i' = sum over j of max(x_i . x_j, 0)^alpha x_j`` at unit length, j over row i and the n
    nearest to it. Neighbours are sought among the rows that were found, at search, and not offline
    over the table: the rows that decide, those near the query, have theirs there, the index stays
    what its images made it, and new images are not averaged into old ones. It costs N^2 D
    multiplications a query.
    """

    cite: ClassVar[str] = (
        "Arandjelovic, Zisserman, Three Things Everyone Should Know to Improve Object Retrieval, "
        "2012; weighted as in Gordo, Almazan, Revaud, Larlus, End-to-end Learning of Deep Visual "
        "Representations for Image Retrieval, 2017"
    )

    n: int = Field(default=10, ge=1, description="neighbours that join a row")
    alpha: float = Field(default=3.0, ge=0, description="exponent of their similarity; 0: a mean")

    def __call__(self, found: Shortlist) -> Shortlist:
        """FOUND by the similarity of its augmented rows to the query."""
        alike = found.rows @ found.rows.T  # (N, N)
        nearest = np.where(np.eye(len(alike), dtype=bool), np.inf, alike)
        order = np.argsort(-nearest, axis=1, kind="stable")[:, : self.n + 1]
        counts = np.zeros_like(alike)
        joined = weights(np.take_along_axis(alike, order, axis=1), self.alpha)
        np.put_along_axis(counts, order, joined, axis=1)
        rows = unit(counts @ found.rows)
        return replace(found, rows=rows).sorted_by(rows @ found.query)
