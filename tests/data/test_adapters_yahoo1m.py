"""Yahoo-1M's stand-ins: three shapes that agree, 116 classes, and nothing in both splits."""

import csv
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest

from data.adapters import DATASETS, open_dataset
from data.adapters.catalogue import classes_of
from data.sample import Sample
from tests.data.miniatures_yahoo1m import (
    CLASSES,
    PICTURES,
    label_of,
    name_of,
    write_folders,
    write_tables,
    yahoo1m,
)

Draw = Callable[..., bytes]


def samples(root: Path, **options: Any) -> list[Sample]:
    return list(open_dataset("yahoo1m", str(root), options).samples())


def table(path: Path, *rows: tuple[str, ...]) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as out:
        csv.writer(out).writerows(rows)


def test_the_card_says_that_there_is_nothing_to_have() -> None:
    card = DATASETS["yahoo1m"].card
    assert card.access == "never published"
    assert not card.sources
    assert card.verified == "miniature"
    assert "yahoo1m-compatible" in card.ask
    assert "cannot be compared with published" in card.ask


@pytest.mark.parametrize("shape", ["lists", ".csv", ".tsv", ".parquet"])
def test_every_shape_has_the_same_pictures_and_classes(
    tmp_path: Path, draw: Draw, shape: str
) -> None:
    if shape == "lists":
        yahoo1m(tmp_path, draw)
    else:
        write_tables(tmp_path, draw, shape.replace(".parquet", ".csv"))
    for split in PICTURES if shape == ".parquet" else ():
        rows = pyarrow.csv.read_csv(tmp_path / f"{split}.csv")
        pyarrow.parquet.write_table(rows, tmp_path / f"{split}.parquet")
        (tmp_path / f"{split}.csv").unlink()
    dataset = open_dataset("yahoo1m", str(tmp_path), {"classes": 0 if shape != "lists" else 116})
    found = list(dataset.samples())
    expected = [(name_of(s, n), (label_of(n),), s) for s in PICTURES for n in range(PICTURES[s])]
    assert [(one.key, one.labels, one.split) for one in found] == expected
    assert list(dataset.read([one.uri for one in found])) == [
        draw(n) for count in PICTURES.values() for n in range(count)
    ]
    captions = [one.captions for one in found]
    assert captions[1] == (() if shape == "lists" else ("A shirt, 1",))


def test_folders_say_split_and_class(tmp_path: Path, draw: Draw) -> None:
    write_folders(tmp_path, draw)
    found = samples(tmp_path, classes=4)
    assert [one.key for one in found if one.split == "test"] == [
        f"test/{label_of(n)}/{n}.jpg" for n in (1, 0)
    ]
    assert all(one.key.split("/")[1] == one.labels[0] for one in found)
    (tmp_path / "test/lost.jpg").write_bytes(draw(1))
    with pytest.raises(ValueError, match=r"test/lost\.jpg lies in no folder of a class"):
        samples(tmp_path, classes=4)


def test_other_classes_than_116_are_refused_unless_said_so(tmp_path: Path, draw: Draw) -> None:
    write_folders(tmp_path / "folders", draw)
    with pytest.raises(ValueError, match=r"folders has pictures of 4 classes, not of 116: say how"):
        samples(tmp_path / "folders")
    with pytest.raises(ValueError, match="4 classes, not of 3"):
        samples(tmp_path / "folders", classes=3, splits=("train",))
    for options in ({"classes": 0}, {"classes": 4}, {"splits": ("test",)}):
        assert samples(tmp_path / "folders", **options)
    yahoo1m(tmp_path / "lists", draw)
    assert len(samples(tmp_path / "lists")) == 6
    (tmp_path / "lists/classes.txt").write_text("\n".join(CLASSES[:-1]))
    with pytest.raises(ValueError, match=r"classes\.txt names 115 classes, not 116"):
        samples(tmp_path / "lists")


