"""A drawing as somebody made, photographed or exported it, made ready to be searched for."""

import io
from typing import Final

import numpy as np
import torch
from PIL import Image

from models.edges import cleaned
from models.pixels import Pixels, decode, header

TRANSPARENT: Final = {"png": "PNG", "gif": "GIF", "webp": "WEBP", "tiff": "TIFF"}
"""Formats, by suffix, whose pictures may be transparent."""


def clean_sheet(content: bytes) -> bytes:
    """The drawing in CONTENT as black lines on white, as a PNG.

    Paper becomes white, whatever its colour; a board with light lines is turned over. Of a
    transparent picture it is the opaque part that was drawn, where that cannot be seen on white.

    Raises:
        BadImage: CONTENT cannot be used.
        ValueError: there are no lines.
    """
    sheet = _cleaned(decode(content))
    if (sheet == 255).all():
        sheet = _cleaned(_opaque(content))
    if (sheet == 255).all():
        raise ValueError("it has no lines, only one even tone")
    out = io.BytesIO()
    Image.fromarray(sheet).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _cleaned(pixels: Pixels) -> Pixels:
    """The drawing PIXELS (H, W, 3) as black lines on white."""
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    found: Pixels = (255 * cleaned(image)[0]).round().byte().permute(1, 2, 0).numpy()
    return found


def _opaque(content: bytes) -> Pixels:
    """How opaque each pixel of CONTENT is, which is a picture, (H, W, 3)."""
    head = header(content)
    if head.suffix not in TRANSPARENT:
        return np.zeros((head.height, head.width, 3), np.uint8)
    with Image.open(io.BytesIO(content), formats=(TRANSPARENT[head.suffix],)) as image:
        alpha = np.asarray(image.convert("RGBA"))[:, :, 3:]
    return np.repeat(alpha, 3, axis=2)
