"""Photographs a scene: from where, with whom walking past, in what light, on what film."""

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from data.places.buildings import WIDTH
from data.places.scenes import Scene
from data.places.textures import Array, Rng, shade, tint

SHARPER: Final = 1.3
"""A photograph is composed at so many times its side, then reduced."""

GRAIN: Final = 512
"""Pixels of the side of the sheet of film grain."""


@dataclass(frozen=True)
class Light:
    """An hour of the day: what it does to colours, and how brightly the windows shine.

    Args:
        gains: factors of red, green and blue.
        gamma: exponent of the tones; above 1 darkens.
        colour: saturation; 0 is grey.
        lamps: how much of the windows' glow is seen, 0 to 1.
    """

    gains: tuple[float, float, float]
    gamma: float
    colour: float
    lamps: float


LIGHTS: Final = (
    Light((1.04, 1.02, 0.98), 0.9, 1.1, 0.0),  # noon
    Light((1.0, 1.0, 1.0), 1.0, 1.0, 0.0),  # day
    Light((0.92, 0.98, 1.06), 1.05, 0.6, 0.0),  # overcast
    Light((1.16, 0.98, 0.78), 1.05, 1.0, 0.15),  # evening
    Light((0.96, 0.86, 1.02), 1.3, 0.85, 0.55),  # dusk
    Light((0.56, 0.68, 1.02), 1.45, 0.7, 1.0),  # night
)


def photograph_of(scene: Scene, rng: Rng, side: int) -> bytes:
    """One JPEG of SCENE, SIDE pixels square; all that is left to chance is drawn from RNG."""
    work = int(side * SHARPER)
    light = LIGHTS[int(rng.choice(len(LIGHTS), p=(0.2, 0.25, 0.17, 0.16, 0.12, 0.1)))]
    picture, glow = _expose(scene, rng, work)
    _occlude(picture, rng)
    picture = _lit(
        picture.resize((side, side), Image.Resampling.BOX, reducing_gap=None), light, rng
    )
    if light.lamps:
        lamps = glow.resize((side, side), Image.Resampling.BOX).point(
            lambda value: int(value * light.lamps * 0.85)
        )
        picture.paste((255, 206, 128), (0, 0), lamps)
    if rng.random() < 0.3:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.1)))
    out = io.BytesIO()
    _grainy(picture, rng).save(out, "JPEG", quality=int(rng.integers(38, 93)))
    return out.getvalue()


def _expose(scene: Scene, rng: Rng, side: int) -> tuple[Image.Image, Image.Image]:
    """What the camera sees, SIDE pixels square, and the lights in it; near layers move most."""
    width = rng.uniform(190, 330)
    centre = np.array([WIDTH / 2 + rng.normal(0, 46), 226 + rng.uniform(-34, 30)])
    roll = rng.normal(0, 0.085)
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    square = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * width / 2
    lens = square * rng.uniform(0.86, 1.08, (4, 2))  # the keystone of a tilted, swung camera

    def seen(layer: Image.Image, speed: float) -> Image.Image:
        middle = np.array([WIDTH / 2 + (centre[0] - WIDTH / 2) * speed, centre[1]])
        corners = tuple((middle + lens @ turn.T).ravel())
        quad, smooth = Image.Transform.QUAD, Image.Resampling.BILINEAR
        return layer.transform((side, side), quad, corners, smooth)

    picture = seen(scene.far, 0.45)
    for layer, speed in ((scene.middle, 0.75), (scene.near, 1.0)):
        upon = seen(layer, speed)
        picture.paste(upon, (0, 0), upon)
    return picture, seen(scene.glow, 1.0)


def _occlude(picture: Image.Image, rng: Rng) -> None:
    """Put people, a pole or a branch before PICTURE, in place."""
    pen, side = ImageDraw.Draw(picture), picture.width
    for _ in range(int(rng.choice([0, 1, 2, 3], p=(0.45, 0.25, 0.2, 0.1)))):
        _person(pen, rng, side)
    if rng.random() < 0.2:
        x, thick = rng.uniform(0, side), side * rng.uniform(0.012, 0.035)
        dark = shade((90, 92, 96), rng.uniform(0.4, 1.1))
        pen.rectangle([x, -1, x + thick, side], fill=dark)
        pen.rectangle([x + thick * 0.6, -1, x + thick, side], fill=shade(dark, 0.7))
    if rng.random() < 0.22:
        _branch(pen, rng, side)


