"""Keys that come twice in a stream too long to hold."""

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa


class SeenKeys:
    """Remembers 8 bytes a key, whatever its length, and says which may have come twice."""

    def __init__(self) -> None:
        self._marks: list[np.ndarray[Any, np.dtype[np.uint64]]] = []

    def add(self, keys: pa.Array) -> None:
        """Remember KEYS (texts)."""
        self._marks.append(marks(keys))

    def suspects(self) -> "np.ndarray[Any, np.dtype[np.uint64]]":
        """The `marks` that came more than once: of equal keys or, rarely, of different ones."""
        if not self._marks:
            return np.empty(0, np.uint64)
        together = np.concatenate(self._marks)
        together.sort()
        return np.unique(together[1:][together[1:] == together[:-1]])


def marks(keys: pa.Array) -> "np.ndarray[Any, np.dtype[np.uint64]]":
    """A 64-bit hash of each of KEYS, in their order (N,)."""
    table = pa.table({"key": keys})
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("listed", table)
        hashed = connection.execute("SELECT hash(key) AS mark FROM listed").fetchnumpy()
    return np.asarray(hashed["mark"], dtype=np.uint64)
