"""MNIST: the ways in which its files may lie, files that do not belong together, real ones."""

import gzip
import io
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data.adapters import idx as idx_file
from data.adapters import mnist, open_dataset
from tasks.download import plan

PICTURES = np.random.default_rng(1).integers(0, 256, (7, 28, 28), dtype=np.uint8)
LABELS = np.array([5, 0, 4, 1, 9, 2, 0], np.uint8)


def idx(array: "np.ndarray[Any, np.dtype[np.uint8]]") -> bytes:
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return head + array.tobytes()


def lay(folder: Path, packed: bool) -> Path:
    """Five training pictures and two of the test, in FOLDER."""
    folder.mkdir(parents=True)
    for name, rows in (("train", slice(0, 5)), ("t10k", slice(5, 7))):
        for what, array in (("images-idx3", PICTURES[rows]), ("labels-idx1", LABELS[rows])):
            path = folder / f"{name}-{what}-ubyte"
            if packed:
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(idx(array)))
            else:
                path.write_bytes(idx(array))
    return folder


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("folder", ["", "raw", "MNIST/raw"])
def test_the_files_may_lie_as_published_or_as_torchvision_puts_them(
    tmp_path: Path, folder: str, packed: bool
) -> None:
    lay(tmp_path / "home" / folder, packed)
    dataset = open_dataset("mnist", str(tmp_path / "home"), {})
    found = list(dataset.samples())
    assert [one.key for one in found] == [
        *(f"train/{number:05d}" for number in range(5)), "test/00000", "test/00001",
    ]  # fmt: skip
    assert [one.labels for one in found] == [(str(label),) for label in LABELS]
    for one, content, pixels in zip(
        found, dataset.read([one.uri for one in found]), PICTURES, strict=True
    ):
        assert isinstance(content, bytes)
        shown = Image.open(io.BytesIO(content))
        assert (shown.mode, len(content)) == ("L", one.size)
        assert np.array_equal(np.asarray(shown), pixels)


def test_a_file_is_read_once_for_all_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = lay(tmp_path / "home", True)
    dataset = open_dataset("mnist", str(home), {"splits": ["train"]})
    uris = [one.uri for one in dataset.samples()]
    read: list[str] = []

    def load(path: str) -> "np.ndarray[Any, np.dtype[Any]]":
        read.append(path)
        return idx_file.load_idx(path)

    monkeypatch.setattr(mnist, "load_idx", load)
    for start in range(0, 5, 2):
        list(dataset.read(uris[start : start + 2]))
    assert read == [f"{home}/train-images-idx3-ubyte.gz"]


def test_files_that_do_not_belong_together_are_named(tmp_path: Path) -> None:
    home = lay(tmp_path / "home", False)
    labels = home / "train-labels-idx1-ubyte"
    labels.write_bytes(idx(LABELS[:4]))
    with pytest.raises(ValueError, match=r"train-images.*\(5, 28, 28\).*train-labels.*\(4,\)"):
        list(open_dataset("mnist", str(home), {}).samples())
    labels.write_bytes(idx(PICTURES[:5]))
    with pytest.raises(ValueError, match=r"train-labels.*\(5, 28, 28\)"):
        list(open_dataset("mnist", str(home), {}).samples())
    assert len(list(open_dataset("mnist", str(home), {"splits": ["test"]}).samples())) == 2
    labels.unlink()
    with pytest.raises(FileNotFoundError, match=r"No train-labels-idx1-ubyte or .*\.gz in .*home"):
        list(open_dataset("mnist", str(home), {}).samples())


def test_a_file_that_changed_since_it_was_listed_answers_with_errors(tmp_path: Path) -> None:
    home = lay(tmp_path / "home", False)
    dataset = open_dataset("mnist", str(home), {"splits": ["train"]})
    uris = [one.uri for one in dataset.samples()]
    images = home / "train-images-idx3-ubyte"
    images.write_bytes(idx(PICTURES[:3]))
    answers = list(dataset.read([*uris, f"{images}#x", f"{images}#-1"]))
    assert [type(answer) for answer in answers] == [*[bytes] * 3, *[OSError] * 4]
    assert "there are 3 pictures" in str(answers[3])
    images.write_bytes(images.read_bytes()[:-1])
    assert all(isinstance(answer, OSError) for answer in dataset.read(uris))


@pytest.mark.real
@pytest.mark.parametrize("packed", [True, False])
def test_the_real_mnist_has_its_counts_digits_and_pictures(
    shared_datasets: Path, tmp_path: Path, packed: bool
) -> None:
    home = shared_datasets / "mnist"
    if not packed:
        for path in home.glob("*.gz"):
            (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        home = tmp_path
    dataset = open_dataset("mnist", str(home), {})
    listing = [row for batch in dataset.listing() for row in batch.to_pylist()]
    assert Counter(row["split"] for row in listing) == dataset.card.splits
    assert (listing[0]["key"], listing[-1]["key"]) == ("train/00000", "test/09999")
    digits = [row["labels"][0] for row in listing]
    assert digits[:10] == ["5", "0", "4", "1", "9", "2", "1", "3", "1", "4"]
    assert [digits.count(str(digit)) for digit in range(10)] == [
        6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958,
    ]  # fmt: skip
    uris = [row["uri"] for row in listing]
    shown = [
        np.asarray(Image.open(io.BytesIO(content)))
        for content in dataset.read([*uris[:100], *uris[-100:]])
        if isinstance(content, bytes)
    ]
    assert len(shown) == 200
    assert np.stack(shown[:1]).sum() == 27525, "the first picture of the training set, a five"


@pytest.mark.real
def test_the_real_files_are_those_of_the_card(shared_datasets: Path) -> None:
    card = mnist.Mnist.card
    assert plan(card, card.sources, shared_datasets / "mnist").complete
