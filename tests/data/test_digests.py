"""Digests: a set is a set, whether it is sorted whole or a bucket at a time."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import data.digests
from data.digests import Buckets, Digests, halves_of

CONTENTS = st.lists(st.binary(min_size=1, max_size=2), max_size=60)


@pytest.fixture(autouse=True, scope="module")
def small_buckets() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data.digests, "BUCKET", 5)
        yield


def digests_of(contents: list[bytes]) -> pa.Array:
    return pa.array([hashlib.sha256(content).hexdigest() for content in contents], pa.string())


def taken(contents: list[bytes], buckets: Buckets) -> Buckets:
    """BUCKETS with the digests of CONTENTS, which came in two batches, one of them a slice."""
    digests = digests_of(contents)
    for batch in (digests[: len(digests) // 2], digests[len(digests) // 2 :]):
        buckets.add(batch)
    return buckets


@given(CONTENTS, CONTENTS)
def test_digests_are_a_set(contents: list[bytes], asked: list[bytes]) -> None:
    with taken(contents, Buckets(len(contents))) as buckets:
        found = buckets.digests()
    assert len(found) == len(contents)
    expected = [content in contents for content in asked]
    assert [digest.as_py() in found for digest in digests_of(asked)] == expected
    assert found.holds(halves_of(digests_of(asked))).tolist() == expected


@given(CONTENTS)
def test_buckets_give_what_sorting_all_at_once_gives(contents: list[bytes]) -> None:
    expected = np.sort(halves_of(digests_of(contents))[0])
    with taken(contents, Buckets(len(contents))) as buckets:
        parts = list(buckets)
        assert len(parts) == len(contents) // 5 + 1
        assert np.array_equal(np.concatenate([part.halves[0] for part in parts]), expected)
        pairs = {tuple(pair) for pair in buckets.digests().halves.T.tolist()}
    assert pairs == {tuple(pair) for pair in halves_of(digests_of(contents)).T.tolist()}


@given(CONTENTS, CONTENTS)
def test_sets_of_one_size_can_be_compared_a_bucket_at_a_time(
    contents: list[bytes], others: list[bytes]
) -> None:
    with taken(contents, Buckets(40)) as some, taken(others, Buckets(40)) as more:
        missing = sum(
            int((~there.holds(asked.halves)).sum()) for asked, there in zip(some, more, strict=True)
        )
    assert missing == sum(content not in others for content in contents)


@pytest.mark.parametrize("count", [0, 1, 30])
def test_a_saved_set_is_the_set(count: int, tmp_path: Path) -> None:
    path = tmp_path / "digests.npy"
    with taken([b"%d" % number for number in range(count)], Buckets(count)) as buckets:
        buckets.save(path)
        expected = buckets.digests().halves
    assert np.array_equal(np.load(path, mmap_mode="r"), expected)
    assert [left.name for left in tmp_path.iterdir()] == ["digests.npy"]


def test_digests_that_share_their_first_half_are_told_apart() -> None:
    first = "00000000000000ff"
    found = Digests(np.array([[255, 255, 255], [1, 5, 3]], np.uint64))
    for second in range(1, 7):
        digest = f"{first}{second:016x}{'0' * 32}"
        expected = second in (1, 3, 5)
        assert (digest in found) == expected
        assert found.holds(halves_of(pa.array([digest]))).tolist() == [expected]
