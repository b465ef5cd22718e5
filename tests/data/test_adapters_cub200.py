"""CUB-200: unseen species test, boxes, and the tar in place of the folder."""

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

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


def test_a_tar_is_read_in_place_and_a_packed_one_asks_to_be_unpacked(
    tmp_path: Path, draw: Draw
) -> None:
    cub200(tmp_path, draw)
    dataset = open_dataset("cub200", str(tmp_path), {})
    folder = samples(tmp_path)
    contents = list(dataset.read([one.uri for one in folder]))
    with tarfile.open(tmp_path / "CUB_200_2011.tar", "w:") as out:
        out.add(tmp_path / "CUB_200_2011", "CUB_200_2011")
    (tmp_path / "CUB_200_2011.tgz").write_bytes(b"packed")
    shutil.rmtree(tmp_path / "CUB_200_2011")
    packed = samples(tmp_path)
    assert samples(tmp_path / "CUB_200_2011.tar") == packed
    told = [(one.key, one.labels, one.boxes, one.split, one.size) for one in packed]
    assert told == [(one.key, one.labels, one.boxes, one.split, one.size) for one in folder]
    assert list(dataset.read([one.uri for one in packed])) == contents
    (tmp_path / "CUB_200_2011.tar").unlink()
    with pytest.raises(FileNotFoundError, match=r"gunzip makes of the \.tgz"):
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
