"""COCO: both editions, ids with holes, crowds, pictures without boxes, captions, named splits."""

import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from data.adapters import open_dataset
from data.sample import Box
from tests.data.miniatures_coco import coco

Draw = Callable[..., bytes]

TRAIN = ["000000000003", "000000000009", "000000581929"]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("year", [2014, 2017])
def test_both_editions_say_the_same_under_the_same_keys(
    tmp_path: Path, draw: Draw, year: int, zipped: bool
) -> None:
    coco(tmp_path / "home", draw, year, zipped)
    dataset = open_dataset("coco", str(tmp_path / "home"), {})
    found = {one.key: one for one in dataset.samples()}
    assert list(found) == [*TRAIN, "000000000040"]
    assert [one.split for one in found.values()] == ["train", "train", "train", "val"]
    assert found["000000581929"].labels == ("toothbrush",), "its category_id is 90"
    assert found["000000581929"].boxes == (Box("toothbrush", 1.5, 2.25, 10, 4),)
    assert found["000000000040"].labels == ("stop sign",), "13, the twelfth"
    contents = list(dataset.read([one.uri for one in found.values()]))
    assert contents == [draw(int(key)) for key in found]


def test_a_crowd_is_marked_and_its_class_counts_once_as_do_the_others(
    tmp_path: Path, draw: Draw
) -> None:
    coco(tmp_path, draw)
    crowded = {one.key: one for one in open_dataset("coco", str(tmp_path), {}).samples()}[TRAIN[1]]
    assert crowded.labels == ("person", "toothbrush")
    assert [(box.label, box.crowd) for box in crowded.boxes] == [
        ("toothbrush", False), ("toothbrush", False), ("person", True),
    ]  # fmt: skip
    assert crowded.boxes[0] == Box("toothbrush", 30, 4, 5, 6), "the order is that of their ids"


def test_a_picture_without_a_box_is_listed_without_a_label(tmp_path: Path, draw: Draw) -> None:
    coco(tmp_path, draw)
    bare = next(open_dataset("coco", str(tmp_path), {}).samples())
    assert (bare.key, bare.labels, bare.boxes, len(bare.captions)) == (TRAIN[0], (), (), 6)


def test_all_captions_come_by_ascending_id_without_blanks_around(
    tmp_path: Path, draw: Draw
) -> None:
    coco(tmp_path, draw)
    for one in open_dataset("coco", str(tmp_path), {}).samples():
        assert one.captions == tuple(f"{turn} of {int(one.key)}." for turn in range(5, 11))


def test_either_file_of_annotations_may_be_done_without(tmp_path: Path, draw: Draw) -> None:
    coco(tmp_path, draw)
    for name, kept in (("captions", "instances"), ("instances", "captions")):
        for path in (tmp_path / "annotations").glob(f"{name}_*"):
            path.rename(path.with_suffix(".away"))
        with pytest.raises(FileNotFoundError, match=f"{name}_train2017.json"):
            list(open_dataset("coco", str(tmp_path), {}).samples())
        some = list(open_dataset("coco", str(tmp_path), {"annotations": [kept]}).samples())
        assert [one.key for one in some] == [*TRAIN, "000000000040"]
        assert any(one.captions for one in some) == (kept == "captions")
        assert any(one.boxes or one.labels for one in some) == (kept == "instances")
        for path in (tmp_path / "annotations").glob(f"{name}_*"):
            path.rename(path.with_suffix(".json"))


def test_where_both_editions_are_there_one_must_be_named(tmp_path: Path, draw: Draw) -> None:
    coco(tmp_path, draw, 2014, zipped=True)
    coco(tmp_path, draw, 2017)
    with pytest.raises(ValueError, match="say year: 2017 or 2014"):
        list(open_dataset("coco", str(tmp_path), {}).samples())
    first = next(open_dataset("coco", str(tmp_path), {"year": 2014}).samples())
    assert "train2014.zip::train2014/COCO_train2014_000000000003.jpg#" in first.uri


def test_pictures_may_lie_in_a_folder_images(tmp_path: Path, draw: Draw) -> None:
    coco(tmp_path, draw)
    (tmp_path / "images").mkdir()
    for part in ("train2017", "val2017"):
        (tmp_path / part).rename(tmp_path / "images" / part)
    dataset = open_dataset("coco", str(tmp_path), {})
    assert next(dataset.samples()).uri == f"{tmp_path}/images/train2017/000000000003.jpg"


