"""Several sizes of one picture, whose descriptors become one: their mean asks."""

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from models.descriptors.base import Metric
from models.pixels import MAX_SIDE, MIN_SIDE

MOST: Final = 4.0
"""The largest scale."""

Scale = Annotated[float, Field(gt=0, le=MOST)]
"""A share of the side, in pixels, at which an encoder sees pictures."""


def scales_of(said: str) -> tuple[float, ...]:
    """The scales in SAID, with commas between: ``1,0.7,0.5``.

    Raises:
        ValueError: one is no number, or out of range.
    """
    try:
        found = tuple(float(word) for word in said.split(","))
    except ValueError as error:
        raise ValueError(
            f"{said!r} is no list of scales: write numbers with commas between, as in 1,0.7,0.5."
        ) from error
    check_scales(found)
    return found


def check_scales(scales: Sequence[float]) -> None:
    """Return if all of SCALES are some.

    Raises:
        ValueError: one is out of range.
    """
    for scale in scales:
        if not 0 < scale <= MOST:
            raise ValueError(
                f"A scale is a share of the side that the encoder sees, greater than 0 and at most "
                f"{MOST:g}, and not {scale:g}."
            )


def sides_of(scales: Sequence[float], size: int) -> list[int]:
    """The sides, in pixels, of what an encoder whose own side is SIZE sees at SCALES.

    Raises:
        ValueError: no encoder sees pictures of one of them.
    """
    found = [round(scale * size) for scale in scales]
    for scale, side in zip(scales, found, strict=True):
        if not MIN_SIDE <= side <= MAX_SIDE:
            raise ValueError(
                f"At a scale of {scale:g} an encoder that sees {size} x {size} pixels would see "
                f"{side} x {side}, and pictures have {MIN_SIDE} to {MAX_SIDE} a side: leave that "
                "scale out."
            )
    return found


def refusal(metric: Metric) -> str:
    """Why what is compared by METRIC cannot be asked at several scales; empty where it can.

    Vectors have a mean, and so have the features of which codes are the signs.
    """
    if metric == "asmk":
        return "scales ask with a mean of vectors, and visual words are none: leave them out."
    return ""
