"""The descriptor cache: what was written is found again, duplicates and merges change nothing."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from data.descriptors import SAID, DamagedPart, DescriptorCache, descriptor_schema
from data.store import Store

WIDTH = 4
SCHEMA = descriptor_schema(pa.float16(), WIDTH)


def digest(i: int) -> str:
    return hashlib.sha256(str(i).encode()).hexdigest()


def rows(*good: int, bad: tuple[int, ...] = (), decoder: str = "d1") -> pa.Table:
    """Rows of the images GOOD, whose vectors hold their numbers, then of those BAD."""
    values = [np.full(WIDTH, i, np.float16) for i in good]
    return pa.table(
        [
            [digest(i) for i in (*good, *bad)],
            pa.array([*values, *[None] * len(bad)], SCHEMA.field("vector").type),
            [""] * len(good) + ["truncated"] * len(bad),
            [""] * len(good) + [decoder] * len(bad),
        ],
        schema=SCHEMA,
    )


def digests(*images: int) -> pa.Array:
    return pa.array([digest(i) for i in images], pa.string())


def vectors(cache: DescriptorCache, *images: int) -> dict[str, float]:
    """The first number of each vector that is found, by digest."""
    found: dict[str, float] = {}
    for batch in cache.read(digests(*images)):
        assert batch.schema.names == ["digest", "vector"]
        for row in batch.to_pylist():
            assert row["digest"] not in found
            found[row["digest"]] = row["vector"][0]
    return found


@pytest.fixture
def cache(store: Store) -> DescriptorCache:
    return DescriptorCache(store, "e" * 64)


def test_an_empty_cache_knows_nothing(cache: DescriptorCache) -> None:
    assert cache.known(digests(1, 2)).equals(SAID.empty_table())
    assert list(cache.read(digests(1, 2))) == []
    assert cache.merge(1) == 0


def test_what_was_written_is_known_and_read_and_nothing_else(cache: DescriptorCache) -> None:
    cache.write("a", rows(1, 2, bad=(3,)))
    cache.write("b", rows(4))
    known = cache.known(digests(4, 3, 9, 1, 1))
    assert known.schema == SAID
    assert known.to_pylist() == [
        {"digest": digest(4), "reason": "", "decoder": ""},
        {"digest": digest(3), "reason": "truncated", "decoder": "d1"},
        {"digest": digest(1), "reason": "", "decoder": ""},
    ]
    assert vectors(cache, 4, 3, 9, 1, 1) == {digest(1): 1.0, digest(4): 4.0}


@example(parts=[(set(), set(), "x")], wanted=[0])
@given(
    parts=st.lists(
        st.tuples(st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)), st.sampled_from("xy")),
        max_size=6,
    ),
    wanted=st.lists(st.integers(0, 12)),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cache_answers_like_a_dictionary_before_and_after_a_merge(
    tmp_path_factory: pytest.TempPathFactory,
    parts: list[tuple[set[int], set[int], str]],
    wanted: list[int],
) -> None:
    cache = DescriptorCache(Store(str(tmp_path_factory.mktemp("store"))), "e")
    good: set[int] = set()
    bad: set[tuple[int, str]] = set()
    for i, (taken, refused, decoder) in enumerate(parts):
        cache.write(f"p{i}", rows(*taken, bad=tuple(refused - taken), decoder=decoder))
        good |= taken
        bad |= {(image, decoder) for image in refused - taken}
    for _ in range(2):
        known = {row["digest"]: row["reason"] for row in cache.known(digests(*wanted)).to_pylist()}
        assert {d for d, reason in known.items() if not reason} == set(
            map(digest, good & {*wanted})
        )
        assert set(known) == {
            digest(i) for i in wanted if i in good or (i, "x") in bad or (i, "y") in bad
        }
        under_x = cache.known(digests(*wanted), decoder="x")["digest"].to_pylist()
        assert set(under_x) == {digest(i) for i in wanted if i in good or (i, "x") in bad}
        assert vectors(cache, *wanted) == {digest(i): i for i in good & {*wanted}}
        assert cache.merge(1) <= max(1, len(parts))


def test_a_good_row_counts_before_a_bad_one_of_an_earlier_part(cache: DescriptorCache) -> None:
    cache.write("a", rows(bad=(1,)))
    cache.write("b", rows(1))
    assert cache.known(digests(1))["reason"].to_pylist() == [""]
    assert vectors(cache, 1) == {digest(1): 1.0}


def test_the_first_part_by_name_wins_whichever_was_written_first(cache: DescriptorCache) -> None:
    other = rows(1).set_column(1, SCHEMA.field(1), pa.array([[7.0] * WIDTH], SCHEMA.field(1).type))
    cache.write("b", rows(1))
    cache.write("a", other)
    assert vectors(cache, 1) == {digest(1): 7.0}
    cache.merge(1)
    assert vectors(cache, 1) == {digest(1): 7.0}


def test_the_same_part_twice_is_the_same_file(cache: DescriptorCache) -> None:
    cache.write("a", rows(1, 2))
    path = Path(cache.store.uri(f"{cache.folder}/a.arrow"))
    before = path.read_bytes()
    cache.write("a", rows(1, 2))
    assert (path.read_bytes(), cache.parts()) == (before, ["a"])


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".a", "a b"])
def test_a_part_is_named_plainly(cache: DescriptorCache, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be named"):
        cache.write(name, rows(1))


def test_rows_that_are_no_part_are_refused(cache: DescriptorCache) -> None:
    with pytest.raises(ValueError, match="vector column"):
        cache.write("a", rows(1).drop_columns(["vector"]))
    with pytest.raises(ValueError, match="columns must be"):
        cache.write("a", rows(1).drop_columns(["decoder"]))
    both = rows(1).set_column(2, SCHEMA.field(2), pa.array(["truncated"]))
    with pytest.raises(ValueError, match="never both"):
        cache.write("a", both)
    neither = rows(bad=(1,)).set_column(2, SCHEMA.field(2), pa.array([""]))
    with pytest.raises(ValueError, match="never both"):
        cache.write("a", neither)


@pytest.mark.parametrize("damage", [lambda b: b[:-20], lambda b: b"", lambda b: b"x" * len(b)])
def test_a_damaged_part_is_named_with_what_to_do(cache: DescriptorCache, damage: object) -> None:
    cache.write("a", rows(1))
    cache.write("b", rows(2))
    path = Path(cache.store.uri(f"{cache.folder}/b.arrow"))
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(DamagedPart, match=r"b\.arrow is damaged .* Delete it and run again"):
        cache.known(digests(1))
    path.unlink()
    assert vectors(cache, 1, 2) == {digest(1): 1.0}


def test_a_merge_leaves_alone_what_is_few_enough(cache: DescriptorCache) -> None:
    cache.write("a", rows(1))
    cache.write("b", rows(2))
    assert cache.merge(2) == 2
    assert cache.parts() == ["a", "b"]


def test_a_merge_folds_in_bounded_pieces(
    cache: DescriptorCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(6):
        cache.write(f"p{i}", rows(i))
    size = Path(cache.store.uri(f"{cache.folder}/p0.arrow")).stat().st_size
    monkeypatch.setattr("data.descriptors.MERGED_BYTES", 3 * size)
    assert cache.merge(3) == 2
    assert vectors(cache, *range(6)) == {digest(i): i for i in range(6)}


@pytest.mark.parametrize("deleted", range(4))
def test_a_merge_killed_among_its_deletions_has_lost_no_row(store: Store, deleted: int) -> None:
    cache = DescriptorCache(store, "e")
    for i in range(4):
        cache.write(f"p{i}", rows(i, bad=(10 + i,)))
    program = f"""
