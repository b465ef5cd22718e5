"""A source is known for what it is, and the recipe written for it is one that can be run."""

import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.adapters import DATASETS, open_dataset
from flows import init
from flows.recipe import Recipe
from tests.data.miniatures import MINIATURES


def mirflickr1m_zipped(root: Path, draw: Callable[..., bytes]) -> dict[str, Any]:
    """The miniature in ten zips, as it is downloaded; as folders it is a folder like any other."""
    options = MINIATURES["mirflickr1m"][1](root, draw)
    for path in sorted((root / "images").rglob("*.jpg")):
        with zipfile.ZipFile(root / f"images{int(path.stem) // 100_000}.zip", "a") as out:
            out.write(path, path.relative_to(root))
    shutil.rmtree(root / "images")
    return options


LAYOUTS = {name: place for name, place in MINIATURES.items() if DATASETS[name].card.marks} | {
    "mirflickr1m": ("home", mirflickr1m_zipped)
}


def test_class_folders_make_a_supervised_recipe(
    picture_folder: Callable[..., Path], tmp_path: Path
) -> None:
    root = picture_folder(12)
    found = init.sniff(str(root))
    assert (found.adapter, found.labelled) == ("folder", True)
    recipe = Recipe.named(str(init.write(found, "toy", tmp_path)))
    assert recipe.train.supervision == "supervised"
    assert Path(recipe.source.root) == root
    source = open_dataset(recipe.source.dataset, recipe.source.root, recipe.source.options)
    assert {sample.labels for sample in source.samples()} == {(f"class{i}",) for i in range(4)}


def test_folders_that_are_no_classes_make_a_self_supervised_recipe_without_labels(
    tmp_path: Path, draw: Callable[..., bytes]
) -> None:
    for day in range(6):
        (tmp_path / f"pics/2026-01-{day:02d}").mkdir(parents=True)
        (tmp_path / f"pics/2026-01-{day:02d}/a.jpg").write_bytes(draw(day))
    found = init.sniff(str(tmp_path / "pics"))
    assert (found.adapter, found.labelled) == ("folder", False)
    recipe = Recipe.named(str(init.write(found, "days", tmp_path)))
    assert recipe.train.supervision == "self_supervised"
    source = open_dataset(recipe.source.dataset, recipe.source.root, recipe.source.options)
    assert {sample.labels for sample in source.samples()} == {()}