def _person(pen: ImageDraw.ImageDraw, rng: Rng, side: int) -> None:
    """Draw somebody walking past."""
    tall = side * rng.uniform(0.16, 0.42)
    x, feet = rng.uniform(0, side), side * rng.uniform(0.84, 1.1)
    coat = tint((96, 88, 92), rng, 52)
    trousers, skin = shade(coat, 0.5), shade((224, 180, 150), rng.uniform(0.5, 1.05))
    wide = tall * 0.13
    hip, knee = feet - tall * 0.5, feet - tall * 0.35
    left = [(x - wide, hip), (x - wide * 1.3, feet), (x - wide * 0.3, feet), (x, knee)]
    right = [(x + wide * 0.3, feet), (x + wide * 1.3, feet), (x + wide, hip)]
    pen.polygon([*left, *right], fill=trousers)
    body = [x - wide * 1.25, feet - tall * 0.86, x + wide * 1.25, feet - tall * 0.42]
    pen.rounded_rectangle(body, radius=wide * 0.9, fill=coat)
    head = tall * 0.075
    pen.ellipse([x - head, feet - tall, x + head, feet - tall * 0.84], fill=skin)
    pen.pieslice(
        [x - head, feet - tall, x + head, feet - tall * 0.85], 180, 360, fill=shade(skin, 0.35)
    )


def _branch(pen: ImageDraw.ImageDraw, rng: Rng, side: int) -> None:
    """Draw leaves that hang into a corner."""
    left = rng.random() < 0.5
    leaf = tint((62, 92, 48), rng, 14)
    reach = side * rng.uniform(0.2, 0.42)
    for _ in range(60):
        away, down = abs(rng.normal(0, 0.5)) * reach, abs(rng.normal(0, 0.5)) * reach
        x, size = (away if left else side - away), side * rng.uniform(0.012, 0.034)
        pen.ellipse(
            [x - size, down - size * 0.6, x + size, down + size * 0.6],
            fill=shade(leaf, rng.uniform(0.5, 1.25)),
        )


def _lit(picture: Image.Image, light: Light, rng: Rng) -> Image.Image:
    """PICTURE in LIGHT, through a film with a cast, a contrast and an exposure of its own."""
    gains = np.array(light.gains) * np.exp(rng.normal(0, 0.05, 3)) * np.exp(rng.normal(0, 0.12))
    colour = light.colour * rng.uniform(0.55, 1.1)
    grey = np.array([0.299, 0.587, 0.114])
    matrix = (colour * np.eye(3) + (1 - colour) * grey) * gains[:, None]
    twelve = np.hstack([matrix, np.zeros((3, 1))]).ravel().tolist()
    toned = picture.convert("RGB", twelve)
    gamma, contrast = light.gamma * np.exp(rng.normal(0, 0.14)), rng.uniform(0.8, 1.15)
    tones = (np.arange(256) / 255) ** gamma
    curve = ((tones - 0.5) * contrast + 0.5).clip(0, 1) * 255
    return toned.point([int(value) for value in curve] * 3)


@lru_cache(maxsize=1)
def _grain() -> Array:
    """A sheet of film grain, of standard deviation 1, from which patches are cut."""
    return np.random.default_rng(0).normal(0, 1, (GRAIN, GRAIN, 3)).astype(np.float32)


def _grainy(picture: Image.Image, rng: Rng) -> Image.Image:
    """PICTURE with the noise of its film."""
    top, left = rng.integers(GRAIN, size=2)
    along = np.arange(picture.width)
    patch = _grain()[((top + along) % GRAIN)[:, None], (left + along) % GRAIN]
    grain = patch * np.float32(rng.uniform(1, 8))
    noisy = np.asarray(picture, dtype=np.float32) + grain
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