import os, signal
from data.descriptors import DescriptorCache
from data.store import Store
delete, left = Store.delete, [{deleted}]
def lethal(self, name):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    delete(self, name)
Store.delete = lethal
DescriptorCache(Store({store.root!r}), "e").merge(1)
"""
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": root})
    assert done.returncode == -9
    assert len(cache.parts()) == 5 - deleted
    assert vectors(cache, *range(4)) == {digest(i): i for i in range(4)}
    assert cache.merge(1) == 1
    assert vectors(cache, *range(4)) == {digest(i): i for i in range(4)}
    assert len(cache.known(digests(*range(20)))) == 8


def test_parts_merged_away_while_one_reads_are_found_in_the_new_one(
    cache: DescriptorCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.descriptors.LOOKUP_ROWS", 1)
    monkeypatch.setattr("data.parts.BATCH_ROWS", 1)
    for i in range(5):
        cache.write(f"p{i}", rows(i))
    reader: Iterator[pa.RecordBatch] = cache.read(digests(*range(5)))
    first = next(reader)
    cache.merge(1)
    found = [*first["digest"].to_pylist(), *(d for b in reader for d in b["digest"].to_pylist())]
    assert sorted(found) == sorted(map(digest, range(5)))


def test_the_vectors_of_many_images_come_in_batches(
    cache: DescriptorCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.descriptors.BATCH_ROWS", 8)
    monkeypatch.setattr("data.parts.BATCH_ROWS", 8)
    cache.write("a", rows(*range(20)))
    cache.write("b", rows(*range(20, 50)))
    assert max(len(batch) for batch in cache.read(digests(*range(50)))) < 16
    assert len(vectors(cache, *range(50))) == 50


@pytest.mark.parametrize("small", [0, 2**20], ids=["by column", "whole"])
def test_a_cache_that_is_no_local_folder_answers_the_same(
    small: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("data.parts.SMALL_BYTES", small)
    cache = DescriptorCache(Store(f"memory://{tmp_path.name}-{small}"), "e")
    cache.write("a", rows(1, 2, bad=(3,)))
    cache.write("b", rows(2, 4))
    assert cache.known(digests(1, 3, 5))["reason"].to_pylist() == ["", "truncated"]
    assert vectors(cache, 1, 2, 3, 4) == {digest(i): i for i in (1, 2, 4)}
    assert cache.merge(1) == 1
    assert vectors(cache, 1, 2, 3, 4) == {digest(i): i for i in (1, 2, 4)}
