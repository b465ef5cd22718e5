"""SVHN: label 10 is the digit 0, pictures lie along the last axis, and files that are damaged."""

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

import numpy as np
import pytest
from PIL import Image

from data.adapters import archives, matlab, open_dataset
from data.adapters.svhn import SIZE
from tests.data.matfile import write_mat

PICTURES = np.random.default_rng(2).integers(0, 256, (32, 32, 3, 6), dtype=np.uint8)
LABELS = np.array([[10], [1], [9], [10], [2], [3]], np.uint8)


def lay(
    root: Path, splits: tuple[str, ...] = ("train", "test", "extra"), packed: bool = True
) -> Path:
    """Two pictures a split, in the order of `PICTURES`."""
    root.mkdir(exist_ok=True)
    for number, split in enumerate(splits):
        rows = slice(2 * number, 2 * number + 2)
        variables = {"X": PICTURES[..., rows], "y": LABELS[rows]}
        write_mat(root / f"{split}_32x32.mat", variables, packed)
    return root


@pytest.mark.parametrize("packed", [True, False])
def test_ten_is_the_digit_zero_and_pictures_are_upright(tmp_path: Path, packed: bool) -> None:
    dataset = open_dataset("svhn", str(lay(tmp_path / "home", packed=packed)), {})
    found = list(dataset.samples())
    assert [one.labels[0] for one in found] == ["0", "1", "9", "0", "2", "3"]
    assert [one.key for one in found] == [
        "train/00000", "train/00001", "test/00000", "test/00001", "extra/00000", "extra/00001",
    ]  # fmt: skip
    contents = list(dataset.read([one.uri for one in found]))
    for row, content in enumerate(contents):
        assert isinstance(content, bytes)
        assert len(content) == SIZE
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), PICTURES[..., row])
    backwards = list(dataset.read([one.uri for one in found][::-1]))
    assert backwards[::-1] == contents


def test_extra_may_be_done_without(tmp_path: Path) -> None:
    home = lay(tmp_path / "home", ("train", "test"))
    some = open_dataset("svhn", str(home), {"splits": ["train", "test"]})
    assert len(list(some.samples())) == 4
    with pytest.raises(FileNotFoundError, match=r"extra_32x32\.mat"):
        list(open_dataset("svhn", str(home), {}).samples())


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"X": PICTURES, "y": LABELS[:5]}, "6 pictures and 5 labels"),
        ({"X": PICTURES, "y": LABELS * 0}, "not one of 1 to 10"),
        ({"X": PICTURES, "y": LABELS.astype("f8") + 0.5}, "not one of 1 to 10"),
        ({"X": PICTURES.astype("f4"), "y": LABELS}, r"'X' should be \(32, 32, 3, N\) uint8"),
        ({"X": PICTURES.transpose(3, 0, 1, 2), "y": LABELS}, r"is \(6, 32, 32, 3\)"),
        ({"X": PICTURES}, "variable of .* 'y': choose from X"),
        ({"y": LABELS}, "no variable 'X'"),
    ],
)
def test_a_file_that_breaks_its_layout_is_named(
    tmp_path: Path,
    variables: "dict[str, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]",
    said: str,
) -> None:
    write_mat(tmp_path / "train_32x32.mat", variables)
    with pytest.raises(ValueError, match=rf"train_32x32\.mat.*{said}|{said}"):
        list(open_dataset("svhn", str(tmp_path), {"splits": ["train"]}).samples())


def test_labels_may_be_written_as_any_kind_of_number(tmp_path: Path) -> None:
    write_mat(tmp_path / "train_32x32.mat", {"X": PICTURES, "y": LABELS.astype("f8")})
    found = open_dataset("svhn", str(tmp_path), {"splits": ["train"]}).samples()
    assert [one.labels[0] for one in found] == ["0", "1", "9", "0", "2", "3"]


def test_a_file_that_is_cut_gives_what_comes_before_the_cut(tmp_path: Path) -> None:
    dataset = open_dataset("svhn", str(lay(tmp_path / "home")), {"splits": ["train"]})
    path = tmp_path / "home" / "train_32x32.mat"
    write_mat(path, {"y": LABELS, "X": PICTURES}, packed=False)
    uris = [one.uri for one in dataset.samples()]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 2 * 3072 - 100])
    answers = list(dataset.read([*uris, uris[0]]))
    assert [type(answer) for answer in answers] == [
        bytes, bytes, bytes, OSError, OSError, OSError, bytes,
    ]  # fmt: skip
    assert "train_32x32.mat is cut" in str(answers[4])


def test_pictures_in_their_order_cost_one_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def open_again(path: str) -> AbstractContextManager[IO[bytes]]:
        opened.append(path)
        return archives.opened(path)

    monkeypatch.setattr(matlab, "opened", open_again)
    dataset = open_dataset("svhn", str(lay(tmp_path / "home")), {})
    uris = [one.uri for one in dataset.samples()]
    opened.clear()
    list(dataset.read(uris))
    assert len(opened) == 3
    opened.clear()
    for uri in uris:  # a call each, as chunks of shards are read
        assert isinstance(next(dataset.read([uri])), bytes)
    assert len(opened) == 3, "each file is begun once more, for its first picture lay behind"
