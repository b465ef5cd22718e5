"""What stands in an index more than once, against loops over all its rows."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from data.indexes import ANN, VECTOR, index_schema, index_table
from data.store import Store
from models.distances import Metric
from tasks import pairs
from tasks.duplicates import Crossing, Duplicates, duplicates
from tasks.health import has_ann

WIDTH = 4
TABLE = "d-000000000000"
Array = np.ndarray[Any, np.dtype[Any]]
Row = tuple[str, str, Array]
"""Of an image: its bytes, its split, its descriptor."""

VALUES = {"cosine": pa.float32(), "hamming": pa.uint8()}
SPLITS = ("", "test", "train")


def held(home: Path, rows: list[Row], metric: Metric) -> tuple[Store, str, int]:
    """An index version of ROWS, with the keys ``k0``, ``k1`` and so on."""
    width = len(rows[0][2]) if rows else WIDTH
    schema = index_schema(VALUES[metric], width, "0" * 64)
    store = Store(str(home))
    table = index_table(store, TABLE, schema)
    said = [
        {
            "key": f"k{number}",
            "digest": hashlib.sha256(content.encode()).hexdigest(),
            "split": split or None,
            "vector": vector.tolist(),
        }
        for number, (content, split, vector) in enumerate(rows)
    ]
    none = np.empty(0, np.uint64)
    staged = table.stage(pa.Table.from_pylist(said, schema=schema))
    return store, TABLE, int(table.commit(None, staged, none, {"run": "1"}).version)


def distance(a: Array, b: Array, metric: Metric) -> float:
    """The distance of two descriptors by its definition."""
    if metric == "hamming":
        return sum((x ^ y).bit_count() for x, y in zip(a.tolist(), b.tolist(), strict=True))
    norm = float(np.linalg.norm(a.astype(float)) * np.linalg.norm(b.astype(float)))
    return 1 - float(a.astype(float) @ b.astype(float)) / norm if norm else 1.0


def oracle(rows: list[Row], metric: Metric, bound: float) -> dict[str, Any]:
    """Groups as sets of keys, the copies by bytes, and what splits share, in loops."""
    places = range(len(rows))
    same = {(a, b) for a in places for b in places if a != b and rows[a][0] == rows[b][0]}
    near = same | {
        (a, b)
        for a in places
        for b in places
        if a != b and distance(rows[a][2], rows[b][2], metric) <= bound
    }
    groups = [{place} for place in places]
    for a, b in near:
        one, other = (next(g for g in groups if place in g) for place in (a, b))
        if one is not other:
            groups.remove(other)
            one |= other
    shared = {
        (mine, theirs): tuple(
            len({a for a, b in by if rows[a][1] == mine and rows[b][1] == theirs})
            for by in (same, near)
        )
        for mine in SPLITS
        for theirs in SPLITS
        if mine != theirs
    }
    return {
        "groups": sorted(sorted(group) for group in groups if len(group) > 1),
        "same": len({a for a, _ in same}),
        "shared": {pair: counts for pair, counts in shared.items() if counts[1]},
    }


def agrees(found: Duplicates, rows: list[Row], metric: Metric, bound: float) -> None:
    """Hold FOUND, of which all groups were asked for, to the loops."""
    wanted = oracle(rows, metric, bound)
    groups = [sorted(int(key[1:]) for key in group.keys) for group in found.groups]
    assert sorted(groups) == wanted["groups"]
    assert found.images == len(rows)
    assert found.same_images == wanted["same"]
    mixed = [one for one in wanted["groups"] if len({rows[place][0] for place in one}) > 1]
    assert (found.near_groups, found.near_images) == (len(mixed), sum(map(len, mixed)))
    shared = {(one.split, one.other): (one.same, one.near) for one in found.crossings}
    assert shared == wanted["shared"]
    sizes = {split: sum(row[1] == split for row in rows) for split in SPLITS}
    assert all(one.images == sizes[one.split] for one in found.crossings)
    for group, places in zip(found.groups, groups, strict=True):
        vectors = [rows[place][2] for place in places]
        apart = max(distance(a, b, metric) for a in vectors for b in vectors)
        assert group.apart == pytest.approx(apart, abs=1e-5)
        assert group.contents == len({rows[place][0] for place in places})
        assert group.splits == tuple(sorted({rows[place][1] for place in places}))
        assert group.size == len(places)
    order = [(len(group.splits) < 2, -group.size, int(group.keys[0][1:])) for group in found.groups]
    assert order == sorted(order)


drawn = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(SPLITS), st.integers(0, 4)), max_size=18
)


@settings(max_examples=40)
@given(drawn, st.sampled_from(["cosine", "hamming"]), st.integers(1, 7), st.integers(0, 6))
def test_groups_and_crossings_are_those_of_loops(
    tmp_path_factory: pytest.TempPathFactory,
    images: list[tuple[int, str, int]],
    metric: Metric,
    chunk: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    if metric == "hamming":
        bound, of = 2.0, rng.integers(0, 4, (10, WIDTH)).astype(np.uint8)
    else:
        bound, of = 0.2, rng.integers(-1, 2, (10, WIDTH)).astype(np.float32)
    rows = [(str(content), split, of[content]) for content, split, _ in images]
    apart = [distance(a, b, metric) for _, _, a in rows for _, _, b in rows]
    assume(metric == "hamming" or all(abs(one - bound) > 1e-5 for one in apart))
    place = held(tmp_path_factory.mktemp("index"), rows, metric)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "CHUNK", chunk)
        patch.setattr(pairs, "BLOCK", 3)
        found = duplicates(*place, bound, limit=100)
    assert found.exact
    agrees(found, rows, metric, bound)


def clustered(metric: Metric, families: int, each: int) -> list[Row]:
    """FAMILIES of EACH images that lie close together, the families far apart."""
    rng = np.random.default_rng(5)
    rows = []
    for family in range(families):
        centre = rng.integers(0, 256, 32, dtype=np.uint8)
        if metric == "cosine":
            centre = rng.standard_normal(32).astype(np.float32)
        for one in range(each):
            vector = centre.copy()
            vector[one] = vector[one] ^ 1 if metric == "hamming" else vector[one] + 0.05
            rows.append((f"{family}/{one}", SPLITS[1 + one % 2], vector))
    return rows


@pytest.mark.parametrize("metric", ["cosine", "hamming"])
def test_what_an_ann_index_finds_is_what_comparing_every_pair_finds(
    tmp_path: Path, metric: Metric
) -> None:
    rows = clustered(metric, 150, 3)
    store, table, version = held(tmp_path, rows, metric)
    bound = {"cosine": 0.02, "hamming": 4.0}[metric]
    exact = duplicates(store, table, version, bound, limit=1000)
    agrees(exact, rows, metric, bound)
    dataset = index_table(store, table).open(version)
    dataset.create_index(VECTOR, "IVF_FLAT", name=ANN, metric=metric, num_partitions=4)
    assert has_ann(dataset)
    version = dataset.version
    asked = duplicates(store, table, version, bound, limit=1000)
    assert not asked.exact
    assert asked.groups == exact.groups
    assert asked.crossings == exact.crossings
    assert duplicates(store, table, version, bound, limit=1000, exact=True).exact


def test_an_encoder_that_sees_no_difference_makes_one_group_whose_first_are_named(
    tmp_path: Path,
) -> None:
    vector = np.ones(WIDTH, np.float32)
    rows = [(str(number), "train", vector) for number in range(1500)]
    found = duplicates(*held(tmp_path, rows, "cosine"), 0.1)
    (group,) = found.groups
    assert (group.size, group.contents, len(group.keys)) == (1500, 1500, 20)
    assert group.apart == pytest.approx(0, abs=1e-6)
    assert (found.near_images, found.near_groups, found.same_images) == (1500, 1, 0)
    assert found.crossings == ()


def test_groups_are_counted_beyond_those_that_are_shown(tmp_path: Path) -> None:
    rows = [
        (str(n // 2), SPLITS[1 + (n > 15)], np.eye(10, dtype=np.float32)[n // 2]) for n in range(20)
    ]
    found = duplicates(*held(tmp_path, rows, "cosine"), 0.1, limit=3)
    assert found.same_groups == 10
    assert [group.keys for group in found.groups] == [("k0", "k1"), ("k2", "k3"), ("k4", "k5")]
    assert duplicates(*held(tmp_path / "b", rows, "cosine"), 0.1, limit=0).groups == ()


def test_the_same_bytes_in_two_splits_are_a_crossing_from_either(tmp_path: Path) -> None:
    far = np.eye(4, dtype=np.float32)
    rows = [("a", "train", far[0]), ("a", "test", far[0]), ("a", "test", far[0])]
    rows += [("b", "test", far[1]), ("c", "train", far[2])]
    assert duplicates(*held(tmp_path, rows, "cosine"), 0.1).crossings == (
        Crossing("test", 3, "train", 2, 2),
        Crossing("train", 2, "test", 1, 1),
    )


def test_an_empty_index_holds_nothing_twice(tmp_path: Path) -> None:
    found = duplicates(*held(tmp_path, [], "hamming"), 1)
    assert (found.images, found.groups, found.crossings) == (0, (), ())


@pytest.mark.parametrize(("metric", "least"), [("cosine", 1.0), ("hamming", 16.0)])
def test_a_threshold_that_says_nothing_is_refused(
    tmp_path: Path, metric: Metric, least: float
) -> None:
    place = held(tmp_path, [("a", "", np.ones(WIDTH, np.uint8))], metric)
    for wrong in (least, -0.1, float("nan")):
        with pytest.raises(ValueError, match=f"by {metric} distance of {TABLE} it is 0 or more"):
            duplicates(*place, wrong)


def test_without_a_threshold_a_version_that_nobody_sealed_says_nothing(tmp_path: Path) -> None:
    place = held(tmp_path, [("a", "", np.ones(WIDTH, np.float32))], "cosine")
    with pytest.raises(ValueError, match="never sealed, so nothing made it: name a threshold"):
        duplicates(*place)
