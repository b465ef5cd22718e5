"""Geometric verification: what pictures of one thing have in common, and what spoils nothing."""

import io
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.extras import MissingExtra
from models.reranking import Pictures, rerank, steps_of
from models.reranking.geometric import Geometric, matches, points_of, root_sift

Array = np.ndarray[Any, np.dtype[Any]]


def scene(seed: int, width: int = 400, height: int = 300) -> Image.Image:
    """A picture full of corners: rectangles of all sizes and greys over each other."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 128, np.uint8)
    for _ in range(150):
        left, top = rng.integers(width), rng.integers(height)
        wide, high = rng.integers(8, 60, 2)
        pixels[top : top + high, left : left + wide] = rng.integers(0, 256, 3)
    return Image.fromarray(pixels)


def file(picture: Image.Image, kind: str = "PNG", **said: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **said)
    return out.getvalue()


def tilted(picture: Image.Image) -> Image.Image:
    """PICTURE seen from the side, smaller and turned a little."""
    far = (1.15, 0.12, -20.0, -0.08, 1.2, 5.0, 0.0004, 0.0002)
    return picture.transform(
        picture.size, Image.Transform.PERSPECTIVE, far, Image.Resampling.BICUBIC
    )


def asked(
    query: bytes, files: list[bytes | None], step: Geometric
) -> tuple[list[int], list[float]]:
    """The order of FILES, equally near by their descriptors, and their scores."""
    pictures = Pictures(query, lambda place: files[place])
    rows = np.ones((len(files), 4), np.float32)
    order, scores = rerank((step,), rows[0], rows, np.zeros(len(files)), "cosine", pictures)
    return order.tolist(), scores.tolist()


def between(one: bytes, other: bytes, step: Geometric) -> int:
    return step.inliers(*(points_of(content, step.side, step.points) for content in (one, other)))


def test_root_sift_compares_by_hellinger_s_kernel() -> None:
    some = np.random.default_rng(0).integers(0, 256, (5, 128)).astype(np.float32)
    some[4] = 0
    for one, first in zip(root_sift(some), some, strict=True):
        for other, second in zip(root_sift(some), some, strict=True):
            sums = max(first.sum(), 1), max(second.sum(), 1)
            kernel = sum(
                math.sqrt(a / sums[0] * b / sums[1]) for a, b in zip(first, second, strict=True)
            )
            assert float(one @ other) == pytest.approx(kernel, abs=1e-5)


@pytest.mark.parametrize("ratio", [0.6, 0.8, 1.0])
def test_a_match_is_mutual_and_much_nearer_than_the_second(ratio: float) -> None:
    rng = np.random.default_rng(1)
    one, other = (root_sift(rng.random((n, 128)).astype(np.float32)) for n in (30, 40))
    other[:20] = root_sift(np.square(one[:20]) + rng.random((20, 128)) * 0.002)
    expected = []
    for p in range(30):
        apart = [math.dist(one[p], other[r]) for r in range(40)]
        nearest, second = sorted(range(40), key=apart.__getitem__)[:2]
        back = min(range(30), key=lambda q: math.dist(one[q], other[nearest]))
        if back == p and apart[nearest] < ratio * apart[second]:
            expected.append((p, nearest))
    assert expected
    found = matches(one, other, ratio)
    assert list(zip(*(side.tolist() for side in found), strict=True)) == expected


@pytest.mark.parametrize("fit", ["homography", "affine"])
def test_a_thing_seen_from_the_side_fits_and_another_does_not(fit: Any) -> None:
    step = Geometric(fit=fit)
    for seed in range(4):
        query = file(scene(seed))
        same = between(query, file(tilted(scene(seed)), "JPEG", quality=70), step)
        assert same > 30
        assert between(query, file(scene(seed + 100)), step) == 0
    assert between(query, query, step) > 100


def test_a_stretch_of_the_plane_is_no_affine_map_where_it_is_strong() -> None:
    query, side = file(scene(1)), file(tilted(scene(1)))
    plane, affine = Geometric(within=1.5), Geometric(within=1.5, fit="affine")
    assert between(query, side, plane) > between(query, side, affine)


def test_rows_stand_by_inliers_and_where_they_tie_as_before() -> None:
    query = file(scene(0))
    files = [file(scene(7)), None, file(tilted(scene(0))), file(scene(8)), query]
    order, scores = asked(query, files, Geometric())
    assert order == [4, 2, 0, 1, 3]
    assert scores[0] > scores[1] > 0
    assert scores[2:] == [0, 0, 0]


def test_only_the_first_are_looked_at() -> None:
    query, looked = file(scene(0)), list[int]()

    def of_row(place: int) -> bytes:
        looked.append(place)
        return query

    rows = np.ones((9, 4), np.float32)
    far = np.arange(9) / 9
    order, scores = rerank(
        (Geometric(first=3),), rows[0], rows, far, "cosine", Pictures(query, of_row)
    )
    assert looked == [0, 1, 2]
    assert order.tolist() == list(range(9))
    assert scores[3:].tolist() == [0] * 6


def test_fewer_inliers_than_the_least_are_none() -> None:
    query, other = file(scene(0)), file(tilted(scene(0)))
    found = between(query, other, Geometric())
    assert between(query, other, Geometric(least=found)) == found
    assert between(query, other, Geometric(least=found + 1)) == 0


def test_points_at_one_place_are_one_inlier() -> None:
    points = points_of(file(scene(0)), 640, 1000)
    heap = type(points)(np.zeros_like(points.places), points.vectors)
    assert Geometric().inliers(points, points) > 100
    assert Geometric().inliers(points, heap) == 0


HOSTILE = {
    "nothing": b"",
    "no picture": b"<svg/>" * 100,
    "a header alone": file(scene(0), "JPEG")[:200],
    "half a picture": file(scene(0), "JPEG")[:4000],
    "one pixel": file(Image.new("RGB", (1, 1))),
    "twelve pixels": file(Image.new("RGB", (12, 12))),
    "a line": file(scene(0).resize((6000, 9))),
    "one colour": file(Image.new("RGB", (300, 300), "white")),
    "a promise of a million pixels a side": file(Image.new("1", (8, 8))).replace(
        (8).to_bytes(4, "big") * 2, (1_000_000).to_bytes(4, "big") * 2
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_picture_has_no_inliers_and_stops_nothing(what: str) -> None:
    good, bad = file(scene(0)), HOSTILE[what]
    assert len(points_of(bad, 640, 1000).places) == 0
    order, scores = asked(good, [bad, good], Geometric())
    assert (order, scores[1]) == ([1, 0], 0)
    assert asked(bad, [bad, good], Geometric()) == ([0, 1], [0, 0])


@pytest.mark.parametrize(
    "stored",
    [
        file(scene(0).convert("L")),
        file(scene(0).convert("CMYK"), "JPEG"),
        file(scene(0).convert("RGBA")),
        file(scene(0).convert("P")),
        file(scene(0).resize((2400, 1800), Image.Resampling.BICUBIC), "JPEG"),
    ],
    ids=["grey", "cmyk", "alpha", "palette", "large"],
)
def test_however_a_picture_is_stored_it_is_itself(stored: bytes) -> None:
    assert between(file(scene(0)), stored, Geometric()) > 40


def test_no_side_is_longer_than_asked() -> None:
    large = file(scene(0).resize((1600, 1200)), "JPEG")
    for side in (100, 320, 640):
        places = points_of(large, side, 1000).places
        assert len(places)
        assert places.max() <= side


def test_the_same_pictures_have_the_same_inliers_again() -> None:
    query, other = file(scene(3)), file(tilted(scene(3)))
    first = between(query, other, Geometric())
    points_of.cache_clear()
    assert between(query, other, Geometric()) == first


def test_without_opencv_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    points_of.cache_clear()
    query = file(scene(0))
    with pytest.raises(MissingExtra, match=r"re-ranking geometric .*nightjar\[geometry\]"):
        asked(query, [query], Geometric())


def test_without_pictures_it_says_so() -> None:
    rows = np.ones((2, 4), np.float32)
    with pytest.raises(ValueError, match="looks at pictures"):
        rerank(steps_of("geometric"), rows[0], rows, np.zeros(2), "cosine")


@pytest.mark.real
def test_of_real_photographs_those_of_one_thing_fit_and_no_others(shared_datasets: Path) -> None:
    paths = sorted((shared_datasets / "ukbench-56" / "full").glob("*.jpg"))[:20]
    files, step = [path.read_bytes() for path in paths], Geometric()
    fits = {True: list[bool](), False: list[bool]()}
    for here, one in enumerate(files):
        for there, other in enumerate(files[:here]):
            fits[here // 4 == there // 4].append(between(one, other, step) > 0)
    assert sum(fits[True]) >= 0.8 * len(fits[True])
    assert sum(fits[False]) <= 0.01 * len(fits[False])
