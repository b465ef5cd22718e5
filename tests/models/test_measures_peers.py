"""Each measure is what the field's own tools compute: scikit-learn, trec_eval, metric learning."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import pytrec_eval
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN
from sklearn.metrics import average_precision_score, ndcg_score

from models.levels import Array, Levels
from models.measures import measure
from tests.models.rankings import NAMES

TREC = {
    "map[all]": "map", "map@3[R]": "map_cut_3", "p@3": "P_3", "recall@3": "recall_3",
    "r_precision": "Rprec", "mrr@99": "recip_rank", "cmc@3": "success_3",
    "ndcg@99[linear]": "ndcg", "ndcg@3[linear]": "ndcg_cut_3",
}  # fmt: skip
"""What trec_eval calls our measures."""

PML = {
    "cmc@1": "precision_at_1",
    "r_precision": "r_precision",
    "map_at_r": "mean_average_precision_at_r",
    "map[all]": "mean_average_precision",
    "mrr@99": "mean_reciprocal_rank",
}
"""What pytorch-metric-learning calls them."""

UNMOVED = ("p[h<=1]", "coverage[h<=1]")
"""What looks within a distance, so that a ranking's end is no concern of it."""

seeds = st.integers(0, 2**32 - 1)
items = st.integers(2, 30)


def drawn(seed: int, n: int, top: int, ties: bool) -> tuple[Array, Array]:
    """Distances (1, N) of whole numbers and grades (1, N), at least one of them not 0."""
    draw = np.random.default_rng(seed)
    apart = draw.integers(0, max(2, n // 3), n) if ties else draw.permutation(n)
    grades = draw.integers(0, top + 1, n).astype(np.uint8)
    grades[draw.integers(n)] = top
    return apart.astype(np.float32)[None], grades[None]


def ours(name: str, apart: Array, grades: Array) -> float:
    """The measure NAME by the way that a database is ranked."""
    levels = Levels.of_distances(apart, grades, max(1, int(grades.max())))
    return float(measure(name).of(levels)[0])


@given(seed=seeds, n=items)
def test_average_precision_is_that_of_scikit_learn(seed: int, n: int) -> None:
    apart, grades = drawn(seed, n, 1, ties=False)
    theirs = average_precision_score(grades[0], -apart[0])
    assert ours("map[all]", apart, grades) == pytest.approx(theirs, abs=1e-9)


@given(seed=seeds, n=items, k=st.integers(1, 40), ties=st.booleans())
def test_ndcg_is_that_of_scikit_learn_which_also_averages_over_ties(
    seed: int, n: int, k: int, ties: bool
) -> None:
    apart, grades = drawn(seed, n, 4, ties)
    for gain, worth in (("linear", grades), ("exp", np.exp2(grades) - 1)):
        theirs = ndcg_score(worth, -apart, k=k)
        assert ours(f"ndcg@{k}[{gain}]", apart, grades) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("name", TREC)
@given(seed=seeds, n=items, top=st.integers(1, 3))
def test_what_trec_eval_measures(name: str, seed: int, n: int, top: int) -> None:
    apart, grades = drawn(seed, n, top, ties=False)
    names = [f"d{number:03d}" for number in range(n)]
    relevant = {"q": dict(zip(names, grades[0].tolist(), strict=True))}
    run = {"q": dict(zip(names, (-apart[0]).tolist(), strict=True))}
    tool = pytrec_eval.RelevanceEvaluator(relevant, {TREC[name]})
    theirs = tool.evaluate(run)["q"][TREC[name]]
    assert ours(name, apart, grades) == pytest.approx(theirs, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, n=st.integers(4, 40), own=st.booleans())
def test_what_metric_learning_measures(seed: int, n: int, own: bool) -> None:
    draw = np.random.default_rng(seed)
    held = draw.standard_normal((n, 6))
    labels = draw.integers(0, 3, n)
    asked = held if own else draw.standard_normal((9, 6))
    said = labels if own else draw.choice(labels, 9)
    apart = np.linalg.norm(asked[:, None] - held[None], axis=2)
    grades = (said[:, None] == labels[None]).astype(np.uint8)
    if own:
        np.fill_diagonal(grades, 2)  # no answer
    tool = AccuracyCalculator(
        include=tuple(PML.values()),
        k=n - own,
        device=torch.device("cpu"),
        knn_func=CustomKNN(LpDistance(normalize_embeddings=False)),
    )
    theirs: dict[str, Any] = tool.get_accuracy(
        *map(torch.from_numpy, (asked, said, held, labels)), ref_includes_query=own
    )
    levels = Levels.of_distances(apart, grades, 1)
    if not (levels.relevant > 0).any():
        return
    for name, word in PML.items():
        assert np.nanmean(measure(name).of(levels)) == pytest.approx(theirs[word], abs=1e-6), name


# --- laws ----------------------------------------------------------------------------------------


def laid(grades: Iterable[int]) -> Levels:
    """A ranking without ties, by codes, so that measures within a radius have one."""
    row = np.array([list(grades)], np.uint8)
    return Levels.of_codes(np.arange(row.shape[1], dtype=np.uint8)[None], row, 3, 64)


graded = st.lists(st.integers(0, 3), min_size=1, max_size=12).filter(any)


@pytest.mark.parametrize("name", NAMES)
@given(grades=graded, more=st.integers(1, 5))
def test_what_answers_nothing_and_comes_last_changes_no_measure(
    name: str, grades: list[int], more: int
) -> None:
    one = measure(name)
    longer = one.of(laid([*grades, *[0] * more]))[0]
    if len(grades) > 1 or name not in UNMOVED:
        assert longer == pytest.approx(one.of(laid(grades))[0], abs=1e-12)


@pytest.mark.parametrize("name", [name for name in NAMES if measure(name).kind.highest == 1])
@given(relevant=st.integers(1, 2), more=st.integers(2, 6))
def test_the_best_order_of_all_has_the_highest_value(name: str, relevant: int, more: int) -> None:
    value = measure(name).of(laid([1] * relevant + [0] * more))[0]
    wanted = {"p@3": relevant / 3, "p[h<=1]": relevant / 2}.get(name, 1.0)
    assert value == pytest.approx(wanted)


@pytest.mark.parametrize("name", NAMES)
@given(seed=seeds, n=st.integers(1, 20))
def test_only_the_order_of_distances_counts_and_queries_know_nothing_of_each_other(
    name: str, seed: int, n: int
) -> None:
    draw = np.random.default_rng(seed)
    apart = draw.integers(0, 6, (5, n)).astype(np.float32)
    grades = draw.integers(0, 3, (5, n)).astype(np.uint8)
    order = draw.permutation(5)
    one = measure(name)
    if "hamming" in one.kind.needs:
        codes = Levels.of_codes(apart.astype(np.uint8), grades, 2, 8)
        again = Levels.of_codes(apart[order].astype(np.uint8), grades[order], 2, 8)
    else:
        codes = Levels.of_distances(apart, grades, 2)
        again = Levels.of_distances(np.exp(apart[order]) - 3, grades[order], 2)
    np.testing.assert_allclose(one.of(again), one.of(codes)[order], atol=1e-12)
