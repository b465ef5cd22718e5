"""ILSVRC2012: layouts that agree, ids in another order than WNIDs, files that are no JPEG."""

import io
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from data.adapters import open_dataset
from data.protocols import PROTOCOLS, Picture, sets_of
from data.sample import Sample
from tests.data.matfile import write_mat
from tests.data.miniatures_ilsvrc2012 import (
    IDS,
    KIT,
    TRUTH,
    devkit,
    ilsvrc2012,
    kaggle,
    unpacked,
    val_name,
)
from tests.data.tarred import tarred

Draw = Callable[..., bytes]


def samples(root: Path, *splits: str) -> list[Sample]:
    return list(open_dataset("ilsvrc2012", str(root), {"splits": splits}).samples())


def contents(root: Path) -> list[bytes | OSError]:
    dataset = open_dataset("ilsvrc2012", str(root), {})
    return list(dataset.read([one.uri for one in dataset.samples()]))


def test_every_layout_gives_the_same_pictures_under_the_same_keys(
    tmp_path: Path, draw: Draw
) -> None:
    roots = {name: tmp_path / name for name in ("official", "flat", "by class", "kaggle")}
    ilsvrc2012(roots["official"], draw)
    unpacked(roots["flat"], draw)
    devkit(roots["flat"])
    unpacked(roots["by class"], draw, by_class=True)
    kaggle(roots["kaggle"], draw)
    expected = samples(roots["official"])
    assert len(expected) == 12
    for root in roots.values():
        found = samples(root)
        assert [(one.key, one.labels, one.split, one.size) for one in found] == [
            (one.key, one.labels, one.split, one.size) for one in expected
        ]
        assert contents(root) == contents(roots["official"])


def test_the_devkits_ids_are_translated_by_wnid_and_not_by_order(
    tmp_path: Path, draw: Draw
) -> None:
    ilsvrc2012(tmp_path / "home", draw)
    found = samples(tmp_path / "home", "val")
    assert [one.key for one in found] == [f"val/{val_name(number)}" for number in (1, 2, 3)]
    assert [one.labels[0] for one in found] == [IDS[id_] for id_ in TRUTH]
    in_order = sorted(IDS.values())
    assert [in_order[id_ - 1] for id_ in TRUTH] != [one.labels[0] for one in found]


def test_an_id_above_the_classes_is_no_label(tmp_path: Path, draw: Draw) -> None:
    unpacked(tmp_path, draw)
    devkit(tmp_path)
    truth = tmp_path / KIT / "data/ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("1\n4\n2\n")
    with pytest.raises(ValueError, match=r"ground_truth\.txt: line 2 is b'4', none of the 3 ids"):
        samples(tmp_path, "val")
    truth.write_text("1\n2\n")
    with pytest.raises(ValueError, match="does not say which class ILSVRC2012_val_00000003 is"):
        samples(tmp_path, "val")


def test_classes_come_in_the_order_of_wnids_and_pictures_in_that_of_names(
    tmp_path: Path, draw: Draw
) -> None:
    ilsvrc2012(tmp_path / "home", draw)
    found = samples(tmp_path / "home", "train")
    assert [one.key for one in found] == sorted(one.key for one in found)
    assert found[0].key == "train/n01440764/n01440764_18.JPEG"
    assert {one.labels[0] for one in found} == set(IDS.values())


def test_a_png_and_a_cmyk_file_named_jpeg_are_handed_on_as_they_are(
    tmp_path: Path, draw: Draw
) -> None:
    cmyk = io.BytesIO()
    Image.open(io.BytesIO(draw(1))).convert("CMYK").save(cmyk, "JPEG")
    png = draw(2, suffix="png")
    names = ("n02105855_1.JPEG", "n02105855_2933.JPEG")
    inner = tarred(dict(zip(names, (cmyk.getvalue(), png), strict=True)))
    (tmp_path / "ILSVRC2012_img_train.tar").write_bytes(tarred({"n02105855.tar": inner}))
    dataset = open_dataset("ilsvrc2012", str(tmp_path), {"splits": ["train"]})
    found = list(dataset.samples())
    assert [one.key.rpartition("/")[2] for one in found] == list(names)
    read = list(dataset.read([one.uri for one in found]))
    assert read == [cmyk.getvalue(), png]
    assert Image.open(io.BytesIO(cmyk.getvalue())).mode == "CMYK"


