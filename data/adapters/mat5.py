"""The format of MATLAB files of version 5 to 7: variables, one after the other, in a stream.

After "MAT-File Format" (MathWorks), level 5. Numbers become arrays, texts ``str``, cells lists,
structs dicts; nothing else is read, and nothing that is read is executed.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final, NamedTuple

import numpy as np

_CELL, _STRUCT, _CHAR = 1, 2, 4
_NUMBERS: Final = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
"""Numpy's name of the numbers of a class of arrays."""
_STORED: Final = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
"""Numpy's name of the numbers as they are written, which may be smaller than their class."""
_TEXTS: Final = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _PACKED = 14, 15
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_DEEPEST: Final = 30
_PIECE: Final = 1 << 20
_PACKED_PIECE: Final = 1 << 16


class Head(NamedTuple):
    """What a variable is before its contents: name, class, flags and shape."""

    name: str
    kind: int
    flags: int
    shape: tuple[int, ...]


class Part:
    """The next LENGTH bytes of STREAM, read in order; what is left of them can be passed over."""

    def __init__(self, stream: IO[bytes], length: int, path: str, order: str) -> None:
        self.stream, self.left, self.path, self.order = stream, length, path, order

    def take(self, count: int) -> bytes:
        """The next COUNT bytes."""
        pieces = []
        missing = min(count, self.left + 1)  # one more than there is: it will be missed
        while missing and (piece := self.stream.read(min(missing, self.left, _PIECE))):
            pieces.append(piece)
            missing -= len(piece)
            self.left -= len(piece)
        if missing:
            raise ValueError(f"{self.path} is cut or damaged: an array ends before its numbers.")
        return b"".join(pieces)

    def drain(self) -> None:
        """Pass over what is left."""
        while self.left:
            self.take(min(self.left, _PIECE))


class _Inflated(Part):
    """The same of what PART holds packed."""

    def __init__(self, part: Part) -> None:
        super().__init__(part.stream, 0, part.path, part.order)
        self.part, self.inflate = part, zlib.decompressobj()
        self.ready, self.at = b"", 0

    def take(self, count: int) -> bytes:
        """The next COUNT bytes."""
        pieces = []
        missing = count
        while missing > len(self.ready) - self.at:
            pieces.append(self.ready[self.at :])
            missing -= len(pieces[-1])
            self.ready, self.at = self._more(), 0
        pieces.append(self.ready[self.at : self.at + missing])
        self.at += missing
        return b"".join(pieces)

    def _more(self) -> bytes:
        """The next bytes, some of them at least, and not many."""
        packed = self.inflate.unconsumed_tail
        while True:
            if not packed and self.part.left:
                packed = self.part.take(min(self.part.left, _PACKED_PIECE))
            try:
                piece = self.inflate.decompress(packed, _PIECE)
            except zlib.error as error:
                raise ValueError(f"{self.path} is damaged: {error}.") from error
            packed = self.inflate.unconsumed_tail
            if piece:
                return piece
            if not (self.part.left or packed):
                raise ValueError(f"{self.path} is cut or damaged: a variable is not all there.")


def order_of(stream: IO[bytes], path: str) -> str | None:
    """The order of bytes in the file that STREAM begins to read; None for one of version 7.3.

    Raises:
        ValueError: it is no MATLAB file.
    """
    first = stream.read(128)
    if first.startswith((b"MATLAB 7.3", b"\x89HDF\r\n")):
        return None
    order = {b"IM": "<", b"MI": ">"}.get(first[126:])
    if order is None or not first.startswith(b"MATLAB"):
        raise ValueError(f"{path} is no MATLAB file of version 5 or newer.")
    return order


def variables(stream: IO[bytes], path: str, order: str) -> Iterator[tuple[Head, Part]]:
    """The head of each variable that STREAM goes on with, and what follows it."""
    while first := stream.read(8):
        if len(first) < 8:
            raise ValueError(f"{path} is cut: it ends within a variable.")
        kind, length = struct.unpack(f"{order}2I", first)
        outer = Part(stream, length, path, order)
        part: Part = outer
        if kind == _PACKED:
            part = _Inflated(outer)
            kind, _ = struct.unpack(f"{order}2I", part.take(8))
        if kind != _MATRIX:
            raise ValueError(f"{path} is damaged: a variable begins as type {kind}.")
        yield _head(part), part
        outer.drain()


