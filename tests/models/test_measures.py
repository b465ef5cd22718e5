"""Measures by their names: the golden ranking, plain loops from the definitions, and the laws."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.protocols import PROTOCOLS
from models.levels import Array, Levels
from models.measures import MEASURES, Measure, measure
from tests.models.rankings import NAMES, levels_of, ranked

GOLDEN = (1, 0, 0, 1, 0, 0, 1, 0, 1, 0)
GRADED = (3, 0, 1, 2, 0)
CAPTIONS = ("cmc@3[text-to-image]", "cmc@3[image-to-text]")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("map@3[hits]", 1.0), ("map@3[min]", 0.333333), ("map@3[R]", 0.25),
        ("map@5[hits]", 0.75), ("map@5[min]", 0.375), ("map@5[R]", 0.375),
        ("map@10[hits]", 0.593254), ("map[all]", 0.593254), ("map_roxf[trapz]", 0.551835),
        ("mp@1", 1.0), ("mp@5", 0.4), ("mp@10", 4 / 9), ("p@10", 0.4), ("recall@5", 0.5),
        ("r_precision", 0.5), ("map_at_r", 0.375), ("ns_score", 2.0), ("mrr@10", 1.0),
    ],
)  # fmt: skip
def test_the_golden_ranking(name: str, value: float) -> None:
    assert measure(name).of(ranked(GOLDEN))[0] == pytest.approx(value, abs=1e-6)


def test_the_golden_ranking_without_its_junk() -> None:
    grades = np.array([GOLDEN], np.uint8)
    grades[0, 1:3] = 2  # no answer
    levels = Levels.of_distances(np.arange(10.0)[None], grades, 1)
    assert measure("map_roxf[trapz]").of(levels)[0] == pytest.approx(0.771429, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ndcg@5[exp]", 0.936040), ("ndcg@5[linear]", 0.915893), ("acg@5", 1.2), ("wap@5", 1.944444)],
)
def test_the_golden_graded_ranking(name: str, value: float) -> None:
    assert measure(name).of(ranked(GRADED))[0] == pytest.approx(value, abs=1e-6)


@given(grades=st.lists(st.integers(0, 2), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_levels_are_the_same_in_whatever_order_the_rows_lie(grades: list[int], seed: int) -> None:
    draw = np.random.default_rng(seed)
    apart = draw.integers(0, 5, len(grades))
    order = draw.permutation(len(grades))
    given_grades = np.array([grades], np.uint8)
    real, codes = apart.astype(np.float32)[None], apart.astype(np.uint8)[None]
    for first, second in (
        (
            Levels.of_distances(real, given_grades, 1),
            Levels.of_distances(real[:, order], given_grades[:, order], 1),
        ),
        (
            Levels.of_codes(codes, given_grades, 1, 8),
            Levels.of_codes(codes[:, order], given_grades[:, order], 1, 8),
        ),
    ):
        assert np.array_equal(first.grades, second.grades)
        assert first.nearest == second.nearest


@given(grades=st.lists(st.integers(0, 2), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_distances_and_codes_give_the_same_measures(grades: list[int], seed: int) -> None:
    """Grade 2 is no answer."""
    apart = np.random.default_rng(seed).integers(0, 5, (1, len(grades)))
    real = Levels.of_distances(apart.astype(np.float32), np.array([grades], np.uint8), 1)
    codes = Levels.of_codes(apart.astype(np.uint8), np.array([grades], np.uint8), 1, 8)
    for name in ("map[all]", "map@3[min]", "cmc@1", "ndcg@3[exp]", "map_roxf[trapz]", "mp@3"):
        np.testing.assert_allclose(measure(name).of(real), measure(name).of(codes), atol=1e-12)
    assert real.nearest == codes.nearest


def test_the_first_ranks_alone_are_enough_for_a_measure_that_looks_at_no_more() -> None:
    draw = np.random.default_rng(0)
    hits = draw.random((20, 30)) < 0.3
    whole = Levels.of_distances(np.tile(np.arange(30.0), (20, 1)), hits.astype(np.uint8), 1)
    part = Levels.of_ranks(np.ones((20, 10), bool), hits[:, :10], hits.sum(axis=1))
    for name in ("map@10[min]", "map@10[hits]", "map@5[R]", "p@10", "cmc@1", "mrr@10", "recall@7"):
        np.testing.assert_allclose(measure(name).of(part), measure(name).of(whole), atol=1e-12)


def gap_by_loops(answers: list[tuple[float, bool, bool]]) -> float:
    """GAP of (distance, right, answered) in the order of the queries' keys."""
    order = sorted(range(len(answers)), key=lambda n: (answers[n][0], n))
    right, total = 0, 0.0
    for place, n in enumerate(order, 1):
        if answers[n][1]:
            right += 1
            total += right / place
    return total / sum(answered for _, _, answered in answers)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), min_size=1, max_size=9))
