"""What a recipe may say of each aggregation, checked without torch."""

from typing import Final, Literal

from pydantic import Field

from data.plan import Plan

MOST_WORDS: Final = 2**16 - 2
"""Visual words of ASMK: a row of an index numbers them by 16 bits, and one more means none."""


class Pooled(Plan):
    """What may be said of every part of a fusion."""

    share: float = Field(default=1.0, gt=0, description="how much it counts, of a fusion")


class GeM(Pooled):
    """Of the generalised mean."""

    p: float = Field(default=3.0, gt=0, description="exponent from which learning starts")


class RMAC(Pooled):
    """Of the maxima of regions."""

    scales: int = Field(default=3, ge=1, description="sizes of regions")
    whiten: bool = Field(default=False, description="each region, as training pictures tell")


class Attention(Pooled):
    """Of the attentive mean."""

    score: Literal["norm", "softplus"] = Field(default="norm", description="what is telling")
    hidden: int = Field(default=0, ge=0, description="channels of a learned score; 0: the map's")


class Grid(Pooled):
    """Of the means of cells."""

    cells: int = Field(default=4, ge=1, le=16, description="G, cells along each side")


class Words(Pooled):
    """Of residuals over visual words."""

    words: int = Field(default=64, ge=1, description="K, visual words")


class ManyWords(Plan):
    """Of selective match kernels, which are not fused with anything."""

    words: int = Field(default=256, ge=1, le=MOST_WORDS, description="K, visual words")
