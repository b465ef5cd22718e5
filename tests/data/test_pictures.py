"""Pictures that lists name: their place is listed once, and they are found in it."""

import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from data.adapters import stamps
from data.adapters.named import place_in
from data.adapters.packed import read_packed
from data.adapters.pictures import Pictures, runs_in, runs_lying_in
from data.adapters.reading import read_uris

Draw = Callable[..., bytes]
JPG = frozenset({"jpg"})


def test_an_archive_that_holds_a_picture_twice_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w:") as out:
        for _ in range(2):
            out.addfile(tarfile.TarInfo("./full/a.jpg"))
    with pytest.raises(ValueError, match=r"x\.tar holds 'a\.jpg' twice"):
        list(runs_in(f"{tmp_path}/x.tar", "full", frozenset({"jpg"})))


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
    (batch,) = Pictures.within(place).batches(["a.jpg", "b.jpg"], {"split": ["x", "y"]})
    assert batch["size"].to_pylist() == [len(draw(1)), 0]
    first, second = read_uris(batch["uri"].to_pylist())
    assert first == draw(1)
    assert isinstance(second, FileNotFoundError)
    fs.rm("/named", recursive=True)


def test_no_name_is_asked_for_by_itself(
    tmp_path: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs = fsspec.filesystem("memory")
    names = [f"{number % 3}/{number}.JPG" for number in range(30)]
    for number, name in enumerate(names):
        fs.pipe(f"/once/{name}", draw(number % 2))
    asked: list[Any] = []
    monkeypatch.setattr(type(fs), "info", lambda self, path, **more: asked.append(path))
    monkeypatch.setattr(stamps, "stamps_of", asked.append)
    (batch,) = Pictures.within("memory://once").batches(names[::-1], {})
    assert batch["key"].to_pylist() == names[::-1]
    assert all(batch["size"].to_pylist())
    assert len(asked) <= 1
    monkeypatch.undo()
    fs.rm("/once", recursive=True)


@pytest.mark.parametrize(
    ("mode", "archive"), [("w:", "x.tar"), ("w:gz", "x.tgz"), ("w:gz", "x.tar.gz")]
)
def test_names_of_an_archive_come_in_their_order_or_packed_as_they_lie(
    tmp_path: Path, draw: Draw, mode: Any, archive: str
) -> None:
    names = ["c.jpg", "a.png", "b.jpg"]
    with tarfile.open(tmp_path / archive, mode) as out:
        for number, name in enumerate(names):
            (tmp_path / name).write_bytes(draw(number))
            out.add(tmp_path / name, f"./top/{name}")
        out.add(tmp_path / "a.png", "other/d.jpg")
    place = f"{tmp_path}/{archive}"
    asked = ["a.png", "lost.jpg", "b.jpg", "c.jpg"]
    (batch,) = Pictures.within(place, "top").batches(asked, {"labels": [["a"], [], ["b"], ["c"]]})
    found = batch["key"].to_pylist()
    assert found == (asked if archive == "x.tar" else [*names, "lost.jpg"])
    assert [label for row in batch["labels"].to_pylist() for label in row] == [
        name[0] for name in found if name != "lost.jpg"
    ]
    for name, content in zip(found, read_packed(batch["uri"].to_pylist()), strict=True):
        if name == "lost.jpg":
            assert isinstance(content, OSError)
        else:
            assert content == draw(names.index(name))
    assert [key for run in runs_lying_in(place, "top", JPG) for key in run.keys] == [
        "c.jpg",
        "b.jpg",
    ]
    assert [key for run in runs_in(place, "top", JPG) for key in run.keys] == ["b.jpg", "c.jpg"]
