"""Source and store in a bucket: the same nights, from a real HTTP server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
import torch
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from data.indexes import index_names
from data.lease import holder
from data.store import Store
from flows.preview import preview
from flows.recipe import Recipe
from flows.reindex import reindex
from tasks.balance import Ledger
from tasks.clean import RetainPlan, clean
from tasks.promote import rollback
from tasks.searching.search import Searcher, resolve
from tasks.verify import verify
from tests.flows.album import balanced, counts, photo

RECIPE = """\
name: toy
source: {dataset: folder, root: "s3://pictures/album"}
train: {supervision: supervised, dimensions: 16, size: 32, width: 8, epochs: 0, device: cpu}
extract: {device: cpu}
evaluate: {queries: 20, k: 10}
pin: PIN
"""


class Bucket:
    """A bucket with pictures and a store, and the nights between them."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.store = Store("s3://pictures/store")

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket="pictures", Key=f"album/{key}", Body=content)

    def take(self, key: str) -> None:
        self.client.delete_object(Bucket="pictures", Key=f"album/{key}")

    def recipe(self, pin: bool = False) -> Recipe:
        return Recipe.parsed(RECIPE.replace("PIN", str(pin)), "toy", Path.cwd())

    def night(self, *accept: str, pin: bool = False) -> Ledger:
        return reindex(self.recipe(pin), store=self.store, accept=accept)

    def found(self, content: bytes, k: int = 1) -> list[dict[str, Any]]:
        searcher = Searcher(self.store, *resolve(self.store, "toy"))
        rows: list[dict[str, Any]] = searcher.search(content, k).to_pylist()
        return rows

    def names(self) -> set[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="pictures")
        return {item["Key"] for page in pages for item in page.get("Contents", ())}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Sixteen pictures in an empty bucket."""
    torch.set_num_threads(1)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    try:
        # what earlier servers of this process were given, this one holds as well
        urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="pictures")
        made = Bucket(client)
        for number in range(16):
            made.put(f"class{number % 4}/{number:02d}.jpg", photo(number))
        yield made
    finally:
        S3FileSystem.clear_instance_cache()
        server.stop()


def test_a_life_in_a_bucket(bucket: Bucket) -> None:
    planned = preview(bucket.recipe(), bucket.store)
    assert (planned["added"], planned["embeds"]) == (16, 16)
    assert not any(name.startswith("store/") for name in bucket.names())

    first = bucket.night()
    assert (first.embedded, first.promoted, balanced(first)) == (16, True, (16, 0, 0, 0))
    found = bucket.found(photo(5), 3)
    assert (found[0]["key"], len(found)) == ("class1/05.jpg", 3)
    assert found[0]["uri"] == "s3://pictures/album/class1/05.jpg"
    assert verify(bucket.store, "toy", resolve(bucket.store, "toy"), embed=4).ok
    assert holder(bucket.store, "toy") is None

    quiet = bucket.night()
    assert (counts(quiet), quiet.embedded, quiet.index_version) == ({}, 0, first.index_version)

    bucket.put("class0/new.jpg", photo(100))
    bucket.put("class0/00.jpg", photo(101))
    bucket.put("class1/bad.jpg", photo(102)[:-300])
    bucket.put("class2/copy of 05 & more?.jpg", photo(5))
    bucket.put("class1/01.jpg", photo(1))  # stamped anew, and the same bytes
    bucket.take("class3/03.jpg")
    bucket.take("class3/07.jpg")
    bucket.put("class3/moved.jpg", photo(7))
    second = bucket.night("fall")
    assert (second.embedded, second.promoted, second.quarantined) == (2, True, 1)
    kinds = counts(second)
    assert {kinds.pop("touched", 1)} == {1}  # an etag of the same bytes is the same
    assert kinds == {"added": 1, "changed": 1, "moved": 1, "duplicate": 1, "removed": 1}
    assert verify(bucket.store, "toy", resolve(bucket.store, "toy"), embed=4).ok
    assert bucket.found(photo(101))[0]["key"] == "class0/00.jpg"

    back = rollback(bucket.store, "toy")
    assert back.version == first.index_version
    assert bucket.found(photo(0))[0]["distance"] < 1e-5

    (table,) = index_names(bucket.store, "toy")
    told = clean(bucket.store, "toy", "toy", RetainPlan(), False)
    assert told is not None
    assert bucket.found(photo(3))[0]["key"] == "class3/03.jpg"
    assert bucket.night("fall").table == table


def test_a_prefix_that_is_gone_deletes_nothing(bucket: Bucket) -> None:
    bucket.night()
    for number in range(16):
        bucket.take(f"class{number % 4}/{number:02d}.jpg")
    with pytest.raises(FileNotFoundError, match="pictures/album"):
        bucket.night("mass_deletion")
    assert bucket.found(photo(3))[0]["key"] == "class3/03.jpg"


def test_what_a_bucket_holds_is_pinned_as_a_folder_is(bucket: Bucket) -> None:
    ledger = bucket.night(pin=True)
    assert ledger.promoted
    lineage = Searcher(bucket.store, *resolve(bucket.store, "toy")).lineage
    assert len(lineage.pin) >= 32
