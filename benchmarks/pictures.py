"""Generated JPEGs for the benchmarks: fifty families of scenes, each picture with its own grain."""

import io
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

FAMILIES: Final = 50
GRAIN: Final = 22
"""Amplitude of the noise, in grey levels: at quality 85 it makes 256 x 256 pixels about 24 kB."""


def picture(number: int, side: int = 256) -> bytes:
    """Picture NUMBER as the bytes of a JPEG, SIDE pixels wide and high; the same at every call."""
    family = np.random.default_rng(number % FAMILIES).integers(0, 256, (6, 6, 3))
    own = np.random.default_rng(FAMILIES + number)
    coarse = np.clip(family + own.integers(-40, 41, family.shape), 0, 255).astype(np.uint8)
    scene = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    grain = own.integers(-GRAIN, GRAIN + 1, (side, side, 3), dtype=np.int16)
    pixels = np.clip(np.asarray(scene, np.int16) + grain, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=85)
    return out.getvalue()


def key(number: int) -> str:
    """Where picture NUMBER lies in its folder: one folder a family, which is its label."""
    return f"family{number % FAMILIES:02d}/{number:07d}.jpg"


def folder(root: Path, count: int, side: int = 256) -> Path:
    """ROOT with pictures 0 to COUNT - 1 in it, drawn where they are not there yet."""
    for family in range(min(FAMILIES, count)):
        (root / key(family)).parent.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = root / key(number)
        if not path.exists():
            path.write_bytes(picture(number, side))
    return root


def delta(root: Path, count: int, turn: int) -> int:
    """Change ROOT, COUNT pictures, for the TURN-th time; how many of them must be embedded.

    One picture in a hundred is added, one gets other bytes, one is deleted; no turn meets a picture
    that an earlier one has met.
    """
    n = max(1, count // 100)
    first = 2 * n * turn
    for number in range(first, first + n):
        (root / key(number)).write_bytes(picture(number + 10_000_000))
    for number in range(first + n, first + 2 * n):
        (root / key(number)).unlink()
    for number in range(count + n * turn, count + n * (turn + 1)):
        (root / key(number)).write_bytes(picture(number))
    return 2 * n
