"""Intervals and paired tests against counting all cases, against SciPy, and by their laws."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models import significance
from models.significance import (
    Array,
    bootstrap_interval,
    difference,
    randomisation_test,
)

few = st.lists(st.integers(-4, 4), min_size=1, max_size=9)


def by_every_flip(differences: list[int]) -> float:
    """Smucker's p: over all ways to flip, the share of means as far from 0 as the one seen."""
    seen = abs(sum(differences))
    ways = list(itertools.product((1, -1), repeat=len(differences)))
    far = [abs(sum(s * d for s, d in zip(way, differences, strict=True))) >= seen for way in ways]
    return sum(far) / len(far)


@given(few)
def test_with_few_queries_all_ways_to_flip_are_counted(differences: list[int]) -> None:
    p = randomisation_test(np.array(differences, float) / 7)
    assert p == pytest.approx(by_every_flip(differences))


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.15, 0.3])
def test_with_many_it_is_the_permutation_test_of_scipy(shift: float) -> None:
    draw = np.random.default_rng(7)
    differences = draw.normal(shift, 0.6, 60)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=9999, rng=draw
    )
    assert randomisation_test(differences) == pytest.approx(theirs.pvalue, abs=0.02)


def test_of_systems_no_different_the_test_proves_one_in_twenty() -> None:
    draw = np.random.default_rng(3)
    trials = [randomisation_test(draw.normal(0, 1, 30), flips=400) for _ in range(400)]
    assert 0.02 < np.mean(np.array(trials) < 0.05) < 0.09


@given(few, st.integers(0, 3), st.integers(0, 2**16))
def test_neither_order_nor_direction_nor_queries_that_agree_change_p(
    differences: list[int], agreeing: int, seed: int
) -> None:
    values = np.array(differences, float)
    p = randomisation_test(values)
    assert 0 < p <= 1
    assert randomisation_test(-values) == p
    order = np.random.default_rng(seed).permutation(len(values) + agreeing)
    assert randomisation_test(np.append(values, [0.0] * agreeing)[order]) == pytest.approx(p)


def test_systems_that_agree_on_every_query_are_no_different() -> None:
    assert randomisation_test(np.zeros(50)) == 1
    assert randomisation_test(np.full(50, 1e-15)) == 1  # summed in another order
    assert randomisation_test(np.full(50, math.nan)) == 1


def test_the_test_is_the_same_every_time_and_in_blocks_of_any_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).normal(0.2, 1, 40)
    p = randomisation_test(values)
    assert p == randomisation_test(values)
    assert 0 < randomisation_test(np.full(40, 0.1)) < 1e-3
    monkeypatch.setattr(significance, "AT_ONCE", 1)
    assert randomisation_test(values, flips=2000) == pytest.approx(p, abs=0.03)


def test_the_interval_holds_the_mean_and_is_the_same_every_time() -> None:
    values = np.random.default_rng(1).random(200)
    low, high = bootstrap_interval(values)
    assert low < values.mean() < high
    assert (low, high) == bootstrap_interval(values)
    wide = bootstrap_interval(values[:20])
    assert wide[1] - wide[0] > high - low
    assert bootstrap_interval(np.append(values, math.nan)) == (low, high)
    assert all(math.isnan(end) for end in bootstrap_interval(np.array([math.nan])))


def test_the_interval_is_the_percentile_interval_of_scipy() -> None:
    values = np.random.default_rng(5).beta(0.5, 0.9, 150)
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=9999, rng=np.random.default_rng(2)
    ).confidence_interval
    ours = bootstrap_interval(values, resamples=9999)
    assert ours == pytest.approx(tuple(theirs), abs=0.005)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        low, high = bootstrap_interval(rng.random(60), resamples=200)
        covered += low <= 0.5 <= high
    assert 176 <= covered <= 200


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 9))
def test_an_interval_stays_within_the_values_whatever_is_drawn_at_once(
    values: list[float], at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(significance, "AT_ONCE", at_once)
        low, high = bootstrap_interval(np.array(values), resamples=20)
    assert min(values) - 1e-12 <= low <= high <= max(values) + 1e-12


def test_a_difference_is_of_the_queries_that_both_have_a_value_of() -> None:
    ours: Array = np.array([0.5, 0.7, math.nan, 0.9, 0.2])
    theirs: Array = np.array([0.4, 0.7, 0.3, 0.7, math.nan])
    found = difference(ours, theirs)
    assert found
    assert found.queries == 3
    assert found.mean == pytest.approx(0.1)
    assert found.low <= found.mean <= found.high
    assert found.p == pytest.approx(0.5)  # of the 4 ways to flip 0.1 and 0.2, two are as far
    assert not found.proven
    back = difference(theirs, ours)
    assert back
    assert back.mean == pytest.approx(-found.mean)
    assert back.p == found.p
    assert difference(np.array([math.nan]), np.array([1.0])) is None


def test_what_is_better_on_every_query_is_proven() -> None:
    base = np.random.default_rng(4).random(30)
    found = difference(base, base - 0.001)
    assert found
    assert found.proven
    assert found.low > 0