def test_a_picture_that_is_missing_is_listed_and_answered_by_its_error(
    tmp_path: Path, draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    coco(tmp_path, draw)
    (tmp_path / "train2017" / "000000000009.jpg").unlink()
    dataset = open_dataset("coco", str(tmp_path), {})
    found = list(dataset.samples())
    assert [one.key for one in found] == [*TRAIN, "000000000040"]
    assert "1 pictures missing, first 000000000009.jpg" in caplog.text
    answers = list(dataset.read([one.uri for one in found]))
    assert [type(answer) for answer in answers] == [bytes, FileNotFoundError, bytes, bytes]
    for path in (tmp_path / "val2017").iterdir():
        path.unlink()
    (tmp_path / "val2017").rmdir()
    with pytest.raises(FileNotFoundError, match=r"No val2017 or val2017\.zip in"):
        list(open_dataset("coco", str(tmp_path), {}).samples())


def karpathy(root: Path, splits: dict[int, str]) -> None:
    images = [
        {"cocoid": number, "split": split, "filename": "x", "sentences": [{"raw": "y"}]}
        for number, split in splits.items()
    ]
    (root / "dataset_coco.json").write_text(json.dumps({"images": images, "dataset": "coco"}))


@pytest.mark.parametrize("year", [2014, 2017])
def test_karpathys_split_adds_restval_to_train_in_either_edition(
    tmp_path: Path, draw: Draw, year: int
) -> None:
    coco(tmp_path, draw, year)
    with pytest.raises(FileNotFoundError, match=r"dataset_coco\.json"):
        list(open_dataset("coco", str(tmp_path), {"lists": "karpathy"}).samples())
    karpathy(tmp_path, {3: "test", 9: "train", 40: "restval"})
    dataset = open_dataset("coco", str(tmp_path), {"lists": "karpathy"})
    assert {one.key: one.split for one in dataset.samples()} == {
        TRAIN[0]: "test", TRAIN[1]: "train", "000000000040": "train",
    }  # fmt: skip
    test = open_dataset("coco", str(tmp_path), {"lists": "karpathy", "splits": ["test"]})
    assert [one.key for one in test.samples()] == TRAIN[:1]
    karpathy(tmp_path, {3: "rest"})
    with pytest.raises(ValueError, match=r"dataset_coco\.json: an image has .*'rest'"):
        list(dataset.samples())


def hashnet(root: Path, **lists: list[str]) -> None:
    (root / "hashnet").mkdir(exist_ok=True)
    for name, paths in lists.items():
        text = "".join(f"{path} 0 1 0\n" for path in paths)
        (root / "hashnet" / f"{name}.txt").write_text(text)


@pytest.mark.parametrize("year", [2014, 2017])
def test_hashnets_lists_say_the_split_and_the_dataset_what_is_shown(
    tmp_path: Path, draw: Draw, year: int, caplog: pytest.LogCaptureFixture
) -> None:
    coco(tmp_path, draw, year)
    train, val = "train2014/COCO_train2014_000000", "val2014/COCO_val2014_000000"
    hashnet(tmp_path, test=[f"{val}000040.jpg"], train=[f"{train}000009.jpg"])
    with pytest.raises(FileNotFoundError, match=r"hashnet/database\.txt"):
        list(open_dataset("coco", str(tmp_path), {"lists": "hashnet"}).samples())
    hashnet(tmp_path, database=[f"{train}{one}.jpg" for one in ("000009", "581929", "000077")])
    dataset = open_dataset("coco", str(tmp_path), {"lists": "hashnet"})
    assert [(one.key, one.split, one.labels) for one in dataset.samples()] == [
        (TRAIN[1], "train", ("person", "toothbrush")),
        (TRAIN[2], "database", ("toothbrush",)),
        ("000000000040", "test", ("stop sign",)),
    ]
    assert "hashnet: 1 of 4 listed pictures are not there" in caplog.text
    with pytest.raises(ValueError, match="coco has no split 'val': choose from test, train, data"):
        open_dataset("coco", str(tmp_path), {"lists": "hashnet", "splits": ["val"]})
    hashnet(tmp_path, train=[f"{train}000009.jpg"] * 2)
    with pytest.raises(ValueError, match=r"hashnet/train\.txt lists a picture twice"):
        list(dataset.samples())


@pytest.mark.parametrize(
    ("field", "broken", "said"),
    [
        ("annotations", {"id": 1, "image_id": 3, "category_id": 12, "bbox": [0, 0, 1, 1]}, "id 12"),
        ("annotations", {"id": 1, "image_id": 4, "category_id": 1, "bbox": [0, 0, 1, 1]}, "4, whi"),
        ("annotations", {"id": 1, "image_id": 3, "category_id": 1, "bbox": [0, 0, 1]}, "'annotat"),
        ("annotations", {"id": 1, "image_id": 3, "category_id": 1}, "'annotations'.*bbox"),
        ("images", {"id": 3, "file_name": "x.jpg"}, "picture 3 is listed twice"),
        ("images", {"id": 4}, "'images'.*file_name"),
    ],
)
def test_annotations_that_break_the_layout_are_named(
    tmp_path: Path, draw: Draw, field: str, broken: dict[str, Any], said: str
) -> None:
    coco(tmp_path, draw)
    path = tmp_path / "annotations" / "instances_train2017.json"
    content = json.loads(path.read_text())
    content[field].append(broken)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"instances_train2017\.json.*{said}"):
        list(open_dataset("coco", str(tmp_path), {}).samples())
    assert list(open_dataset("coco", str(tmp_path), {"splits": ["val"]}).samples())


