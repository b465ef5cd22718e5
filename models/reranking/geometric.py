"""Geometric verification: of two pictures of one thing, points fit by one map of the plane."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final, Literal

import numpy as np
from pydantic import Field

from models.extras import library
from models.pixels import BadImage, decode
from models.reranking.base import Array, Reranking, Shortlist

KEPT: Final = 128
"""Pictures whose points are kept in memory, half a megabyte each: a query meets the same again."""
LOWEST: Final = 16
"""Pixels; of a picture that is lower or narrower no points are taken."""
STEPS: Final = 2000
"""Maps that are tried at most."""
SURE: Final = 0.999
"""Chance at which the best map is taken to be found."""


class Geometric(Reranking):
    """Counts the points of query and row that one homography or affine map brings together.

    Points are SIFT's, their descriptors RootSIFT: divided by their sum, then the root of each
    number. A point of the query is matched to the row's nearest if that is nearer than ratio times
    the second nearest, and if neither has a better match. The map is sought by MAGSAC, a consensus
    of random samples that falls the same way each time. Inliers at one place count once; fewer than
    the least are none, for some map fits any four points. A picture that is not there or cannot be
    read has no points.

    Needs opencv, the extra ``geometry``. A row costs some 0.1 s at 640 pixels.
    """

    cite: ClassVar[str] = (
        "Philbin, Chum, Isard, Sivic, Zisserman, Object Retrieval with Large Vocabularies and Fast "
        "Spatial Matching, CVPR 2007; RootSIFT: Arandjelovic, Zisserman, Three Things Everyone "
        "Should Know to Improve Object Retrieval, CVPR 2012"
    )
    wants = "pictures"

    first: int = Field(default=30, ge=1, description="answers that are looked at; others follow")
    side: int = Field(default=640, ge=64, le=2048, description="longest side it looks at, pixels")
    points: int = Field(default=1000, ge=4, le=4000, description="strongest points of a picture")
    ratio: float = Field(default=0.8, gt=0, le=1, description="of nearest to second nearest")
    fit: Literal["homography", "affine"] = Field(
        default="homography", description="homography: a plane seen from elsewhere; affine: far off"
    )
    within: float = Field(default=5.0, gt=0, description="pixels by which a point may miss its fit")
    least: int = Field(default=8, ge=4, description="inliers; fewer are none")

    @classmethod
    def check_installed(cls) -> None:
        """Return if opencv can be imported here.

        Raises:
            MissingExtra: it cannot; says how to install it.
        """
        _opencv()

    def __call__(self, found: Shortlist) -> Shortlist:
        """FOUND by inliers.

        Raises:
            ValueError: there are no pictures.
            MissingExtra: opencv cannot be imported; says how to install it.
        """
        if found.pictures is None:
            raise ValueError("geometric looks at pictures: ask with one, not with a descriptor.")
        asked = points_of(found.pictures.query, self.side, self.points)
        inliers = np.zeros(len(found.places), np.float32)
        for number, place in enumerate(found.places[: self.first].tolist()):
            content = found.pictures.of_row(place)
            if content is not None:
                row = points_of(content, self.side, self.points)
                inliers[number] = self.inliers(asked, row)
        return found.sorted_by(inliers)

    def inliers(self, asked: "Points", row: "Points") -> int:
        """How many points of ASKED and ROW one map brings together; 0 for fewer than the least."""
        one, other = matches(asked.vectors, row.vectors, self.ratio)
        if len(one) < self.least:
            return 0
        cv2 = _opencv()
        here, there = asked.places[one], row.places[other]
        if self.fit == "homography":
            found, mask = cv2.findHomography(
                here, there, cv2.USAC_MAGSAC, self.within, maxIters=STEPS, confidence=SURE
            )
        else:
            found, mask = cv2.estimateAffine2D(
                here,
                there,
                method=cv2.USAC_MAGSAC,
                ransacReprojThreshold=self.within,
                maxIters=STEPS,
                confidence=SURE,
            )
        if found is None or mask is None:
            return 0
        fits = mask.ravel().astype(bool)
        apart = min(len(np.unique(side[fits].round(), axis=0)) for side in (here, there))
        return apart if apart >= self.least else 0


@dataclass(frozen=True)
class Points:
    """P points of a picture.

    Args:
        places: (P, 2) float32, x and y in the picture as it was looked at.
        vectors: (P, 128) float32, RootSIFT, of unit length.
    """

    places: Array
    vectors: Array


@lru_cache(maxsize=KEPT)
def points_of(content: bytes, side: int, most: int) -> Points:
    """The MOST strongest points of the picture in CONTENT, whose longest side is SIDE at most.

    None where the picture cannot be read, shows nothing, or is too narrow.
    """
    cv2 = _opencv()
    nothing = Points(np.empty((0, 2), np.float32), np.empty((0, 128), np.float32))
    try:
        pixels = decode(content, side)
    except BadImage:
        return nothing
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = round(width * scale), round(height * scale)
    if min(size) < LOWEST:
        return nothing
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    if scale < 1:
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    found, vectors = cv2.SIFT_create(nfeatures=most).detectAndCompute(grey, None)
    if vectors is None:
        return nothing
    places = np.array([point.pt for point in found], np.float32)
    return Points(places, root_sift(vectors))


def root_sift(vectors: Array) -> Array:
    """SIFT's VECTORS (P, 128), non-negative, as their Hellinger kernel's: of unit length."""
    sums = np.abs(vectors).sum(axis=1, keepdims=True)
    return np.asarray(np.sqrt(vectors / np.where(sums > 0, sums, 1)), np.float32)


def matches(one: Array, other: Array, ratio: float) -> tuple[Array, Array]:
    """The rows (M,) of ONE and of OTHER, unit vectors, that are each other's match.

    Each is the other's nearest, and to that of ONE nearer than RATIO times the second nearest.
    """
    if len(one) == 0 or len(other) < 2:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    alike = one @ other.T  # (P, R)
    nearest = alike.argmax(axis=1)
    rows = np.arange(len(one))
    best, second = -np.partition(-alike, 1, axis=1)[:, :2].T
    apart = np.sqrt(np.maximum(2 - 2 * np.stack([best, second]), 0))
    taken = (apart[0] < ratio * apart[1]) & (alike.argmax(axis=0)[nearest] == rows)
    return rows[taken], nearest[taken]


def _opencv() -> Any:
    return library("cv2", "The re-ranking geometric", "geometry")
