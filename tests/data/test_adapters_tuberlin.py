"""TU-Berlin: classes with blanks in their names, in a folder or in the zip."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data.adapters import DATASETS, open_dataset
from data.sample import Sample
from tests.data.miniatures_sketches import tuberlin

Draw = Callable[..., bytes]


def samples(root: Path) -> list[Sample]:
    return list(open_dataset("tuberlin", str(root), {}).samples())


def test_classes_have_blanks_and_numbers_run_through_all_of_them(
    tmp_path: Path, draw: Draw
) -> None:
    tuberlin(tmp_path, draw)
    found = samples(tmp_path)
    assert [one.key for one in found[:3]] == [
        "airplane/1.png",
        "airplane/2.png",
        "car (sedan)/3.png",
    ]
    assert found[2].labels == ("car (sedan)",)
    assert len({one.key.rpartition("/")[2] for one in found}) == len(found) == 8
    assert samples(tmp_path / "png") == found


def test_the_zip_is_read_in_place(tmp_path: Path, draw: Draw) -> None:
    tuberlin(tmp_path, draw)
    dataset = open_dataset("tuberlin", str(tmp_path), {})
    folder = samples(tmp_path)
    contents = list(dataset.read([one.uri for one in folder]))
    shutil.make_archive(str(tmp_path / "sketches_png"), "zip", tmp_path, "png")
    shutil.rmtree(tmp_path / "png")
    zipped = samples(tmp_path)
    assert [(one.key, one.labels, one.size) for one in zipped] == [
        (one.key, one.labels, one.size) for one in folder
    ]
    assert list(dataset.read([one.uri for one in zipped])) == contents
    assert samples(tmp_path / "sketches_png.zip") == zipped


def test_a_sketch_in_no_class_and_a_zip_of_something_else_are_refused(
    tmp_path: Path, draw: Draw
) -> None:
    tuberlin(tmp_path, draw)
    (tmp_path / "png" / "1.png").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"'1\.png', which is in no class"):
        samples(tmp_path)
    shutil.rmtree(tmp_path / "png")
    (tmp_path / "svg").mkdir()
    shutil.make_archive(str(tmp_path / "sketches_png"), "zip", tmp_path, "svg")
    with pytest.raises(FileNotFoundError, match=r"sketches_png\.zip holds no picture in png"):
        samples(tmp_path)


def test_there_are_no_photographs_to_be_split_off() -> None:
    assert set(DATASETS["tuberlin"].card.splits) == {"all"}
