"""GLDv1: what is left of its pictures, wherever they lie, and landmarks that nobody knows."""

import io
import logging
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from data.adapters import open_dataset
from data.sample import Box, Sample
from tests.data.miniatures_landmarks import INDEX, TEST, TRAIN, by_digits, gldv1, gldv2

Draw = Callable[..., bytes]


def found(root: Path, **options: Any) -> list[Sample]:
    return list(open_dataset("gldv1", str(root), options).samples())


THERE = [
    f"{split}/{one}"
    for split, ids in (("train", TRAIN), ("index", INDEX), ("test", TEST))
    for one in ids[:-1]
]


@pytest.mark.parametrize("folders", [True, False])
def test_pictures_may_lie_flat_or_by_their_digits(
    tmp_path: Path, draw: Draw, folders: bool
) -> None:
    gldv1(tmp_path / "home", draw, folders)
    pictures = found(tmp_path / "home")
    assert [one.key for one in pictures] == THERE
    assert {one.key.split("/")[0]: one.split for one in pictures} == {
        "train": "train", "index": "index", "test": "test",
    }  # fmt: skip
    contents = open_dataset("gldv1", "x", {}).read([one.uri for one in pictures])
    assert all(isinstance(content, bytes) for content in contents)


@pytest.mark.parametrize("folder", ["images", "somewhere/else"])
def test_pictures_of_all_splits_may_lie_together(tmp_path: Path, draw: Draw, folder: str) -> None:
    home = tmp_path / "home"
    gldv1(home, draw, folders=False)
    (home / folder).mkdir(parents=True)
    for split in ("train", "index", "test"):
        for path in (home / split).iterdir():
            path.rename(home / folder / path.name)
        (home / split).rmdir()
    assert [one.key for one in found(home)] == THERE


def test_a_landmark_that_is_none_is_no_label(tmp_path: Path, draw: Draw) -> None:
    gldv1(tmp_path / "home", draw)
    labels = {one.key: one.labels for one in found(tmp_path / "home")}
    assert labels[f"train/{TRAIN[0]}"] == labels[f"train/{TRAIN[2]}"] == ("12",)
    assert labels[f"train/{TRAIN[1]}"] == ()
    assert not any(said for key, said in labels.items() if not key.startswith("train/"))


