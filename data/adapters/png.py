"""Pixels as a PNG file whose bytes follow from the pixels alone."""

import struct
import zlib
from typing import Any, Final

import numpy as np

PNG_OVERHEAD: Final = 8 + (12 + 13) + (12 + 2 + 4) + 12
"""Bytes of a `png` beside its rows and their blocks: signature, IHDR, IDAT, IEND."""

_STORED: Final = 0xFFFF  # the longest block that deflate can hold uncompressed
_BLOCK: Final = 5  # bytes before each


def png(pixels: "np.ndarray[Any, np.dtype[np.uint8]]") -> bytes:
    """PIXELS, (H, W, 3) RGB or (H, W) grey, uint8, as a PNG: the same bytes anywhere, for ever.

    A compressor's output changes with its version, and the digest of an image with it; stored
    blocks (RFC 1951, 3.2.4), each as long as may be, have one way to be written.
    """
    height, width = pixels.shape[:2]
    lines = pixels.reshape(height, -1)
    rows = np.zeros((height, 1 + lines.shape[1]), dtype=np.uint8)  # a row starts with filter type 0
    rows[:, 1:] = lines
    raw = rows.tobytes()
    packed = b"\x78\x01" + _stored(raw) + struct.pack(">I", zlib.adler32(raw))
    colours = 2 if pixels.ndim == 3 else 0  # RGB, grey
    header = struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0)  # 8 bits a channel
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, content)
        for kind, content in ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    )


def png_size(height: int, width: int, channels: int) -> int:
    """Bytes of the `png` of a picture of HEIGHT x WIDTH pixels of CHANNELS (1 or 3)."""
    raw = height * (1 + width * channels)
    return PNG_OVERHEAD + raw + _BLOCK * -(-raw // _STORED)


def _stored(raw: bytes) -> bytes:
    """RAW as a deflate stream of blocks that hold it as it is."""
    blocks = [raw[start : start + _STORED] for start in range(0, len(raw), _STORED)]
    return b"".join(
        struct.pack("<BHH", number == len(blocks), len(block), len(block) ^ 0xFFFF) + block
        for number, block in enumerate(blocks, 1)
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