def test_other_counts_than_the_papers_are_only_told(
    tmp_path: Path, draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    yahoo1m(tmp_path, draw)
    with caplog.at_level(logging.WARNING):
        samples(tmp_path)
    assert "train has 4 pictures, not 1011723 as Yahoo-1M: it is not that dataset" in caplog.text
    assert "test has 2 pictures, not 112363" in caplog.text


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        (("1", "a.jpg"), ("2", "a.jpg"), "path 'a.jpg' is in row 2 of train and in row 1 of test"),
        (("7", "a.jpg"), ("7", "b.jpg"), "product '7' is in row 2 of train and in row 1 of test"),
        (("5", "x.jpg"), ("6", "b.jpg"), "path 'x.jpg' is in row 1 of train and in row 2 of train"),
    ],
)
def test_what_is_there_twice_or_in_both_splits_is_refused(
    tmp_path: Path, train: tuple[str, str], test: tuple[str, str], said: str
) -> None:
    head = ("product_id", "path", "label")
    table(tmp_path / "train.csv", head, ("0", "x.jpg", "c"), (*train, "c"))
    table(tmp_path / "test.csv", head, (*test, "c"))
    with pytest.raises(ValueError, match=said):
        samples(tmp_path, classes=0)


def test_a_product_may_have_several_pictures_in_one_split_and_none_may_be_told(
    tmp_path: Path,
) -> None:
    head = ("product_id", "url", "label")
    table(tmp_path / "train.csv", head, ("1", "a.jpg", "c"), ("1", "b.jpg", "c"), ("", "d", "c"))
    table(tmp_path / "test.csv", head, ("", "http://x.example/c.jpg", "c"), ("", "e.jpg", "c"))
    found = samples(tmp_path, classes=1, stat=False)
    assert [one.uri for one in found][2:4] == [f"{tmp_path}/d", "http://x.example/c.jpg"]
    assert all(one.size == one.mtime == 0 for one in found)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a.jpg 116", r"train\.txt: row 2 is 'a.jpg 116', no path and number of one of 116"),
        ("a.jpg", "row 2 is 'a.jpg'"),
        ("a.jpg -1", "row 2 is 'a.jpg -1'"),
        ("7", "row 2 is '7'"),
    ],
)
def test_a_line_of_a_list_that_is_none_is_named(
    tmp_path: Path, draw: Draw, line: str, said: str
) -> None:
    yahoo1m(tmp_path, draw)
    (tmp_path / "train.txt").write_text(f"name with blanks.jpg 3\n{line}\n")
    with pytest.raises(ValueError, match=said):
        samples(tmp_path)


def test_quotes_and_ends_of_lines_of_windows_are_no_part_of_a_list(
    tmp_path: Path, draw: Draw
) -> None:
    yahoo1m(tmp_path, draw)
    (tmp_path / "train.txt").write_bytes(b'the "blue" one.jpg\t3\r\nb c.jpg  0 \r\n')
    found = samples(tmp_path, splits=("train",))
    assert [(one.key, one.labels[0]) for one in found] == [
        ('the "blue" one.jpg', CLASSES[3]),
        ("b c.jpg", CLASSES[0]),
    ]


def test_a_table_that_is_none_is_named(tmp_path: Path) -> None:
    table(tmp_path / "train.csv", ("picture", "label"), ("a", "c"))
    with pytest.raises(ValueError, match=r"train\.csv needs a column path.*it has picture, label"):
        samples(tmp_path, splits=("train",))
    table(tmp_path / "train.csv", ("path", "label"), ("a", "c"), ("b", ""))
    with pytest.raises(ValueError, match=r"train\.csv: row 2 has no label"):
        samples(tmp_path, splits=("train",))


def test_classes_have_a_name_of_their_own_each(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    for content, said in (
        (b"a\nb\na\n", "line 3 is 'a'"),
        (b"a\n\nb\n", "line 2 is ''"),
        (b"\xff\n", "is not UTF-8"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"classes\.txt.*{said}"):
            classes_of(str(path))
    path.write_bytes(b"a b\r\nc\n\n")
    assert classes_of(str(path)) == ["a b", "c"]


def test_what_is_missing_is_named(tmp_path: Path, draw: Draw) -> None:
    yahoo1m(tmp_path / "lists", draw)
    write_tables(tmp_path / "tables", draw)
    write_folders(tmp_path / "folders", draw)
    for folder, gone, said in (
        ("lists", "classes.txt", r"classes\.txt"),
        ("tables", "test.csv", r"No test\.csv, \.tsv or \.parquet in .*tables"),
    ):
        (tmp_path / folder / gone).unlink()
        with pytest.raises(FileNotFoundError, match=said):
            samples(tmp_path / folder, classes=0)
    (tmp_path / "folders/test").rename(tmp_path / "folders/val")
    with pytest.raises(FileNotFoundError, match=r"No test of a catalogue in .*folders"):
        samples(tmp_path / "folders", classes=0)
    assert len(samples(tmp_path / "folders", classes=0, splits=("train",))) == 4
