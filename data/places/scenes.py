"""Puts a place together: sky and hills, what stands behind, the place on its ground or water."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from data.places.buildings import FINE, HEIGHT, WIDTH, Layer, Style, row, tree
from data.places.landmarks import bridge, castle, chapel, foundry, lighthouse, mill
from data.places.quarters import harbour, market, orchard, square, station, terrace
from data.places.textures import MATERIALS, Colour, Rng, floor, noise, tint

SKIES: Final[tuple[tuple[Colour, Colour], ...]] = (
    ((94, 140, 190), (204, 220, 230)),
    ((120, 150, 176), (226, 222, 210)),
    ((148, 158, 170), (214, 214, 212)),
    ((110, 120, 160), (236, 206, 180)),
    ((80, 128, 170), (188, 214, 220)),
)
"""Colours of the air, overhead and at the horizon."""


SIGHTS: Final[Mapping[str, Callable[[Layer, float], str]]] = {
    "harbour": harbour,
    "mill": mill,
    "bridge": bridge,
    "chapel": chapel,
    "market": market,
    "orchard": orchard,
    "station": station,
    "castle": castle,
    "lighthouse": lighthouse,
    "terrace": terrace,
    "square": square,
    "foundry": foundry,
}
"""Every kind of place, by the word that ends its name."""


@dataclass(frozen=True)
class Scene:
    """A place, unlit, as layers that a camera moves across at different speeds.

    Args:
        far: sky and hills, RGB.
        middle: what stands behind, RGBa (premultiplied by its alpha).
        near: the place itself and its ground, RGBa.
        glow: what shines at night, L.
    """

    far: Image.Image
    middle: Image.Image
    near: Image.Image
    glow: Image.Image


def draw_scene(kind: str, colour: Colour, rng: Rng) -> Scene:
    """The scene of a place of KIND (a key of `SIGHTS`) whose walls are of about COLOUR."""
    style = _style(colour, rng)
    horizon = float(rng.uniform(236, 262))
    middle = Layer(rng, style, 22)
    if rng.random() < 0.5:
        row(middle, horizon + 10, 40, 90)
    for _ in range(int(rng.integers(3, 12))):
        tree(middle, rng.uniform(0, WIDTH), horizon + 12, rng.uniform(36, 80))
    near = Layer(rng, style)
    sky = SKIES[int(rng.integers(len(SKIES)))]
    ground = SIGHTS[kind](near, horizon + 34)
    picture, light = near.done()
    behind, _ = middle.done()
    behind = Image.merge(
        "RGBA", (*_hazed(behind, sky[1], 0.38).split()[:3], behind.getchannel("A"))
    )
    far = _far(sky, horizon, style, rng)
    earth = floor(ground, style.accent, colour, rng, WIDTH, HEIGHT - int(horizon) - 12)
    if ground == "water":
        earth = _mirror(far, behind, picture, earth, int(horizon) + 34)
    stage = Image.new("RGBA", (WIDTH, HEIGHT))
    stage.paste(earth, (0, int(horizon) + 12))
    stage.alpha_composite(picture)
    # premultiplied: Pillow would convert every layer for every photograph otherwise
    return Scene(far, behind.convert("RGBa"), stage.convert("RGBa"), light)


def _style(colour: Colour, rng: Rng) -> Style:
    """What a place is built of, drawn by lot around its COLOUR."""
    names = list(MATERIALS)
    others: tuple[Colour, ...] = (
        (196, 186, 170),
        (150, 96, 78),
        (120, 124, 130),
        (214, 204, 188),
        (112, 92, 76),
    )
    second = others[int(rng.integers(len(others)))]
    size = (WIDTH * FINE, HEIGHT * FINE)

    def wall(of: Colour) -> Image.Image:
        return MATERIALS[names[int(rng.integers(len(names)))]](tint(of, rng, 14), rng, size)

    tiles: tuple[Colour, ...] = (
        (140, 72, 54),
        (78, 82, 94),
        (104, 78, 60),
        (88, 104, 92),
        (58, 60, 66),
    )
    accents: tuple[Colour, ...] = (
        (44, 84, 110),
        (132, 44, 40),
        (52, 92, 66),
        (196, 150, 60),
        (78, 56, 90),
        (60, 60, 64),
    )
    return Style(
        walls=(wall(colour), wall(colour), wall(second)),
        roof=MATERIALS["tiles"](tint(tiles[int(rng.integers(len(tiles)))], rng, 12), rng, size),
        trim=tint((226, 220, 208) if rng.random() < 0.7 else (84, 76, 70), rng, 12),
        leaf=tint(
            ((70, 104, 52), (104, 118, 58), (58, 92, 74), (150, 110, 50))[int(rng.integers(4))],
            rng,
            10,
        ),
        gable=str(rng.choice(["gable", "hip", "flat", "stepped"])),
        window=str(rng.choice(["plain", "crossed", "arched", "shuttered"])),
        pitch=float(rng.uniform(0.28, 0.8)),
        accent=tint(accents[int(rng.integers(len(accents)))], rng, 10),
    )


def _far(sky: tuple[Colour, Colour], horizon: float, style: Style, rng: Rng) -> Image.Image:
    """Sky with clouds above one or two ranges of hills, RGB."""
    down = np.linspace(0, HEIGHT / horizon, HEIGHT, dtype=np.float32).clip(0, 1)[:, None, None]
    over, low = (np.array(colour, dtype=np.float32) for colour in sky)
    cloud = (noise(rng, WIDTH, HEIGHT, (3, 5), 4) * 2 - 0.85).clip(0, 1)[:, :, None] * 0.75
    picture = (over * (1 - down) + low * down) * (1 - cloud) + 244 * cloud
    rows = np.arange(HEIGHT)[:, None]
    for depth in range(int(rng.integers(1, 3))):
        peaks = noise(rng, WIDTH, 1, (1, int(rng.integers(4, 9))), 4)[0] * rng.uniform(24, 90)
        ridge = horizon - (16 - 10 * depth) - peaks
        leaf = np.array(style.leaf, dtype=np.float32)
        hill = leaf * (0.5 + 0.2 * depth) + low * (0.5 - 0.2 * depth)
        grain = 0.9 + 0.2 * noise(rng, WIDTH, HEIGHT, (24, 40), 2)[:, :, None]
        picture = np.where((rows > ridge)[:, :, None], hill * grain, picture)
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def _hazed(picture: Image.Image, air: Colour, much: float) -> Image.Image:
    """PICTURE with MUCH of it (0 to 1) turned to the colour of the air."""
    return Image.blend(picture, Image.new("RGBA", picture.size, (*air, 255)), much)


def _mirror(
    far: Image.Image, behind: Image.Image, picture: Image.Image, water: Image.Image, shore: int
) -> Image.Image:
    """WATER that shows what stands above SHORE upside down, broken by ripples."""
    above = far.convert("RGBA")
    above.alpha_composite(behind)
    above.alpha_composite(picture)
    flipped = np.asarray(above.convert("RGB").transpose(Image.Transpose.FLIP_TOP_BOTTOM))
    top = HEIGHT - shore
    surface = np.asarray(water.convert("RGB"), dtype=np.float32)
    height = min(len(surface), len(flipped) - top)
    seen = flipped[top : top + height].astype(np.float32)
    phase = np.arange(height)
    sway = (np.sin(phase * 0.9) * (1 + phase / 14)).astype(int)
    columns = (np.arange(WIDTH)[None, :] + sway[:, None]) % WIDTH
    mixed = surface.copy()
    mixed[:height] = 0.5 * surface[:height] + 0.5 * seen[phase[:, None], columns]
    return Image.fromarray(mixed.clip(0, 255).astype(np.uint8)).convert("RGBA")
