"""What places are built of: layers to draw on, and the houses, roofs, windows and trees on them.

All lengths are pixels of a canvas `WIDTH` by `HEIGHT`; everything is drawn at `FINE` times that and
reduced.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from data.places.textures import Colour, Rng, shade, tint

WIDTH: Final = 640
HEIGHT: Final = 448
FINE: Final = 2
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Style:
    """What a place is built of; its parts share it, as those of a real quarter do."""

    walls: tuple[Image.Image, ...]
    roof: Image.Image
    trim: Colour
    leaf: Colour
    gable: str
    window: str
    pitch: float
    accent: Colour


class Layer:
    """An RGBA picture in the making, with the mask of what shines at night.

    Args:
        grow: how many canvas pixels tall a storey is; says how near the layer is.
    """

    def __init__(self, rng: Rng, style: Style, grow: float = 26) -> None:
        self.rng, self.style, self.grow = rng, style, grow
        size = (WIDTH * FINE, HEIGHT * FINE)
        self.image = Image.new("RGBA", size)
        self.light = Image.new("L", size)
        self.pen, self.lamp = ImageDraw.Draw(self.image), ImageDraw.Draw(self.light)

    def fill(
        self, points: Points, what: Colour | Image.Image, glow: int = 0, light: float = 1
    ) -> None:
        """Fill a polygon with a colour, or a texture under LIGHT; GLOW of it (0 to 255) shines."""
        fine = [(x * FINE, y * FINE) for x, y in points]
        self.lamp.polygon(fine, fill=glow)
        if not isinstance(what, Image.Image):
            self.pen.polygon(fine, fill=what)
            return
        xs, ys = zip(*fine, strict=True)
        box = (int(min(xs)), int(min(ys)), int(max(xs)) + 1, int(max(ys)) + 1)
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
        ImageDraw.Draw(mask).polygon([(x - box[0], y - box[1]) for x, y in fine], fill=255)
        piece = what.crop(box)
        if light != 1:
            piece = piece.point([int(tone * light) for tone in range(256)] * 3)
        self.image.paste(piece, box, mask)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        what: Colour | Image.Image,
        glow: int = 0,
    ) -> None:
        """Fill the rectangle whose lower left corner is (X, Y)."""
        self.fill([(x, y), (x + width, y), (x + width, y - height), (x, y - height)], what, glow)

    def disc(self, x: float, y: float, rx: float, ry: float, what: Colour, glow: int = 0) -> None:
        """Fill the ellipse around (X, Y)."""
        box = [(x - rx) * FINE, (y - ry) * FINE, (x + rx) * FINE, (y + ry) * FINE]
        self.pen.ellipse(box, fill=what)
        self.lamp.ellipse(box, fill=glow)

    def stroke(self, points: Points, what: Colour, width: float) -> None:
        """Draw a line through POINTS."""
        fine = [(x * FINE, y * FINE) for x, y in points]
        self.pen.line(fine, fill=what, width=max(1, int(width * FINE)))

    def done(self) -> tuple[Image.Image, Image.Image]:
        """The picture and its light, reduced to the canvas."""
        return self.image.reduce(FINE), self.light.reduce(FINE)


def window(on: Layer, x: float, y: float, width: float, height: float) -> None:
    """Draw one window of the place's kind, with its sill, its lower left corner at (X, Y)."""
    glow = int(on.rng.choice([0, 150, 255], p=[0.5, 0.2, 0.3]))
    glass = tint((46, 56, 70), on.rng, 10)
    on.box(x - 1.2, y + 1.5, width + 2.4, height + 3, on.style.trim)
    on.box(x, y, width, height, glass, glow)
    if on.style.window == "arched":
        on.disc(x + width / 2, y - height, width / 2 + 1.2, width / 2 + 1.2, on.style.trim)
        on.disc(x + width / 2, y - height, width / 2, width / 2, glass, glow)
    if on.style.window in ("crossed", "arched"):
        on.stroke([(x + width / 2, y), (x + width / 2, y - height)], on.style.trim, 1)
        on.stroke([(x, y - height / 2), (x + width, y - height / 2)], on.style.trim, 1)
    if on.style.window == "shuttered":
        on.box(x - width / 2 - 1, y, width / 2, height, on.style.accent)
        on.box(x + width + 1, y, width / 2, height, on.style.accent)


