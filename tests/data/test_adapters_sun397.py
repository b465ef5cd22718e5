"""SUN397: classes in classes, files that are no JPEG, folds, and an order in every layout."""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.adapters import open_dataset
from data.protocols import PROTOCOLS, Picture, sets_of
from data.sample import Sample
from tests.data.miniatures_sun397 import (
    CLASSES,
    Mode,
    sun397,
    sun_files,
    write_fold,
    write_folder,
    write_tar,
)

Draw = Callable[..., bytes]


def samples(root: Path, **options: Any) -> list[Sample]:
    return list(open_dataset("sun397", str(root), options).samples())


def read(root: Path) -> dict[str, bytes | OSError]:
    dataset = open_dataset("sun397", str(root), {})
    found = list(dataset.samples())
    contents = dataset.read([one.uri for one in found])
    return dict(zip([one.key for one in found], contents, strict=True))


def test_every_layout_has_the_same_pictures_under_the_same_keys(tmp_path: Path, draw: Draw) -> None:
    files = sun_files(draw)
    archive = write_tar(tmp_path / "packed/SUN397.tar.gz", files)
    tar = write_tar(tmp_path / "tar/SUN397.tar", files, "w")
    write_folder(tmp_path / "folder", files)
    roots = (archive, archive.parent, tar, tar.parent, tmp_path / "folder")
    for root in (*roots, tmp_path / "folder/SUN397"):
        assert read(root) == files
        for one in samples(root):
            assert one.labels == (one.key[2:].rpartition("/")[0],)
            assert one.split == "rest"


def test_a_class_two_folders_deep_is_both(tmp_path: Path, draw: Draw) -> None:
    write_folder(tmp_path, sun_files(draw))
    counts = Counter(one.labels[0] for one in samples(tmp_path))
    assert counts == {"abbey": 3, "bow_window/indoor": 3, "bow_window/outdoor": 3, "zoo": 2}


def test_pictures_are_sorted_where_any_can_be_read_and_else_as_they_are_packed(
    tmp_path: Path, draw: Draw
) -> None:
    files = sun_files(draw)
    write_folder(tmp_path, files)
    assert list(files) != sorted(files)
    assert [one.key for one in samples(tmp_path)] == sorted(files)
    tar = write_tar(tmp_path / "tar/SUN397.tar", files, "w")
    assert [one.key for one in samples(tar)] == sorted(files)
    archive = write_tar(tmp_path / "packed/SUN397.tar.gz", files)
    assert [one.key for one in samples(archive)] == list(files)


def test_what_is_named_jpg_and_is_none_is_handed_on_as_it_is(tmp_path: Path, draw: Draw) -> None:
    sun397(tmp_path / "home", draw)
    content = read(tmp_path / "home")["a/abbey/sun_bbbbbbbbbbbbbbbb.jpg"]
    assert isinstance(content, bytes)
    assert content.startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["Partitions.zip", "Partitions", "."])
def test_a_fold_says_the_splits(tmp_path: Path, draw: Draw, name: str) -> None:
    files = sorted(sun_files(draw))
    write_folder(tmp_path, sun_files(draw))
    write_fold(tmp_path / name, "10", files[:4], files[4:8])
    found = samples(tmp_path, lists="10")
    assert [one.split for one in found] == ["train"] * 4 + ["test"] * 4 + ["rest"] * 3
    some = samples(tmp_path, lists="10", splits=("test",))
    assert [one.key for one in some] == files[4:8]
    with pytest.raises(FileNotFoundError, match=r"No Training_02\.txt"):
        samples(tmp_path, lists="02")


def test_splits_of_a_fold_need_its_number() -> None:
    with pytest.raises(ValueError, match=r"sun397: option lists is ''.*name one, as in '01'"):
        open_dataset("sun397", "x", {"splits": ["train"]})
    with pytest.raises(ValueError, match="option lists is '11'"):
        open_dataset("sun397", "x", {"lists": "11"})