def test_pictures_that_are_not_there_are_counted(
    tmp_path: Path, draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    gldv1(tmp_path / "home", draw)
    with caplog.at_level(logging.WARNING):
        found(tmp_path / "home")
    assert "1 of the 4 pictures in" in caplog.text
    assert f"are not there (25.0%): first train/{TRAIN[-1]}" in caplog.text
    assert f"are not there (33.3%): first test/{TEST[-1]}" in caplog.text


def test_a_split_without_any_picture_is_an_error(tmp_path: Path, draw: Draw) -> None:
    gldv1(tmp_path / "home", draw)
    shutil.rmtree(tmp_path / "home" / "index")
    with pytest.raises(FileNotFoundError, match=r"None of the 3 pictures in .*index\.csv is in"):
        found(tmp_path / "home")


def test_a_picture_in_two_places_is_an_error(tmp_path: Path, draw: Draw) -> None:
    gldv1(tmp_path / "home", draw)
    twin = tmp_path / "home" / "train" / f"{TRAIN[0]}.jpg"
    twin.write_bytes((tmp_path / "home" / "train" / by_digits(TRAIN[0])).read_bytes())
    with pytest.raises(ValueError, match=f"picture {TRAIN[0]} of .*train.csv is there twice"):
        found(tmp_path / "home")


def test_a_missing_list_is_named(tmp_path: Path, draw: Draw) -> None:
    gldv1(tmp_path / "home", draw)
    (tmp_path / "home" / "test.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"No test\.csv in .*home"):
        found(tmp_path / "home")
    assert len(found(tmp_path / "home", splits=["train", "index"])) == 5


def test_its_landmarks_are_not_those_of_version_2(tmp_path: Path, draw: Draw) -> None:
    gldv1(tmp_path / "one", draw)
    gldv2(tmp_path / "two", draw)
    two = open_dataset("gldv2", str(tmp_path / "two"), {})
    assert {label for one in found(tmp_path / "one") for label in one.labels}.isdisjoint(
        label for one in two.samples() for label in one.labels
    )


def test_boxes_come_in_pixels_of_pictures_of_any_size(
    tmp_path: Path, draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    gldv1(home, draw)
    (home / "train" / by_digits(TRAIN[1])).write_bytes(draw(7, width=200, height=100))
    (home / "train" / by_digits(TRAIN[2])).write_bytes(b"no picture")
    (home / "boxes_split1.csv").write_text(
        f"id,box\n{TRAIN[0]},0.25 0.5 0.75 1.0\n{TRAIN[2]},0 0 1 1\n"
    )
    (home / "boxes_split2.csv").write_text(
        f"id,box\n{TRAIN[1]},0.1 0.2 0.6 0.5\n{TEST[0]},0 0 1 1\n"
    )
    pictures = {one.key: one for one in found(home, boxes=True)}
    assert pictures[f"train/{TRAIN[0]}"].boxes == (Box("12", 24, 10, 24, 20),)
    (box,) = pictures[f"train/{TRAIN[1]}"].boxes
    assert box.label == "landmark", "whose landmark is None"
    assert (box.x, box.y, box.width, box.height) == pytest.approx((40, 10, 60, 50))
    assert "1 pictures with boxes do not say how large they are" in caplog.text
    assert sum(bool(one.boxes) for one in pictures.values()) == 2
    plain = found(home)
    assert [one.key for one in plain] == list(pictures)
    assert not any(one.boxes for one in plain), "they are asked for"


def test_a_size_that_stands_late_in_a_picture_is_found(tmp_path: Path) -> None:
    home = tmp_path / "home"
    gldv1(home, lambda seed: b"")
    out = io.BytesIO()
    late = b"".join(b"\xff\xe2\xff\xff" + bytes(65533) for _ in range(3))
    Image.new("RGB", (120, 80)).save(out, "JPEG")
    path = home / "train" / by_digits(TRAIN[0])
    path.write_bytes(out.getvalue()[:2] + late + out.getvalue()[2:])
    (home / "boxes_split1.csv").write_text(f"id,box\n{TRAIN[0]},0 0 1 0.5\n")
    one = next(iter(open_dataset("gldv1", str(home), {"boxes": True}).samples()))
    assert one.boxes == (Box("12", 0, 0, 60, 80),)


@pytest.mark.parametrize("box", ["0 0 1", "0 0 1 1 1", "0.5 0 0.5 1", "0 0 1.2 1", "a b c d", ""])
def test_a_box_that_is_none_is_named(tmp_path: Path, draw: Draw, box: str) -> None:
    gldv1(tmp_path / "home", draw)
    with pytest.raises(FileNotFoundError, match=r"No boxes_split1\.csv or boxes_split2\.csv"):
        found(tmp_path / "home", boxes=True)
    (tmp_path / "home" / "boxes_split2.csv").write_text(f"id,box\n{TRAIN[0]},{box}\n")
    with pytest.raises(
        ValueError, match=r"boxes_split2\.csv: .* is no top, left, bottom and right"
    ):
        found(tmp_path / "home", boxes=True)


@pytest.mark.parametrize("together", [False, True])
def test_what_many_files_share_is_a_placeholder(
    tmp_path: Path, draw: Draw, caplog: pytest.LogCaptureFixture, together: bool
) -> None:
    home = tmp_path / "home"
    seeds = count()
    gldv1(home, lambda _: draw(next(seeds)), folders=False)
    for one in TRAIN[:2]:
        (home / "train" / f"{one}.jpg").write_bytes(b"gone")
    (home / "train" / f"{TRAIN[2]}.jpg").write_bytes(b"here")
    (home / "index" / f"{INDEX[0]}.jpg").write_bytes(b"gone")
    if together:
        (home / "images").mkdir()
        for split in ("train", "index", "test"):
            for path in (home / split).iterdir():
                path.rename(home / "images" / path.name)
            (home / split).rmdir()
    left = [one.key for one in found(home, placeholders=2)]
    fakes = {f"train/{TRAIN[0]}", f"train/{TRAIN[1]}"} | (
        {f"index/{INDEX[0]}"} if together else set()
    )
    assert left == [key for key in THERE if key not in fakes]
    assert f"{len(fakes)} files are placeholders, left out" in caplog.text
    assert [one.key for one in found(home, placeholders=4)] == THERE
