"""Colours and surfaces of places: brick, stone, planks, plaster, tiles; grass, paving, water."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from PIL import Image

Colour = tuple[int, int, int]
Array = np.ndarray[Any, np.dtype[Any]]
Rng = np.random.Generator
TILE: Final = 256
"""Surfaces repeat after so many pixels."""


def tint(colour: Colour, rng: Rng, much: float) -> Colour:
    """COLOUR moved by lot, with a standard deviation of MUCH grey levels a channel."""
    red, green, blue = (np.array(colour) + rng.normal(0, much, 3)).clip(0, 255).astype(int).tolist()
    return red, green, blue


def shade(colour: Colour, light: float) -> Colour:
    """COLOUR under LIGHT times the light."""
    red, green, blue = (min(255, max(0, int(channel * light))) for channel in colour)
    return red, green, blue


def noise(rng: Rng, width: int, height: int, grid: tuple[int, int], octaves: int) -> Array:
    """Smooth noise in [0, 1], (height, width) float32, of OCTAVES from GRID (rows, columns) up."""
    coarse = max(1, width // 4), max(1, height // 4)
    total = np.zeros(coarse[::-1], dtype=np.float32)
    for octave in range(octaves):
        cells = rng.random((grid[0] * 2**octave + 1, grid[1] * 2**octave + 1), dtype=np.float32)
        smooth = Image.fromarray(cells).resize(coarse, Image.Resampling.BICUBIC)
        total += np.asarray(smooth) / 2**octave
    total = (total / (2 - 2.0 ** (1 - octaves))).clip(0, 1)
    return np.asarray(Image.fromarray(total).resize((width, height), Image.Resampling.BILINEAR))


def _blocks(rng: Rng, rows: int, columns: int, joint: float, spread: float) -> Array:
    """The tones of a wall of blocks, every second course set off by half a block, (TILE, TILE)."""
    y, x = np.mgrid[0:TILE, 0:TILE] / TILE
    course = (y * rows).astype(int)
    along = x * columns + 0.5 * (course % 2)
    tones = rng.normal(1, spread, (rows, columns))[course, along.astype(int) % columns]
    gap = (along % 1 < joint * columns / rows) | ((y * rows) % 1 < joint)
    return np.asarray(np.where(gap, 0.74, tones))


def _cover(tones: Array, colour: Colour, rng: Rng, size: tuple[int, int]) -> Image.Image:
    """TONES (TILE, TILE) times COLOUR, repeated over SIZE under stains that do not repeat; RGB."""
    grain = tones * rng.normal(1, 0.035, tones.shape)
    tile = (grain[:, :, None] * np.array(colour)).clip(0, 255).astype(np.uint8)
    repeats = (-(-size[1] // TILE), -(-size[0] // TILE), 1)
    wall = Image.fromarray(np.tile(tile, repeats)[: size[1], : size[0]])
    stains = noise(rng, size[0] // 8, size[1] // 8, (4, 6), 3)
    veil = Image.fromarray((stains * 96).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    wall.paste(Image.new("RGB", size, shade(colour, 0.55)), (0, 0), veil)
    return wall


def brick(colour: Colour, rng: Rng, size: tuple[int, int]) -> Image.Image:
    """A wall of bricks in courses."""
    rows = int(rng.choice([16, 24, 32]))
    return _cover(_blocks(rng, rows, rows // 2, 0.16, 0.12), colour, rng, size)


def stone(colour: Colour, rng: Rng, size: tuple[int, int]) -> Image.Image:
    """A wall of large hewn stones."""
    rows = int(rng.choice([6, 8, 10]))
    return _cover(_blocks(rng, rows, rows - 2, 0.07, 0.16), colour, rng, size)


def planks(colour: Colour, rng: Rng, size: tuple[int, int]) -> Image.Image:
    """A wall of upright boards."""
    boards = int(rng.choice([12, 18, 26]))
    across = np.arange(TILE) / TILE * boards
    tones = rng.normal(1, 0.13, boards)[across.astype(int)]
    line = np.where(across % 1 < 0.12, 0.6, tones)
    return _cover(np.tile(line, (TILE, 1)), colour, rng, size)


def plaster(colour: Colour, rng: Rng, size: tuple[int, int]) -> Image.Image:
    """A plain rendered wall, a little uneven."""
    return _cover(0.86 + 0.28 * noise(rng, TILE, TILE, (4, 4), 4), colour, rng, size)


def timber(colour: Colour, rng: Rng, size: tuple[int, int]) -> Image.Image:
    """A half-timbered wall: dark beams, upright, level and aslant, around light panels."""
    y, x = np.mgrid[0:TILE, 0:TILE] / TILE * int(rng.choice([3, 4, 5]))
    beams = (x % 1 < 0.1) | (y % 1 < 0.1) | (np.abs((x + y) % 2 - 1) < 0.07)
    return _cover(np.where(beams, 0.34, 1.08), colour, rng, size)


def tiles(colour: Colour, rng: Rng, size: tuple[int, int]) -> Image.Image:
    """A roof of overlapping tiles, darker under each lap."""
    rows = int(rng.choice([18, 24, 32]))
    lap = (np.arange(TILE) / TILE * rows) % 1
    return _cover(
        _blocks(rng, rows, rows, 0.1, 0.1) * (0.8 + 0.35 * lap)[:, None], colour, rng, size
    )


MATERIALS: Final[Mapping[str, Callable[[Colour, Rng, tuple[int, int]], Image.Image]]] = {
    "brick": brick,
    "stone": stone,
    "planks": planks,
    "plaster": plaster,
    "timber": timber,
    "tiles": tiles,
}

EARTH: Final[Mapping[str, Colour]] = {
    "grass": (108, 124, 70),
    "gravel": (168, 156, 136),
    "paving": (158, 152, 146),
    "chequers": (186, 178, 166),
    "cobbles": (128, 122, 118),
    "water": (74, 102, 118),
}
"""The grounds that `floor` can lay, with their colour."""


def floor(kind: str, dark: Colour, light: Colour, rng: Rng, width: int, height: int) -> Image.Image:
    """Ground of KIND (of `EARTH`) seen at a slant, RGBA: near at the bottom, far at the top."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    depth = 60.0 / (y + 14)  # of a pinhole camera above level ground
    u, v = (x - width / 2) * depth / 26, depth * 11
    grain = (
        noise(rng, width, height, (40, 24), 3) * 0.3 + noise(rng, width, height, (4, 6), 3) * 0.3
    )
    tones = 0.72 + grain
    base = np.array(tint(EARTH[kind], rng, 12), dtype=np.float32)
    colours = np.broadcast_to(base, (height, width, 3))
    fade = np.clip(1.6 - depth, 0, 1)  # a pattern finer than the pixels is left out
    if kind in ("paving", "cobbles"):
        size = 1.0 if kind == "paving" else 2.6
        joints = ((u * size) % 1 < 0.1) | ((v * size) % 1 < 0.1)
        tones = tones * np.where(joints, 1 - 0.4 * fade, 1)
    elif kind == "chequers":
        odd = (np.floor(u) + np.floor(v)) % 2 == 1
        colours = np.where(odd[:, :, None], colours, (colours + 2 * np.array(shade(dark, 1.2))) / 3)
    elif kind == "gravel":
        path = np.abs(u - 1.5 * np.sin(v / 3 + rng.uniform(0, 6))) < rng.uniform(1.2, 2.4)
        colours = np.where(path[:, :, None], colours, np.array(tint(EARTH["grass"], rng, 10)))
    elif kind == "water":
        tones = (
            0.8 + 0.25 * grain + 0.12 * np.sin(y * 1.3 + 6 * noise(rng, width, height, (6, 6), 2))
        )
    else:
        blades = rng.normal(1, 0.12, (height, width))
        tones = tones * blades
    shaded = colours * np.asarray(tones)[:, :, None] * 0.92 + np.array(light) * 0.08
    return Image.fromarray(shaded.clip(0, 255).astype(np.uint8)).convert("RGBA")
