"""Query expansion and database augmentation against plain loops of the papers' sums."""

import math
from typing import Any

import numpy as np
import pytest

from models.reranking import Shortlist
from models.reranking.alpha_qe import AlphaQE
from models.reranking.database_augmentation import DatabaseAugmentation

Array = np.ndarray[Any, np.dtype[Any]]


def shortlist(seed: int, n: int = 12, width: int = 6) -> Shortlist:
    rng = np.random.default_rng(seed)
    query = rng.standard_normal(width)
    rows = query + rng.standard_normal((n, width)) * 1.5
    apart = np.array([1 - cosine(query.tolist(), row) for row in rows.tolist()])
    order = np.argsort(apart)
    return Shortlist.of(query, rows[order], apart[order], "cosine")


def cosine(a: list[float], b: list[float]) -> float:
    along = sum(x * y for x, y in zip(a, b, strict=True))
    return along / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


def mean(vectors: list[list[float]], like: list[float], alpha: float) -> list[float]:
    """The sum of VECTORS, each times its cosine to LIKE to the power of ALPHA, at unit length."""
    total = [0.0] * len(like)
    for vector in vectors:
        weight = max(cosine(vector, like), 0.0) ** alpha
        total = [t + weight * v for t, v in zip(total, vector, strict=True)]
    length = math.sqrt(sum(t * t for t in total))
    return [t / length for t in total]


@pytest.mark.parametrize("alpha", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("n", [1, 5, 40])
def test_the_expanded_query_is_the_weighted_mean_of_the_first(n: int, alpha: float) -> None:
    found = shortlist(n)
    query, rows = found.query.tolist(), found.rows.tolist()
    expanded = mean([query, *rows[:n]], query, alpha)
    step = AlphaQE(n=n, alpha=alpha)(found)
    assert step.query == pytest.approx(expanded, abs=1e-5)
    cosines = {place: cosine(expanded, row) for place, row in enumerate(rows)}
    assert step.places.tolist() == sorted(cosines, key=lambda place: -cosines[place])
    assert step.scores == pytest.approx(sorted(cosines.values(), reverse=True), abs=1e-5)


def test_an_alpha_of_nought_is_average_query_expansion() -> None:
    found = shortlist(7)
    plain = found.query + found.rows[:10].sum(axis=0)
    step = AlphaQE(alpha=0)(found)
    assert step.query == pytest.approx(plain / np.linalg.norm(plain), abs=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 3.0])
@pytest.mark.parametrize("n", [1, 4, 40])
def test_an_augmented_row_is_the_weighted_mean_of_its_neighbours(n: int, alpha: float) -> None:
    found = shortlist(n + 1)
    rows = found.rows.tolist()
    augmented = []
    for row in rows:
        near = sorted(rows, key=lambda other: -cosine(row, other))
        augmented.append(mean(near[: n + 1], row, alpha))
    cosines = [cosine(found.query.tolist(), row) for row in augmented]
    step = DatabaseAugmentation(n=n, alpha=alpha)(found)
    assert step.places.tolist() == sorted(range(len(rows)), key=lambda place: -cosines[place])
    assert step.scores == pytest.approx(sorted(cosines, reverse=True), abs=1e-5)
    assert step.rows == pytest.approx(np.array(augmented)[step.places], abs=1e-5)


def test_what_points_away_joins_no_mean() -> None:
    query = np.array([1.0, 0.0])
    rows = np.array([[1.0, 0.0], [-1.0, 0.0]])
    found = Shortlist.of(query, rows, np.array([0.0, 2.0]), "cosine")
    assert AlphaQE()(found).query.tolist() == [1.0, 0.0]
    assert DatabaseAugmentation()(found).rows.tolist() == [[1.0, 0.0], [-1.0, 0.0]]
