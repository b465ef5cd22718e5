"""CIFAR-10: both layouts and their archives say and give the same; the PNG made of its pixels."""

import io
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data.adapters import archives, cifar10, open_dataset
from data.adapters.cifar10 import SIZE

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
ROWS = 3

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def rows(seed: int) -> tuple[list[int], Pixels]:
    chance = np.random.default_rng(seed)
    labels = [int(label) for label in chance.integers(0, 10, ROWS)]
    return labels, chance.integers(0, 256, (ROWS, 3072), dtype=np.uint8)


def python_layout(root: Path) -> Path:
    """Batches as Python 3 rewrites them: the official bytes come from Python 2."""
    root.mkdir(parents=True)
    for seed, name in enumerate(FILES):
        labels, pixels = rows(seed)
        batch = {
            b"batch_label": b"x",
            b"labels": labels,
            b"data": pixels,
            b"filenames": [b"f"] * ROWS,
        }
        (root / name).write_bytes(pickle.dumps(batch, protocol=2))
    meta = {b"label_names": [name.encode() for name in NAMES], b"num_vis": 3072}
    (root / "batches.meta").write_bytes(pickle.dumps(meta, protocol=2))
    return root


def binary_layout(root: Path) -> Path:
    root.mkdir(parents=True)
    for seed, name in enumerate(FILES):
        labels, pixels = rows(seed)
        records = np.hstack([np.array(labels, np.uint8)[:, None], pixels])
        (root / f"{name}.bin").write_bytes(records.tobytes())
    (root / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")
    return root


def archive(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        tar.add(folder, folder.name)
    return path


@pytest.fixture(params=["python", "binary", "python in its archive", "a folder with the archive"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Each form in which CIFAR-10 may lie on a disk."""
    if request.param == "binary":
        binary_layout(tmp_path / "c" / "cifar-10-batches-bin")
        return tmp_path / "c"
    home = python_layout(tmp_path / "made" / "cifar-10-batches-py")
    if request.param == "python":
        return home
    (tmp_path / "c").mkdir()
    packed = archive(home, tmp_path / "c" / "cifar-10-python.tar.gz")
    return packed if "in its" in request.param else packed.parent


def test_every_layout_gives_the_same_pictures_under_the_same_keys(root: Path) -> None:
    dataset = open_dataset("cifar10", str(root), {})
    found = list(dataset.samples())
    assert [one.key for one in found] == [
        *(f"train/{number:05d}" for number in range(5 * ROWS)),
        *(f"test/{number:05d}" for number in range(ROWS)),
    ]
    assert {one.size for one in found} == {SIZE}
    contents = list(dataset.read([one.uri for one in found]))
    for position, (one, content) in enumerate(zip(found, contents, strict=True)):
        labels, pixels = rows(position // ROWS)
        assert isinstance(content, bytes)
        assert one.labels == (NAMES[labels[position % ROWS]],)
        shown = np.asarray(Image.open(io.BytesIO(content)))
        assert np.array_equal(shown.transpose(2, 0, 1).ravel(), pixels[position % ROWS])


def test_a_split_reads_its_own_batches_alone(tmp_path: Path) -> None:
    home = python_layout(tmp_path / "cifar-10-batches-py")
    (home / "data_batch_3").write_bytes(b"broken")
    test = open_dataset("cifar10", str(home), {"splits": ["test"]})
    assert len(list(test.samples())) == ROWS
    with pytest.raises(ValueError, match="data_batch_3 is damaged"):
        list(open_dataset("cifar10", str(home), {}).samples())


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"cifar-10-batches-py.*cifar-10-binary\.tar\.gz"):
        list(open_dataset("cifar10", str(tmp_path), {}).samples())
    home = python_layout(tmp_path / "cifar-10-batches-py")
    (home / "data_batch_4").unlink()
    with pytest.raises(FileNotFoundError, match="data_batch_4"):
        list(open_dataset("cifar10", str(home), {}).samples())


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ({b"labels": [1]}, r"'data' should be an array \(N, 3072\)"),
        ({b"data": np.zeros((2, 9), np.uint8), b"labels": [1, 2]}, r"'data' should be"),
        (
            {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]},
            "'labels' should be a list of 2",
        ),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": ["x"]}, "something else than class"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [11]}, "label 11 where there are 10"),
    ],
)
def test_a_batch_that_breaks_its_layout_is_named(
    tmp_path: Path, batch: dict[bytes, object], said: str
) -> None:
    home = python_layout(tmp_path / "cifar-10-batches-py")
    (home / "data_batch_1").write_bytes(pickle.dumps(batch, protocol=2))
    with pytest.raises(ValueError, match=f"data_batch_1.*{said}"):
        list(open_dataset("cifar10", str(home), {}).samples())


def test_a_binary_batch_of_a_broken_length_is_named(tmp_path: Path) -> None:
    home = binary_layout(tmp_path / "cifar-10-batches-bin")
    (home / "test_batch.bin").write_bytes(b"x" * 5000)
    with pytest.raises(ValueError, match=r"test_batch\.bin has 5000 bytes, no whole number"):
        list(open_dataset("cifar10", str(home), {}).samples())


def test_a_batch_that_changed_since_it_was_listed_answers_with_errors(tmp_path: Path) -> None:
    home = binary_layout(tmp_path / "cifar-10-batches-bin")
    dataset = open_dataset("cifar10", str(home), {})
    uris = [one.uri for one in dataset.samples()]
    batch = home / "data_batch_1.bin"
    batch.write_bytes(batch.read_bytes()[:3073])
    (home / "data_batch_2.bin").write_bytes(b"x")
    (home / "data_batch_3.bin").unlink()
    answers = [type(answer).__name__ for answer in dataset.read([*uris, f"{batch}#-1", "x#y"])]
    assert answers == [
        "bytes", *["OSError"] * 5, *["FileNotFoundError"] * 3, *["bytes"] * 9,
        "OSError", "FileNotFoundError",
    ]  # fmt: skip


def test_a_batch_is_read_once_for_all_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = binary_layout(tmp_path / "cifar-10-batches-bin")
    dataset = open_dataset("cifar10", str(home), {})
    uris = [one.uri for one in dataset.samples()]
    asked: list[str] = []
    real = archives.content_of

    def content(path: str) -> bytes:
        asked.append(path)
        return real(path)

    monkeypatch.setattr(cifar10, "content_of", content)
    list(dataset.read(uris))
    assert len(asked) <= len(FILES)


@pytest.mark.slow
@pytest.mark.real
def test_the_real_cifar10_is_the_same_in_both_layouts(
    shared_datasets: Path, tmp_path: Path
) -> None:
    script = shared_datasets / "cifar-10" / "build_batches.py"
    subprocess.run([sys.executable, script, tmp_path], check=True)
    order = np.load(shared_datasets / "cifar-10" / "official_label_order.npz")
    told = [NAMES[label] for split in ("train", "test") for label in order[split]]
    contents = []
    for layout in ("cifar-10-batches-py", "cifar-10-batches-bin"):
        dataset = open_dataset("cifar10", str(tmp_path / layout), {})
        found = list(dataset.samples())
        splits = [one.split for one in found]
        assert {split: splits.count(split) for split in splits} == dataset.card.splits
        assert (found[0].key, found[-1].key) == ("train/00000", "test/09999")
        assert [one.labels[0] for one in found] == told
        contents.append(list(dataset.read([one.uri for one in found])))
    assert contents[0] == contents[1]
    lossless = shared_datasets / "cifar-10" / "lossless_first4000" / "cifar10_batch_0.png"
    sprite = np.asarray(Image.open(lossless).convert("RGB"))  # row i: image i, pixels side by side
    for row in (0, 1, 999):
        content = contents[0][row]
        assert isinstance(content, bytes)
        shown = np.asarray(Image.open(io.BytesIO(content)))
        assert np.array_equal(shown.reshape(1024, 3), sprite[row])
