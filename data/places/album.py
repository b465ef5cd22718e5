"""Names the generated places and gives any photograph of any of them, by number."""

from functools import lru_cache
from typing import Final

import numpy as np

from data.places.camera import photograph_of
from data.places.scenes import SIGHTS, Scene, draw_scene
from data.places.textures import Colour

COLOURS: Final[dict[str, Colour]] = {
    "amber": (206, 160, 92),
    "ashen": (158, 156, 150),
    "copper": (178, 108, 74),
    "coral": (212, 140, 118),
    "ivory": (224, 214, 192),
    "mossy": (132, 140, 100),
    "ochre": (196, 148, 76),
    "rosy": (204, 158, 150),
    "russet": (156, 92, 70),
    "slate": (112, 122, 136),
    "sandy": (208, 186, 146),
    "umber": (122, 98, 82),
}
"""The walls of a place, by the word that begins its name."""


def place_name(seed: int, place: int) -> str:
    """The name of PLACE, such as ``amber-harbour``; each of the first 144 has one of its own.

    Raises:
        ValueError: PLACE is negative.
    """
    if place < 0:
        raise ValueError(f"Places are counted from 0, but place is {place}.")
    colours, kinds = list(COLOURS), list(SIGHTS)
    order = np.random.default_rng(seed).permutation(len(colours) * len(kinds))
    again, which = divmod(place, len(order))
    colour, kind = divmod(int(order[which]), len(kinds))
    name = f"{colours[colour]}-{kinds[kind]}"
    return f"{name}-{again + 1}" if again else name


@lru_cache(maxsize=2)
def scene(seed: int, place: int) -> Scene:
    """The scene of PLACE; drawing it takes as long as some ten photographs."""
    colour, kind = place_name(seed, place).split("-")[:2]
    return draw_scene(kind, COLOURS[colour], np.random.default_rng((seed, place)))


def photograph(seed: int, place: int, view: int, side: int = 112) -> bytes:
    """VIEW of PLACE as a JPEG of SIDE by SIDE pixels; the same arguments give the same bytes."""
    return photograph_of(scene(seed, place), np.random.default_rng((seed, place, view)), side)
