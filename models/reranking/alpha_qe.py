"""Query expansion: the query becomes a mean of itself and the first answers."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from models.reranking.base import Array, Reranking, Shortlist


class AlphaQE(Reranking):
    """Asks again with the mean of query and first answers, the more alike the more they count.

    ``q' = q + sum over i <= n of max(q . x_i, 0)^alpha x_i``, at unit length; with an alpha of 0 it
    is the average query expansion of Chum et al., Total Recall, 2007. The expanded query is
    compared with the rows that were found, not with the whole index.
    """

    cite: ClassVar[str] = (
        "Radenovic, Tolias, Chum, Fine-tuning CNN Image Retrieval with No Human Annotation, 2018, "
        "section 3.4"
    )

    n: int = Field(default=10, ge=1, description="first answers that join the query")
    alpha: float = Field(default=3.0, ge=0, description="exponent of their similarity; 0: a mean")

    def __call__(self, found: Shortlist) -> Shortlist:
        """FOUND by its similarity to the expanded query."""
        first = found.rows[: self.n]  # (n, D)
        query = unit(found.query + weights(first @ found.query, self.alpha) @ first)
        return replace(found, query=query).sorted_by(found.rows @ query)


def weights(alike: Array, alpha: float) -> Array:
    """How much vectors count that are so much ALIKE, which are cosines of any shape.

    Those that point away count nothing; with an ALPHA of 0 all count the same.
    """
    return np.asarray(np.maximum(alike, 0) ** np.float32(alpha), np.float32)


def unit(vectors: Array) -> Array:
    """VECTORS (..., D) at unit length; zeros stay zeros."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), np.float32)
