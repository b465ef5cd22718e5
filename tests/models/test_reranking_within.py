"""In-category re-ranking: the category that most of the first answers speak for comes first."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.reranking import rerank, steps_of

Array = np.ndarray[Any, np.dtype[Any]]
LABELS = st.lists(st.lists(st.sampled_from("abc"), max_size=2, unique=True), max_size=12)


def cosines(count: int, seed: int) -> tuple[Array, Array]:
    """COUNT unit vectors of the plane and their distances from (1, 0), nearest first."""
    angles = np.sort(np.random.default_rng(seed).uniform(0, 2.5, count))
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return rows, np.asarray(1 - rows[:, 0], np.float32)


@given(LABELS, st.integers(0, 99), st.integers(1, 12), st.sampled_from([0.0, 1.0, 3.0]))
def test_it_is_the_vote_of_the_first_and_keeps_the_order_on_either_side(
    labels: list[list[str]], seed: int, n: int, alpha: float
) -> None:
    rows, distances = cosines(len(labels), seed)
    steps = steps_of("within", {"within": {"n": n, "alpha": alpha}})
    query = np.array([1, 0], np.float32)
    order, scores = rerank(steps, query, rows, distances, "cosine", labels=labels)
    votes: dict[str, float] = defaultdict(float)
    for said, distance in zip(labels[:n], distances, strict=False):
        for label in said:
            votes[label] += max(1 - float(distance), 0) ** alpha
    expected = list(range(len(labels)))
    if votes:
        most = max(votes.values())
        near = [label for label in votes if votes[label] >= most - 1e-5]
        if len(near) > 1:
            return  # who wins is a matter of rounding
        expected.sort(key=lambda place: near[0] not in labels[place])
    assert order.tolist() == expected
    assert (np.diff(scores) <= 0).all()


def test_of_equal_votes_the_first_in_the_alphabet_wins() -> None:
    rows = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    steps = steps_of("within", {"within": {"alpha": 0}})
    said = [["b"], ["a"], ["a", "b"]]
    order, _ = rerank(steps, rows[0], rows, np.array([0, 0, 1], np.float32), "cosine", labels=said)
    assert order.tolist() == [1, 2, 0]


def test_after_another_step_its_category_still_stands_before_all_others() -> None:
    rows, distances = cosines(8, 3)
    said = [["x"], ["y"], ["x"], ["y"], ["x"], ["y"], ["x"], ["y"]]
    steps = steps_of("alpha_qe+within", {"within": {"n": 1}})
    order, scores = rerank(steps, rows[0], rows, distances, "cosine", labels=said)
    first = said[int(order[0])]
    assert [said[int(place)] == first for place in order] == [True] * 4 + [False] * 4
    assert (np.diff(scores) <= 0).all()


def test_without_labels_there_is_nothing_to_keep_to() -> None:
    rows, distances = cosines(3, 0)
    with pytest.raises(ValueError, match="found without theirs"):
        rerank(steps_of("within"), rows[0], rows, distances, "cosine")
    order, _ = rerank(steps_of("within"), rows[0], rows, distances, "cosine", labels=[[], [], []])
    assert order.tolist() == [0, 1, 2]
