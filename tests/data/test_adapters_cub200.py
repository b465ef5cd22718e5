"""CUB-200: unseen species test, boxes, and the tar in place of the folder."""

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from data.adapters import open_dataset
from data.sample import Box, Sample
from tests.data.miniatures_unseen import cub200

Draw = Callable[..., bytes]


def samples(root: Path) -> list[Sample]:
    return list(open_dataset("cub200", str(root), {}).samples())


def test_the_second_hundred_species_are_unseen_whatever_the_lists_own_split_says(
    tmp_path: Path, draw: Draw
) -> None:
    cub200(tmp_path, draw, each=2)
    (tmp_path / "CUB_200_2011" / "train_test_split.txt").write_text("1 0\n")
    found = samples(tmp_path)
    seen = {one.labels[0][:3] for one in found if one.split == "train"}
    unseen = {one.labels[0][:3] for one in found if one.split == "test"}
    assert (seen, unseen) == ({"001", "002", "003", "100"}, {"101", "102", "103", "200"})
    assert found[0].key == "001.Bird_1/Bird_1_0000_9.jpg"
    assert found[0].boxes == (Box("001.Bird_1", 6, 2, 30, 20),)
    assert samples(tmp_path / "CUB_200_2011") == found


@pytest.mark.parametrize(("archive", "mode"), [("tar", "w:"), ("tgz", "w:gz")])
def test_an_archive_is_read_in_place(
    tmp_path: Path, draw: Draw, archive: str, mode: Literal["w:", "w:gz"]
) -> None:
    cub200(tmp_path, draw)
    dataset = open_dataset("cub200", str(tmp_path), {})
    folder = samples(tmp_path)
    contents = list(dataset.read([one.uri for one in folder]))
    path = tmp_path / f"CUB_200_2011.{archive}"
    with tarfile.open(path, mode) as out:
        for file in sorted((tmp_path / "CUB_200_2011").rglob("*.*"), reverse=True):
            out.add(file, str(file.relative_to(tmp_path)))
    shutil.rmtree(tmp_path / "CUB_200_2011")
    packed = samples(tmp_path)
    assert samples(path) == packed
    halves = [[one for one in packed if one.split == split] for split in ("train", "test")]
    if archive == "tgz":  # as they lie, which is the other way round here
        halves = [half[::-1] for half in halves]
    again = [one for half in halves for one in half]
    told = [(one.key, one.labels, one.boxes, one.split, one.size) for one in again]
    assert told == [(one.key, one.labels, one.boxes, one.split, one.size) for one in folder]
    assert list(dataset.read([one.uri for one in again])) == contents
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"CUB_200_2011\.tgz or images\.txt"):
        samples(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("images.txt", "1\n", r"images\.txt: '1' should have 2 fields"),
        ("image_class_labels.txt", "2 1\n", "give picture 1 no species"),
        ("image_class_labels.txt", "1 first\n", "give picture 1 no species"),
        ("bounding_boxes.txt", "1 2 3 4\n", r"boxes\.txt: '2 3 4' should be four numbers"),
        ("bounding_boxes.txt", "2 1 2 3 4\n", "no box"),
    ],
)
def test_a_broken_list_is_named(
    tmp_path: Path, draw: Draw, name: str, content: str, said: str
) -> None:
    cub200(tmp_path, draw)
    (tmp_path / "CUB_200_2011" / name).write_text(content)
    with pytest.raises(ValueError, match=said):
        samples(tmp_path)


@pytest.mark.parametrize("name", ["images.txt", "image_class_labels.txt", "bounding_boxes.txt"])
def test_a_list_that_is_missing_is_named(tmp_path: Path, draw: Draw, name: str) -> None:
    cub200(tmp_path, draw)
    (tmp_path / "CUB_200_2011" / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        samples(tmp_path)
