"""K-reciprocal encoding and diffusion against plain loops of the papers' formulas."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.reranking import RERANKINGS, Shortlist, rerank, steps_of
from models.reranking.diffusion import Diffusion
from models.reranking.k_reciprocal import KReciprocal

Array = np.ndarray[Any, np.dtype[Any]]
OF_GRAPHS = [word for word in RERANKINGS if word in ("diffusion", "k_reciprocal")]


def shortlist(seed: int, n: int = 14, width: int = 6) -> Shortlist:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((1 + n, width)) + rng.standard_normal(width)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    query, rows = vectors[0], vectors[1:]
    rows = rows[np.argsort(-rows @ query)]
    return Shortlist.of(query, rows, 1 - rows @ query, "cosine")


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def by_reciprocal_encoding(found: Shortlist, k1: int, k2: int, share: float) -> list[float]:
    """One minus d*(query, row) of each row, in the loops of the paper."""
    all_of_them = [found.query.tolist(), *found.rows.tolist()]
    everybody = range(len(all_of_them))
    apart = [[2 - 2 * dot(a, b) for b in all_of_them] for a in all_of_them]
    apart = [[value / max(row) for value in row] for row in apart]

    def nearest(p: int, k: int) -> list[int]:
        others = sorted((g for g in everybody if g != p), key=lambda g: apart[p][g])
        return [p, *others[:k]]

    def reciprocal(p: int, k: int) -> set[int]:
        return {g for g in nearest(p, k) if p in nearest(g, k)}

    def wide(p: int) -> set[int]:
        near = reciprocal(p, k1)
        more = [reciprocal(q, round(k1 / 2)) for q in near]
        return near.union(*(one for one in more if len(near & one) >= 2 / 3 * len(one)))

    encoded = []
    for p in everybody:
        row = [math.exp(-apart[p][g]) if g in wide(p) else 0.0 for g in everybody]
        encoded.append([value / sum(row) for value in row])
    means = []
    for p in everybody:
        some = [encoded[g] for g in nearest(p, k2 - 1)]
        means.append([sum(column) / len(some) for column in zip(*some, strict=True)])
    scores = []
    for g in everybody[1:]:
        least = sum(min(pair) for pair in zip(means[0], means[g], strict=True))
        most = sum(max(pair) for pair in zip(means[0], means[g], strict=True))
        scores.append(1 - (1 - share) * (1 - least / most) - share * apart[0][g])
    return scores


def by_diffusion(found: Shortlist, k: int, n: int, gamma: float, alpha: float) -> list[float]:
    """f, as the sum of the walks of all lengths: y + alpha S y + alpha^2 S^2 y + ..."""
    query, rows = found.query.tolist(), found.rows.tolist()
    everybody = range(len(rows))
    alike = [[max(dot(a, b), 0) ** gamma for b in rows] for a in rows]

    def nearest(i: int) -> list[int]:
        return sorted((j for j in everybody if j != i), key=lambda j: -alike[i][j])[:k]

    graph = [
        [alike[i][j] if j in nearest(i) and i in nearest(j) else 0.0 for j in everybody]
        for i in everybody
    ]
    degrees = [sum(row) for row in graph]
    start = [max(dot(query, row), 0) ** gamma for row in rows]
    first = sorted(everybody, key=lambda i: -start[i])[:n]
    walk = [start[i] if i in first else 0.0 for i in everybody]
    total = list(walk)
    for _ in range(4000):
        walk = [
            alpha
            * sum(
                graph[i][j] / math.sqrt(degrees[i] * degrees[j]) * walk[j]
                for j in everybody
                if graph[i][j]
            )
            for i in everybody
        ]
        total = [a + b for a, b in zip(total, walk, strict=True)]
        if max(walk) < 1e-9:
            break
    return total


def agrees(step: Shortlist, expected: list[float], tolerance: float) -> None:
    """STEP has each row's EXPECTED score, and stands in their order."""
    assert step.scores == pytest.approx(np.array(expected)[step.places], abs=tolerance)
    assert (np.diff(step.scores) <= 0).all()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (5, 2), (6, 6), (40, 3)])
