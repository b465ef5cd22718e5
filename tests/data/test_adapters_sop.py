"""Stanford Online Products: products and not kinds, in a folder or in the zip."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data.adapters import open_dataset
from data.sample import Sample
from tests.data.miniatures_unseen import sop

Draw = Callable[..., bytes]
HOME = "Stanford_Online_Products"


def samples(root: Path) -> list[Sample]:
    return list(open_dataset("sop", str(root), {}).samples())


def test_a_label_is_a_product_and_not_a_kind(tmp_path: Path, draw: Draw) -> None:
    sop(tmp_path, draw)
    found = samples(tmp_path)
    assert [one.labels[0] for one in found] == [str(n) for n in range(1, 9) for _ in range(2)]
    assert [one.split for one in found] == ["train"] * 8 + ["test"] * 8
    assert found[0].key == "mug_final/000000000001_0.JPG"
    assert samples(tmp_path / HOME) == found


def test_the_list_of_both_splits_is_not_asked(tmp_path: Path, draw: Draw) -> None:
    sop(tmp_path, draw)
    found = samples(tmp_path)
    (tmp_path / HOME / "Ebay_info.txt").write_text("image_id class_id super_class_id path\n9 9 9 x")
    assert samples(tmp_path) == found


def test_the_zip_is_read_in_place(tmp_path: Path, draw: Draw) -> None:
    sop(tmp_path, draw)
    dataset = open_dataset("sop", str(tmp_path), {})
    folder = samples(tmp_path)
    contents = list(dataset.read([one.uri for one in folder]))
    shutil.make_archive(str(tmp_path / HOME), "zip", tmp_path, HOME)
    shutil.rmtree(tmp_path / HOME)
    zipped = samples(tmp_path)
    assert [(one.key, one.labels, one.size) for one in zipped] == [
        (one.key, one.labels, one.size) for one in folder
    ]
    assert list(dataset.read([one.uri for one in zipped])) == contents
    assert samples(tmp_path / f"{HOME}.zip") == zipped


def test_a_list_that_is_missing_or_broken_is_named(tmp_path: Path, draw: Draw) -> None:
    sop(tmp_path, draw)
    path = tmp_path / HOME / "Ebay_test.txt"
    path.write_text("image_id class_id super_class_id path\n1 one 8 mug_final/1.JPG\n")
    with pytest.raises(ValueError, match=r"Ebay_test\.txt.*'one'"):
        samples(tmp_path)
    path.write_text("image_id class_id path\n1 1 mug_final/1.JPG extra\n")
    with pytest.raises(ValueError, match=r"Ebay_test\.txt"):
        samples(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"Ebay_test\.txt"):
        samples(tmp_path)
