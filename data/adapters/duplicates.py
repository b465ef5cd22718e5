"""Keys that come twice in a stream too long to hold."""

import tempfile
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa

_SEED: Final = 20_240_229
_ROWS: Final = 10_000


class SeenKeys:
    """Remembers 8 bytes a key, whatever its length, and says which may have come twice.

    They wait in a temporary file, which goes when it is closed, and are in memory only in the end.
    """

    def __init__(self) -> None:
        self._marks = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `__exit__`)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._marks.close()

    def add(self, keys: pa.Array) -> None:
        """Remember KEYS (texts, none missing)."""
        for start in range(0, len(keys), _ROWS):  # `marks` takes 30 bytes of memory a letter
            self._marks.write(marks(keys[start : start + _ROWS]).tobytes())

    def suspects(self) -> "np.ndarray[Any, np.dtype[np.uint64]]":
        """The `marks` that came more than once: of equal keys or, rarely, of different ones."""
        self._marks.seek(0)
        together = np.fromfile(self._marks, np.uint64)
        together.sort()
        return np.unique(together[1:][together[1:] == together[:-1]])


def marks(keys: pa.Array) -> "np.ndarray[Any, np.dtype[np.uint64]]":
    """A 64-bit hash of each of KEYS (N,) uint64: the same for equal keys in any batch.

    Multilinear (Carter and Wegman 1979): the sum over its bytes of each times a random number of
    its place, modulo 2**64. Two different keys agree with a probability of about 2**-56.
    """
    _, ends, body = keys.buffers()
    if len(keys) == 0:
        return np.empty(0, np.uint64)
    offsets = np.frombuffer(ends, np.int32)[keys.offset : keys.offset + len(keys) + 1]
    offsets = offsets.astype(np.int64)  # (N + 1)
    first, last = offsets[0], offsets[-1]
    text = np.frombuffer(body, np.uint8)[first:last] if last > first else np.empty(0, np.uint8)
    lengths = np.diff(offsets)
    places = np.arange(len(text)) - np.repeat(offsets[:-1] - first, lengths)  # within its key
    weights = np.random.default_rng(_SEED).integers(0, 2**64, int(lengths.max()), dtype=np.uint64)
    sums = np.zeros(len(text) + 1, np.uint64)
    np.cumsum((text.astype(np.uint64) + np.uint64(1)) * weights[places], out=sums[1:])
    return sums[offsets[1:] - first] - sums[offsets[:-1] - first]
