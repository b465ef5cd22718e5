"""What is measured of re-ranked answers is what loops over re-ranked lists give."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from data.plan import digest_of
from data.relevance import Judged, Kind, Truth
from models import metrics
from models.aggregation.asmk import bags
from models.aggregation.rows import packed
from models.distances import Metric, between, prepared
from models.measures import measure
from models.reranking import rerank, steps_of
from tasks.measuring.depth import Rows, depth
from tasks.measuring.plan import EvaluatePlan
from tasks.measuring.ranking import TOP
from tasks.measuring.reranked import Reranked

Array = np.ndarray[Any, np.dtype[Any]]
Q, N, CLASSES = 9, 70, 4
MEASURES = [measure(name) for name in ("map[all]", "cmc@1", "p@10")]
OWN = {
    "dataset": "folder",
    "queries": {"each": 2},
    "database": {"without": ["queries"]},
    "relevance": "same_label",
    "metric": "map@100[min]",
    "defined": "this test",
}


def heaps(draw: np.random.Generator, labels: Array, metric: Metric) -> Array:
    means = np.random.default_rng(0).standard_normal((CLASSES, 32))
    rows: Array = means[labels] + draw.standard_normal((len(labels), 32)) * 2
    return np.packbits(rows > 0, axis=1) if metric == "hamming" else rows.astype(np.float32)


def judged(asked: Array, held: Array) -> Judged:
    """Whose label is the same answers; row n is the picture of query n, and left out."""
    out = tuple((str(n),) for n in range(len(asked)))
    truth = Truth(Kind(), tuple((str(one),) for one in asked.tolist()), out)
    keys = pa.array([str(n) for n in range(len(held))])
    return truth.among(keys, pa.array([[str(one)] for one in held.tolist()]))


def filled(held: Array, metric: Metric) -> Rows:
    width = held.shape[1]
    rows = Rows(len(held), width, 8 * width if metric == "hamming" else 0, metric)
    rows.add(held)
    return rows


@pytest.mark.parametrize("first", [1, 12, 500])
@pytest.mark.parametrize("said", ["alpha_qe", "database_augmentation+k_reciprocal", "diffusion"])
@pytest.mark.parametrize("metric", ["cosine", "hamming"])
def test_the_first_stand_as_re_ranked_and_the_others_behind_them(
    metric: Metric, said: str, first: int
) -> None:
    draw = np.random.default_rng(first)
    labels = draw.integers(0, CLASSES, N)
    held = heaps(draw, labels, metric)
    asked, images = held[:Q], np.arange(N, dtype=np.uint64)
    steps = steps_of(said)
    rows, truth = filled(held, metric), judged(labels[:Q], labels)
    found = depth(rows, images, asked, truth, MEASURES, Reranked(steps, first, metric))
    plain = depth(rows, images, asked, truth, MEASURES)
    assert found.plain.keys() == plain.values.keys()
    for name, values in plain.values.items():
        np.testing.assert_allclose(found.plain[name], values)
    assert plain.plain == {}

    ready = prepared(held, metric)
    apart = between(ready[:Q], ready, metric)
    for query in range(Q):
        others = [n for n in np.lexsort((images, apart[query])).tolist() if n != query]
        short = np.array(others[:first])
        order, scores = rerank(steps, held[query], held[short], apart[query, short], metric)
        listed = short[order].tolist() + others[first:]
        assert found.answers[query].tolist() == listed[:TOP]
        # rows that stand at one distance and have one score are tied, as those behind may be
        marks = [*scores.tolist(), *(-1e9 for _ in others[first:])]
        levels = list(zip(marks, apart[query, listed].tolist(), strict=True))
        places = sorted(set(levels), key=levels.index)
        right = labels[listed] == labels[query]
        counts = np.array([[levels.count(one) for one in places]])
        hits = np.array(
            [[sum(h for h, of in zip(right, levels, strict=True) if of == p) for p in places]]
        )
        expected = metrics.expected_average_precision(counts, hits, None, "R")[0]
        assert found.values["map[all]"][query] == pytest.approx(expected, abs=1e-6)


def test_rows_that_nothing_tells_apart_stay_tied() -> None:
    held = np.array([[1, 0], [0.9, 0.1], [0.9, 0.1], [0, 1]], np.float32)
    labels = np.array([0, 1, 0, 1])
    rows, truth = filled(held, "cosine"), judged(labels[:1], labels)
    again = Reranked(steps_of("alpha_qe"), 3, "cosine")
    for images in (np.arange(4), np.arange(4)[::-1]):
        found = depth(rows, images.astype(np.uint64), held[:1], truth, [measure("map[all]")], again)
        assert found.values["map[all]"].tolist() == pytest.approx([0.75])


def test_visual_words_are_ranked_by_their_own_distance() -> None:
    draw = torch.Generator().manual_seed(0)
    local, words = torch.randn(12, 9, 16, generator=draw), torch.randn(20, 16, generator=draw)
    held = packed(bags(local, words), 9)
    labels = np.arange(12) % 3
    rows, truth = filled(held, "asmk"), judged(labels[:4], labels)
    found = depth(rows, np.arange(12, dtype=np.uint64), held[:4], truth, MEASURES)
    apart = between(held[:4], held, "asmk")
    for query in range(4):
        order = [n for n in np.argsort(apart[query], kind="stable").tolist() if n != query]
        assert found.answers[query].tolist() == order[:TOP]


def test_a_plan_that_says_nothing_of_it_has_the_digest_it_had() -> None:
    fields = {"queries": None, "split": None, "protocol": "auto", "k": 100, "examples": 12}
    for said in ({}, {"protocol": "ukbench"}, {"queries": 5, "k": 20}):
        plan = EvaluatePlan.model_validate(said)
        assert plan.digest == digest_of(fields | said)
        if "protocol" in said:
            other = EvaluatePlan.model_validate(said | {"rerank": "alpha_qe"})
            assert other.digest != plan.digest


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("alpha_qe", "ukbench (re-ranked by alpha_qe)"),
        (
            {"steps": "alpha_qe+geometric", "depth": 100},
            "ukbench (re-ranked by alpha_qe+geometric)",
        ),
        (
            {"steps": "alpha_qe+diffusion", "depth": 20, "options": {"alpha_qe": {"n": 3}}},
            "ukbench (20 re-ranked by alpha_qe {n: 3}+diffusion)",
        ),
    ],
)
def test_the_title_says_how_was_re_ranked(said: Any, title: str) -> None:
    assert EvaluatePlan(protocol="ukbench", rerank=said).title == title
    sampled = EvaluatePlan(protocol="ukbench", queries=7, rerank=said).title
    assert sampled == title.replace("(", "(at most 7 queries, ", 1)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"rerank": "alpha_qe"}, "rerank says how a named protocol is measured, and auto is none"),
        ({"scales": [1.0, 2.0]}, "scales says how a named protocol is measured, and auto is none"),
        ({"scales": [0.0], "protocol": "ukbench"}, "greater than 0"),
        ({"rerank": "alpha", "protocol": "ukbench"}, "Unknown re-ranking 'alpha'"),
        (
            {"rerank": {"steps": "alpha_qe", "options": {"diffusion": {}}}, "protocol": "ukbench"},
            "Unknown part of the re-ranking's options 'diffusion'",
        ),
        (
            {"rerank": {"steps": "alpha_qe", "depth": 0}, "protocol": "ukbench"},
            "greater than or equal to 1",
        ),
        (
            {"rerank": "alpha_qe", "protocol": "gldv2-recognition"},
            "gldv2-recognition is judged by gap, which ranks queries among each other",
        ),
    ],
)
def test_what_cannot_be_re_ranked_is_refused(said: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        EvaluatePlan.model_validate(said)


def test_the_title_says_at_which_scales_was_asked() -> None:
    plan = EvaluatePlan(protocol="ukbench", scales=(0.7071, 1, 1.4142), rerank="alpha_qe")  # type: ignore[arg-type]
    assert plan.title == "ukbench (asked at 0.707 + 1 + 1.41, re-ranked by alpha_qe)"


def test_a_written_out_protocol_can_be_re_ranked() -> None:
    plan = EvaluatePlan.model_validate({"protocol": OWN, "rerank": "diffusion"})
    assert plan.title.endswith(" (re-ranked by diffusion)")
