"""Generated places: the same everywhere, alike only to those who learn, and changed as told."""

import hashlib
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.places import Night, a_night_of_changes, photograph, place_name, write_places
from data.places.scenes import SIGHTS, draw_scene

Told = tuple[dict[str, str], dict[str, int], Night, Path]
"""Digests and time stamps before a night, what it says it did, and the folder after it."""


def pixels(content: bytes, side: int = 32) -> np.ndarray:
    image = Image.open(io.BytesIO(content)).convert("RGB")
    return np.asarray(image.resize((side, side)), dtype=np.float32).ravel() / 255


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*.jpg"))
    }


def test_a_photograph_is_told_by_seed_place_and_view_alone() -> None:
    first = photograph(1, 2, 3)
    photograph(1, 5, 0)  # another scene in between
    assert photograph(1, 2, 3) == first
    others = {photograph(1, 2, 4), photograph(1, 3, 3), photograph(2, 2, 3)}
    assert len(others | {first}) == 4


def test_a_photograph_is_a_jpeg_of_the_asked_size() -> None:
    image = Image.open(io.BytesIO(photograph(0, 0, 0, side=96)))
    assert (image.format, image.size, image.mode) == ("JPEG", (96, 96), "RGB")


def test_a_photograph_may_be_larger_than_the_sheet_of_grain() -> None:
    assert Image.open(io.BytesIO(photograph(0, 0, 0, side=640))).size == (640, 640)


def test_places_have_names_of_their_own_and_the_same_on_every_call() -> None:
    names = [place_name(0, place) for place in range(300)]
    assert len(set(names)) == 300
    assert names == [place_name(0, place) for place in range(300)]
    assert all(name.split("-")[1] in SIGHTS for name in names)
    assert place_name(1, 0) != place_name(0, 0)


def test_a_negative_place_is_refused() -> None:
    with pytest.raises(ValueError, match="counted from 0"):
        place_name(0, -1)


@pytest.mark.parametrize("kind", SIGHTS)
def test_every_kind_of_place_fills_the_picture_and_differs_from_its_like(kind: str) -> None:
    one, other = (draw_scene(kind, (180, 150, 120), np.random.default_rng(i)) for i in (0, 1))
    assert one.near.getchannel("a").getbbox() is not None
    bottom = np.asarray(one.near.getchannel("a"))[-40:]
    assert bottom.min() == 255, "the ground has a hole"
    assert np.abs(np.asarray(one.near, float) - np.asarray(other.near, float)).mean() > 5


def test_raw_pixels_do_not_tell_places_apart() -> None:
    places, views = 10, 5
    every = np.stack([pixels(photograph(0, p, v)) for p in range(places) for v in range(views)])
    labels = np.repeat(np.arange(places), views)
    every = every - every.mean(0)
    distances = ((every[:, None] - every[None]) ** 2).sum(2)
    np.fill_diagonal(distances, np.inf)
    right = labels[distances.argmin(1)] == labels
    assert right.mean() < 0.5


def test_write_places_makes_a_folder_a_place_and_names_its_files(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    keys = write_places(
        tmp_path,
        places=3,
        views=2,
        seed=4,
        side=48,
        progress=lambda done, of: told.append((done, of)),
    )
    assert sorted(keys) == sorted(digests(tmp_path))
    assert Counter(key.split("/")[0] for key in keys) == {place_name(4, p): 2 for p in range(3)}
    assert told == [(2, 6), (4, 6), (6, 6)]
    assert (tmp_path / keys[0]).read_bytes() == photograph(4, 0, 0, 48)


def test_other_views_of_the_same_places_begin_where_one_says(tmp_path: Path) -> None:
    train = write_places(tmp_path / "train", places=2, views=2, side=48)
    test = write_places(tmp_path / "test", places=2, views=1, side=48, first=2)
    assert not set(train) & set(test)
    assert {key.split("/")[0] for key in train} == {key.split("/")[0] for key in test}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Told:
    root = tmp_path_factory.mktemp("places")
    write_places(root, places=5, views=8, side=48)
    before = digests(root)
    stamps = {key: (root / key).stat().st_mtime_ns for key in before}
    return before, stamps, a_night_of_changes(root, 5, 8, share=0.1, side=48), root


def test_a_night_changes_what_it_tells_and_nothing_else(
    night: Told,
) -> None:
    before, stamps, told, root = night
    after = digests(root)
    expected = dict(before)
    for old, new in told.renamed:
        expected[new] = expected.pop(old)
    for original, copy in told.copied:
        expected[copy] = before[original]
    for key in told.removed:
        del expected[key]
    fresh = {*told.added, *told.replaced, *told.broken}
    assert set(after) == set(expected) | set(told.added)
    assert {key for key in after if after[key] != expected.get(key)} == fresh
    assert len({after[key] for key in fresh} - set(before.values())) == len(fresh)
    for key in told.touched:
        assert (root / key).stat().st_mtime_ns > stamps[key]
        assert after[key] == before[key]


def test_no_file_meets_two_changes(
    night: Told,
) -> None:
    told = night[2]
    met = [*told.replaced, *told.removed, *told.touched, *told.broken]
    met += [old for old, _ in told.renamed] + [original for original, _ in told.copied]
    assert len(met) == len(set(met))
    few = {"replaced": 4, "renamed": 4, "copied": 4, "removed": 2, "touched": 4, "broken": 1}
    assert told.counts() == {"added": 4 + 8} | few  # a view of four places, eight of a new one
    assert str(told).startswith("12 added, 4 replaced, 4 renamed")


def test_the_broken_file_is_a_jpeg_cut_short(
    night: Told,
) -> None:
    root, (broken,) = night[3], night[2].broken
    with Image.open(root / broken) as image, pytest.raises(OSError, match="truncated"):
        image.load()


def test_a_night_is_the_same_wherever_it_falls(tmp_path: Path) -> None:
    nights = []
    for name in ("one", "other"):
        write_places(tmp_path / name, places=3, views=8, side=48)
        nights.append(a_night_of_changes(tmp_path / name, 3, 8, share=0.1, side=48))
    assert nights[0] == nights[1]
    assert digests(tmp_path / "one") == digests(tmp_path / "other")


def test_a_share_that_leaves_no_file_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"between 0 and 0\.1"):
        a_night_of_changes(tmp_path, share=0.5)
