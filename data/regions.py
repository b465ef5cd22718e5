"""Parts of pictures, named at the end of a key or a uri: ``KEY#xywh=10,20,64,48``.

They are spelt as Media Fragments URI 1.0 (W3C, 2012) spells them, in pixels or in ``percent:``, so
that the key of a row says by itself which picture it is a part of, and which part.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc

FRAGMENT: Final = "#xywh="
PERCENT: Final = "percent:"
_SIDES: Final = ("x", "y", "width", "height")
_NUMBER: Final = r"[0-9]+(?:\.[0-9]+)?"
_WORDS: Final = re.compile(rf"({PERCENT})?({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER})")
_ENDING: Final = rf"{FRAGMENT}(?:{PERCENT})?{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}$"


class Region(NamedTuple):
    """A rectangle of a stored picture: left, top, width, height, in pixels or in percent of it."""

    x: float
    y: float
    width: float
    height: float
    percent: bool = False

    def __str__(self) -> str:
        """As it stands behind ``#xywh=``: ``10,20,64,48`` or ``percent:25,25,50,50``."""
        return PERCENT * self.percent + ",".join(map(_number, self[:4]))

    @classmethod
    def told(cls, words: str) -> "Region":
        """The region that WORDS say, as `str` writes it.

        Raises:
            ValueError: they say none, or one of no size.
        """
        found = _WORDS.fullmatch(words.replace(" ", ""))
        if not found:
            raise ValueError(
                f"{words!r} is no region: say its left, top, width and height in pixels, as in "
                "10,20,64,48, or in percent of the picture, as in percent:25,25,50,50."
            )
        x, y, width, height = map(float, found.groups()[1:])
        region = cls(x, y, width, height, percent=bool(found[1]))
        if not region.width or not region.height:
            raise ValueError(f"The region {words} has no size: its width or its height is 0.")
        return region

    @classmethod
    def of(cls, box: Mapping[str, float]) -> "Region":
        """The region of a BOX with x, y, width and height in pixels, as a listing has them."""
        x, y, width, height = (float(box[side]) for side in _SIDES)
        return cls(x, y, width, height)

    def pixels(self, width: int, height: int) -> "Region":
        """The same in pixels of a picture of WIDTH by HEIGHT."""
        if not self.percent:
            return self
        across, down = width / 100, height / 100
        return Region(self.x * across, self.y * down, self.width * across, self.height * down)

    def corners(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom in a picture of WIDTH by HEIGHT: whole pixels within it.

        They are rounded; where nothing of the region is within the picture, it is one pixel beside.
        """
        x, y, across, down, _ = self.pixels(width, height)
        left, top = max(round(x), 0), max(round(y), 0)
        right, bottom = min(round(x + across), width), min(round(y + down), height)
        return left, top, max(right, left + 1), max(bottom, top + 1)

    def facts(self) -> dict[str, float | str]:
        """Its sides by name, and their unit, for machines."""
        unit = "percent" if self.percent else "pixel"
        return {**dict(zip(_SIDES, self[:4], strict=True)), "unit": unit}


def part_of(key: str, region: Region) -> str:
    """The key, or the uri, of REGION of the picture of KEY."""
    return f"{key}{FRAGMENT}{region}"


def parted(key: str) -> tuple[str, Region | None]:
    """KEY, or a uri, taken apart: that of the picture, and the region; None where it is a whole."""
    whole, fragment, words = key.rpartition(FRAGMENT)
    if not fragment or not _WORDS.fullmatch(words):
        return key, None
    return whole, Region.told(words)


def image_keys(keys: pa.Array) -> pa.Array:
    """The key of the picture of which each of KEYS names a part; a whole picture's own."""
    if not pc.any(pc.match_substring(keys, FRAGMENT)).as_py():
        return keys
    return cast(pa.Array, pc.replace_substring_regex(keys, pattern=_ENDING, replacement=""))


def grid(scales: int) -> list[Region]:
    """The regions of R-MAC over a square, in percent, so that they fit a picture of any shape.

    At scale l of SCALES there are l by l of them, evenly from edge to edge, whose sides are
    2 / (l + 1) of the picture's: first the whole picture, then four that are two thirds of each
    side, then nine halves (Tolias, Sicre and Jégou, "Particular Object Retrieval with Integral
    Max-Pooling of CNN Activations", 2016).
    """
    found = []
    for scale in range(1, scales + 1):
        side = 200 / (scale + 1)
        starts = [n * (100 - side) / max(1, scale - 1) for n in range(scale)]
        found += [Region(x, y, side, side, percent=True) for y in starts for x in starts]
    return found


def overlap(a: Region, b: Region) -> float:
    """The intersection of A and B over their union, 0 to 1; both in the same unit."""
    across = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    down = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    both = max(across, 0) * max(down, 0)
    either = a.width * a.height + b.width * b.height - both
    return both / either if either else 0.0


def _number(value: float) -> str:
    """VALUE without needless zeros, to four digits behind the point."""
    return f"{value:.4f}".rstrip("0").rstrip(".")