def test_what_is_missing_is_named(tmp_path: Path, draw: Draw) -> None:
    unpacked(tmp_path / "flat", draw)
    assert len(samples(tmp_path / "flat", "train")) == 9
    with pytest.raises(FileNotFoundError, match=r"classes.*devkit_t12\.tar\.gz.*LOC_val_solution"):
        samples(tmp_path / "flat", "val")
    (tmp_path / "bare").mkdir()
    for split, name in (("train", "img_train"), ("val", "img_val")):
        with pytest.raises(FileNotFoundError, match=rf"bare.*ILSVRC2012_{name}\.tar.*CLS-LOC"):
            samples(tmp_path / "bare", split)
    (tmp_path / "bare/train").mkdir()
    with pytest.raises(FileNotFoundError, match=r"No picture lies in .*bare/train"):
        samples(tmp_path / "bare", "train")


def test_fewer_classes_than_a_thousand_are_told(
    tmp_path: Path, draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    ilsvrc2012(tmp_path / "home", draw)
    with caplog.at_level(logging.WARNING):
        samples(tmp_path / "home", "train")
    assert "img_train.tar has pictures of 3 classes, not of 1000" in caplog.text


@pytest.mark.parametrize(
    ("outer", "said"),
    [
        ({"readme.txt": b"x"}, "holds 'readme.txt', which is no tar of a class"),
        ({"n00000001.tar": tarred({"n00000002_1.JPEG": b"x"})}, "holds 'n00000002_1.JPEG', no"),
        ({"n00000001.tar": tarred({"n00000001_1.JPEG": b"x" * 999})[:700]}, "#512,700 is cut"),
        ({"n00000001.tar": b"<html>" * 200}, "is no tar"),
    ],
)
def test_an_archive_that_breaks_its_layout_is_named(
    tmp_path: Path, outer: dict[str, bytes], said: str
) -> None:
    (tmp_path / "ILSVRC2012_img_train.tar").write_bytes(tarred(outer))
    with pytest.raises(ValueError, match=rf"ILSVRC2012_img_train\.tar.*{said}"):
        samples(tmp_path, "train")


@pytest.mark.parametrize("name", ["val/cat.JPEG", "train/cats/1.JPEG", "train/1.JPEG"])
def test_a_picture_that_is_none_of_theirs_is_named(tmp_path: Path, draw: Draw, name: str) -> None:
    unpacked(tmp_path, draw, by_class=True)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(draw(1))
    with pytest.raises(ValueError, match=f"{Path(name).name}"):
        samples(tmp_path)


def test_a_picture_that_is_there_twice_is_named(tmp_path: Path, draw: Draw) -> None:
    unpacked(tmp_path, draw, by_class=True)
    (tmp_path / "val" / val_name(1)).write_bytes(draw(1))
    with pytest.raises(ValueError, match=r"'ILSVRC2012_val_00000001\.JPEG' twice"):
        samples(tmp_path, "val")


def test_truths_that_are_none_are_named(tmp_path: Path, draw: Draw) -> None:
    unpacked(tmp_path, draw)
    (tmp_path / "LOC_val_solution.csv").write_text(
        "ImageId,PredictionString\nILSVRC2012_val_00000001,7 1 2 3 4\n"
    )
    with pytest.raises(ValueError, match=r"LOC_val_solution\.csv.*'7 1 2 3 4'"):
        samples(tmp_path, "val")
    devkit(tmp_path)
    write_mat(tmp_path / KIT / "data/meta.mat", {"synsets": [{"*": 0, "WNID": "n01440764"}]})
    with pytest.raises(ValueError, match=r"meta\.mat: 'synsets' should be structs"):
        samples(tmp_path, "val")


def hashnet(root: Path, train: list[str], test: list[str]) -> None:
    (root / "hashnet").mkdir()
    for split, names in (("train", train), ("test", test)):
        lines = [f"/home/of/authors/image/{name} 0 1 0\n" for name in names]
        (root / f"hashnet/{split}.txt").write_text("".join(lines))


def test_the_lists_of_hashnet_say_three_splits_of_their_classes(tmp_path: Path, draw: Draw) -> None:
    home = tmp_path / "home"
    ilsvrc2012(home, draw)
    train = [f"{wnid}_{number}.JPEG" for wnid in sorted(IDS.values())[:2] for number in (9, 2)]
    hashnet(home, train, [val_name(3), val_name(2)])
    found = list(open_dataset("ilsvrc2012", str(home), {"lists": "hashnet"}).samples())
    assert [(one.key.rpartition("/")[2], one.split) for one in found] == [
        ("n01440764_18.JPEG", "database"),
        ("n01440764_2.JPEG", "train"),
        ("n01440764_9.JPEG", "train"),
        ("n01443537_18.JPEG", "database"),
        ("n01443537_2.JPEG", "train"),
        ("n01443537_9.JPEG", "train"),
        (val_name(2), "test"),
        (val_name(3), "test"),
    ]
    sets = sets_of(
        [Picture(one.key, one.labels, one.split) for one in found], PROTOCOLS["imagenet100-hashnet"]
    )
    assert (len(sets.queries), len(sets.database), len(sets.train)) == (2, 6, 4)
    assert set(sets.train) < set(sets.database)
    for splits in (["train"], ["database"], ["train", "database"], ["test"], ["train", "test"]):
        some = open_dataset("ilsvrc2012", str(home), {"lists": "hashnet", "splits": splits})
        assert list(some.samples()) == [one for one in found if one.split in splits]
    shutil.rmtree(home / "val", ignore_errors=True)
    (home / "ILSVRC2012_img_val.tar").unlink(missing_ok=True)
    some = open_dataset("ilsvrc2012", str(home), {"lists": "hashnet", "splits": ["train"]})
    assert len(list(some.samples())) == 4, "what is not asked for need not be there"


def test_lists_of_hashnet_that_do_not_fit_are_named(tmp_path: Path, draw: Draw) -> None:
    home = tmp_path / "home"
    ilsvrc2012(home, draw)
    dataset = open_dataset("ilsvrc2012", str(home), {"lists": "hashnet"})
    with pytest.raises(FileNotFoundError, match=r"hashnet/train\.txt"):
        list(dataset.samples())
    hashnet(home, ["n01440764_7.JPEG", "n01440764_2.JPEG"], [val_name(1)])
    with pytest.raises(FileNotFoundError, match=r"lacks 1 pictures .*first n01440764_7\.JPEG"):
        list(dataset.samples())
    for line, said in (
        ("a/x.JPEG 0 1\nb/x.JPEG 1 0\n", r"x\.JPEG of row 2 is there twice"),
        ("x.JPEG\n", "row 1 is no path"),
        ("x.JPEG 7\n", "row 1 is no path"),
        ("x.JPEG 1\n\n", "row 2 is no path"),
    ):
        (home / "hashnet/test.txt").write_text(line)
        with pytest.raises(ValueError, match=rf"hashnet/test\.txt: {said}"):
            list(dataset.samples())
    with pytest.raises(ValueError, match="no split 'val': choose from test, train, database"):
        open_dataset("ilsvrc2012", str(home), {"lists": "hashnet", "splits": ["val"]})


@pytest.mark.real
def test_the_real_thousand_classes_and_photographs_come_out_in_their_order(
    shared_datasets: Path, tmp_path: Path
) -> None:
    lines = (shared_datasets / "lists/ilsvrc2012/wnid_name.txt").read_text().splitlines()
    wnids = [line.split()[0] for line in lines]
    photos = {
        path.name[:9]: path
        for path in (shared_datasets / "photos-imagenet-sample-100").glob("*.JPEG")
    }
    files = {wnid: photos[wnid].read_bytes() if wnid in photos else b"-" for wnid in wnids}
    assert len(photos) == 100
    inner = {
        f"{wnid}.tar": tarred({f"{wnid}_1.JPEG": content})
        for wnid, content in reversed(files.items())
    }
    (tmp_path / "ILSVRC2012_img_train.tar").write_bytes(tarred(inner))
    dataset = open_dataset("ilsvrc2012", str(tmp_path), {"splits": ["train"]})
    found = list(dataset.samples())
    assert [one.labels[0] for one in found] == wnids
    assert list(dataset.read([one.uri for one in found])) == list(files.values())
