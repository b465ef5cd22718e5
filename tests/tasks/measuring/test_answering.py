"""What the box of a query shows is cut out of its picture."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tasks.measuring.answering import cut

Array = np.ndarray[Any, np.dtype[Any]]


def picture(turned: int = 1) -> tuple[bytes, Array]:
    """A file of 40 x 30 noisy pixels as it is stored, and these pixels."""
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = turned
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", exif=exif)
    return out.getvalue(), pixels


def shown(content: bytes, x: float, y: float, width: float, height: float) -> Array:
    cutting = cut(content, 32, {"x": x, "y": y, "width": width, "height": height})
    return np.asarray(Image.open(io.BytesIO(cutting)))


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((4.0, 2.0, 20.0, 10.0), slice(2, 12), slice(4, 24)),
        ((4.4, 1.6, 20.0, 10.0), slice(2, 12), slice(4, 24)),
        ((-5.0, 20.0, 100.0, 100.0), slice(20, 30), slice(0, 40)),
        ((7.0, 7.0, 0.2, 0.2), slice(7, 8), slice(7, 8)),
    ],
)
def test_corners_are_whole_pixels_within_the_picture(
    box: tuple[float, float, float, float], rows: slice, columns: slice
) -> None:
    content, pixels = picture()
    assert np.array_equal(shown(content, *box), pixels[rows, columns])


def test_a_box_counts_stored_pixels_and_what_it_shows_is_upright() -> None:
    content, pixels = picture(turned=6)  # to be turned a quarter to the right
    upright = np.rot90(pixels[2:12, 4:24], -1)
    assert np.array_equal(shown(content, 4, 2, 20, 10), upright)
