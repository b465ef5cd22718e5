"""Grocery Store: classes by their numbers, paths with a slash before them, pictures of products."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data.adapters import DATASETS, open_dataset
from data.sample import Sample
from tests.data.miniatures_texts import grocery

Draw = Callable[..., bytes]


def samples(root: Path, **options: object) -> list[Sample]:
    return list(open_dataset("grocery", str(root), options).samples())


def test_a_class_is_looked_up_by_its_number(tmp_path: Path, draw: Draw) -> None:
    grocery(tmp_path, draw)
    found = samples(tmp_path)
    assert [one.split for one in found] == [
        split for split in ("train", "val", "test", "iconic") for _ in range(4)
    ]
    assert all(one.labels[0] in one.key for one in found)
    coarse = {one.key: one.labels for one in samples(tmp_path, labels="coarse")}
    assert coarse["train/Gala/000.jpg"] == coarse["test/Fuji/000.jpg"] == ("Apple",)


def test_a_path_with_a_slash_before_it_stays_in_the_folder(tmp_path: Path, draw: Draw) -> None:
    grocery(tmp_path, draw)
    iconic = samples(tmp_path, splits=["iconic"])
    assert iconic[0].key == "iconic-images-and-descriptions/Milk.jpg"
    assert iconic[0].uri.startswith(str(tmp_path))
    assert iconic[0].captions == ("Milk is good. Buy it.",)


def test_the_zip_of_the_repository_is_read_in_place(tmp_path: Path, draw: Draw) -> None:
    home = tmp_path / "GroceryStoreDataset-master"
    grocery(home, draw)
    dataset = open_dataset("grocery", str(tmp_path), {})
    folder = samples(tmp_path)
    contents = list(dataset.read([one.uri for one in folder]))
    shutil.make_archive(str(home), "zip", tmp_path, home.name)
    shutil.rmtree(home)
    zipped = samples(tmp_path)
    assert [(one.key, one.labels, one.captions, one.size) for one in zipped] == [
        (one.key, one.labels, one.captions, one.size) for one in folder
    ]
    assert list(dataset.read([one.uri for one in zipped])) == contents


@pytest.mark.parametrize(
    ("name", "content", "error", "said"),
    [
        ("val.txt", None, FileNotFoundError, r"val\.txt"),
        ("classes.csv", None, FileNotFoundError, "No Grocery Store dataset"),
        ("iconic-images-and-descriptions/Gala.txt", None, FileNotFoundError, r"Gala\.txt"),
        ("val.txt", "val/x.jpg, 7, 0\n", ValueError, r"val\.txt: .* two classes that there are"),
        ("val.txt", "val/x.jpg 1 0\n", ValueError, r"val\.txt: .* two classes that there are"),
        ("classes.csv", "a,b\n1,2\n", ValueError, r"classes\.csv: a row lacks a column"),
    ],
)
def test_a_part_that_is_missing_or_broken_is_named(
    tmp_path: Path, draw: Draw, name: str, content: str | None, error: type[Exception], said: str
) -> None:
    grocery(tmp_path, draw)
    (tmp_path / "dataset" / name).unlink()
    if content is not None:
        (tmp_path / "dataset" / name).write_text(content)
    with pytest.raises(error, match=said):
        samples(tmp_path)


@pytest.mark.real
def test_the_real_files(shared_datasets: Path) -> None:
    home = shared_datasets / "grocerystore-val"
    found = samples(home, splits=["val", "iconic"])
    shelf = [one for one in found if one.split == "val"]
    iconic = [one for one in found if one.split == "iconic"]
    assert len(shelf) == DATASETS["grocery"].card.splits["val"] == 296
    assert len(iconic) == 81
    assert {one.labels for one in shelf} <= {one.labels for one in iconic}
    assert len({one.labels for one in shelf}) == 60
    assert all(one.labels[0] in one.key for one in found)
    assert all(one.captions[0] for one in iconic)
    assert len({one.labels for one in samples(home, splits=["iconic"], labels="coarse")}) == 43
    contents = list(open_dataset("grocery", str(home), {}).read([one.uri for one in found]))
    assert all(isinstance(content, bytes) for content in contents)
    with pytest.raises(FileNotFoundError, match=r"train\.txt"):
        samples(home)
