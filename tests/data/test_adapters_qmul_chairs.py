"""QMUL chairs: pairs by their rows, upright pictures, files that hold something else."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data.adapters import DATASETS, open_dataset
from data.adapters.matlab import load
from tests.data.matfile import write_mat
from tests.data.miniatures_sketches import qmul_chairs

Draw = Callable[..., bytes]


def test_a_sketch_and_its_picture_carry_the_same_pair(tmp_path: Path, draw: Draw) -> None:
    qmul_chairs(tmp_path / "home", draw)
    found = list(open_dataset("qmul-chairs", str(tmp_path / "home"), {}).samples())
    assert [(one.key, one.labels) for one in found] == [
        (f"{kind}-{half}/0000{row}", (f"{half}/0000{row}",))
        for kind, half in (
            ("photo", "train"), ("photo", "test"), ("sketch", "train"), ("sketch", "test"),
        )
        for row in range(2)
    ]  # fmt: skip


def test_rows_are_the_first_axis_and_pictures_are_upright(tmp_path: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (3, 256, 256), dtype=np.uint8)
    write_mat(tmp_path / "chairs_sketch_db_test.mat", {"data": pictures})
    dataset = open_dataset("qmul-chairs", str(tmp_path), {"splits": ["sketch-test"]})
    found = list(dataset.samples())
    for row, content in enumerate(dataset.read([one.uri for one in found])):
        assert isinstance(content, bytes)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), pictures[row])


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"data": np.zeros((2, 256, 255), np.uint8)}, r"is \(2, 256, 255\)"),
        ({"data": np.zeros((2, 256, 256))}, "should be .* uint8"),
        ({"data": "pictures"}, "should be"),
        ({"X": np.zeros((2, 2), np.uint8)}, "'data'"),
    ],
)
def test_a_file_that_holds_something_else_is_named(
    tmp_path: Path, variables: dict[str, Any], said: str
) -> None:
    write_mat(tmp_path / "chairs_edge_db_train.mat", variables)
    dataset = open_dataset("qmul-chairs", str(tmp_path), {"splits": ["photo-train"]})
    with pytest.raises(ValueError, match=rf"chairs_edge_db_train\.mat.*{said}"):
        list(dataset.samples())


def test_a_file_that_is_missing_is_named(tmp_path: Path, draw: Draw) -> None:
    qmul_chairs(tmp_path / "home", draw)
    (tmp_path / "home" / "chairs_sketch_db_test.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"chairs_sketch_db_test\.mat"):
        list(open_dataset("qmul-chairs", str(tmp_path / "home"), {}).samples())


@pytest.mark.real
def test_the_real_files(shared_datasets: Path) -> None:
    home = shared_datasets / "qmul-chairs"
    dataset = open_dataset("qmul-chairs", str(home), {})
    found = list(dataset.samples())
    splits = [one.split for one in found]
    assert {split: splits.count(split) for split in splits} == DATASETS["qmul-chairs"].card.splits
    pixels = load(str(home / "data" / "chairs" / "chairs_sketch_db_train.mat"), "data")["data"]
    (first,) = dataset.read([next(one.uri for one in found if one.split == "sketch-train")])
    assert isinstance(first, bytes)
    drawn = np.asarray(Image.open(io.BytesIO(first)))
    assert np.array_equal(drawn, pixels[0])
    assert drawn[0].min() > 200, "the sketch begins with a white line"
