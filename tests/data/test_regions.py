"""Parts of pictures by name: what is written is read, and rectangles are counted pixel by pixel."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.regions import Region, grid, image_keys, overlap, part_of, parted
from models.aggregation.rmac import regions

whole = st.integers(0, 60)
size = st.integers(1, 60)
boxes = st.builds(Region, whole, whole, size, size)
shares = st.builds(Region, *[st.sampled_from([0.25, 12.5, 33.3333, 66.0])] * 4, st.just(True))


@given(key=st.text(), region=boxes | shares)
def test_a_part_is_named_by_its_picture_and_its_region(key: str, region: Region) -> None:
    name = part_of(key, region)
    assert parted(name) == (key, region)
    assert Region.told(str(region)) == region
    assert parted(key)[1] is None or "#xywh=" in key


@given(
    keys=st.lists(st.sampled_from(["a", "b/c.jpg#4,5", "é#xywh=", "x#xywh=1,2,3"])), region=boxes
)
def test_the_keys_of_pictures_are_those_that_parts_begin_with(
    keys: list[str], region: Region
) -> None:
    both = [*keys, *(part_of(key, region) for key in keys)]
    assert image_keys(pa.array(both, pa.string())).to_pylist() == [*keys, *keys]


@pytest.mark.parametrize(
    "words", ["", "1,2,3", "1,2,3,4,5", "a,2,3,4", "-1,2,3,4", "share:1,2,3,4"]
)
def test_what_is_no_region_is_refused_with_what_would_do(words: str) -> None:
    with pytest.raises(ValueError, match=r"is no region: .* 10,20,64,48, or .* percent:25"):
        Region.told(words)


def test_a_region_of_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1,2,0,4 has no size"):
        Region.told("1,2,0,4")


@given(a=boxes, b=boxes)
def test_overlap_is_shared_pixels_over_all_pixels(a: Region, b: Region) -> None:
    drawn = np.zeros((2, 130, 130), bool)
    for canvas, (x, y, width, height, _) in zip(drawn, (a, b), strict=True):
        canvas[int(y) : int(y + height), int(x) : int(x + width)] = True
    expected = drawn.all(axis=0).sum() / drawn.any(axis=0).sum()
    assert overlap(a, b) == pytest.approx(expected)
    assert overlap(a, b) == overlap(b, a)


@given(region=boxes | shares, width=size, height=size)
def test_corners_are_within_the_picture_or_one_pixel_beside(
    region: Region, width: int, height: int
) -> None:
    left, top, right, bottom = region.corners(width, height)
    x, y, across, down, _ = region.pixels(width, height)
    assert (left, top) == (round(x), round(y))
    assert right - left == max(min(round(x + across), width) - left, 1)
    assert bottom - top == max(min(round(y + down), height) - top, 1)


@pytest.mark.parametrize("scales", [1, 2, 3])
def test_a_grid_is_that_of_rmac_on_a_square(scales: int) -> None:
    found = [region.corners(60, 60) for region in grid(scales)]
    expected = [(left, top, left + side, top + side) for top, left, side in regions(60, 60, scales)]
    assert found == expected
    assert len(found) == sum(scale**2 for scale in range(1, scales + 1))
    assert all(Region.told(str(region)).percent for region in grid(scales))
