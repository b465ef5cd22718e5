"""Pictures that lists name: in folders, buckets and archives, and lists that break off."""

import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from data.adapters.named import Pictures, fields_of, place_in, runs_in
from data.adapters.reading import read_uris

Draw = Callable[..., bytes]


def test_an_archive_that_holds_a_picture_twice_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w:") as out:
        for _ in range(2):
            out.addfile(tarfile.TarInfo("./full/a.jpg"))
    with pytest.raises(ValueError, match=r"x\.tar holds 'full/a\.jpg' twice"):
        list(runs_in(f"{tmp_path}/x.tar", "full/", frozenset({"jpg"})))


def test_keys_of_an_archive_are_in_the_order_of_a_folder(tmp_path: Path, draw: Draw) -> None:
    names = ["b/2.jpg", "a.jpg", "b/10.jpg", "a/x.jpg", "._a.jpg", "readme.txt"]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
        for number, name in enumerate(names):
            out.writestr(name, draw(number))
            path = tmp_path / "x" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(draw(number))
    found = [
        [key for run in runs_in(place, "", frozenset({"jpg"})) for key in run.keys]
        for place in (f"{tmp_path}/x.zip", f"{tmp_path}/x")
    ]
    assert found[0] == found[1] == ["a.jpg", "a/x.jpg", "b/10.jpg", "b/2.jpg"]


def test_names_are_found_in_a_bucket_too(draw: Draw) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe("/named/pictures/a.jpg", draw(1))
    place = place_in("memory://named", "pictures", "nothing", "pictures")
    (batch,) = Pictures(place).batches(["a.jpg", "b.jpg"], {"split": ["x", "y"]})
    assert batch["size"].to_pylist() == [len(draw(1)), 0]
    first, second = read_uris(batch["uri"].to_pylist())
    assert first == draw(1)
    assert isinstance(second, FileNotFoundError)
    fs.rm("/named", recursive=True)


def test_a_place_that_is_not_there_is_named_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No birds in .* should hold a or b"):
        place_in(str(tmp_path), "birds", "a", "b")


def test_a_last_field_may_hold_blanks_and_a_line_may_not_break_off(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(b"head\n1 a b.jpg\r\n\n2\tc.jpg\n")
    assert list(fields_of(str(path), 2, heads=1)) == [["1", "a b.jpg"], ["2", "c.jpg"]]
    with pytest.raises(ValueError, match=r"list\.txt: 'head' should have 2 fields"):
        list(fields_of(str(path), 2))
