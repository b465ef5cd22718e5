"""What lacks a descriptor, against a plain set; comparing bucket by bucket changes nothing."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import data.digests
from data.descriptors import DescriptorCache, descriptor_schema
from data.manifest import MANIFEST, manifest
from data.store import Store
from tasks.pictures import PICTURES, missing

SCHEMA = descriptor_schema(pa.float32(), 1)

row_of = st.fixed_dictionaries(
    {
        "digest": st.integers(0, 15),
        "shard": st.sampled_from(["", "s1", "s2"]),
        "offset": st.integers(0, 9),
        "state": st.sampled_from(["live", "live", "live", "removed", "quarantined"]),
    }
)
said_of = st.tuples(st.integers(0, 20), st.sampled_from(["", "", "bad"]))


@pytest.fixture(autouse=True, scope="module")
def small_buckets() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data.digests, "BUCKET", 4)
        yield


def digest(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(row_of, min_size=1, max_size=25), st.lists(st.lists(said_of, max_size=9)))
def test_missing_are_the_live_without_a_good_row_once_each_where_they_lie_first(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, Any]],
    parts: list[list[tuple[int, str]]],
) -> None:
    store = Store(str(tmp_path_factory.mktemp("store")))
    said = [
        {**row, "key": f"k{i}", "digest": digest(row["digest"]), "size": 1, "mtime": 0, "length": 7}
        | {"etag": "", "uri": ""}
        for i, row in enumerate(rows)
    ]
    table = manifest(store, "d")
    staged = table.stage(pa.Table.from_pylist(said, schema=MANIFEST))
    version = table.commit(None, staged, np.empty(0, np.uint64), {"run": "test"}).version
    cache = DescriptorCache(store, "e" * 64)
    for number, part in enumerate(parts):
        says = [
            {"digest": digest(which), "vector": None if reason else [1.0], "reason": reason}
            | {"decoder": reason and "a decoder"}
            for which, reason in part
        ]
        cache.write(f"part-{number}", pa.Table.from_pylist(says, SCHEMA))
    good = {digest(which) for part in parts for which, reason in part if not reason}
    places: dict[str, tuple[str, int]] = {}
    for row in said:
        if row["state"] == "live" and row["shard"] and row["digest"] not in good:
            place = (row["shard"], row["offset"])
            places[row["digest"]] = min(place, places.get(row["digest"], place))
    found = missing(store, "d", int(version), cache.encoder)
    assert found.schema == PICTURES
    at = list(zip(found["shard"].to_pylist(), found["offset"].to_pylist(), strict=True))
    assert at == sorted(places.values())
    assert dict(zip(found["digest"].to_pylist(), at, strict=True)) == places
