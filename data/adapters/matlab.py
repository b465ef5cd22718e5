"""Variables of MATLAB files: of version 5 to 7 by `mat5`, of version 7.3 by `hdf5`."""

import math
from collections.abc import Generator
from typing import Any

import numpy as np

from data.adapters import hdf5
from data.adapters.archives import opened
from data.adapters.mat5 import numbers_of, order_of, value_of, variables
from data.taxonomy import unknown

Array = np.ndarray[Any, np.dtype[Any]]


def load(path: str, *names: str) -> dict[str, Any]:
    """The variables NAMES of the MATLAB file at PATH, as `opened` understands it; none named: all.

    Arrays have MATLAB's shape (a vector is (N, 1) or (1, N)); a char array is a text, or a list of
    the texts in its rows; a cell array is a list, column by column; a struct is a dict, an array of
    structs a list of dicts, column by column.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is no MATLAB file, is damaged, has no such variable, or one of a kind that
            data does not need (objects, functions, sparse or complex numbers); names it.
        ImportError: it is of version 7.3, and h5py is not installed.
    """
    there: list[str] = []
    found: dict[str, Any] = {}
    with opened(path) as stream:
        order = order_of(stream, path)
        if order is None:
            return hdf5.load(path, names)
        for head, part in variables(stream, path, order):
            there.append(head.name)
            if not names or head.name in names:
                found[head.name] = value_of(part, head, 0)
    for name in names:
        if name not in found:
            raise ValueError(unknown(f"variable of {path}", name, there))
    return found


class LastAxis:
    """The slices of one array along its last axis, read one after the other and never all at once.

    MATLAB writes the first axis fastest, so that each slice lies in one piece: the pictures of an
    array (H, W, 3, N). Going on is cheap; going back begins again.

    Args:
        path: the MATLAB file, of version 5 to 7.
        name: its variable.

    Attributes:
        at: the slice that comes next.

    Raises:
        FileNotFoundError: the file is not there.
        ValueError: it is no such file, is damaged, or has no array of that name.
    """

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name
        self._broken = ""
        self._begin()

    def __len__(self) -> int:
        """N."""
        return self.shape[-1]

    def __getitem__(self, row: int, /) -> Array:
        """Slice ROW, from 0 to N - 1, of the array's shape but its last axis.

        Raises:
            ValueError: the file is damaged before the end of it.
        """
        if not 0 <= row < len(self):
            raise IndexError(f"{self.path}: {self.name} has {len(self)} slices.")
        if row < self.at:
            self.close()
            self._begin()
        elif self._broken:
            raise ValueError(self._broken)
        try:
            while self.at <= row:
                content = next(self._slices)
                self.at += 1
        except ValueError as error:
            self._broken = str(error)
            raise
        return np.frombuffer(content, self.numbers).reshape(self.shape[:-1], order="F")

    def close(self) -> None:
        """Let go of the file."""
        self._slices.close()

    def _begin(self) -> None:
        self._slices = self._read()
        next(self._slices)  # shape and numbers are known then
        self.at = 0
        self._broken = ""

    def _read(self) -> Generator[bytes, None, None]:
        with opened(self.path) as stream:
            order = order_of(stream, self.path)
            if order is None:
                raise ValueError(f"{self.path} is of version 7.3: read it by data.adapters.hdf5.")
            for head, part in variables(stream, self.path, order):
                if head.name != self.name:
                    continue
                self.shape = head.shape
                self.numbers, content = numbers_of(part, head)
                yield b""
                length = math.prod(head.shape[:-1]) * self.numbers.itemsize
                for start in range(0, length * head.shape[-1], length):
                    within = None if content is None else content[start : start + length]
                    yield part.take(length) if within is None else within
                return
        raise ValueError(f"{self.path} has no variable {self.name!r}.")
