"""SVHN's whole house numbers: a box a digit, 10 is 0, in packed archives, tars and folders."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import pytest

from data.adapters import open_dataset
from data.adapters.hdf5 import hdf5, member, numbers_in, text_at, value
from data.sample import Box, Sample
from tests.data.miniatures_svhn_full import FIELDS, NUMBERS, Digit, digit_struct, svhn_full

Draw = Callable[..., bytes]


def samples(root: Path, **options: Any) -> list[Sample]:
    return list(open_dataset("svhn-full", str(root), options).samples())


@pytest.mark.parametrize("form", [".tar.gz", ".tar", ""])
def test_every_digit_has_its_box_in_each_layout(tmp_path: Path, draw: Draw, form: str) -> None:
    svhn_full(tmp_path / "home", draw, form)
    found = {one.key: one for one in samples(tmp_path / "home")}
    assert set(found) == {f"{split}/{name}" for split, some in NUMBERS.items() for name in some}
    for split, some in NUMBERS.items():
        for name, digits in some.items():
            one = found[f"{split}/{name}"]
            assert one.boxes == tuple(
                Box(str(int(label) % 10), left, top, width, height)
                for label, left, top, width, height in digits
            )
            assert one.labels == tuple(sorted({box.label for box in one.boxes}))
            assert one.split == split
    assert found["train/10.png"].labels == ("0", "7"), "10 stands for 0, and 7 is there twice"
    assert found["train/10.png"].boxes[0].x == -1, "a box may stick out"
    dataset = open_dataset("svhn-full", str(tmp_path / "home"), {})
    uris = [one.uri for one in dataset.samples()]
    expected = [
        draw(1000 * at + number, suffix="png")
        for at, some in enumerate(NUMBERS.values())
        for number, _ in enumerate(some)
    ]
    assert sorted(map(bytes, dataset.read(uris))) == sorted(expected)  # type: ignore[arg-type]
    assert bytes(next(dataset.read([found["test/2.png"].uri]))) == draw(1001, suffix="png")  # type: ignore[arg-type]


def test_extra_may_be_done_without(tmp_path: Path, draw: Draw) -> None:
    svhn_full(tmp_path, draw)
    (tmp_path / "extra.tar.gz").unlink()
    assert len(samples(tmp_path, splits=["train", "test"])) == 5
    with pytest.raises(FileNotFoundError, match=r"No extra\.tar\.gz, extra\.tar or folder extra"):
        samples(tmp_path)


def test_pictures_and_boxes_that_find_no_partner_are_told(
    tmp_path: Path, draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    svhn_full(tmp_path, draw, "", {"test": NUMBERS["test"]})
    (tmp_path / "test" / "7.png").write_bytes(draw(7, suffix="png"))
    with caplog.at_level(logging.WARNING):
        assert len(samples(tmp_path, splits=["test"])) == 2
    assert "1 pictures that digitStruct.mat does not name" in caplog.text
    (tmp_path / "test" / "2.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 pictures of .* are not there, first 2\.png"):
        samples(tmp_path, splits=["test"])
    (tmp_path / "test" / "digitStruct.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"digitStruct\.mat"):
        samples(tmp_path, splits=["test"])


@pytest.mark.parametrize("label", [0.0, 11.0, 1.5])
def test_a_label_that_is_no_digit_is_named(tmp_path: Path, draw: Draw, label: float) -> None:
    svhn_full(tmp_path, draw, "", {"test": {"1.png": [(label, 1, 1, 5, 5)]}})
    with pytest.raises(ValueError, match=r"digitStruct\.mat: a label is not one of 1 to 10"):
        samples(tmp_path, splits=["test"])


@pytest.mark.parametrize("cut", [2000, 600])
def test_a_file_of_boxes_that_is_cut_is_named(tmp_path: Path, draw: Draw, cut: int) -> None:
    svhn_full(tmp_path, draw, "", {"test": NUMBERS["test"]})
    path = tmp_path / "test" / "digitStruct.mat"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"digitStruct\.mat is damaged"):
        samples(tmp_path, splits=["test"])


Evil = Callable[[Any, Any, str], object]


@pytest.mark.parametrize(
    "evil",
    [
        lambda box, file, secret: box.__setitem__("left", h5py.SoftLink("/digitStruct/name")),
        lambda box, file, secret: box.__setitem__("left", h5py.ExternalLink(secret, "x")),
        lambda box, file, secret: box.create_dataset(
            "left", (1, 1), "f8", external=[(secret, 0, 8)]
        ),
    ],
)
def test_what_lies_in_another_file_is_refused(tmp_path: Path, draw: Draw, evil: Evil) -> None:
    svhn_full(tmp_path, draw, "", {"test": NUMBERS["test"]})
    (tmp_path / "secret").write_bytes(b"secret!!")
    path = tmp_path / "test" / "digitStruct.mat"
    content = bytearray(path.read_bytes())
    with h5py.File(path, "r+") as file:
        box = file["#refs#/b0"]
        del box["left"]
        evil(box, file, str(tmp_path / "secret"))
    assert path.read_bytes() != content
    with pytest.raises(ValueError, match="refused"):
        samples(tmp_path, splits=["test"])


def test_the_quick_way_says_what_the_plain_one_says(tmp_path: Path) -> None:
    numbers: Mapping[str, Sequence[Digit]] = {**NUMBERS["train"], **NUMBERS["extra"]}
    (tmp_path / "digitStruct.mat").write_bytes(digit_struct(numbers))
    with hdf5(str(tmp_path / "digitStruct.mat")) as file:
        top = member(file, "digitStruct")
        for name, box in zip(top["name"][()].ravel(), top["bbox"][()].ravel(), strict=True):
            assert text_at(file, name) == value(file[name])
            plain = value(file[box])
            several = [
                one if isinstance(one, list) else [one]
                for one in (plain[field] for field in FIELDS)
            ]
            assert numbers_in(file, box, FIELDS) == [
                [float(n.item()) for n in one] for one in several
            ]


def test_a_damaged_archive_is_named(tmp_path: Path, draw: Draw) -> None:
    svhn_full(tmp_path, draw, ".tar.gz", {"test": NUMBERS["test"]})
    path = tmp_path / "test.tar.gz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"test\.tar\.gz is (cut|damaged)"):
        samples(tmp_path, splits=["test"])
