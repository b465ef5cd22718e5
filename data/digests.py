"""Sets of digests in 16 bytes each: asked by bisection, put in order a bucket at a time.

Half of a SHA-256 tells digests apart: among a billion images two share theirs by chance with
probability 1e-21.
"""

import binascii
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

BUCKET: Final = 500_000
"""Digests that are put in order at a time."""
MOST_BUCKETS: Final = 256
"""Each is an open file; a set of more than 128 million digests has larger buckets instead."""


class Digests:
    """A set of digests, sorted, so that it may be a mapped file.

    Args:
        halves: (2, N) uint64: the first and the second eight bytes, ordered by the first.
    """

    def __init__(self, halves: NDArray[np.uint64]) -> None:
        self.halves = halves

    def __len__(self) -> int:
        return int(self.halves.shape[1])

    def __contains__(self, digest: str) -> bool:
        first, second = np.frombuffer(bytes.fromhex(digest[:32]), ">u8").astype(np.uint64)
        return self._has(first, second)

    def holds(self, asked: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of ASKED (2, M) are in the set, (M,); fastest where they are in order too."""
        if not len(self):
            return np.zeros(asked.shape[1], np.bool_)
        start = np.searchsorted(self.halves[0], asked[0])
        there = self.halves[:, np.minimum(start, len(self) - 1)]  # (2, M)
        alike = there[0] == asked[0]
        found = alike & (there[1] == asked[1])
        for place in np.flatnonzero(alike & ~found):  # others before it share its first half
            found[place] = self._has(*asked[:, place])
        return found

    def _has(self, first: np.uint64, second: np.uint64) -> bool:
        start = int(np.searchsorted(self.halves[0], first, "left"))
        end = int(np.searchsorted(self.halves[0], first, "right"))
        return bool((self.halves[1, start:end] == second).any())


class Buckets:
    """Digests on their way to be sorted, more than memory should hold.

    They wait in temporary files by their first bits, which are as random as a hash: a bucket has
    about `BUCKET` of them. Two such sets of as many ROWS have the same buckets, so one can be asked
    of the other a bucket at a time. The files go when it is closed.

    Args:
        rows: about how many digests there will be.
    """

    def __init__(self, rows: int) -> None:
        self._files: list[IO[bytes] | None] = [None] * min(MOST_BUCKETS, rows // BUCKET + 1)
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def __enter__(self) -> "Buckets":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            if file is not None:
                file.close()

    def add(self, digests: pa.StringArray) -> None:
        """Take DIGESTS (64 hex digits each, none missing), in any order, any of them twice."""
        self.add_halves(halves_of(digests))

    def add_halves(self, halves: NDArray[np.uint64]) -> None:
        """Take digests as HALVES (2, M)."""
        bucket = (halves[0] >> np.uint64(32)) * np.uint64(len(self._files)) >> np.uint64(32)
        order = np.argsort(bucket.astype(np.uint8), kind="stable")
        ends = np.searchsorted(bucket[order], np.arange(len(self._files) + 1))
        together = halves.T[order]  # (M, 2)
        for number in np.flatnonzero(np.diff(ends)):
            file = self._files[number] or tempfile.TemporaryFile()  # noqa: SIM115  (`__exit__`)
            self._files[number] = file
            file.write(together[ends[number] : ends[number + 1]].tobytes())
        self._rows += len(order)

    def __iter__(self) -> Iterator[Digests]:
        """The digests of each bucket, sorted; all of a bucket come before those of the next."""
        for file in self._files:
            together = np.empty((0, 2), np.uint64)
            if file is not None:
                file.seek(0)
                together = np.frombuffer(file.read(), np.uint64).reshape(-1, 2)
            order = np.argsort(np.ascontiguousarray(together[:, 0]))
            yield Digests(np.ascontiguousarray(together[order].T))

    def digests(self) -> Digests:
        """All of them, sorted, in memory."""
        return Digests(np.concatenate([bucket.halves for bucket in self], axis=1))

    def save(self, path: Path) -> None:
        """Write all of them, sorted, to the ``.npy`` file PATH, which appears when it is whole."""
        part = path.with_suffix(".part")
        said: Any = {"descr": "<u8", "fortran_order": False, "shape": (2, len(self))}
        with part.open("wb") as out:
            np.lib.format.write_array_header_1_0(out, said)
            start, done = out.tell(), 0
            for bucket in self:
                for half, numbers in enumerate(bucket.halves):
                    out.seek(start + 8 * (half * len(self) + done))
                    out.write(numbers.tobytes())
                done += len(bucket)
        part.replace(path)


def halves_of(digests: pa.StringArray) -> NDArray[np.uint64]:
    """The first sixteen bytes of DIGESTS, 64 hex digits each, as (2, N) uint64."""
    if not len(digests):  # which may have no buffers
        return np.empty((2, 0), np.uint64)
    start = digests.offset
    ends = np.frombuffer(digests.buffers()[1], np.int32)[start : start + len(digests) + 1]
    raw = binascii.unhexlify(memoryview(digests.buffers()[2])[ends[0] : ends[-1]])
    return np.frombuffer(raw, ">u8").reshape(-1, 4)[:, :2].T.astype(np.uint64)
