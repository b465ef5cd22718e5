"""Connected components of a graph whose edges go by, chunk after chunk: eight bytes a node."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class Components:
    """Which of N nodes hang together, by the edges seen so far; a component goes by its least node.

    A forest in which each node points to one that is no greater (union by least, with the paths
    shortened as they are walked), for whole arrays of edges at once.
    """

    def __init__(self, nodes: int) -> None:
        self._up: Array = np.arange(nodes)

    def join(self, a: Array, b: Array) -> None:
        """Let an edge go from each of A (E,) to the one in its place in B (E,)."""
        while len(a):
            a, b = self.of(a), self.of(b)
            apart = a != b
            a, b = np.minimum(a, b)[apart], np.maximum(a, b)[apart]
            # of several lesser roots a root takes the least; the next turn joins it to the others
            np.minimum.at(self._up, b, a)

    def of(self, nodes: Array) -> Array:
        """The component of each of NODES."""
        roots = self._up[nodes]
        while not np.array_equal(up := self._up[roots], roots):
            roots = up
        self._up[nodes] = roots
        return np.asarray(roots)

    def all(self) -> Array:
        """The component of every node, (N,)."""
        return self.of(np.arange(len(self._up)))
