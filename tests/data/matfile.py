"""Writes MATLAB files of version 5, as MATLAB does, for tests."""

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

Order = Literal["<", ">"]

CLASSES = {
    "f8": 6, "f4": 7, "i1": 8, "u1": 9, "i2": 10, "u2": 11, "i4": 12, "u4": 13, "i8": 14, "u8": 15,
    "b1": 9,
}  # fmt: skip
STORED = {
    "i1": 1, "u1": 2, "b1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 9, "i8": 12,
    "u8": 13,
}  # fmt: skip


def write_mat(
    path: Path, variables: Mapping[str, Any], packed: bool = True, order: Order = "<"
) -> Path:
    """VARIABLES as a file at PATH: arrays, texts, lists (cells, N x 1), dicts (structs).

    A list of dicts whose first item has the key ``*`` is an array of structs (1 x N).
    """
    text = b"MATLAB 5.0 MAT-file, written by a test".ljust(124)
    out = [text + struct.pack(f"{order}H", 0x100) + (b"IM" if order == "<" else b"MI")]
    for name, value in variables.items():
        matrix = _matrix(name, value, order)
        if packed:
            content = zlib.compress(matrix)
            matrix = struct.pack(f"{order}2I", 15, len(content)) + content
        out.append(matrix)
    path.write_bytes(b"".join(out))
    return path


def _are_structs(value: Any) -> bool:
    return bool(isinstance(value, list) and value and isinstance(value[0], dict)) and (
        "*" in value[0]
    )


def _element(kind: int, content: bytes, order: Order) -> bytes:
    if 0 < len(content) <= 4:
        return struct.pack(f"{order}I", len(content) << 16 | kind) + content.ljust(4, b"\0")
    return struct.pack(f"{order}2I", kind, len(content)) + content + bytes(-len(content) % 8)


def _matrix(name: str, value: Any, order: Order) -> bytes:
    if isinstance(value, str):
        kind, flags, shape = 4, 0, (1, len(value))
        body = _element(4, value.encode("utf-16-le" if order == "<" else "utf-16-be"), order)
    elif isinstance(value, dict) or _are_structs(value):
        rows = [value] if isinstance(value, dict) else value
        names = [field for field in rows[0] if field != "*"]
        kind, flags, shape = 2, 0, (1, len(rows))
        body = _element(5, struct.pack(f"{order}i", 32), order)
        body += _element(1, b"".join(field.encode().ljust(32, b"\0") for field in names), order)
        body += b"".join(_matrix("", row[field], order) for row in rows for field in names)
    elif isinstance(value, list):
        kind, flags, shape = 1, 0, (len(value), 1)
        body = b"".join(_matrix("", item, order) for item in value)
    else:
        array = np.asarray(value)
        word = array.dtype.str[1:]
        kind, flags, shape = CLASSES[word], 0x200 * (word == "b1"), array.shape
        stored = array.astype(array.dtype.newbyteorder(order)).tobytes(order="F")
        body = _element(STORED[word], stored, order)
    head = _element(6, struct.pack(f"{order}2I", kind | flags, 0), order)
    head += _element(5, struct.pack(f"{order}{len(shape)}i", *shape), order)
    head += _element(1, name.encode(), order)
    return struct.pack(f"{order}2I", 14, len(head + body)) + head + body
