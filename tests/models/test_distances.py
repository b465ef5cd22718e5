"""Exact neighbours, a chunk of the gallery at a time, against distances computed pair by pair."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.aggregation.rows import EMPTY
from models.distances import Metric, Nearest, between, of_pairs, prepared

Array = np.ndarray[Any, np.dtype[Any]]


def oracle(a: Array, b: Array, metric: Metric) -> float:
    """The distance of two stored rows by its definition."""
    if metric == "asmk":
        one, other = words_of(a), words_of(b)
        total = 0.0
        for word in one.keys() & other.keys():
            agree = sum(x == y for x, y in zip(one[word], other[word], strict=True))
            cosine = (2 * agree - len(one[word])) / len(one[word])
            total += cosine**3 if cosine > 0 else 0.0
        return 1 - total / np.sqrt(max(1, len(one)) * max(1, len(other)))
    if metric == "hamming":
        return sum(int(x ^ y).bit_count() for x, y in zip(a.tolist(), b.tolist(), strict=True))
    x, y = a.astype(float), b.astype(float)
    norm = np.sqrt((x**2).sum()) * np.sqrt((y**2).sum())
    return float(1 - (x * y).sum() / norm) if norm else 1.0


def words_of(row: Array) -> dict[int, list[int]]:
    """The bits of each visual word of a row, read value by value."""
    length, *values = row.tolist()
    slots = [values[at : at + length] for at in range(0, len(values), length)]
    return {
        slot[0]: [value >> bit & 1 for value in slot[1:] for bit in range(15, -1, -1)]
        for slot in slots
        if slot[0] != EMPTY
    }


def rows(metric: Metric, n: int, seed: int, width: int = 6) -> Array:
    """N rows; of visual words, two slots of 32 bits each, out of five words."""
    rng = np.random.default_rng(seed)
    if metric == "asmk":
        found = np.full((n, 7), 3, np.uint16)
        for row in found:
            row[1:] = rng.integers(0, 2**16, 6, dtype=np.uint16) | 0x3FFF
            row[[1, 4]] = np.sort(rng.choice(5, 2, replace=False))
            if rng.random() < 0.3:
                row[4:] = EMPTY
        return found
    if metric == "hamming":
        return rng.integers(0, 256, (n, width), dtype=np.uint8)
    return rng.standard_normal((n, width)).astype(np.float16)


@pytest.mark.parametrize("metric", ["cosine", "hamming", "asmk"])
def test_distances_are_those_of_the_definition(metric: Metric) -> None:
    a, b = rows(metric, 7, 1), rows(metric, 9, 2)
    found = between(prepared(a, metric), prepared(b, metric), metric)
    expected = [[oracle(x, y, metric) for y in b] for x in a]
    assert found == pytest.approx(np.array(expected), abs=1e-6)
    assert found.dtype == np.float32
    assert (found >= 0).all()


@pytest.mark.parametrize("metric", ["cosine", "hamming", "asmk"])
def test_distances_of_pairs_are_those_of_the_definition(metric: Metric) -> None:
    a, b = rows(metric, 9, 1), rows(metric, 9, 2)
    found = of_pairs(prepared(a, metric), prepared(b, metric), metric)
    expected = [oracle(x, y, metric) for x, y in zip(a, b, strict=True)]
    assert found == pytest.approx(np.array(expected), abs=1e-6)
    assert found.dtype == np.float32
    assert not of_pairs(prepared(a, metric), prepared(a, metric), metric).round(6).any()


def test_a_row_is_at_no_distance_from_itself_and_a_zero_row_at_one_from_all() -> None:
    some = prepared(rows("cosine", 3, 0), "cosine")
    assert np.diag(between(some, some, "cosine")) == pytest.approx(np.zeros(3), abs=1e-6)
    zero = prepared(np.zeros((1, 6), np.float32), "cosine")
    assert between(zero, some, "cosine") == pytest.approx(np.ones((1, 3)))


def test_the_length_of_a_vector_does_not_matter() -> None:
    some = rows("cosine", 4, 3).astype(np.float32)
    assert prepared(some * 7, "cosine") == pytest.approx(prepared(some, "cosine"))


def test_vectors_that_are_not_numbers_are_refused() -> None:
    broken = np.array([[1.0, np.nan], [1.0, 2.0], [np.inf, 0.0]])
    with pytest.raises(ValueError, match="2 of 3 vectors hold NaN"):
        prepared(broken, "cosine")
    with pytest.raises(ValueError, match=r"must be \(N, W\) but are \(2,\)"):
        prepared(broken[0], "cosine")


@pytest.mark.parametrize("metric", ["cosine", "hamming", "asmk"])
@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=6),
    k=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_the_nearest_are_those_of_a_full_sort_however_it_is_cut(
    metric: Metric, sizes: list[int], k: int, seed: int
) -> None:
    gallery, asked = rows(metric, sum(sizes), seed, 2), rows(metric, 3, seed + 100, 2)
    left = prepared(asked, metric)
    whole = between(left, prepared(gallery, metric), metric)
    nearest = Nearest(3, k)
    for end, size in zip(np.cumsum(sizes), sizes, strict=True):
        nearest.see(whole[:, end - size : end])
    found, apart, marks = nearest.found()
    for q in range(3):
        order = sorted(range(len(gallery)), key=lambda n: (whole[q, n], n))[:k]
        assert found[q].tolist() == order + [-1] * (k - len(order))
        assert apart[q, : len(order)].tolist() == whole[q, order].tolist()
        assert np.isinf(apart[q, len(order) :]).all()
    assert not marks.any()


def test_ties_go_to_whom_the_caller_says_wherever_the_row_lies() -> None:
    ties = np.array([5, 3, 9, 1], np.uint32)
    found = []
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        nearest = Nearest(1, 2)
        for row in order:
            nearest.see(np.full((1, 1), 0.5, np.float32), ties[[row]])
        found.append([order[n] for n in nearest.found()[0][0]])
    assert found == [[3, 1]] * 3


def test_what_is_excluded_is_never_an_answer_and_marks_stay_with_their_rows() -> None:
    apart = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]], np.float32)
    excluded = np.array([[True, False, False], [False, False, False]])
    marks = np.array([[True, False, True], [False, False, True]])
    nearest = Nearest(2, 3)
    nearest.see(apart, excluded=excluded, marks=marks)
    rows, distances, kept = nearest.found()
    assert rows.tolist() == [[1, 2, -1], [2, 1, 0]]
    assert kept.tolist() == [[False, True, False], [True, False, False]]
    assert np.isinf(distances[0, 2])


def test_fewer_than_one_neighbour_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Nearest(1, 0)
