"""The PNG made of pixels: it shows them, has the promised length, and never changes a byte."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from data.adapters.png import png, png_size

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
SIDES = st.integers(1, 40)


def length_of(pixels: Pixels) -> int:
    return png_size(pixels.shape[0], pixels.shape[1], 3 if pixels.ndim == 3 else 1)


@given(
    st.tuples(SIDES, SIDES).flatmap(lambda side: arrays(np.uint8, (*side, 3)))
    | st.tuples(SIDES, SIDES).flatmap(lambda side: arrays(np.uint8, side))
)
def test_a_png_shows_the_pixels_it_was_made_of(pixels: Pixels) -> None:
    made = png(pixels)
    assert len(made) == length_of(pixels)
    shown = Image.open(io.BytesIO(made))
    assert shown.mode == ("RGB" if pixels.ndim == 3 else "L")
    assert np.array_equal(np.asarray(shown), pixels)


@pytest.mark.parametrize("shape", [(256, 256), (255, 256), (300, 500, 3), (1, 65_534), (1, 65_535)])
def test_a_picture_larger_than_a_block_takes_several(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    made = png(pixels)
    assert len(made) == length_of(pixels)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(made))), pixels)


def test_the_bytes_of_a_png_are_fixed_for_ever() -> None:
    made = png(np.arange(6, dtype=np.uint8).reshape(1, 2, 3))
    assert made.hex() == (
        "89504e470d0a1a0a0000000d49484452000000020000000108020000007b40e8dd00000012494441"
        "547801010700f8ff00000102030405002a0010c8715bbd0000000049454e44ae426082"
    )
