"""Diffusion: similarity flows from the query's neighbours to theirs, along the rows that exist."""

from typing import ClassVar, Final

import numpy as np
from pydantic import Field

from models.reranking.alpha_qe import weights
from models.reranking.base import Array, Reranking, Shortlist

CLOSE: Final = 1e-6
"""The residual at which a solution is one, as a share of the right side."""
MOST: Final = 500
"""Steps of conjugate gradients at most; with an alpha of 0.9 there are some 40."""


class Diffusion(Reranking):
    """Ranks by a random walk over the graph of the rows that starts from the query's neighbours.

    Rows that were found are joined where each is among the other's k nearest, and the query to its
    n nearest::

        a_ij = max(x_i . x_j, 0)^gamma for such rows i and j, else 0;   S = D^-1/2 A D^-1/2
        y_i  = max(q . x_i, 0)^gamma for the n nearest of q, else 0;    (I - alpha S) f = y

    It is solved by conjugate gradients; f is the score, and rows that no path reaches stand behind,
    in their old order. That the query is no row of the graph is how Yang, Hinami, Matsui, Ly,
    Satoh, Efficient Image Retrieval via Decoupling Diffusion into Online and Offline Processing,
    2019, keep the graph as it is for any query. Here it is made of what was found, and small: with
    the papers' alpha of 0.99 a walk forgets on it where it began, so 0.9 is the default.
    """

    cite: ClassVar[str] = (
        "Iscen, Tolias, Avrithis, Furon, Chum, Efficient Diffusion on Region Manifolds: Recovering "
        "Small Objects with Compact CNN Representations, CVPR 2017"
    )

    k: int = Field(default=10, ge=1, description="neighbours of a row, which must be mutual")
    n: int = Field(default=10, ge=1, description="first answers from which the walk starts")
    gamma: float = Field(default=3.0, ge=0, description="exponent of similarities")
    alpha: float = Field(default=0.9, ge=0, lt=1, description="how far it walks; 0: nowhere")

    def __call__(self, found: Shortlist) -> Shortlist:
        """FOUND by f."""
        graph = self._graph(found.rows)
        start = weights(found.rows @ found.query, self.gamma).astype(np.float64)
        start[_behind(start, self.n)] = 0
        scores = _solved(graph, start, self.alpha)
        return found.sorted_by(np.maximum(scores, 0))

    def _graph(self, rows: Array) -> Array:
        """S, (N, N) float64."""
        alike = weights(rows @ rows.T, self.gamma).astype(np.float64)
        np.fill_diagonal(alike, -1)
        order = np.argsort(-alike, axis=1, kind="stable")[:, : self.k]
        near = np.zeros(alike.shape, bool)
        np.put_along_axis(near, order, True, axis=1)
        np.fill_diagonal(near, False)
        joined = np.where(near & near.T, alike, 0)
        degrees = joined.sum(axis=1)
        roots = 1 / np.sqrt(np.where(degrees > 0, degrees, 1))
        return np.asarray(joined * roots[:, None] * roots)


def _behind(scores: Array, n: int) -> Array:
    """The places of all but the N greatest of SCORES, ties as they stand."""
    return np.argsort(-scores, kind="stable")[n:]


def _solved(graph: Array, start: Array, alpha: float) -> Array:
    """What solves ``(I - ALPHA GRAPH) f = START``, (N,), by conjugate gradients from zero."""
    found = np.zeros_like(start)
    left = start.copy()  # the residual
    way, size = left.copy(), float(left @ left)
    enough = size * CLOSE**2
    for _ in range(MOST):
        if size <= enough:
            break
        ahead = way - alpha * (graph @ way)
        step = size / float(way @ ahead)
        found += step * way
        left -= step * ahead
        size, before = float(left @ left), size
        way = left + (size / before) * way
    return found
