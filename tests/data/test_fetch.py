"""Downloads that come to their end: whole and checked, or not there; false ones are set aside."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from data.answers import WrongFile
from data.fetch import Fetcher, new_client
from tests.publisher import CONTENT, QUICK, Fault, Publisher, bare, left, source


def test_a_file_is_fetched_checked_and_leaves_nothing_beside_it(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    gained: list[int] = []
    told = source(here.put("a.bin", CONTENT), md5=hashlib.md5(CONTENT).hexdigest())
    found = fetcher.fetch(told, tmp_path / "deep" / "a.bin", gained.append)
    assert found == ("fetched", len(CONTENT), "")
    assert (tmp_path / "deep" / "a.bin").read_bytes() == CONTENT
    assert left(tmp_path / "deep") == ["a.bin"]
    assert sum(gained) == len(CONTENT)


def test_what_is_there_is_checked_and_not_fetched_again(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    (tmp_path / "a.bin").write_bytes(CONTENT)
    gained: list[int] = []
    found = fetcher.fetch(source(f"{here.url}/a.bin"), tmp_path / "a.bin", gained.append)
    assert (found.state, sum(gained), here.asked) == ("there", len(CONTENT), [])


@pytest.mark.parametrize("false", [CONTENT[:-1], CONTENT[:-1] + b"x"])
def test_a_false_file_that_is_there_is_set_aside_and_fetched(
    here: Publisher, fetcher: Fetcher, tmp_path: Path, false: bytes
) -> None:
    (tmp_path / "a.bin").write_bytes(false)
    gained: list[int] = []
    told = source(here.put("a.bin", CONTENT))
    found = fetcher.fetch(told, tmp_path / "a.bin", gained.append)
    assert found.state == "fetched"
    assert "is now a.bin.bad" in found.note
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert (tmp_path / "a.bin.bad").read_bytes() == false
    assert sum(gained) == len(CONTENT)


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_wrong_digest_keeps_the_file_aside_and_says_so(
    here: Publisher, fetcher: Fetcher, tmp_path: Path, kind: str
) -> None:
    told = bare(here.put("a.bin", CONTENT), **{kind: "0" * (64 if kind == "sha256" else 32)})
    right = hashlib.new(kind, CONTENT).hexdigest()
    with pytest.raises(WrongFile, match=f"{kind} of a.bin is {right} and should be 000.*a.bin.bad"):
        fetcher.fetch(told, tmp_path / "a.bin")
    assert left(tmp_path) == ["a.bin.bad"]
    assert len(here.asked) == 1


def test_a_file_of_another_length_is_refused_before_it_comes(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    told = source(here.put("a.bin", b"<html>Please sign in</html>"))
    with pytest.raises(WrongFile, match=r"27 bytes where 102,400 are expected.*Nothing was kept"):
        fetcher.fetch(told, tmp_path / "a.bin")
    assert left(tmp_path) == []


def test_a_page_in_place_of_a_file_of_which_nothing_is_known_is_refused(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    page = Fault(headers={"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(WrongFile, match="a page and no file"):
        fetcher.fetch(bare(here.put("a.bin", CONTENT, page)), tmp_path / "a.bin")
    assert left(tmp_path) == []


def test_the_digest_may_stand_in_a_file_of_the_publisher(
    here: Publisher, fetcher: Fetcher, tmp_path: Path
) -> None:
    right = hashlib.md5(CONTENT).hexdigest()
    url = here.put("a.tar", CONTENT)
    lists = {
        "one.txt": f"{right}  a.tar\n",
        "bare.txt": right.upper(),
        "many.txt": f"{'0' * 32}  b.tar\n{right} *a.tar\n",
    }
    for name, text in lists.items():
        listed = here.put(name, text.encode(), Fault(status=503))
        target = tmp_path / name / "a.tar"
        assert fetcher.fetch(bare(url, md5_url=listed), target).state == "fetched"
        assert fetcher.fetch(bare(url, md5_url=listed), target).state == "there"
    false = here.put("false.txt", b"0" * 32)
    with pytest.raises(WrongFile, match=f"{right} and should be 000"):
        fetcher.fetch(bare(url, md5_url=false), tmp_path / "b.tar")
    for number, nothing in enumerate((b"gone", b"x" * ((1 << 20) + 1))):
        empty = here.put(f"{number}.txt", nothing)
        with pytest.raises(WrongFile, match=rf"{number}\.txt"):
            fetcher.fetch(bare(url, md5_url=empty), tmp_path / "c.tar")


def test_an_empty_file_is_a_file(here: Publisher, fetcher: Fetcher, tmp_path: Path) -> None:
    assert fetcher.fetch(bare(here.put("a.txt", b"")), tmp_path / "a.txt").bytes == 0
    assert left(tmp_path) == ["a.txt"]


def test_a_full_disk_is_seen_before_it_is_full(
    here: Publisher, fetcher: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    little = SimpleNamespace(free=1000)
    monkeypatch.setattr("data.partial.shutil.disk_usage", lambda path: little)
    with pytest.raises(OSError, match="needs 102,400 bytes more, and 1,000 are free"):
        fetcher.fetch(source(here.put("a.bin", CONTENT)), tmp_path / "a.bin")
    assert left(tmp_path) == []


def test_nothing_but_the_file_is_asked_for(here: Publisher, tmp_path: Path) -> None:
    sent: list[httpx.Request] = []
    with new_client() as client:
        client.event_hooks = {"request": [sent.append]}
        Fetcher(client, QUICK).fetch(source(here.put("a.bin", CONTENT)), tmp_path / "a.bin")
    assert [str(request.url) for request in sent] == [f"{here.url}/a.bin"]
    assert sent[0].headers["user-agent"] == "nightjar"
    assert sent[0].headers["accept-encoding"] == "identity"