@pytest.mark.parametrize(
    ("train", "test", "error", "said"),
    [
        (["a/abbey/sun_x.jpg"], [], FileNotFoundError, "lacks 1 pictures .* a/abbey/sun_x.jpg"),
        (["abbey"], [], ValueError, r"Training_01\.txt: line 1 is '/abbey', no picture"),
        (["a/b/x.jpg"], ["a/b/y.jpg", "a/b/x.jpg"], ValueError, r"Testing.* line 2 is a training"),
    ],
)
def test_a_fold_that_does_not_fit_is_named(
    tmp_path: Path,
    draw: Draw,
    train: list[str],
    test: list[str],
    error: type[Exception],
    said: str,
) -> None:
    write_folder(tmp_path, sun_files(draw))
    write_fold(tmp_path / "Partitions", "01", train, test)
    with pytest.raises(error, match=said):
        samples(tmp_path, lists="01")


def test_classes_are_held_to_the_list_of_them(
    tmp_path: Path, draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    write_folder(tmp_path, sun_files(draw))
    names = tmp_path / "SUN397/ClassName.txt"
    names.write_text("".join(f"{name}\n" for name in (*CLASSES, "/y/yard")))
    with pytest.raises(FileNotFoundError, match=r"1 classes that .*ClassName\.txt names.* 'yard'"):
        samples(tmp_path)
    names.write_text("".join(f"{name}\n" for name in CLASSES[1:]))
    with pytest.raises(ValueError, match=r"the class 'bow_window/outdoor', which .*ClassName"):
        samples(tmp_path)
    names.unlink()
    with caplog.at_level(logging.WARNING):
        assert len(samples(tmp_path)) == 11
    assert "SUN397 has pictures of 4 classes, not of 397" in caplog.text


@pytest.mark.parametrize("mode", ["w", "w:gz", None])
def test_a_picture_in_no_class_is_named(tmp_path: Path, draw: Draw, mode: Mode | None) -> None:
    files = sun_files(draw) | {"a/lost.jpg": draw(1)}
    if mode:
        write_tar(tmp_path / f"SUN397.tar{mode[1:].replace(':', '.')}", files, mode)
    else:
        write_folder(tmp_path, files)
    with pytest.raises(ValueError, match=r"SUN397.* holds '.*a/lost\.jpg', which is in no class"):
        samples(tmp_path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No SUN397 in .*SUN397\.tar\.gz"):
        samples(tmp_path)
    (tmp_path / "SUN397").mkdir()
    with pytest.raises(FileNotFoundError, match="No picture lies in"):
        samples(tmp_path)


def test_the_unpublished_split_is_drawn_the_same_from_every_layout(
    tmp_path: Path, draw: Draw
) -> None:
    write_folder(tmp_path, sun_files(draw))
    archive = write_tar(tmp_path / "packed/SUN397.tar.gz", sun_files(draw))
    told = PROTOCOLS["sun397-ssdh"]
    told = told.model_copy(update={"queries": told.queries.model_copy(update={"count": 3})})
    drawn = [
        sets_of([Picture(one.key, one.labels, one.split) for one in samples(root)], told)
        for root in (tmp_path, archive)
    ]
    assert drawn[0] == drawn[1]
    assert (len(drawn[0].queries), len(drawn[0].database)) == (3, 8)
    assert not set(drawn[0].queries) & set(drawn[0].database)


def test_the_unpublished_split_is_as_large_as_the_papers() -> None:
    pictures = [Picture(f"a/abbey/{number}.jpg", ("abbey",)) for number in range(108_754)]
    sets = sets_of(pictures, PROTOCOLS["sun397-ssdh"])
    found = (len(sets.queries), len(sets.database), len(sets.train))
    assert found == PROTOCOLS["sun397-ssdh"].sizes


@pytest.mark.real
def test_the_real_training_list_of_the_first_fold_is_in_397_classes(
    shared_datasets: Path, tmp_path: Path
) -> None:
    lists = shared_datasets / "lists/sun397/Partitions"
    keys = [line[1:] for line in (lists / "Training_01.txt").read_text().split()]
    archive = write_tar(tmp_path / "SUN397.tar", dict.fromkeys(keys, b"-"), "w")
    (tmp_path / "ClassName.txt").write_text((lists / "ClassName.derived.txt").read_text())
    write_fold(tmp_path / "Partitions", "01", keys, [])
    found = samples(archive, lists="01", splits=("train",))
    assert len(found) == 19_850
    assert set(Counter(one.labels[0] for one in found).values()) == {50}
    assert len({one.labels[0] for one in found}) == 397
    assert all(one.key.startswith(one.labels[0][0]) for one in found)
