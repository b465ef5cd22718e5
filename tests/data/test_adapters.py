"""What every source promises, held for each line of the table on a miniature of its layout."""

import csv
import gzip
import io
import pickle
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from data.adapters import DATASETS, open_dataset
from data.adapters.base import Dataset
from data.sample import LISTING, listing_batches
from tests.data import miniatures_sketches, miniatures_texts, miniatures_unseen
from tests.data.matfile import write_mat

Draw = Callable[..., bytes]


def folder(root: Path, draw: Draw) -> dict[str, Any]:
    for number, name in enumerate(
        ("train/cat/1.jpg", "train/dog/2.png", "test/cat/3.JPG", "4.jpg")
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw(number))
    return {}


def listed(root: Path, draw: Draw) -> dict[str, Any]:
    with root.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["path", "labels", "tags", "caption", "split"])
        for number, split in enumerate(("train", "train", "test")):
            (root.parent / f"{number}.jpg").write_bytes(draw(number))
            rows.writerow([f"{number}.jpg", "a; b", "sea;sun", "one, or two; lines\nof it", split])
    return {}


def tars(root: Path, draw: Draw) -> dict[str, Any]:
    for split in ("train", "test"):
        (root / split).mkdir(parents=True)
        with tarfile.open(root / split / "000.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for number in range(3):
                for suffix, content in (("cls", b"7"), ("jpg", draw(number)), ("txt", b"a place")):
                    member = tarfile.TarInfo(f"deep/{number:03d}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return {}


def cifar10(root: Path, draw: Draw) -> dict[str, Any]:
    home = root / "cifar-10-batches-py"
    home.mkdir(parents=True)
    chance = np.random.default_rng(0)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        pixels = chance.integers(0, 256, (2, 3072), dtype=np.uint8)
        batch = {b"data": pixels, b"labels": [1, 0], b"filenames": [b"x.png", b"y.png"]}
        (home / name).write_bytes(pickle.dumps(batch, protocol=2))
    names = {b"label_names": [b"airplane", b"automobile"]}
    (home / "batches.meta").write_bytes(pickle.dumps(names, protocol=2))
    return {}


def mnist(root: Path, draw: Draw) -> dict[str, Any]:
    root.mkdir()
    chance = np.random.default_rng(0)
    for name, count in (("train", 3), ("t10k", 2)):
        pictures = chance.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        images = b"\0\0\x08\x03" + struct.pack(">3I", *pictures.shape) + pictures.tobytes()
        labels = b"\0\0\x08\x01" + struct.pack(">I", count) + bytes(range(count))
        (root / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (root / f"{name}-labels-idx1-ubyte").write_bytes(labels)
    return {}


def svhn(root: Path, draw: Draw) -> dict[str, Any]:
    root.mkdir()
    chance = np.random.default_rng(0)
    for split, count in (("train", 3), ("test", 2), ("extra", 2)):
        pictures = chance.integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        labels = np.array([[10], [1], [2]][:count], np.uint8)
        write_mat(root / f"{split}_32x32.mat", {"X": pictures, "y": labels})
    return {}


MINIATURES: dict[str, tuple[str, Callable[[Path, Draw], dict[str, Any]]]] = {
    "cars196": ("home", miniatures_unseen.cars196),
    "cifar10": ("home", cifar10),
    "cub200": ("home", miniatures_unseen.cub200),
    "flickr8k": ("home", miniatures_texts.flickr8k),
    "folder": ("home", folder),
    "grocery": ("home", miniatures_texts.grocery),
    "hf": ("home", miniatures_texts.hf),
    "inshop": ("home", miniatures_unseen.inshop),
    "list": ("home.csv", listed),
    "mnist": ("home", mnist),
    "pix2pix": ("home", miniatures_sketches.pix2pix),
    "qmul-chairs": ("home", miniatures_sketches.qmul_chairs),
    "sketchy": ("home", miniatures_sketches.sketchy),
    "sop": ("home", miniatures_unseen.sop),
    "svhn": ("home", svhn),
    "tars": ("home", tars),
    "tuberlin": ("home", miniatures_sketches.tuberlin),
    "ukbench": ("home", miniatures_texts.ukbench),
}


@pytest.fixture(params=sorted(DATASETS))
def dataset(request: pytest.FixtureRequest, tmp_path: Path, draw: Draw) -> Dataset:
    """Each source in turn, over a miniature of its layout."""
    name, make = MINIATURES[request.param]
    return open_dataset(request.param, str(tmp_path / name), make(tmp_path / name, draw))


def keys(dataset: Dataset) -> list[str]:
    return [sample.key for sample in dataset.samples()]


def table(dataset: Dataset) -> pa.Table:
    return pa.Table.from_batches(list(dataset.listing()), LISTING)


def test_every_source_has_a_miniature_here() -> None:
    assert set(MINIATURES) == set(DATASETS)


def test_keys_are_unique_and_in_the_same_order_each_time(dataset: Dataset) -> None:
    first = keys(dataset)
    assert len(first) >= 3
    assert len(set(first)) == len(first)
    assert keys(dataset) == first
    assert keys(open_dataset(dataset.card.name, dataset.root, {})) == first


def test_the_listing_says_what_the_samples_say(dataset: Dataset) -> None:
    expected = pa.Table.from_batches(list(listing_batches(dataset.samples())), LISTING)
    listing = table(dataset)
    listing.validate(full=True)
    assert listing.equals(expected)


def test_reading_gives_the_promised_number_of_bytes_in_the_asked_order(dataset: Dataset) -> None:
    pictures = list(dataset.samples())[::-1]
    contents = list(dataset.read([picture.uri for picture in pictures]))
    assert [len(content) for content in contents if isinstance(content, bytes)] == [
        picture.size for picture in pictures
    ]
    assert contents[::-1] == list(dataset.read([picture.uri for picture in pictures[::-1]]))


def test_a_picture_that_is_gone_is_an_error_among_the_others(dataset: Dataset) -> None:
    uri = next(dataset.samples()).uri
    lost = str(Path(dataset.root).parent / "nothing" / "data_batch_1")
    before, gone, after = dataset.read([uri, f"{lost}#0,1", uri])
    assert isinstance(before, bytes)
    assert isinstance(gone, FileNotFoundError)
    assert after == before


def test_every_picture_has_a_stamp_by_which_a_change_shows(dataset: Dataset) -> None:
    assert all(sample.mtime > 0 or sample.etag for sample in dataset.samples())


def test_a_source_travels_between_processes(dataset: Dataset) -> None:
    table(dataset)  # whatever it now holds open stays behind
    twin = pickle.loads(pickle.dumps(dataset))
    assert type(twin) is type(dataset)
    assert twin.options == dataset.options
    assert table(twin).equals(table(dataset))


def test_only_the_splits_that_are_asked_for_come_out(dataset: Dataset) -> None:
    everything = list(dataset.samples())
    for split in {sample.split for sample in everything}:
        some = open_dataset(dataset.card.name, dataset.root, {"splits": [split]})
        assert list(some.samples()) == [one for one in everything if one.split == split]
        assert table(some)["key"].to_pylist() == keys(some)


def test_annotations_are_those_on_the_card(dataset: Dataset) -> None:
    for sample in dataset.samples():
        for name in {"labels", "tags", "captions", "boxes"} - set(dataset.card.annotations):
            assert getattr(sample, name) == ()


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_opening_reads_nothing_and_listing_says_what_is_missing(name: str, tmp_path: Path) -> None:
    lost = open_dataset(name, str(tmp_path / "nowhere.csv"), {})
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(lost.listing())
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(lost.samples())


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_an_unknown_option_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(ValueError, match=rf"option of {name} 'split_s'.*splits.*mean 'splits'"):
        open_dataset(name, "x", {"split_s": ["train"]})


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_a_card_is_named_as_its_line_and_cannot_be_changed(name: str) -> None:
    card = DATASETS[name].card
    assert card.name == name
    assert card.about.endswith(".")
    assert card.labels
    with pytest.raises(ValidationError):
        card.licence = "mine"


def test_an_unknown_dataset_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"dataset 'cifar': choose from .*list.*mean 'cifar10'"):
        open_dataset("cifar", "x", {})


def test_a_split_that_is_not_on_the_card_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match="cifar10 has no split 'val': choose from train, test"):
        open_dataset("cifar10", "x", {"splits": ["val"]})


def test_an_option_of_the_wrong_kind_says_which_and_what_would_do() -> None:
    with pytest.raises(ValueError, match=r"folder: option labels is 'leaf'.*'folder', 'parent'"):
        open_dataset("folder", "x", {"labels": "leaf"})


def test_an_empty_root_is_refused() -> None:
    with pytest.raises(ValueError, match="folder needs a root"):
        open_dataset("folder", "", {})


def test_a_relative_root_holds_on_a_worker_elsewhere(
    tmp_path: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / "pictures", draw)
    monkeypatch.chdir(tmp_path)
    here = open_dataset("folder", "pictures", {})
    sample = next(here.samples())
    monkeypatch.chdir("/")
    assert isinstance(next(here.read([sample.uri])), bytes)
    assert next(here.samples()) == sample


def test_the_table_opens_no_file_and_loads_no_heavy_library() -> None:
    code = (
        "import sys; import data.adapters as a; "
        "[a.open_dataset(n, 's3://nowhere/x.csv', {}) for n in a.DATASETS]; "
        "heavy = {'torch', 's3fs', 'lance', 'webdataset', 'PIL', 'pandas'} & set(sys.modules); "
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