def test_gap_ranks_the_first_answers_of_all_queries(said: list[tuple[int, bool, bool]]) -> None:
    answers = [(float(apart), right and answered, answered) for apart, right, answered in said]
    if not any(answered for _, _, answered in answers):
        return
    gap = measure("gap")
    parts = [
        gap.part(
            Levels(
                np.array([[[1 - right, 0], [right, answered - right]]]).astype(np.int64),
                np.array([apart]),
            )
        )
        for apart, right, answered in answers
    ]
    values = gap.joined(parts)
    assert np.isnan(values).sum() == sum(not answered for _, _, answered in answers)
    assert np.nanmean(values) == pytest.approx(gap_by_loops(answers))


def test_a_query_without_a_relevant_item_has_no_measure() -> None:
    empty = levels_of([[0], [0, 0]])
    for name in (*NAMES, "gap"):
        assert np.isnan(measure(name).of(empty)[0]), name


def test_every_measure_of_every_protocol_is_known() -> None:
    for protocol in PROTOCOLS.values():
        for name in protocol.measures:
            assert measure(name).name == name


def test_every_measure_says_what_it_is_and_is_tried_here() -> None:
    tried = {written(measure(name)) for name in (*NAMES, *CAPTIONS, "gap")}
    for name, kind in MEASURES.items():
        assert kind.definition, name
        assert kind.source, name
        assert (name in tried) != bool(kind.refusal), name


def written(one: Measure) -> str:
    return next(name for name, kind in MEASURES.items() if kind is one.kind)


@pytest.mark.parametrize(
    ("name", "depth"),
    [("map@100[min]", 100), ("map[all]", None), ("gap", 1), ("ns_score", 4), ("p[h<=2]", None)],
)
def test_a_measure_says_how_deep_it_looks(name: str, depth: int | None) -> None:
    assert measure(name).depth == depth


@pytest.mark.parametrize(
    "name",
    [
        "map@1000",
        "mAP[all]",
        "map@k[min]",
        "map@K[min]",
        "map@007[min]",
        "p[h<=2",
        "map",
        "p@ 3",
        "",
    ],
)
def test_an_unknown_measure_names_the_choices(name: str) -> None:
    with pytest.raises(ValueError, match=r"Unknown measure .* choose from acg@K, "):
        measure(name)


def test_the_nearest_name_is_proposed_and_a_cutoff_of_nothing_refused() -> None:
    with pytest.raises(ValueError, match=r"Did you mean 'map\[all\]'"):
        measure("mAP[all]")
    with pytest.raises(ValueError, match="looks at no rank"):
        measure("p@0")
    assert measure("p[h<=0]").k == 0


def test_what_needs_another_truth_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"cmc.*needs"):
        measure("cmc@1[same-pair]").of(ranked(GOLDEN))


@pytest.mark.parametrize("name", CAPTIONS)
def test_sentences_and_pictures_are_measured_as_pictures_are(name: str) -> None:
    told = measure(name)
    assert (told.k, f"cmc@3[{told.kind.way}]") == (3, name)
    assert told.of(ranked(GOLDEN)).tolist() == measure("cmc@3").of(ranked(GOLDEN)).tolist()


def test_a_radius_is_refused_of_descriptors_that_are_no_codes() -> None:
    assert "descriptor: binary" in measure("p[h<=2]").refusal(bits=False)
    assert measure("p[h<=2]").refusal(bits=True) == ""
    assert measure("map[all]").refusal(bits=False) == ""


def test_many_queries_are_measured_as_each_alone() -> None:
    draw: Any = np.random.default_rng(1)
    apart: Array = draw.integers(0, 9, (30, 50)).astype(np.uint8)
    grades: Array = draw.integers(0, 4, (30, 50)).astype(np.uint8)
    whole = Levels.of_codes(apart, grades, 2, 8)
    for name in NAMES:
        alone = [
            measure(name).of(Levels.of_codes(apart[q : q + 1], grades[q : q + 1], 2, 8))
            for q in range(30)
        ]
        np.testing.assert_allclose(measure(name).of(whole), np.concatenate(alone), atol=1e-12)
