"""pix2pix: two pictures in one file, whichever half is the drawing, with bytes that stay."""

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from data.adapters import open_dataset, pix2pix
from data.adapters.packed import read_packed
from data.adapters.pix2pix import SIZE
from tests.data import miniatures_sketches

Draw = Callable[..., bytes]

DIGEST = "1242edc5e2c765603ef80e84f76dbf37d644ec7c7377d0c211a1bf1d71f28326"
"""Of the drawing of pair 1: a decoder that gave other pixels would show as a changed picture."""


def test_the_halves_of_a_file_are_a_pair_of_pictures(tmp_path: Path, draw: Draw) -> None:
    miniatures_sketches.pix2pix(tmp_path, draw)
    dataset = open_dataset("pix2pix", str(tmp_path), {})
    found = list(dataset.samples())
    assert [one.key for one in found] == [
        f"{kind}-{half}/{number}"
        for half in ("train", "val")
        for number in (1, 2)
        for kind in ("sketch", "photo")
    ]
    assert found[0].labels == found[1].labels == ("train/1",)
    whole = np.asarray(Image.open(tmp_path / "train" / "1_AB.jpg"))
    halves = list(dataset.read([one.uri for one in found[:2]]))
    for content, expected in zip(halves, (whole[:, :256], whole[:, 256:]), strict=True):
        assert isinstance(content, bytes)
        assert len(content) == SIZE
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), expected)


@pytest.mark.parametrize(("suffix", "mode"), [(".tar.gz", "w:gz"), (".tar", "w:")])
def test_the_archive_is_read_in_place(
    tmp_path: Path, draw: Draw, suffix: str, mode: Literal["w:gz", "w:"]
) -> None:
    miniatures_sketches.pix2pix(tmp_path / "edges2shoes", draw)
    folder = open_dataset("pix2pix", str(tmp_path / "edges2shoes"), {})
    listed = {one.key: one for one in folder.samples()}
    expected = dict(zip(listed, folder.read([one.uri for one in listed.values()]), strict=True))
    path = tmp_path / "home" / f"edges2shoes{suffix}"
    path.parent.mkdir()
    with tarfile.open(path, mode) as out:
        out.add(tmp_path / "edges2shoes" / "val", "edges2shoes/val")
        out.add(tmp_path / "edges2shoes" / "train", "./edges2shoes/train")
    for root in (path, path.parent):
        dataset = open_dataset("pix2pix", str(root), {})
        found = list(dataset.samples())
        assert {one.key: (one.labels, one.split) for one in found} == {
            key: (one.labels, one.split) for key, one in listed.items()
        }
        contents = dataset.read([one.uri for one in found])
        assert dict(zip((one.key for one in found), contents, strict=True)) == expected
        some = open_dataset("pix2pix", str(root), {"splits": ["photo-train"]})
        assert [one.split for one in some.samples()] == ["photo-train"] * 2
    with tarfile.open(path, mode) as out:
        out.add(tmp_path / "edges2shoes" / "val", "edges2shoes/val")
    with pytest.raises(FileNotFoundError, match=r"No train of pix2pix in .*edges2shoes"):
        list(open_dataset("pix2pix", str(path.parent), {}).samples())


def test_the_drawing_may_be_on_the_right(tmp_path: Path, draw: Draw) -> None:
    miniatures_sketches.pix2pix(tmp_path, draw)
    left = open_dataset("pix2pix", str(tmp_path), {"splits": ["sketch-val"]})
    right = open_dataset("pix2pix", str(tmp_path), {"splits": ["sketch-val"], "drawing": "right"})
    assert [one.key for one in left.samples()] == [one.key for one in right.samples()]
    assert next(left.samples()).uri.endswith("1_AB.jpg#left")
    assert next(right.samples()).uri.endswith("1_AB.jpg#right")


def test_the_halves_of_a_file_cost_one_decoding(
    tmp_path: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    miniatures_sketches.pix2pix(tmp_path, draw)
    dataset = open_dataset("pix2pix", str(tmp_path), {})
    uris = [one.uri for one in dataset.samples()]
    read: list[str] = []

    def read_again(some: Sequence[str]) -> Iterator[bytes | OSError]:
        read.extend(some)
        return read_packed(some)

    monkeypatch.setattr(pix2pix, "read_packed", read_again)
    assert len(list(dataset.read(uris))) == len(uris) == 2 * len(read)


def test_a_pair_that_cannot_be_had_is_an_error_among_the_others(tmp_path: Path, draw: Draw) -> None:
    miniatures_sketches.pix2pix(tmp_path, draw, each=4)
    dataset = open_dataset("pix2pix", str(tmp_path), {"splits": ["photo-val"]})
    uris = [one.uri for one in dataset.samples()]
    (tmp_path / "val" / "1_AB.jpg").write_bytes(draw(1))
    (tmp_path / "val" / "2_AB.jpg").write_bytes(b"no picture")
    whole = (tmp_path / "val" / "3_AB.jpg").read_bytes()
    (tmp_path / "val" / "3_AB.jpg").write_bytes(whole[: len(whole) // 2])
    answers = list(dataset.read([*uris, uris[3].replace("#right", "#top")]))
    assert [type(answer) is bytes for answer in answers] == [False, False, False, True, False]
    assert all(isinstance(answer, OSError) for answer in (*answers[:3], answers[4]))
    assert "no pair of 512x256" in str(answers[0])
    assert "no half of a pair" in str(answers[4])


def test_a_part_that_is_missing_or_called_otherwise_is_named(tmp_path: Path, draw: Draw) -> None:
    miniatures_sketches.pix2pix(tmp_path, draw)
    (tmp_path / "val" / "cover.jpg").write_bytes(draw(1))
    with pytest.raises(ValueError, match=r"'val/cover\.jpg': a pair is called NUMBER_AB\.jpg"):
        list(open_dataset("pix2pix", str(tmp_path), {}).samples())
    (tmp_path / "val").rename(tmp_path / "test")
    with pytest.raises(FileNotFoundError, match="No val of pix2pix"):
        list(open_dataset("pix2pix", str(tmp_path), {}).samples())


@pytest.mark.real
def test_the_real_pairs(shared_datasets: Path) -> None:
    home = shared_datasets / "edges2shoes-handbags"
    options = {"splits": ["sketch-val", "photo-val"], "drawing": "right"}
    dataset = open_dataset("pix2pix", str(home), options)
    found = list(dataset.samples())
    assert len(found) == 800
    by_key = {one.key: one for one in found}
    sketch, photo = dataset.read([by_key["sketch-val/1"].uri, by_key["photo-val/1"].uri])
    assert isinstance(sketch, bytes)
    assert isinstance(photo, bytes)
    lines, shoe = (np.asarray(Image.open(io.BytesIO(one))) for one in (sketch, photo))
    assert np.median(lines) > 250
    assert (lines < 128).mean() < 0.05 < (shoe < 128).mean(), "lines are thin, a shoe is dark"
    assert hashlib.sha256(sketch).hexdigest() == DIGEST
