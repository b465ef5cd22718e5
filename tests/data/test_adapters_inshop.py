"""In-shop: three splits of one list, which says how long it is; pictures in a folder or zip."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data.adapters import open_dataset
from data.sample import Sample
from tests.data.miniatures_unseen import inshop

Draw = Callable[..., bytes]


def samples(root: Path) -> list[Sample]:
    return list(open_dataset("inshop", str(root), {}).samples())


def test_the_items_of_query_and_gallery_are_the_same_and_unseen(tmp_path: Path, draw: Draw) -> None:
    inshop(tmp_path, draw)
    items: dict[str, set[str]] = {}
    for one in samples(tmp_path):
        items.setdefault(one.split, set()).update(one.labels)
    assert items["query"] == items["gallery"]
    assert not items["query"] & items["train"]
    assert samples(tmp_path)[0].key == "MEN/Denim/id_00000000/00_0_front.jpg"


def test_the_files_may_lie_as_they_are_handed_out(tmp_path: Path, draw: Draw) -> None:
    inshop(tmp_path, draw)
    dataset = open_dataset("inshop", str(tmp_path), {})
    folder = samples(tmp_path)
    contents = list(dataset.read([one.uri for one in folder]))
    (tmp_path / "Img").mkdir()
    shutil.make_archive(str(tmp_path / "Img" / "img"), "zip", tmp_path, "img")
    shutil.rmtree(tmp_path / "img")
    zipped = samples(tmp_path)
    assert [(one.key, one.labels, one.split, one.size) for one in zipped] == [
        (one.key, one.labels, one.split, one.size) for one in folder
    ]
    assert list(dataset.read([one.uri for one in zipped])) == contents


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2\nimage_name item_id evaluation_status\nimg/a.jpg id_1 train\n", "cut, .*has 1"),
        ("image_name item_id evaluation_status\nimg/a.jpg id_1 train\n", "not the list of In-shop"),
        ("000001.jpg 0\n000002.jpg 0\n", "not the list of In-shop"),
        ("", "not the list of In-shop"),
        ("1\nimage_name item_id evaluation_status\nimg/a.jpg id_1 val\n", "of split 'val'"),
        ("1\nimage_name item_id evaluation_status\nimg/a.jpg train\n", "should have 3 fields"),
    ],
)
def test_a_list_that_is_cut_or_another_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "img").mkdir()
    (tmp_path / "list_eval_partition.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"list_eval_partition\.txt.*{said}"):
        samples(tmp_path)


def test_a_part_that_is_missing_is_named(tmp_path: Path, draw: Draw) -> None:
    inshop(tmp_path, draw)
    shutil.rmtree(tmp_path / "img")
    with pytest.raises(FileNotFoundError, match="pictures of In-shop"):
        samples(tmp_path)
    (tmp_path / "Eval" / "list_eval_partition.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"list_eval_partition\.txt"):
        samples(tmp_path)


def test_blanks_line_the_columns_up(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    text = "1\nimage_name item_id evaluation_status\nimg/a.jpg     id_1\t  query  \n"
    (tmp_path / "list_eval_partition.txt").write_text(text)
    (found,) = samples(tmp_path)
    assert (found.key, found.labels, found.split) == ("a.jpg", ("id_1",), "query")
