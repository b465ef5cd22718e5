"""MIRFLICKR-25000: numbers from 1, 24 labels or 38, tags in files, the hashing lists."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from data.adapters import open_dataset
from data.adapters.mirflickr25k import POTENTIAL, RELEVANT
from tests.data.miniatures_mirflickr import mirflickr25k

Draw = Callable[..., bytes]


@pytest.mark.parametrize("zipped", [False, True])
def test_pictures_lists_and_tags_count_from_one(tmp_path: Path, draw: Draw, zipped: bool) -> None:
    mirflickr25k(tmp_path, draw, zipped)
    dataset = open_dataset("mirflickr25k", str(tmp_path), {})
    found = list(dataset.samples())
    assert [(one.key, one.labels, one.tags) for one in found] == [
        ("00001", ("sky",), ("sea", "sun set")),
        ("00002", ("baby", "sky"), ("love", "çay")),
        ("00003", (), ()),
        ("00010", ("baby", "baby_r1"), ()),
        ("00011", ("baby", "plant_life"), ("paris",)),
    ]
    contents = list(dataset.read([one.uri for one in found]))
    assert contents == [draw(number) for number in (1, 2, 3, 10, 11)]


def test_a_topic_is_two_labels_of_which_one_kind_can_be_had(tmp_path: Path, draw: Draw) -> None:
    mirflickr25k(tmp_path, draw)
    for kind, expected in (("potential", ("baby",)), ("relevant", ("baby_r1",))):
        dataset = open_dataset("mirflickr25k", str(tmp_path), {"labels": kind})
        assert {one.key: one.labels for one in dataset.samples()}["00010"] == expected
    assert (len(POTENTIAL), len(RELEVANT)) == (24, 14)
    assert {name.removesuffix("_r1") for name in RELEVANT} < set(POTENTIAL)


def test_the_root_may_be_the_folder_of_the_pictures(tmp_path: Path, draw: Draw) -> None:
    mirflickr25k(tmp_path, draw)
    annotations = tmp_path / "mirflickr25k_annotations_v080"
    annotations.rename(tmp_path / "mirflickr" / annotations.name)
    found = list(open_dataset("mirflickr25k", str(tmp_path / "mirflickr"), {}).samples())
    assert [one.key for one in found] == ["00001", "00002", "00003", "00010", "00011"]
    assert found[0].tags == ("sea", "sun set")


def test_tags_may_be_done_without(tmp_path: Path, draw: Draw) -> None:
    mirflickr25k(tmp_path, draw)
    (tmp_path / "mirflickr" / "meta").rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError, match="No mirflickr/meta/tags"):
        list(open_dataset("mirflickr25k", str(tmp_path), {}).samples())
    found = list(open_dataset("mirflickr25k", str(tmp_path), {"tags": False}).samples())
    assert [one.tags for one in found] == [()] * 5


@pytest.mark.parametrize("zipped", [False, True])
def test_a_list_that_is_missing_or_broken_is_named(
    tmp_path: Path, draw: Draw, zipped: bool, caplog: pytest.LogCaptureFixture
) -> None:
    mirflickr25k(tmp_path, draw, zipped)
    dataset = open_dataset("mirflickr25k", str(tmp_path), {})
    annotations = tmp_path / "mirflickr25k_annotations_v080"
    annotations.mkdir(exist_ok=True)  # comes before the zip
    if zipped:
        with pytest.raises(FileNotFoundError, match=r"v080/animals\.txt"):
            list(dataset.samples())
        return
    for text, said in (("0", "0 is no picture; they count from 1"), ("1\nx", "something else")):
        (annotations / "sea_r1.txt").write_text(text)
        with pytest.raises(ValueError, match=rf"sea_r1\.txt.*{said}"):
            list(dataset.samples())
    (annotations / "sea_r1.txt").write_text("25000\n")
    assert len(list(dataset.samples())) == 5
    assert "1 times a picture that is not there has a label" in caplog.text
    (annotations / "sea_r1.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"sea_r1\.txt"):
        list(dataset.samples())


def test_the_lists_of_hashing_papers_say_the_split(tmp_path: Path, draw: Draw) -> None:
    mirflickr25k(tmp_path, draw)
    (tmp_path / "deephash").mkdir()
    for name, numbers in (("test", (2,)), ("train", (10,)), ("database", (1, 10, 11))):
        text = "".join(f"im{number}.jpg 0 1\n" for number in numbers)
        (tmp_path / "deephash" / f"{name}.txt").write_text(text)
    dataset = open_dataset("mirflickr25k", str(tmp_path), {"lists": "deephash"})
    assert [(one.key, one.split) for one in dataset.samples()] == [
        ("00001", "database"), ("00002", "test"), ("00010", "train"), ("00011", "database"),
    ]  # fmt: skip
    some = {"lists": "deephash", "splits": ["train", "database"]}
    found = open_dataset("mirflickr25k", str(tmp_path), some).samples()
    assert [one.key for one in found] == ["00001", "00010", "00011"]
    with pytest.raises(ValueError, match="no split 'val': choose from test, train, database"):
        open_dataset("mirflickr25k", str(tmp_path), some | {"splits": ["val"]})


@pytest.mark.real
def test_the_real_labels_of_all_pictures_are_read(shared_datasets: Path, tmp_path: Path) -> None:
    lists = shared_datasets / "lists" / "hashnet-style" / "mirflickr"
    names = sorted((*POTENTIAL, *RELEVANT))
    numbers: dict[str, list[int]] = {name: [] for name in names}
    (tmp_path / "deephash").symlink_to(lists)
    (tmp_path / "mirflickr").mkdir()
    for split in ("train", "test", "database"):
        for line in (lists / f"{split}.txt").read_text().splitlines():
            path, *flags = line.split()
            (tmp_path / "mirflickr" / path).touch()
            for name, flag in zip(names, flags, strict=True):
                numbers[name] += [int(path[2:-4])] if flag == "1" else []
    annotations = tmp_path / "mirflickr25k_annotations_v080"
    annotations.mkdir()
    for name, shown in numbers.items():
        (annotations / f"{name}.txt").write_text("\n".join(map(str, sorted(shown))))
    dataset = open_dataset("mirflickr25k", str(tmp_path), {"lists": "deephash", "tags": False})
    found = list(dataset.samples())
    assert (found[0].key, found[-1].key, len(found)) == ("00001", "25000", 25_000)
    assert Counter(one.split for one in found) == {"test": 1000, "train": 4000, "database": 20_000}
    assert sum(not one.labels for one in found) == 419
    counts = Counter(label for one in found for label in one.labels)
    assert (counts["animals"], counts["baby"], counts["people_r1"]) == (3216, 259, 7849)
    strange = [
        label
        for one in found
        for label in one.labels
        if label in RELEVANT and label.removesuffix("_r1") not in one.labels
    ]
    assert strange == ["people_r1"] * 4
