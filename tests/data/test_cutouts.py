"""Parts of pictures as files: the pixels that were there, in bytes that never change."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from data import cutouts as work
from data.adapters.png import png
from data.cutouts import cutouts
from data.regions import Region
from models import pixels
from models.pixels import BadImage, decode, header

Draw = Callable[..., bytes]

REGIONS = [Region(4, 2, 20, 10), Region(0, 0, 48, 40), Region(40, 30, 100, 100)]


def test_parts_are_the_pixels_that_were_there(draw: Draw) -> None:
    whole = np.asarray(Image.open(io.BytesIO(draw(1, suffix="png"))).convert("RGB"))
    found = list(cutouts(draw(1, suffix="png"), REGIONS))
    expected = [whole[2:12, 4:24], whole, whole[30:, 40:]]
    for part, those in zip(found, expected, strict=True):
        assert np.array_equal(decode(part), those)
        assert part == png(np.ascontiguousarray(those)), "the bytes follow from the pixels"


def test_a_long_side_is_made_smaller_and_a_short_one_is_not(draw: Draw) -> None:
    regions = [*REGIONS, Region(0, 0, 48, 12)]
    found = [header(part) for part in cutouts(draw(1), regions, most=16)]
    assert [(head.width, head.height) for head in found] == [(16, 8), (16, 13), (8, 10), (32, 8)]


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda content: content[: len(content) // 2], "truncated"),
        (lambda content: content[:20], "truncated"),
        (lambda content: b"<html>" + content, "not an image"),
        (lambda content: b"", "empty"),
    ],
)
def test_of_a_picture_that_cannot_be_decoded_each_part_is_refused_for_that(
    draw: Draw, suffix: str, spoil: Callable[[bytes], bytes], reason: str
) -> None:
    parts = list(cutouts(spoil(draw(1, suffix=suffix)), REGIONS))
    assert len(parts) == len(REGIONS)
    for part in parts:
        with pytest.raises(BadImage, match=reason):
            header(part)


def test_a_picture_that_is_too_large_is_not_decoded(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room, name in ((work, "MOST_PIXELS"), (pixels, "MAX_PIXELS")):
        monkeypatch.setattr(room, name, 48 * 40 - 1)
    with pytest.raises(BadImage, match="too large"):
        header(next(cutouts(draw(1), REGIONS)))


def test_a_region_beside_the_picture_shows_too_little(draw: Draw) -> None:
    with pytest.raises(BadImage, match="too small"):
        header(next(cutouts(draw(1), [Region(48, 0, 20, 20)])))


def test_the_same_pictures_are_opened_as_when_they_are_whole() -> None:
    assert (work.MOST_PIXELS, work.LEAST) == (pixels.MAX_PIXELS, pixels.MIN_SIDE)
    Image.init()
    assert {name for name in work.FORMATS if name in Image.OPEN} == set(pixels._formats())