def test_splits_are_no_classes(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    for seed in range(8):
        path = tmp_path / "pics" / ("train", "test")[seed % 2] / f"{seed}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw(seed))
    assert not init.sniff(str(tmp_path / "pics")).labelled


@pytest.mark.parametrize("label", ["label", "colour"])
def test_lists_are_labelled_where_a_column_says_so(tmp_path: Path, label: str) -> None:
    (tmp_path / "list.csv").write_text(f"path,{label}\na.jpg,red\n")
    pq.write_table(pa.table({"path": ["a.jpg"], label: ["red"]}), tmp_path / "list.parquet")
    for name in ("list.csv", "list.parquet"):
        found = init.sniff(str(tmp_path / name))
        assert (found.adapter, found.labelled) == ("list", label == "label")
        assert "path" in found.about


def test_tars_are_known_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "tars").mkdir()
    with tarfile.open(tmp_path / "tars/000.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("a.jpg"), io.BytesIO())
    assert init.sniff(str(tmp_path / "tars")).adapter == "tars"
    assert init.sniff(str(tmp_path / "tars/000.tar")).adapter == "tars"


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_an_official_layout_is_known_by_its_names(
    tmp_path: Path, draw: Callable[..., bytes], name: str
) -> None:
    below, make = LAYOUTS[name]
    assert make(tmp_path / below, draw) == {}
    found = init.sniff(str(tmp_path / below))
    assert (found.adapter, found.root) == (name, str(tmp_path / below))


def test_names_of_an_official_layout_alone_do_not_make_one(
    tmp_path: Path, draw: Callable[..., bytes]
) -> None:
    for number in range(4):
        for size in ("256x256", "64x64"):
            (tmp_path / "pics" / size).mkdir(parents=True, exist_ok=True)
            (tmp_path / "pics" / size / f"{number}.jpg").write_bytes(draw(number))
    found = init.sniff(str(tmp_path / "pics"))
    assert (found.adapter, found.labelled) == ("folder", True)
    assert "not sketchy in its official layout: No Sketchy in" in found.about
    (tmp_path / "batches.meta").write_bytes(b"")
    (tmp_path / "cifar").mkdir()
    (tmp_path / "batches.meta").rename(tmp_path / "cifar/batches.meta")
    with pytest.raises(ValueError, match=r"no list .* not cifar10 in its official layout: .*batch"):
        init.sniff(str(tmp_path / "cifar"))


def test_loose_pictures_of_ukbench_are_ukbench(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    for number in range(8):
        (tmp_path / f"ukbench{number:05d}.jpg").write_bytes(draw(number))
    found = init.sniff(str(tmp_path))
    assert (found.adapter, found.labelled) == ("ukbench", True)
    source = open_dataset(found.adapter, found.root, {})
    assert [sample.labels for sample in source.samples()] == [("0",)] * 4 + [("1",)] * 4


def test_labels_that_lie_in_a_file_of_their_own_are_there_where_that_file_is(
    tmp_path: Path, draw: Callable[..., bytes]
) -> None:
    root = tmp_path / "home"
    mirflickr1m_zipped(root, draw)
    assert init.sniff(str(root))[:3] == ("mirflickr1m", str(root), False)
    (root / "IND_clusters.txt").write_text("0 1\n")
    assert init.sniff(str(root))[:3] == ("mirflickr1m", str(root), True)


def test_a_bucket_is_looked_into_by_its_url(draw: Callable[..., bytes], tmp_path: Path) -> None:
    bucket = fsspec.filesystem("memory")
    for seed in range(8):
        bucket.pipe_file(f"/photos/class{seed % 2}/{seed}.jpg", draw(seed))
    found = init.sniff("memory://photos")
    assert (found.adapter, found.root, found.labelled) == ("folder", "memory://photos", True)
    recipe = Recipe.named(str(init.write(found, "photos", tmp_path)))
    assert recipe.source.root == "memory://photos"


def test_every_adapter_that_is_named_is_there() -> None:
    assert {"folder", "list", "tars", "cifar10"} <= set(DATASETS)


def test_what_is_no_source_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("no picture")
    with pytest.raises(FileNotFoundError, match="Nothing is at"):
        init.sniff(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="holds no image"):
        init.sniff(str(tmp_path / "empty"))
    with pytest.raises(ValueError, match="is one file"):
        init.sniff(str(tmp_path / "text.txt"))


def test_a_class_larger_than_what_is_looked_at_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init, "LOOK", 8)
    for label, count in (("ant", 30), ("bee", 2), ("cat", 2)):
        (tmp_path / f"train/{label}").mkdir(parents=True)
        for number in range(count):
            (tmp_path / f"train/{label}/{number}.jpg").write_bytes(b"")
    assert "ant, bee, cat" in init.sniff(str(tmp_path)).about


def test_only_so_many_names_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "LOOK", 3)
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("")
    (tmp_path / "z.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="first 3 names"):
        init.sniff(str(tmp_path))


@pytest.mark.parametrize("root", ["/a b/c", "/it's", "/x: y", "/#1", "/naïve/äöü", '/"q"'])
def test_any_folder_name_comes_back_out_of_the_recipe(tmp_path: Path, root: str) -> None:
    found = init.Found("folder", root, False, "a folder")
    assert Recipe.named(str(init.write(found, "odd", tmp_path))).source.root == root


def test_a_recipe_that_is_there_is_kept_unless_forced(tmp_path: Path) -> None:
    found = init.Found("folder", "/pics", False, "a folder of images")
    path = init.write(found, "toy", tmp_path)
    with pytest.raises(FileExistsError, match="--force"):
        init.write(found, "toy", tmp_path)
    init.write(found._replace(root="/other"), "toy", tmp_path, force=True)
    assert "/other" in path.read_text()


@pytest.mark.parametrize(
    ("source", "name"),
    [("Holiday Photos/", "holiday-photos"), ("s3://bucket/Art_2", "art_2"), ("x/list.csv", "list")],
)
def test_a_recipe_is_named_after_its_source(source: str, name: str) -> None:
    assert init.name_of(source) == name


def test_a_source_that_gives_no_name_asks_for_one() -> None:
    with pytest.raises(ValueError, match="--name"):
        init.name_of("/…")
