"""Cars196: unseen models test, boxes counted from 1, pictures in a folder or a tar."""

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from data.adapters import open_dataset
from data.sample import Box, Sample
from tests.data.matfile import write_mat
from tests.data.miniatures_unseen import cars196

Draw = Callable[..., bytes]


def samples(root: Path) -> list[Sample]:
    return list(open_dataset("cars196", str(root), {}).samples())


def test_the_last_98_models_are_unseen_whatever_the_files_own_flag_says(
    tmp_path: Path, draw: Draw
) -> None:
    cars196(tmp_path / "home", draw, each=2)
    found = samples(tmp_path / "home")
    assert [one.split for one in found] == ["train"] * 8 + ["test"] * 8
    assert {one.labels[0] for one in found if one.split == "test"} == {
        "Make Model 99", "Make Model 100", "Make Model 101", "Make Model 196",
    }  # fmt: skip
    assert found[0].key == "000001.jpg"


def test_a_box_is_first_and_last_pixel_counted_from_one(tmp_path: Path, draw: Draw) -> None:
    cars196(tmp_path / "home", draw)
    assert samples(tmp_path / "home")[0].boxes == (Box("Make Model 1", 6, 2, 30, 20),)


@pytest.mark.parametrize(("archive", "mode"), [("tar", "w:"), ("tgz", "w:gz")])
def test_pictures_may_lie_in_an_archive(
    tmp_path: Path, draw: Draw, archive: str, mode: Literal["w:", "w:gz"]
) -> None:
    home = tmp_path / "home"
    cars196(home, draw)
    dataset = open_dataset("cars196", str(home), {})
    folder = samples(home)
    contents = list(dataset.read([one.uri for one in folder]))
    with tarfile.open(home / f"car_ims.{archive}", mode) as out:
        out.add(home / "car_ims", "car_ims")
    shutil.rmtree(home / "car_ims")
    packed = samples(home)
    assert [(one.key, one.labels) for one in packed] == [(one.key, one.labels) for one in folder]
    assert list(dataset.read([one.uri for one in packed])) == contents
    (home / f"car_ims.{archive}").unlink()
    with pytest.raises(FileNotFoundError, match="No pictures of Cars196"):
        samples(home)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"class": np.array([[3.0]])}, "class 3 of 2"),
        ({"class": np.array([[0.0]])}, "class 0 of 2"),
        ({"class": "one"}, "should be structs"),
        ({"bbox_x2": np.zeros((0, 0))}, "should be structs"),
        ({"relative_im_path": np.array([[1.0]])}, "should be structs|one is not"),
    ],
)
def test_a_row_that_says_something_else_is_refused(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    (tmp_path / "car_ims").mkdir()
    number = np.array([[1.0]])
    row = {"*": 0, "relative_im_path": "car_ims/1.jpg", "class": number, "bbox_x1": number}
    row |= {"bbox_y1": number, "bbox_x2": number, "bbox_y2": number}
    variables = {"annotations": [row | changed] * 2, "class_names": ["A", "B"]}
    write_mat(tmp_path / "cars_annos.mat", variables)
    with pytest.raises(ValueError, match=rf"cars_annos\.mat.*{said}"):
        samples(tmp_path)
