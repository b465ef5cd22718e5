"""The manifest: rows found by any key, digests found by bisection, shards published in order."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data.manifest import (
    MANIFEST,
    RESOLVED,
    held_digests,
    manifest,
    publish,
    row,
    sidecar,
)
from data.sample import LISTING
from data.store import Store
from data.tables import RUN
from data.workspace import known_digests, snapshot

NOTHING = np.empty(0, np.uint64)
KEYS = ["a'b\\\"; DROP", "plain", "ü/日本.jpg", "x' OR '1'='1", "%_", ""]


def image(key: str, **says: Any) -> dict[str, Any]:
    empty = {
        field.name: "" if pa.types.is_string(field.type) else 0
        for field in MANIFEST
        if not pa.types.is_list(field.type)
    }
    digest = hashlib.sha256(key.encode()).hexdigest()
    return {**empty, "key": key, "digest": digest, "state": "live", "shard": "s", **says}


@pytest.fixture
def write(store: Store) -> Callable[[list[dict[str, Any]]], int]:
    """Appends rows to the manifest of `pictures`; returns the version that makes."""

    def commit(rows: list[dict[str, Any]]) -> int:
        table = manifest(store, "pictures")
        staged = table.stage(pa.Table.from_pylist(rows, MANIFEST))
        return int(table.commit(table.latest(), staged, NOTHING, {RUN: "a run"}).version)

    return commit


def test_the_manifest_begins_with_the_listing_and_keeps_the_contract() -> None:
    assert MANIFEST.names[: len(LISTING)] == LISTING.names
    assert MANIFEST.names[len(LISTING) :] == [
        *("digest", "shard", "offset", "length", "width", "height"),
        *("state", "reason", "decoder", "meta", "since", "run"),
    ]


@pytest.mark.parametrize("key", KEYS)
def test_any_key_finds_its_own_row(store: Store, write: Callable[..., int], key: str) -> None:
    write([image(name) for name in KEYS if name])
    found = row(store, "pictures", key)
    assert (found and found["key"]) == (key or None)


def test_a_row_is_found_as_an_older_version_has_it(store: Store, write: Callable[..., int]) -> None:
    first = write([image("a")])
    write([image("b")])
    assert row(store, "pictures", "b", first) is None
    assert (row(store, "pictures", "b") or {})["key"] == "b"
    with pytest.raises(FileNotFoundError, match="version 9"):
        row(store, "pictures", "b", 9)


def test_a_dataset_that_was_never_written_has_no_row(store: Store) -> None:
    assert row(store, "pictures", "a") is None


def test_held_digests_are_those_with_bytes_whatever_their_state(
    store: Store, write: Callable[..., int], tmp_path: Path
) -> None:
    write([image(f"{i}") for i in range(300)])
    version = write([image("gone", state="removed"), image("bad", state="quarantined", shard="")])
    expected = [image(f"{i}")["digest"] for i in range(300)] + [image("gone")["digest"]]
    mapped = tmp_path / "digests.npy"
    taken = snapshot(store, "pictures", tmp_path).path
    with held_digests(store, "pictures", version) as held:
        in_memory = held.digests()
    for digests in (
        in_memory,
        known_digests(store, "pictures", version, mapped),
        known_digests(store, "pictures", version, mapped),
        known_digests(store, "pictures", version, tmp_path / "elsewhere" / "digests.npy"),
        known_digests(store, "pictures", version, taken.with_name("digests.npy")),
    ):
        assert len(digests) == 301
        assert all(digest in digests for digest in expected)
        assert image("bad")["digest"] not in digests
    assert mapped.is_file()
    assert len(held_digests(store, "pictures", 0)) == 0


def test_a_snapshot_stays_what_it_was(
    store: Store, write: Callable[..., int], tmp_path: Path
) -> None:
    version = write([image("a"), image("b")])
    taken = snapshot(store, "pictures", tmp_path)
    write([image("c")])
    assert snapshot(store, "pictures", tmp_path) == taken
    assert taken.version == version
    rows = pa.parquet.read_table(taken.path)
    assert rows["key"].to_pylist() == ["a", "b"]
    address = rows["address"].to_numpy()
    table = manifest(store, "pictures")
    after = table.commit(table.latest(), [], address[:1], {RUN: "another"})
    assert sorted(after.to_table()["key"].to_pylist()) == ["b", "c"]


def test_a_shard_without_images_is_only_its_sidecar(store: Store) -> None:
    rows = pa.Table.from_pylist([{"key": "bad", "shard": "", "state": "quarantined"}], RESOLVED)
    publish(store, "pictures", "empty", io.BytesIO(b"nothing"), rows)
    assert store.names("shards/pictures") == ["empty.arrow"]
    assert (sidecar(store, "pictures", "empty") or rows.slice(1)).equals(rows)
    assert sidecar(store, "pictures", "other") is None


def test_the_sidecar_comes_after_its_tar(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    replacing, write = Store.replacing, Store.write

    def watched_tar(self: Store, name: str) -> Any:
        written.append(name)
        return replacing(self, name)

    def watched_sidecar(self: Store, name: str, content: bytes) -> None:
        assert self.exists("shards/pictures/full.tar")
        written.append(name)
        write(self, name, content)

    monkeypatch.setattr(Store, "replacing", watched_tar)
    monkeypatch.setattr(Store, "write", watched_sidecar)
    rows = pa.Table.from_pylist([{"key": "a", "shard": "full", "state": "live"}], RESOLVED)
    publish(store, "pictures", "full", io.BytesIO(b"a tar"), rows)
    assert written[:2] == ["shards/pictures/full.tar", "shards/pictures/full.arrow"]
    assert store.read("shards/pictures/full.tar") == b"a tar"
