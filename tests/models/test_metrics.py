"""Measures of a ranking against the definitions as loops, and exact expectations under ties."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models import metrics

Array = np.ndarray[Any, np.dtype[Any]]

GOLDEN = np.array([[1, 0, 0, 1, 0, 0, 1, 0, 1, 0]], bool)
"""The ranking that the public implementations were compared on; four relevant items in all."""

hits = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))


def oracle_ap(row: Array, relevant: int, normalisation: str) -> float:
    """Average precision as the papers write it."""
    total, found = 0.0, 0
    for rank, hit in enumerate(row, start=1):
        if hit:
            found += 1
            total += found / rank
    by = {"hits": found, "min": min(relevant, len(row)), "R": relevant}[normalisation]
    return total / by if by else 0.0


@pytest.mark.parametrize(
    ("k", "normalisation", "value"),
    [
        (3, "hits", 1.0),
        (3, "min", 0.333333),
        (3, "R", 0.25),
        (5, "hits", 0.75),
        (5, "min", 0.375),
        (5, "R", 0.375),
        (10, "hits", 0.593254),
        (10, "min", 0.593254),
        (10, "R", 0.593254),
    ],
)
def test_average_precision_of_the_golden_ranking(
    k: int, normalisation: metrics.Normalisation, value: float
) -> None:
    found = metrics.average_precision(GOLDEN[:, :k], np.array([4]), normalisation)
    assert found[0] == pytest.approx(value, abs=1e-6)


@given(hits, st.sampled_from(["hits", "min", "R"]), st.integers(0, 5))
def test_average_precision_is_the_loop_and_stays_within_0_and_1(
    ranking: Array, normalisation: metrics.Normalisation, beyond: int
) -> None:
    relevant = ranking.sum(axis=1) + beyond
    found = metrics.average_precision(ranking, relevant, normalisation)
    for row, total, value in zip(ranking, relevant, found, strict=True):
        if total == 0:
            assert math.isnan(value)
        else:
            assert value == pytest.approx(oracle_ap(row, int(total), normalisation))
            assert 0 <= value <= 1 + 1e-12


@given(hits, st.integers(1, 14))
def test_precision_cmc_and_reciprocal_rank_are_their_loops(ranking: Array, k: int) -> None:
    relevant = ranking.sum(axis=1)
    for q, row in enumerate(ranking):
        first = next((rank for rank, hit in enumerate(row, start=1) if hit), None)
        measured = (
            metrics.precision_at(ranking, relevant, k)[q],
            metrics.cmc_at(ranking, relevant, k)[q],
            metrics.reciprocal_rank(ranking, relevant)[q],
        )
        if first is None:
            assert all(math.isnan(value) for value in measured)
        else:
            expected = (sum(row[:k]) / k, float(first <= k), 1 / first)
            assert measured == pytest.approx(expected)


def test_an_unknown_normalisation_names_the_choices() -> None:
    with pytest.raises(ValueError, match="'max': choose from hits, min, R"):
        metrics.average_precision(GOLDEN, np.array([4]), "max")  # type: ignore[arg-type]


def test_queries_without_relevant_items_are_skipped_and_counted() -> None:
    found = metrics.mean(np.array([0.5, math.nan, 1.0]))
    assert (found.value, found.queries, found.skipped) == (0.75, 2, 1)
    nothing = metrics.mean(np.array([math.nan]))
    assert math.isnan(nothing.value)
    assert (nothing.queries, nothing.skipped) == (0, 1)


@pytest.mark.parametrize(("gain", "value"), [("exponential", 0.936040), ("linear", 0.915893)])
def test_ndcg_of_graded_relevance(gain: Any, value: float) -> None:
    gains = np.array([[3, 0, 1, 2, 0]])
    ideal = -np.sort(-gains, axis=1)
    assert metrics.ndcg_at(gains, ideal, 5, gain)[0] == pytest.approx(value, abs=1e-6)
    assert metrics.ndcg_at(ideal, ideal, 5, gain)[0] == pytest.approx(1)
    assert math.isnan(metrics.ndcg_at(gains * 0, ideal * 0, 5, gain)[0])


def test_overlap_counts_what_both_name() -> None:
    found = np.array([[1, 2, 3], [7, -1, -1], [1, 2, 3], [-1, -1, -1]])
    truth = np.array([[3, 2, 9], [7, 8, -1], [-1, -1, -1], [4, 5, 6]])
    measured = metrics.overlap(found, truth)
    assert measured[:2] == pytest.approx([2 / 3, 1 / 2])
    assert math.isnan(measured[2])
    assert measured[3] == 0


def test_recall_within_takes_an_equally_near_answer_for_right() -> None:
    truth = np.array([[1.0, 2.0, 2.0], [1.0, np.inf, np.inf]])
    found = np.array([[2.0, 2.0, 3.0], [1.0, np.inf, np.inf]])
    assert metrics.recall_within(found, truth) == pytest.approx([2 / 3, 1])
    assert metrics.recall_within(found, truth, slack=1.0) == pytest.approx([1, 1])


def rankings(counts: Array, relevant: Array) -> list[Array]:
    """Every order of the items that their distances allow, as relevance by rank."""
    levels = [
        sorted(set(itertools.permutations([True] * r + [False] * (n - r))))
        for n, r in zip(counts, relevant, strict=True)
    ]
    return [np.array(list(itertools.chain(*order))) for order in itertools.product(*levels)]


@st.composite
def ties(draw: st.DrawFn) -> tuple[Array, Array]:
    """(counts, hits) of one query at three distances, at least one item in all."""
    counts = draw(st.lists(st.integers(0, 4), min_size=3, max_size=3).filter(any))
    relevant = [draw(st.integers(0, count)) for count in counts]
    return np.array([counts]), np.array([relevant])


@given(ties(), st.integers(1, 13), st.sampled_from(["min", "R"]))
def test_expectations_are_means_over_every_order_of_the_ties(
    drawn: tuple[Array, Array], k: int, normalisation: metrics.Normalisation
) -> None:
    counts, relevant = drawn
    total = np.array([relevant.sum()])
    orders = [row[None, :k] for row in rankings(counts[0], relevant[0])]

    def over_orders(measure: Any) -> float:
        return float(np.mean([measure(row)[0] for row in orders]))

    def padded(row: Array) -> Array:
        return np.pad(row, ((0, 0), (0, max(0, k - row.shape[1]))))

    pairs = [
        (
            metrics.expected_average_precision(counts, relevant, k, normalisation),
            over_orders(lambda row: metrics.average_precision(padded(row), total, normalisation)),
        ),
        (
            metrics.expected_precision_at(counts, relevant, k),
            over_orders(lambda row: metrics.precision_at(row, total, k)),
        ),
        (
            metrics.expected_cmc_at(counts, relevant, k),
            over_orders(lambda row: metrics.cmc_at(row, total, k)),
        ),
        (
            metrics.expected_reciprocal_rank(counts, relevant, k),
            over_orders(lambda row: metrics.reciprocal_rank(row, total)),
        ),
    ]
    for expected, mean in pairs:
        assert expected[0] == pytest.approx(mean, nan_ok=True)


def test_without_ties_the_expectation_is_the_measure_itself() -> None:
    counts, relevant = np.ones((1, 10), int), GOLDEN.astype(int)
    for k in (3, 5, 10):
        for normalisation in ("hits", "min", "R"):
            assert metrics.expected_average_precision(
                counts, relevant, k, normalisation
            ) == pytest.approx(
                metrics.average_precision(GOLDEN[:, :k], np.array([4]), normalisation)
            )
    everything = metrics.expected_average_precision(counts, relevant, None, "R")
    assert everything == pytest.approx(metrics.average_precision(GOLDEN, np.array([4]), "R"))


def test_the_expected_reciprocal_rank_among_many_ties_is_finite() -> None:
    found = metrics.expected_reciprocal_rank(np.array([[1_000_000]]), np.array([[2]]))
    ranks = np.arange(1, 1_000_000, dtype=float)
    chance = 2 * (1_000_000 - ranks) / (1_000_000 * 999_999)
    assert found[0] == pytest.approx((chance / ranks).sum(), rel=1e-6)
