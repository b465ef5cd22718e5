"""Packed tars: read from the start on, once for all pictures, and damaged ones."""

import gzip
import random
from pathlib import Path
from typing import IO

import fsspec
import pytest

from data.adapters import packed
from data.adapters.archives import Entry
from data.adapters.headers import DamagedTar
from data.adapters.packed import packed_entries, read_packed
from tests.data.miniatures_ilsvrc2012 import tarred

CHANCE = random.Random(0)
FILES = {f"a/{number}.jpg": CHANCE.randbytes(1 + 5000 * number) for number in range(40)}


def read(found: list[Entry]) -> list[bytes | OSError]:
    return list(read_packed([entry.uri for entry in found]))


@pytest.mark.parametrize("place", ["disk", "remote", "in two members"])
def test_members_are_listed_and_read_in_any_order(tmp_path: Path, place: str) -> None:
    remote = f"memory://{tmp_path.name}/x.tar.gz"
    archive = remote if place == "remote" else str(tmp_path / "x.tar.gz")
    content = tarred(FILES)
    with fsspec.open(archive, "wb") as out:
        cut = len(content) // 2 if place == "in two members" else 0
        out.write(gzip.compress(content[:cut]) + gzip.compress(content[cut:]))
    found = list(packed_entries(archive))
    assert [(one.name, one.size) for one in found] == [(n, len(c)) for n, c in FILES.items()]
    assert read(found) == list(FILES.values())
    random.Random(1).shuffle(found)
    assert read(found) == [FILES[one.name] for one in found]


def test_going_on_takes_up_where_it_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(tarred(FILES)))
    found = list(packed_entries(str(path)))
    begun = []
    begin = packed._unpacked

    def counted(archive: str, size: int) -> IO[bytes]:
        begun.append(archive)
        return begin(archive, size)

    monkeypatch.setattr(packed, "_unpacked", counted)
    for entry in found:
        assert read([entry]) == [FILES[entry.name]]
    assert len(begun) == 1
    assert read(found[3:4]) == [FILES["a/3.jpg"]]
    assert len(begun) == 2


@pytest.mark.parametrize("left", [0, 10, 100_000])
def test_a_cut_archive_is_named_and_its_pictures_are_errors(tmp_path: Path, left: int) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(tarred(FILES)))
    found = list(packed_entries(str(path)))
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(DamagedTar, match=r"x\.tar\.gz is cut.*\d+ files"):
        list(packed_entries(str(path)))
    answers = read(found)
    whole = [answer for answer in answers if isinstance(answer, bytes)]
    assert whole == list(FILES.values())[: len(whole)]
    assert len(whole) == (6 if left == 100_000 else 0)
    assert all("cut or damaged" in str(one) for one in answers[len(whole) :])


def test_what_is_no_packed_tar_is_named(tmp_path: Path) -> None:
    for content in (b"<html>" * 500, tarred(FILES), gzip.compress(b"<html>" * 500)):
        (tmp_path / "x.tar.gz").write_bytes(content)
        with pytest.raises(DamagedTar, match=r"x\.tar\.gz is cut"):
            list(packed_entries(str(tmp_path / "x.tar.gz")))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(packed_entries("/nowhere/x.tar.gz"))


def test_pictures_elsewhere_are_read_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(tarred(FILES)))
    (tmp_path / "y.jpg").write_bytes(b"y")
    uris = [
        next(packed_entries(str(path))).uri,
        str(tmp_path / "y.jpg"),
        "/nowhere/x.tar.gz::a#0,1",
    ]
    first, second, lost = read_packed(uris)
    assert (first, second) == (FILES["a/0.jpg"], b"y")
    assert isinstance(lost, FileNotFoundError)