def test_rows_are_encoded_by_who_is_near_in_turn(k1: int, k2: int, share: float) -> None:
    for seed in range(5):
        found = shortlist(seed)
        step = KReciprocal(k1=k1, k2=k2, share=share)(found)
        agrees(step, by_reciprocal_encoding(found, k1, k2, share), 1e-5)


def test_a_share_of_one_leaves_the_order_as_it_was() -> None:
    found = shortlist(3, n=30)
    step = KReciprocal(share=1)(found)
    assert step.places.tolist() == found.places.tolist()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9])
@pytest.mark.parametrize(("k", "n"), [(1, 1), (3, 4), (6, 40), (40, 2)])
def test_scores_are_the_walks_of_all_lengths(k: int, n: int, alpha: float) -> None:
    for seed in range(3):
        found = shortlist(seed)
        step = Diffusion(k=k, n=n, alpha=alpha)(found)
        agrees(step, by_diffusion(found, k, n, 3.0, alpha), 1e-4)


def test_an_alpha_near_one_is_solved_as_exactly_as_by_elimination() -> None:
    found = shortlist(11, n=60)
    step = Diffusion(alpha=0.99)(found)
    graph = Diffusion(alpha=0.99)._graph(found.rows)
    start = np.maximum(found.rows @ found.query, 0).astype(float) ** 3
    start[np.argsort(-start)[10:]] = 0
    exact = np.linalg.solve(np.eye(60) - 0.99 * graph, start)
    assert step.scores == pytest.approx(exact[step.places], rel=1e-4)


def test_a_row_that_no_path_reaches_stands_behind_in_its_old_order() -> None:
    angles = np.radians([2.0, 4.0, 6.0, 85.0, 87.0, 88.0])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = Shortlist.of(np.array([1.0, 0.0]), rows, 1 - rows[:, 0], "cosine")
    step = Diffusion(k=2, n=1)(found)
    assert sorted(step.places[:3].tolist()) == [0, 1, 2]
    assert step.places[3:].tolist() == [3, 4, 5]
    assert step.scores[3:].tolist() == [0, 0, 0]


def test_neighbours_of_neighbours_come_before_what_is_nearer_and_alone() -> None:
    chain = np.radians([5, 15, 25, 35, 45, 55])
    alone = -np.radians(50)
    angles = np.append(chain, alone)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = Shortlist.of(np.array([1.0, 0.0]), rows, 1 - rows[:, 0], "cosine")
    assert found.places.tolist() == [0, 1, 2, 3, 4, 6, 5]
    assert Diffusion(k=2, n=2)(found).places[-1] == 6


@pytest.mark.parametrize("word", OF_GRAPHS)
@settings(derandomize=True)  # of neighbours a rounding apart the order may decide after all
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 25))
def test_the_order_in_which_rows_are_given_does_not_matter(word: str, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    found = shortlist(seed, n)
    shuffled = rng.permutation(n)
    scores = []
    for order in (np.arange(n), shuffled):
        places, values = rerank(
            steps_of(word),
            found.query,
            found.rows[order],
            1 - found.scores[order],
            "cosine",
        )
        by_row = np.zeros(n)
        by_row[order[places]] = values
        scores.append(by_row)
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)


@pytest.mark.parametrize("word", OF_GRAPHS)
@pytest.mark.parametrize("n", [0, 1, 2])
def test_of_none_or_one_or_equal_rows_the_order_stays(word: str, n: int) -> None:
    query = np.ones(4, np.float32)
    order, scores = rerank(
        steps_of(word), query, np.tile(query, (n, 1)), np.zeros(n, np.float32), "cosine"
    )
    assert order.tolist() == list(range(n))
    assert np.isfinite(scores).all()
    assert len(set(scores.tolist())) <= 1