def facade(on: Layer, x: float, base: float, width: float, height: float) -> None:
    """Draw the windows and the door of a wall."""
    columns = max(1, int(width / on.rng.uniform(17, 30)))
    storeys = max(1, int(height / on.grow))
    step, rise = width / columns, height / storeys
    door = int(on.rng.integers(columns))
    for storey in range(storeys):
        for column in range(columns):
            left, foot = x + step * (column + 0.3), base - rise * (storey + 0.22)
            if storey == 0 and column == door:
                on.box(left - 1, base, step * 0.4 + 2, rise * 0.72, on.style.accent)
            else:
                window(on, left, foot, step * 0.4, rise * 0.5)


def roof(on: Layer, x: float, top: float, width: float, kind: str) -> None:
    """Draw a roof of KIND on a wall that ends at TOP."""
    rise = width * on.style.pitch
    middle = x + width / 2
    if kind == "gable":
        on.fill([(x - 4, top), (middle, top - rise), (x + width + 4, top)], on.style.roof)
    elif kind == "hip":
        inset, rise = width * 0.18, min(rise, 26)
        ridge = [(x + inset, top - rise), (x + width - inset, top - rise)]
        on.fill([(x - 4, top), *ridge, (x + width + 4, top)], on.style.roof)
    elif kind == "stepped":
        for step in range(4):
            on.box(
                x + width * step / 8,
                top - rise * step / 4,
                width * (1 - step / 4),
                rise / 4 + 1,
                on.style.walls[0],
            )
    elif kind == "dome":
        on.disc(middle, top, width / 2, width * 0.42, shade(on.style.accent, 0.9))
        on.box(x, top + width * 0.43, width, width * 0.43, on.style.walls[0])
        on.stroke([(middle, top - width * 0.42), (middle, top - width * 0.6)], on.style.trim, 2)
    elif kind == "spire":
        on.fill([(x - 2, top), (middle, top - width * 2.1), (x + width + 2, top)], on.style.roof)
    elif kind == "battlement":
        for tooth in range(int(width // 9)):
            on.box(x + 9 * tooth, top, 5, 7, on.style.walls[0])
    else:  # flat
        on.box(x - 3, top + 1, width + 6, 5, on.style.trim)


def house(on: Layer, x: float, base: float, width: float, height: float, kind: str = "") -> None:
    """Draw a house with its shaded side, windows, roof and now and then a chimney."""
    wall = on.style.walls[int(on.rng.integers(len(on.style.walls)))]
    kind = kind or on.style.gable
    side = width * on.rng.uniform(0.08, 0.2)
    if on.rng.random() < 0.5:
        at = x + width * on.rng.uniform(0.15, 0.75)
        on.box(at, base - height, 7, width * on.style.pitch * 0.8 + 12, shade(on.style.trim, 0.6))
    on.box(x, base, width, height, wall)
    top = base - height
    edge = [(x + width, base), (x + width + side, base - 4), (x + width + side, top + 4)]
    on.fill([*edge, (x + width, top)], wall, light=0.66)
    roof(on, x, base - height, width, kind)
    facade(on, x, base, width, height)


def tree(on: Layer, x: float, base: float, size: float) -> None:
    """Draw a tree: a trunk under many small clumps, lighter towards the sky."""
    pointed = on.style.pitch > 0.55
    on.box(x - size * 0.05, base, size * 0.1, size * 0.5, (74, 58, 46))
    for i in range(46):
        up = i / 45
        spread = size * (
            0.42 * (1 - up) if pointed else 0.4 * np.sqrt(max(0.05, 1 - (2 * up - 0.9) ** 2))
        )
        at = x + on.rng.uniform(-1, 1) * spread
        clump = size * on.rng.uniform(0.06, 0.12)
        lit = 0.62 + 0.5 * up + on.rng.uniform(-0.12, 0.12)
        on.disc(at, base - size * (0.28 + 0.8 * up), clump, clump, shade(on.style.leaf, lit))


def row(
    on: Layer, base: float, low: float, high: float, *, left: float = -10, right: float = WIDTH
) -> None:
    """Draw houses side by side from LEFT to RIGHT, LOW to HIGH pixels tall."""
    x = left
    while x < right:
        width = on.rng.uniform(44, 92)
        house(on, x, base, width, on.rng.uniform(low, high))
        x += width + on.rng.choice([0, 2, 16])
