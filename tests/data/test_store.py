"""The store: whole or not at all, and one winner among many, in a folder and in a bucket."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import s3fs

from data.store import Store


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An S3 server with one bucket, for this file's tests; the bucket's URL."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    set_to = {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in set_to.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # fsspec would hand out another server's
        Store("s3://pictures").fs.makedirs(
            "pictures", exist_ok=True
        )  # servers of one process share state
        yield "s3://pictures"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store in a folder, then one in a bucket."""
    if request.param == "folder":
        return Store(str(tmp_path / "store"))
    return Store(f"{request.getfixturevalue('bucket')}/{tmp_path.name}")


def test_what_is_written_is_read(place: Store) -> None:
    place.write("a/b.bin", b"0123456789")
    place.write("a/b.bin", b"9876543210")
    assert place.read("a/b.bin") == b"9876543210"
    assert place.read_range("a/b.bin", 2, 3) == b"765"
    assert place.exists("a/b.bin")
    assert not place.exists("a/c.bin")
    with pytest.raises(FileNotFoundError):
        place.read("a/c.bin")


def test_names_are_sorted_and_shallow(place: Store) -> None:
    assert place.names("folder") == []
    for name in ("z", "a", "deep/er"):
        place.write(f"folder/{name}", b"x")
    assert place.names("folder") == ["a", "deep", "z"]


def test_create_succeeds_once(place: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda i: place.create("lease/1", b"%d" % i), range(8)))
    assert won.count(True) == 1
    assert place.read("lease/1") == b"%d" % won.index(True)


def test_deleting_takes_all_and_nothing_is_fine(place: Store) -> None:
    place.write("gone/a", b"x")
    place.write("gone/deep/b", b"x")
    place.delete("gone")
    place.delete("gone")
    assert place.names("gone") == []


def test_what_is_replaced_appears_whole(place: Store) -> None:
    with place.replacing("big.bin") as out:
        out.write(b"one")
        assert not place.exists("big.bin")
        out.write(b"two")
    assert place.read("big.bin") == b"onetwo"


def test_a_failed_replacement_leaves_what_was_there(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write("a", b"old")

    def fail() -> None:
        with store.replacing("a") as out:
            out.write(b"half of the new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.read("a") == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def write_for_ever(store: Store, size: int) -> None:
    for number in range(10**9):
        store.write("a", bytes([number % 256]) * size)


def test_a_killed_writer_leaves_no_half_of_an_object(tmp_path: Path) -> None:
    store, size = Store(str(tmp_path)), 2**20
    store.write("a", bytes(size))
    for _ in range(3):
        writer = multiprocessing.get_context("spawn").Process(
            target=write_for_ever, args=(store, size)
        )
        writer.start()
        before = store.read("a")
        while store.read("a") == before and writer.is_alive():
            time.sleep(0.001)
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        assert writer.exitcode == -signal.SIGKILL
        content = store.read("a")
        assert len(content) == size
        assert len(set(content)) == 1
        assert store.names("") == ["a"]


def test_the_root_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTJAR_STORE", str(tmp_path / "there/"))
    assert Store().root == str(tmp_path / "there")
    monkeypatch.delenv("NIGHTJAR_STORE")
    monkeypatch.chdir(tmp_path)
    assert Store().root == str(tmp_path / "store")


def test_a_bucket_over_plain_http_is_told_to_lance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert (Store("s3://b/p/").lance_options or {})["allow_http"] == "true"
    assert Store("s3://b/p/").uri("a/b") == "s3://b/p/a/b"
    assert Store("/tmp").lance_options is None
