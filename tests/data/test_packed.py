"""Packed files: read from the start on, once for all that a thread wants of them; damaged ones."""

import bz2
import gzip
import lzma
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import fsspec
import pytest

from data.adapters import forward, packed
from data.adapters.archives import Entry
from data.adapters.headers import DamagedTar
from data.adapters.packed import packed_entries, read_packed
from tests.data.tarred import tarred

CHANCE = random.Random(0)
FILES = {f"a/{number}.jpg": CHANCE.randbytes(1 + 5000 * number) for number in range(40)}
THREADS = 4


def read(found: list[Entry]) -> list[bytes | OSError]:
    return list(read_packed([entry.uri for entry in found]))


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are unpacked from their start, each time anew."""
    begin, begun = packed._unpacked, []

    def counted(path: str, size: int) -> IO[bytes]:
        begun.append(path)
        return begin(path, size)

    monkeypatch.setattr(packed, "_unpacked", counted)
    return begun


def packed_tar(tmp_path: Path) -> list[Entry]:
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(tarred(FILES)))
    return list(packed_entries(str(tmp_path / "x.tar.gz")))


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


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".tgz", gzip.compress),
        (".TAR.GZ", gzip.compress),
        (".tar.bz2", bz2.compress),
        (".tar.xz", lzma.compress),
    ],
)
def test_what_is_packed_otherwise_is_read_alike(
    tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(pack(tarred(FILES)))
    found = list(packed_entries(str(path)))
    assert read(found[::-15]) == list(FILES.values())[::-15]
    path.write_bytes(path.read_bytes()[:100_000])
    assert all("cut or damaged" in str(answer) for answer in read(found[20:]))
    with pytest.raises(DamagedTar, match=r"cut, damaged or no packed tar: \d+ files"):
        list(packed_entries(str(path)))


def test_going_on_takes_up_where_it_was_left(tmp_path: Path, begun: list[str]) -> None:
    found = packed_tar(tmp_path)
    begun.clear()
    for entry in found:
        assert read([entry]) == [FILES[entry.name]]
    assert len(begun) == 1
    assert read(found[3:4]) == [FILES["a/3.jpg"]]
    assert len(begun) == 2
    assert read(found[5:9]) == list(FILES.values())[5:9], "from the one that is behind"
    assert len(begun) == 2


def test_who_reads_by_turns_in_two_parts_begins_once_each(tmp_path: Path, begun: list[str]) -> None:
    found = packed_tar(tmp_path)
    begun.clear()
    halves = [read_packed([entry.uri for entry in half]) for half in (found[:20], found[20:])]
    for at in range(20):
        assert [next(half) for half in halves] == [FILES[f"a/{at + add}.jpg"] for add in (0, 20)]
    assert len(begun) == 2


def test_threads_that_share_the_chunks_begin_once_each(tmp_path: Path, begun: list[str]) -> None:
    found = packed_tar(tmp_path)
    begun.clear()
    chunks = [found[start : start + 2] for start in range(0, len(found), 2)]
    with ThreadPoolExecutor(THREADS) as pool:
        answers = [answer for chunk in pool.map(read, chunks) for answer in chunk]
    assert answers == list(FILES.values())
    assert 1 <= len(begun) <= THREADS


def test_few_places_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "HELD", 2)
    found = packed_tar(tmp_path)
    assert read(found[::-15]) == list(FILES.values())[::-15]
    assert len(packed._PLACES.left) == 2


def test_a_file_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    found = packed_tar(tmp_path)
    assert read(found[:1]) == [FILES["a/0.jpg"]]
    other = {name: content[::-1] for name, content in FILES.items()}
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(tarred(other)) + b"\0")
    assert read(found[1:2]) == [other["a/1.jpg"]]


def test_behind_a_cut_nothing_is_unpacked_again(tmp_path: Path, begun: list[str]) -> None:
    found = packed_tar(tmp_path)
    path = tmp_path / "x.tar.gz"
    path.write_bytes(path.read_bytes()[:100_000])
    begun.clear()
    assert all(isinstance(answer, OSError) for answer in read(found[30:]))
    assert len(begun) == 1
    assert read(found[5:6]) == [FILES["a/5.jpg"]], "before the cut"


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
    found = packed_tar(tmp_path)
    (tmp_path / "y.jpg").write_bytes(b"y")
    uris = [found[0].uri, str(tmp_path / "y.jpg"), "/nowhere/x.tar.gz#0,1", found[1].uri]
    first, second, lost, third = read_packed(uris)
    assert (first, second, third) == (FILES["a/0.jpg"], b"y", FILES["a/1.jpg"])
    assert isinstance(lost, FileNotFoundError)
    (whole,) = read_packed([str(tmp_path / "x.tar.gz")])
    assert whole == (tmp_path / "x.tar.gz").read_bytes()
