"""UT-Zap50K's pairs: counted from 1, in an order of their own, four attributes, ten divisions."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.adapters import open_dataset
from data.adapters.utzap50k_pairs import ATTRIBUTES
from tests.data.miniatures_utzap50k import KEYS, write_pairs, write_pictures

Draw = Callable[..., bytes]
BOOT, SANDAL, HEEL, OXFORD = KEYS


def pairs(root: Path, **options: Any) -> list[dict[str, Any]]:
    dataset = open_dataset("utzap50k", str(root), options)
    return [row for batch in dataset.tables()["pairs"]() for row in batch.to_pylist()]


def short(row: dict[str, Any]) -> tuple[str, str, str, str, str]:
    return row["first"], row["second"], row["attribute"], row["more"], row["set"]


@pytest.mark.parametrize("form", ["images", "images-square"])
@pytest.mark.parametrize("packed", [True, False])
def test_numbers_count_from_one_in_the_order_of_the_path_file(
    tmp_path: Path, draw: Draw, form: str, packed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    write_pictures(tmp_path, draw, form, packed)
    write_pairs(tmp_path / "ut-zap50k-data")
    found = pairs(tmp_path, pictures=form)
    expected = []
    for attribute in ATTRIBUTES:
        expected.append((OXFORD, BOOT, attribute, "first", "ordered"))
        expected.append((HEEL, SANDAL, attribute, "second", "ordered"))
    expected += [(BOOT, HEEL, attribute, "neither", "equal") for attribute in ATTRIBUTES]
    expected += [(SANDAL, OXFORD, attribute, "first", "fine-grained") for attribute in ATTRIBUTES]
    assert [short(row) for row in found] == expected
    assert (found[0]["confidence"], found[0]["agreement"]) == pytest.approx((1.2, 0.8))
    assert "4 pairs are of pictures that are not there" in caplog.text
    listed = {one.key for one in open_dataset("utzap50k", str(tmp_path), {
        "pictures": form, "attributes": False,
    }).samples()}  # fmt: skip
    assert {row["first"] for row in found} | {row["second"] for row in found} <= listed


def test_an_official_division_is_one_of_ten(tmp_path: Path, draw: Draw) -> None:
    write_pictures(tmp_path, draw)
    write_pairs(tmp_path)
    named = [OXFORD, BOOT, HEEL, SANDAL]
    for fold in range(1, 11):
        found = pairs(tmp_path, fold=fold)
        other = named[(fold - 1) % 4]
        assert [short(row) for row in found] == [
            *((other, OXFORD, attribute, "first", "train") for attribute in ATTRIBUTES),
            *((other, BOOT, attribute, "second", "test") for attribute in ATTRIBUTES),
        ]
    with pytest.raises(ValueError, match="option fold is 11"):
        pairs(tmp_path, fold=11)


def test_they_are_read_out_of_the_zip_they_came_in(tmp_path: Path, draw: Draw) -> None:
    write_pictures(tmp_path, draw)
    write_pairs(tmp_path / "loose")
    with zipfile.ZipFile(tmp_path / "ut-zap50k-data.zip", "w") as archive:
        for path in sorted((tmp_path / "loose").iterdir()):
            archive.write(path, f"ut-zap50k-data/{path.name}")
    assert len(pairs(tmp_path)) == 16


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([0, 2, 1, 1, 1, 1], r"row 1 is \[0\.0, 2\.0.*two of 5 pictures counted from 1"),
        ([1, 6, 1, 1, 1, 1], "row 1 is"),
        ([1.5, 2, 1, 1, 1, 1], "row 1 is"),
        ([1, 2, 2, 1, 1, 1], "attribute 1, and 1, 2 or 3"),
        ([1, 2, 1, 4, 1, 1], "row 1 is"),
        ([1, 2, 1, 1, 1], "a matrix of 6 columns"),
    ],
)
def test_a_pair_that_is_none_is_named(
    tmp_path: Path, draw: Draw, row: list[float], said: str
) -> None:
    write_pictures(tmp_path, draw)
    write_pairs(tmp_path, [np.array([row], float)] * 4)
    with pytest.raises(ValueError, match=rf"zappos-labels\.mat: mturkOrder, open.*{said}"):
        pairs(tmp_path)
    write_pairs(tmp_path, [np.array([row], float)] * 3)
    with pytest.raises(ValueError, match="mturkOrder should have 4 cells"):
        pairs(tmp_path)


def test_what_is_missing_is_named_when_the_table_is_read(tmp_path: Path, draw: Draw) -> None:
    write_pictures(tmp_path, draw)
    table = open_dataset("utzap50k", str(tmp_path), {}).tables()["pairs"]
    with pytest.raises(FileNotFoundError, match=r"image-path\.mat"):
        list(table())
