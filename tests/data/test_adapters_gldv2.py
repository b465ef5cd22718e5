"""GLDv2: two spaces of landmarks, tars and folders, the truth of version 2.1, what is missing."""

import csv
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.adapters import gldv2 as module
from data.adapters import open_dataset
from data.adapters.headers import DamagedTar
from data.adapters.landmarks import Growing, Ids, numbers, sorting
from data.sample import Sample
from tests.data.miniatures_landmarks import INDEX, TEST, TRAIN, by_digits, gldv2, write_tar

Draw = Callable[..., bytes]


def found(root: Path, **options: Any) -> dict[str, Sample]:
    return {one.key: one for one in open_dataset("gldv2", str(root), options).samples()}


@pytest.fixture
def home(tmp_path: Path, draw: Draw) -> Path:
    """The miniature, with its tars."""
    gldv2(tmp_path / "home", draw)
    return tmp_path / "home"


def test_tars_and_unpacked_folders_hold_the_same_pictures(
    home: Path, tmp_path: Path, draw: Draw
) -> None:
    gldv2(tmp_path / "unpacked", draw, packed=False)
    packed, unpacked = found(home), found(tmp_path / "unpacked")
    assert (
        set(packed)
        == {
            f"{split}/{one}"
            for split, ids in (("train", TRAIN), ("index", INDEX), ("test", TEST))
            for one in ids
        }
        == set(unpacked)
    )
    dataset = open_dataset("gldv2", str(home), {})
    for key, one in packed.items():
        two = unpacked[key]
        assert (one.labels, one.tags, one.size) == (two.labels, two.tags, two.size)
        assert list(dataset.read([one.uri])) == list(dataset.read([two.uri]))
    assert list(packed)[:2] == [f"train/{TRAIN[0]}", f"train/{TRAIN[2]}"], "in the order of tars"
    assert list(unpacked)[:4] == [f"train/{one}" for one in sorted(TRAIN)], "in that of the ids"


def test_the_same_number_is_another_landmark_in_train_and_index(home: Path) -> None:
    pictures = found(home)
    assert pictures[f"train/{TRAIN[0]}"].labels == ("train/0",)
    assert pictures[f"index/{INDEX[0]}"].labels == ("index/0",)
    assert pictures[f"index/{INDEX[2]}"].labels == (), "the index list names no landmark of it"
    spaces = {label.split("/")[0] for one in pictures.values() for label in one.labels}
    assert spaces == {"train", "index"}


def test_the_truth_is_carried_by_the_test_pictures_and_none_is_no_answer(home: Path) -> None:
    first, ignored, _ = (found(home, splits=["test"])[f"test/{one}"] for one in TEST)
    assert first.labels == ("train/0", "train/1")
    assert first.tags == (
        "retrieval/Private",
        "recognition/Public",
        f"answer/index/{INDEX[0]}",
        f"answer/index/{INDEX[2]}",
    )
    assert ignored.labels == ()
    assert ignored.tags == ("retrieval/Ignored", "recognition/Private")
    assert not any("None" in tag for one in found(home).values() for tag in one.tags)


@pytest.mark.parametrize("task", ["recognition", "retrieval"])
def test_an_older_truth_does_not_pass_for_version_2_1(home: Path, task: str) -> None:
    (home / f"{task}_solution_v2.1.csv").rename(home / f"{task}_solution_v2.csv")
    with pytest.raises(FileNotFoundError, match=rf"No {task}_solution_v2\.1\.csv in .*home"):
        found(home)
    assert len(found(home, splits=["train", "index"])) == len(TRAIN) + len(INDEX)


def test_clean_training_pictures_are_those_of_the_clean_list(home: Path) -> None:
    some = found(home, splits=["train"], train="clean")
    assert {key: one.labels for key, one in some.items()} == {
        f"train/{TRAIN[2]}": ("train/1",),
        f"train/{TRAIN[3]}": ("train/1",),
    }


def test_the_kind_of_a_landmark_is_told_where_it_is_asked_for(home: Path) -> None:
    told = found(home, hierarchy=True)
    assert told[f"train/{TRAIN[3]}"].tags == ("body of water", "waterfall", "natural")
    assert told[f"train/{TRAIN[0]}"].tags == ("church, or chapel", "human-made")
    assert told[f"index/{INDEX[0]}"].tags == ("bridge", "bridge", "human-made")
    assert told[f"index/{INDEX[1]}"].tags == told[f"index/{INDEX[2]}"].tags == ()
    assert not any(one.tags for key, one in found(home).items() if not key.startswith("test"))


def test_every_tar_is_checked_by_the_md5_beside_it() -> None:
    tars = [one for one in module.Gldv2.card.sources if one.name.endswith(".tar")]
    assert len(tars) == len({one.name for one in tars}) == 500 + 100 + 20
    home = "https://s3.amazonaws.com/google-landmark"
    last = next(one for one in tars if one.name == "index/images_099.tar")
    assert last.url == f"{home}/index/images_099.tar"
    assert last.md5_url == f"{home}/md5sum/index/md5.images_099.txt"
    assert last.splits == ("index",)