@pytest.mark.real
def test_the_real_photographs_have_their_classes_boxes_and_captions(shared_datasets: Path) -> None:
    dataset = open_dataset("coco", str(shared_datasets / "coco-mini"), {})
    found = list(dataset.samples())
    assert Counter(one.split for one in found) == {"train": 80, "val": 79}
    assert sum(len(one.boxes) for one in found) == 739 + 624
    assert sum(len(one.captions) for one in found) == 400 + 395
    assert sum(box.crowd for one in found for box in one.boxes) == 8 + 5
    assert (found[0].key, found[-1].key) == ("000000000790", "000000570448")
    assert all(set(one.labels) == {box.label for box in one.boxes} for one in found)
    for one, content in zip(found, dataset.read([one.uri for one in found]), strict=True):
        assert isinstance(content, bytes)
        shown = Image.open(io.BytesIO(content))
        for box in one.boxes:
            assert 0 <= box.x <= box.x + box.width <= shown.width + 1, "boxes are in pixels"


@pytest.mark.real
def test_the_real_captions_alone_list_all_5000_and_say_which_pictures_are_missing(
    shared_datasets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"annotations": ["captions"], "splits": ["val"]}
    dataset = open_dataset("coco", str(shared_datasets / "coco-mini"), options)
    found = list(dataset.samples())
    assert Counter(len(one.captions) for one in found) == {5: 4987, 6: 12, 7: 1}
    assert "4841 pictures missing" in caplog.text
    there = [one.uri for one in found if one.size]
    contents = [content for content in dataset.read(there) if isinstance(content, bytes)]
    modes = Counter(Image.open(io.BytesIO(content)).mode for content in contents)
    assert modes == {"RGB": 158, "L": 1}, "one is grey"


@pytest.mark.real
def test_the_real_hashnet_lists_agree_in_how_many_classes_a_picture_shows(
    shared_datasets: Path, tmp_path: Path
) -> None:
    lists = shared_datasets / "lists" / "hashnet-style" / "coco"
    (tmp_path / "hashnet").mkdir()
    listed = {}
    for split in ("train", "test"):
        text = (lists / f"{split}.txt").read_text()
        (tmp_path / "hashnet" / f"{split}.txt").write_text(text)
        for path, *flags in map(str.split, text.splitlines()):
            listed[path[-16:-4]] = (split, flags.count("1"))
    assert Counter(split for split, _ in listed.values()) == {"train": 10_000, "test": 5_000}
    (tmp_path / "hashnet" / "database.txt").write_text("train2014/x_000000000000.jpg 0\n")
    for part in ("annotations", "train2017", "val2017"):
        (tmp_path / part).symlink_to(shared_datasets / "coco-mini" / part)
    found = list(open_dataset("coco", str(tmp_path), {"lists": "hashnet"}).samples())
    assert len(found) == 26
    for one in found:
        assert (one.split, len(one.labels)) == listed[one.key]
