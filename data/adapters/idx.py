"""Arrays in the idx format of MNIST, plain or compressed by gzip."""

import math
import struct
import sys
import zlib
from typing import Any, Final

import fsspec
import numpy as np

_BEGINNING: Final = 4096
"""Bytes in which the head of a file is, packed or not."""

KINDS: Final = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""What the third byte of a file says its numbers are."""


def idx_shape(path: str) -> tuple[int, ...]:
    """The shape of the array in the file at PATH, of which no more than the beginning is read.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is no idx file.
    """
    fs, file = fsspec.url_to_fs(path)
    with fs.open(file, "rb") as stream:
        return _head(_Take(stream.read(_BEGINNING), path))[0]


def load_idx(path: str) -> "np.ndarray[Any, np.dtype[Any]]":
    """The array in the file at PATH, on a disk or under a URL.

    The layout: two zero bytes, one for the kind of number, one for how many dimensions there are,
    their lengths as big-endian uint32, then the numbers, row by row.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is no idx file, or not as long as its header says; names it.
    """
    fs, file = fsspec.url_to_fs(path)
    take = _Take(fs.cat_file(file), path)
    shape, numbers = _head(take)
    content = take(math.prod(shape) * numbers.itemsize)
    if take.rest():
        raise ValueError(f"{path} goes on after the {shape} numbers that its header promises.")
    return np.frombuffer(content, numbers).reshape(shape)


def _head(take: "_Take") -> tuple[tuple[int, ...], "np.dtype[Any]"]:
    zeros, kind, dimensions = struct.unpack(">HBB", take(4))
    if zeros or kind not in KINDS or not dimensions:
        raise ValueError(f"{take.path} is no idx file: it begins with {zeros:04x}{kind:02x}.")
    return struct.unpack(f">{dimensions}I", take(4 * dimensions)), np.dtype(KINDS[kind])


class _Take:
    """The next bytes of a file, whether it is packed or not; no more memory than is asked for."""

    def __init__(self, content: bytes, path: str) -> None:
        self.path = path
        self.gzip = zlib.decompressobj(31) if content.startswith(b"\x1f\x8b") else None
        self.waiting = memoryview(content)

    def __call__(self, count: int) -> bytes:
        taken = self._up_to(count)
        if len(taken) < count:
            raise ValueError(f"{self.path} is cut: {len(taken)} bytes where {count} should be.")
        return taken

    def rest(self) -> bool:
        """Whether anything follows; it also proves the checksum at the end of what was packed."""
        return bool(self._up_to(1)) or bool(self.gzip and not self.gzip.eof)

    def _up_to(self, count: int) -> bytes:
        if self.gzip is None:
            taken, self.waiting = bytes(self.waiting[:count]), self.waiting[count:]
            return taken
        if not count:
            return b""  # zlib takes no length of 0 for "as much as there is"
        try:
            taken = self.gzip.decompress(self.waiting, min(count, sys.maxsize))
        except zlib.error as error:
            raise ValueError(f"{self.path} is damaged: {error}.") from error
        self.waiting = memoryview(self.gzip.unconsumed_tail)
        return taken
