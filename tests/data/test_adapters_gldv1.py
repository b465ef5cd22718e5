"""GLDv1: what is left of its pictures, wherever they lie, and landmarks that nobody knows."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.adapters import open_dataset
from data.sample import Sample
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
