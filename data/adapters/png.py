"""Pixels as a PNG file whose bytes follow from the pixels alone."""

import struct
import zlib
from typing import Any, Final

import numpy as np

PNG_OVERHEAD: Final = 8 + (12 + 13) + (12 + 2 + 5 + 4) + 12
"""Bytes of a `png` beside its pixels and one filter byte a row: signature, IHDR, IDAT, IEND."""

_STORED: Final = 0xFFFF  # the longest block that deflate can hold uncompressed


def png(pixels: "np.ndarray[Any, np.dtype[np.uint8]]") -> bytes:
    """PIXELS (H, W, 3) uint8 as an uncompressed RGB PNG: the same bytes on any machine, for ever.

    A compressor's output changes with its version, and the digest of an image with it; a stored
    block (RFC 1951, 3.2.4) has one way to be written.

    Raises:
        ValueError: the picture has more than 65,535 bytes, rows' filter bytes included.
    """
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # a row starts with filter type 0
    rows[:, 1:] = pixels.reshape(height, -1)
    raw = rows.tobytes()
    if len(raw) > _STORED:
        raise ValueError(f"{len(raw)} bytes of pixels do not fit one stored block of {_STORED}.")
    block = struct.pack("<BHH", 1, len(raw), len(raw) ^ 0xFFFF) + raw
    packed = b"\x78\x01" + block + struct.pack(">I", zlib.adler32(raw))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits a channel, RGB
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, content)
        for kind, content in ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