def _head(part: Part) -> Head:
    flags, shape = (_element(part) for _ in range(2))
    if len(flags[1]) < 8 or not shape[1] or len(shape[1]) % 4:
        raise ValueError(f"{part.path} is damaged: a variable has no class or no shape.")
    (word,) = struct.unpack(f"{part.order}I", flags[1][:4])
    sides = tuple(int(side) for side in np.frombuffer(shape[1], f"{part.order}i4"))
    if min(sides) < 0:
        raise ValueError(f"{part.path} is damaged: a variable has the shape {sides}.")
    return Head(_element(part)[1].decode("latin-1"), word & 0xFF, word & 0xFF00, sides)


def _element(part: Part) -> tuple[int, bytes]:
    """Type and bytes of the next small element."""
    kind, length, content = _tag(part)
    if content is None:
        content = part.take(length)
        part.take(-length % 8)
    return kind, content


def _tag(part: Part) -> tuple[int, int, bytes | None]:
    """Type and length of the next element; its bytes too where they stand in the tag itself."""
    first = part.take(8)
    kind, length = struct.unpack(f"{part.order}2I", first)
    if kind >> 16:
        return kind & 0xFFFF, kind >> 16, first[4 : 4 + (kind >> 16)]
    return kind, length, None


def value_of(part: Part, head: Head, depth: int) -> Any:
    """What follows HEAD."""
    if depth > _DEEPEST:
        raise ValueError(f"{part.path} is damaged: cells lie in cells for ever.")
    count = math.prod(head.shape)
    if head.kind == _CELL:
        return [_inner(part, depth) for _ in range(count)]
    if head.kind == _STRUCT:
        (width,) = struct.unpack(f"{part.order}I", _element(part)[1][:4].ljust(4, b"\0"))
        names = _element(part)[1]
        fields = [
            names[start : start + width].partition(b"\0")[0].decode("latin-1")
            for start in range(0, len(names) if width else 0, max(width, 1))
        ]
        if not fields:  # so that what is there of a struct bounds how many there can be
            raise ValueError(f"{part.path} is damaged: {head.name!r} is a struct without fields.")
        found = [{name: _inner(part, depth) for name in fields} for _ in range(count)]
        return found[0] if count == 1 else found
    if head.kind == _CHAR:
        return _text(part, head)
    numbers, content = numbers_of(part, head)
    if content is None:
        content = part.take(count * numbers.itemsize)
        part.take(-len(content) % 8 if depth else 0)
    array = np.frombuffer(content, numbers).reshape(head.shape, order="F")
    return array.astype(bool if head.flags & _LOGICAL else _NUMBERS[head.kind], copy=False)


def _inner(part: Part, depth: int) -> Any:
    """The next array in a cell or field."""
    kind, length, _ = _tag(part)
    if kind != _MATRIX:
        raise ValueError(f"{part.path} is damaged: a cell begins as type {kind}.")
    return value_of(part, _head(part), depth + 1) if length else np.empty((0, 0))


def numbers_of(part: Part, head: Head) -> tuple["np.dtype[Any]", bytes | None]:
    """How the numbers of an array are written, and their bytes where they are so few."""
    if head.kind not in _NUMBERS or head.flags & _COMPLEX:
        raise ValueError(
            f"{part.path}: {head.name!r} is of class {head.kind} "
            f"{'(complex) ' * bool(head.flags & _COMPLEX)}and no array of plain numbers."
        )
    kind, length, content = _tag(part)
    numbers = np.dtype(part.order + _STORED.get(kind, "u1"))
    if kind not in _STORED or length != math.prod(head.shape) * numbers.itemsize:
        raise ValueError(
            f"{part.path} is damaged: {head.name!r} of shape {head.shape} has {length} bytes of "
            f"type {kind}."
        )
    return numbers, content


def _text(part: Part, head: Head) -> str | list[str]:
    kind, content = _element(part)
    if kind not in _TEXTS:
        raise ValueError(f"{part.path} is damaged: a text is of type {kind}.")
    wide = {"<": "-le", ">": "-be"}[part.order] if kind in (4, 17, 18) else ""
    text = content.decode(_TEXTS[kind] + wide, "replace")
    rows = head.shape[0]
    if rows > 1 and len(text) != math.prod(head.shape):
        raise ValueError(f"{part.path} is damaged: a text of {head.shape} has {len(text)} letters.")
    return text if rows <= 1 else [text[row::rows] for row in range(rows)]
