"""Sources in a bucket: the same listing and bytes as on a disk, from a real HTTP server."""

import io
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest

from data.adapters import open_dataset

BUCKET = "pictures"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """An empty bucket of a server of our own, as an fsspec filesystem."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    said = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_REGION": "us-east-1",
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in said.items():
                patch.setenv(name, value)
            _wait_for(port, server)
            fs = fsspec.filesystem("s3", skip_instance_cache=True)
            fs.mkdir(BUCKET)
            yield fs
            fsspec.filesystem("s3").clear_instance_cache()  # they know the server's address
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert server.poll() is None, "moto's server ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("moto's server did not answer within 30 s")


def test_a_prefix_is_listed_as_a_folder_is(bucket: Any) -> None:
    names = ["a-b.jpg", "a.jpg", "a/x.jpg", "train/cat/1.jpg", "ä #1,2/ü?*%.jpg"]
    others = [".hidden/y.jpg", "a/.z.jpg", "notes.txt", "folder.jpg/"]
    for name in names + others:
        bucket.pipe_file(f"{BUCKET}/folder/{name}", name.encode())
    bucket.pipe_file(f"{BUCKET}/folder2/no.jpg", b"")
    dataset = open_dataset("folder", f"s3://{BUCKET}/folder/", {})
    found = list(dataset.samples())
    assert [one.key for one in found] == names
    assert [one.size for one in found] == [len(name.encode()) for name in names]
    assert all(one.mtime > 0 and len(one.etag) == 32 for one in found)
    assert (found[3].split, found[3].labels) == ("train", ("cat",))
    assert list(dataset.read([one.uri for one in found])) == [name.encode() for name in names]


def test_a_listing_of_many_pages_sees_what_came_since_the_last(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.adapters.objects.PAGE", 2)
    monkeypatch.setattr("data.adapters.objects.ROWS", 3)
    dataset = open_dataset("folder", f"s3://{BUCKET}/many", {})
    for number in range(5):
        bucket.pipe_file(f"{BUCKET}/many/{number}.jpg", b"old")
    before = list(dataset.samples())
    assert len(before) == 5
    bucket.pipe_file(f"{BUCKET}/many/9.jpg", b"new")
    bucket.pipe_file(f"{BUCKET}/many/0.jpg", b"NEW")
    after = list(dataset.samples())
    assert [one.key for one in after] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "9.jpg"]
    assert after[0].etag != before[0].etag
    assert after[1] == before[1]


def test_an_object_that_is_gone_is_an_error_among_the_others(bucket: Any) -> None:
    bucket.pipe_file(f"{BUCKET}/one.jpg", b"here")
    dataset = open_dataset("folder", f"s3://{BUCKET}", {})
    uris = [f"s3://{BUCKET}/one.jpg", f"s3://{BUCKET}/gone.jpg", "s3://no-such-bucket/a.jpg"]
    answers = list(dataset.read(uris * 40))  # more than are ever in flight
    assert answers[0::3] == [b"here"] * 40
    assert {type(answer) for answer in answers[1::3] + answers[2::3]} == {FileNotFoundError}


def test_a_prefix_or_bucket_that_is_not_there_is_an_error_not_an_empty_source(bucket: Any) -> None:
    with pytest.raises(FileNotFoundError, match="Nothing lies under s3://pictures/nowhere"):
        list(open_dataset("folder", f"s3://{BUCKET}/nowhere", {}).listing())
    with pytest.raises(FileNotFoundError, match="No bucket no-such-bucket"):
        list(open_dataset("folder", "s3://no-such-bucket/x", {}).listing())


def test_a_list_in_a_bucket_names_what_lies_beside_it(bucket: Any) -> None:
    text = f"path,label,size,etag\nsub/ü.jpg,cat,,\ns3://{BUCKET}/list/b.jpg,dog,7,e\n"
    bucket.pipe_file(f"{BUCKET}/list/list.csv", text.encode())
    bucket.pipe_file(f"{BUCKET}/list/sub/ü.jpg", b"hello")
    dataset = open_dataset("list", f"s3://{BUCKET}/list/list.csv", {})
    first, second = dataset.samples()
    assert (first.key, first.labels, first.size) == ("sub/ü.jpg", ("cat",), 5)
    assert len(first.etag) == 32
    assert (second.size, second.mtime, second.etag) == (7, 0, "e")
    assert next(dataset.read([first.uri])) == b"hello"


@pytest.mark.parametrize("root", ["", "/t-{0..1}.tar", "/t-*.tar"])
def test_tars_in_a_bucket_are_read_by_range(bucket: Any, root: str) -> None:
    for number in range(2):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, content in (("0.jpg", os.urandom(600)), ("0.cls", b"7"), ("1.jpg", b"")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        bucket.pipe_file(f"{BUCKET}/tars/t-{number}.tar", out.getvalue())
    dataset = open_dataset("tars", f"s3://{BUCKET}/tars{root}", {})
    found = list(dataset.samples())
    assert [one.key for one in found] == ["t-0/0", "t-0/1", "t-1/0", "t-1/1"]
    assert found[0].labels == ("7",)
    assert all(len(one.etag) == 32 for one in found)
    whole = out.getvalue()
    assert list(dataset.read([one.uri for one in found[2:]])) == [whole[512:1112], b""]
    cut = next(dataset.read([f"s3://{BUCKET}/tars/t-1.tar#512,1000000"]))
    assert isinstance(cut, OSError)


def test_a_server_that_is_down_is_an_error_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    dataset = open_dataset("folder", f"http://127.0.0.1:{port}", {})
    answers = list(dataset.read([f"http://127.0.0.1:{port}/a.jpg"] * 2))
    assert all(isinstance(answer, OSError) for answer in answers)
