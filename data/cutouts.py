"""What parts of a picture show, as pictures of their own."""

import io
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from data.adapters.png import png
from data.regions import Region

FORMATS: Final = (
    "JPEG", "MPO", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF",
)  # fmt: skip
"""Those that are opened, as whole pictures are."""

MOST_PIXELS: Final = 100_000_000
"""A header that promises more is never decoded: `models.pixels` refuses it as too large."""

LEAST: Final = 8
"""Pixels; a picture with a shorter side is refused as too small."""

HEAD: Final = 12
"""Bytes by which a picture that cannot be decoded is known as one, or as none."""


def shown(picture: Image.Image, region: Region) -> Image.Image:
    """What REGION shows of PICTURE, upright, in RGB.

    Corners are rounded to whole pixels of the stored picture, what lies beyond it is left away, and
    the rest is turned upright as every picture is.
    """
    part = picture.crop(region.corners(picture.width, picture.height))
    return ImageOps.exif_transpose(part).convert("RGB")


def cutouts(content: bytes, regions: Sequence[Region], most: int = 0) -> Iterator[bytes]:
    """What each of REGIONS shows of the picture in CONTENT, as PNG files; it is decoded once.

    Their bytes follow from the pixels alone (`data.adapters.png`). Of a picture that cannot be
    decoded, each part is what is left of it: bytes that are refused for the reason for which it
    would be.

    Args:
        content: the file of the whole picture.
        regions: parts of it.
        most: pixels of the longer side; a longer one is made smaller, as long as the shorter keeps
            `LEAST`. 0: as it was cut.
    """
    picture = _decoded(content)
    for region in regions:
        yield picture if isinstance(picture, bytes) else _file(shown(picture, region), most)


def _file(part: Image.Image, most: int) -> bytes:
    share = max(most / max(part.size), LEAST / min(part.size)) if most else 1
    if share < 1:
        across, down = (max(round(side * share), 1) for side in part.size)
        part = part.resize((across, down), Image.Resampling.BICUBIC)
    return png(np.asarray(part))


def _decoded(content: bytes) -> Image.Image | bytes:
    """The picture in CONTENT, decoded, or what to answer in its place."""
    Image.init()
    formats: list[str] = [name for name in FORMATS if name in Image.OPEN]
    try:
        picture = Image.open(io.BytesIO(content), formats=formats)
        if picture.width * picture.height > MOST_PIXELS:
            return content
        picture.load()
    except MemoryError:
        raise
    except Exception:  # the data are foreign, and Pillow lets out any error of its parsers
        return content[:HEAD]
    return picture