def test_a_cut_tar_is_an_error_that_names_it(home: Path) -> None:
    tar = home / "train" / "images_001.tar"
    tar.write_bytes(tar.read_bytes()[:1500])
    with pytest.raises(DamagedTar, match=r"train/images_001\.tar is cut"):
        found(home)


def test_pictures_that_are_not_there_are_an_error_or_counted(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "train" / "images_001.tar").unlink()
    with pytest.raises(FileNotFoundError, match=rf"2 of the 4 .*train\.csv.* train/{TRAIN[1]}"):
        found(home)
    with caplog.at_level(logging.WARNING):
        assert len(found(home, splits=["train"], missing="pass")) == 2
    assert "2 of the 4 pictures" in caplog.text


def test_a_file_that_no_list_knows_is_left_out_and_counted(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_tar(home / "index" / "images_002.tar", [(by_digits("f" * 16), b"x"), ("READ.me", b"y")])
    with caplog.at_level(logging.WARNING):
        assert len(found(home, splits=["index"])) == len(INDEX)
    assert "2 files that" in caplog.text
    assert "f/f/f/" in caplog.text


def test_a_picture_that_is_there_twice_is_an_error(home: Path) -> None:
    write_tar(home / "index" / "images_002.tar", [(by_digits(INDEX[1]), b"x")])
    with pytest.raises(ValueError, match=rf"picture {INDEX[1]} of .*index\.csv is there twice"):
        found(home)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("train.csv", "id,url,landmark_id\nA1,u,3\n", "train.csv: 'A1' is no id"),
        ("train.csv", f"id,url,landmark_id\n{TRAIN[0]},u,x\n", "train.csv: .*'x'"),
        ("train.csv", f"id,url\n{TRAIN[0]},u\n", "train.csv: .*landmark_id"),
        ("index.csv", f"id\n{INDEX[0]}\n{INDEX[0]}\n", f"index.csv lists {INDEX[0]} twice"),
    ],
)
def test_a_broken_list_is_an_error_that_names_it(
    home: Path, name: str, text: str, said: str
) -> None:
    (home / name).write_text(text)
    with pytest.raises(ValueError, match=said):
        found(home)


def test_lists_may_lie_where_the_publisher_has_them(home: Path) -> None:
    before = found(home)
    for folder, name in (
        ("metadata", "index.csv"),
        ("ground_truth", "retrieval_solution_v2.1.csv"),
    ):
        (home / folder).mkdir()
        (home / name).rename(home / folder / name)
    (home / "train.csv").rename(home / "train" / "train.csv")
    assert found(home) == before


def test_ids_are_found_whatever_part_of_a_column_they_are() -> None:
    column = pa.array([*TRAIN, *INDEX, *TEST])
    some = numbers(column.slice(3, 4), "x.csv")
    assert [f"{one:016x}" for one in some] == [*TRAIN[3:], *INDEX]
    ids = Ids(numbers(column, "x.csv"), "x.csv")
    assert ids.rows(some).tolist() == [3, 4, 5, 6]
    assert ids.rows(np.array([0], np.uint64)).tolist() == [-1]
    assert Ids(np.empty(0, np.uint64), "x.csv").rows(some).tolist() == [-1] * 4


@given(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=60), st.integers(1, 20))
def test_ids_are_sorted_a_part_at_a_time(some: list[int], piece: int) -> None:
    grown = Growing(np.uint64)
    for start in range(0, len(some), piece):
        grown.add(np.array(some[start : start + piece], np.uint64))
    ids = grown.whole()
    assert ids.tolist() == some
    assert sorting(ids).tolist() == np.argsort(np.array(some, np.uint64), kind="stable").tolist()
    held = Ids(ids, "x.csv")
    asked = np.array([*some, 7], np.uint64)
    expected = [some.index(one) if one in some else -1 for one in (*some, 7)]
    assert held.rows(asked).tolist() == expected


@pytest.mark.real
def test_real_training_rows(tmp_path: Path, shared_datasets: Path, draw: Draw) -> None:
    path = shared_datasets / "lists" / "gldv2-excerpt" / "train.excerpt.csv"
    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    assert len(rows) == 24
    (tmp_path / "train.csv").write_bytes(path.read_bytes())
    write_tar(
        tmp_path / "train" / "images_000.tar",
        [(by_digits(row["id"]), draw(number)) for number, row in enumerate(rows)],
    )
    pictures = found(tmp_path, splits=["train"])
    assert list(pictures) == [f"train/{row['id']}" for row in rows]
    assert [one.labels for one in pictures.values()] == [
        (f"train/{row['landmark_id']}",) for row in rows
    ]
