"""What holds for every re-ranking of the table, and how they are said."""

import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.distances import Metric, between, prepared
from models.reranking import RERANKINGS, Reranking, Shortlist, rerank, steps_of

Array = np.ndarray[Any, np.dtype[Any]]
METRICS: tuple[Metric, ...] = ("cosine", "hamming")
OF_VECTORS = [word for word, kind in RERANKINGS.items() if kind.wants == "vectors"]


def stored(rng: np.random.Generator, n: int, metric: Metric) -> Array:
    """N rows as an index stores them, in three heaps."""
    heap = rng.integers(3, size=n)
    if metric == "hamming":
        codes: Array = rng.integers(0, 256, (3, 4), dtype=np.uint8)
        return codes[heap] ^ (rng.integers(0, 256, (n, 4), dtype=np.uint8) & 0x11)
    means = rng.standard_normal((3, 8))
    return (means[heap] + rng.standard_normal((n, 8)) * 0.5).astype(np.float16)


def asked(seed: int, n: int, metric: Metric) -> tuple[Array, Array, Array]:
    """A query, and N rows with their distances from it, nearest first."""
    rows = stored(np.random.default_rng(seed), n + 1, metric)
    ready = prepared(rows, metric)
    apart = between(ready[:1], ready[1:], metric)[0]
    order = np.argsort(apart, kind="stable")
    return rows[0], rows[1:][order], apart[order]


@pytest.mark.parametrize("word", OF_VECTORS)
@pytest.mark.parametrize("metric", METRICS)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 30))
def test_a_re_ranking_keeps_every_row_once_and_sorts_by_its_scores(
    word: str, metric: Metric, seed: int, n: int
) -> None:
    query, rows, apart = asked(seed, n, metric)
    order, scores = rerank(steps_of(word), query, rows, apart, metric)
    assert sorted(order.tolist()) == list(range(n))
    assert scores.shape == (n,)
    assert np.isfinite(scores).all()
    assert (np.diff(scores) <= 0).all()
    again, same = rerank(steps_of(word), query, rows, apart, metric)
    assert (order == again).all()
    assert (scores == same).all()


@pytest.mark.parametrize("word", OF_VECTORS)
@pytest.mark.parametrize("metric", METRICS)
def test_the_heap_of_the_query_comes_nearer_to_the_front(word: str, metric: Metric) -> None:
    better = worse = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        heaps = rng.standard_normal((2, 32))
        heap = np.arange(41) % 2
        rows = heaps[heap] + rng.standard_normal((41, 32)) * 2.0
        held = np.packbits(rows > 0, axis=1) if metric == "hamming" else rows.astype(np.float32)
        ready = prepared(held, metric)
        apart = between(ready[:1], ready[1:], metric)[0]
        before = np.argsort(apart, kind="stable")
        after, _ = rerank(steps_of(word), held[0], held[1:], apart, metric)
        firsts = [int((heap[1:][order[:10]] == heap[0]).sum()) for order in (before, after)]
        better += firsts[1] > firsts[0]
        worse += firsts[1] < firsts[0]
    assert better > worse


@pytest.mark.parametrize("metric", METRICS)
def test_without_a_step_rows_stand_by_their_distance(metric: Metric) -> None:
    query, rows, apart = asked(0, 20, metric)
    shuffled = np.random.default_rng(0).permutation(20)
    order, scores = rerank((), query, rows[shuffled], apart[shuffled], metric)
    assert (apart[shuffled][order] == apart).all()
    ready = prepared(np.concatenate([query[None], rows]), metric)
    cosines = (ready[1:] @ ready[0]) / (ready.shape[1] if metric == "hamming" else 1)
    assert scores == pytest.approx(cosines, abs=1e-5)


def test_steps_come_in_the_order_in_which_they_are_said() -> None:
    query, rows, apart = asked(3, 25, "cosine")
    words = OF_VECTORS[:2]
    found = Shortlist.of(query, rows, apart, "cosine")
    for word in words:
        found = steps_of(word)[0](found)
    order, scores = rerank(steps_of("+".join(words)), query, rows, apart, "cosine")
    assert order.tolist() == found.places.tolist()
    assert scores.tolist() == found.scores.tolist()


@pytest.mark.parametrize("word", RERANKINGS)
def test_every_re_ranking_says_what_it_does_and_after_whom(word: str) -> None:
    kind = RERANKINGS[word]
    assert (kind.__doc__ or "").splitlines()[0].endswith(".")
    assert re.search(r"(19|20)\d\d", kind.cite)
    assert all(field.description for field in kind.model_fields.values())
    assert isinstance(steps_of(word)[0], Reranking)


@pytest.mark.parametrize(
    ("said", "options", "sentence"),
    [
        ("alpha_eq", {}, "Unknown re-ranking 'alpha_eq': .* Did you mean 'alpha_qe'"),
        ("alpha_qe+", {}, "Unknown re-ranking ''"),
        ("alpha_qe", {"k_reciprocal": {}}, "part of the re-ranking's options 'k_reciprocal'"),
        (
            "alpha_qe",
            {"alpha_qe": {"m": 3}},
            "Unknown option of alpha_qe 'm': choose from alpha, n",
        ),
        ("alpha_qe", {"alpha_qe": {"n": 0}}, "alpha_qe cannot take n: 0: .* greater than or equal"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(
    said: str, options: dict[str, dict[str, Any]], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        steps_of(said, options)


@pytest.mark.parametrize("word", OF_VECTORS)
def test_visual_words_are_no_vectors(word: str) -> None:
    rows = np.full((2, 3), 0xFFFF, np.uint16)
    with pytest.raises(ValueError, match=f"{word} compares vectors, and visual words are none"):
        rerank(steps_of(word), rows[0], rows, np.zeros(2, np.float32), "asmk")


@pytest.mark.parametrize(
    ("query", "rows", "distances", "sentence"),
    [
        (np.ones((1, 4)), np.ones((2, 4)), np.ones(2), r"not \(1, 4\), \(2, 4\) and \(2,\)"),
        (np.ones(4), np.ones((2, 5)), np.ones(2), r"not \(4,\), \(2, 5\) and \(2,\)"),
        (np.ones(4), np.ones((2, 4)), np.array([0.1, np.inf]), "at a finite distance"),
        (np.ones(4), np.full((2, 4), np.nan), np.ones(2), "NaN or infinite"),
    ],
)
def test_what_is_no_shortlist_is_refused(
    query: Array, rows: Array, distances: Array, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        rerank((), query, rows, distances, "cosine")


def test_no_re_ranking_loads_torch() -> None:
    code = (
        "import sys, numpy as np; from models.reranking import RERANKINGS, rerank, steps_of; "
        "rows = np.eye(4, 8, dtype=np.float32); "
        "[rerank(steps_of(word), rows[0], rows, np.arange(4) / 4, 'cosine') "
        "for word, kind in RERANKINGS.items() if kind.wants == 'vectors']; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
