"""Several queries, unwanted ones, a radius, variety: as loops over all rows have it."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.indexes import VECTOR
from data.store import Store
from models.distances import Metric
from tasks.searching.question import Query, Question
from tasks.searching.refine import distinct, varied
from tasks.searching.search import ANSWER, SCORED, Searcher
from tests.tasks.conftest import World
from tests.tasks.rows import apart, pictures, similar

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray
KINDS = {"float32": pa.float32(), "float16": pa.float16(), "uint8": pa.uint8(), "asmk": pa.uint16()}


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, store: Store) -> World:
    """A world of each kind of descriptor, visual words among them, of forty pictures."""
    world = World(store, KINDS[request.param])
    world.write(pictures(40))
    world.describe_all()
    return world


def searcher(world: World) -> Searcher:
    lineage = world.night("run-1")
    return Searcher(world.store, lineage.table, lineage.version)


def queries(world: World, *seeds: int) -> tuple[Query, ...]:
    return tuple(Query.of(world.vector(f"{seed:012x}")) for seed in seeds)


def expected(
    world: World, like: "Sequence[Query]", unlike: "Sequence[Query]", beta: float
) -> dict[str, tuple[float, float]]:
    """Score and mean distance of each key, by the definition."""
    found = {}
    for key, (digest, _, _) in world.said.items():
        row = world.vector(digest)
        score = sum(similar(one.content, row) for one in like) / len(like)
        if unlike:
            score -= beta * sum(similar(one.content, row) for one in unlike) / len(unlike)
        found[key] = (score, sum(apart(one.content, row) for one in like) / len(like))
    return found


@pytest.mark.parametrize("unlike", [(), (7,), (7, 8, 9)])
@pytest.mark.parametrize("exact", [True, False])
def test_several_queries_rank_by_mean_similarity_less_that_to_unwanted_ones(
    world: World, unlike: tuple[int, ...], exact: bool
) -> None:
    like, away = queries(world, 1, 2, 3), queries(world, *unlike)
    question = Question(like, away, beta=0.7, k=12, exact=exact)
    answer = searcher(world).ask(question)
    assert answer.schema == SCORED
    truth = expected(world, like, away, 0.7)
    assert answer["score"].to_pylist() == pytest.approx(
        sorted((score for score, _ in truth.values()), reverse=True)[:12], abs=2e-3
    )
    for row in answer.to_pylist():
        score, mean = truth[row["key"]]
        assert (row["score"], row["distance"]) == (
            pytest.approx(score, abs=2e-3),
            pytest.approx(mean, abs=4e-3),
        )
    assert answer["rank"].to_pylist() == list(range(1, 13))


def test_one_query_stands_by_its_distance_and_what_is_unwanted_moves_down(world: World) -> None:
    asked = searcher(world)
    one = queries(world, 1)
    plain = asked.ask(Question(one, k=40))
    assert plain.schema == ANSWER
    assert plain == asked.search(one[0], 40)
    first = plain["key"][0].as_py()
    unwanted = Query.of(world.vector(world.said[first][0]))
    turned = asked.ask(Question(one, (unwanted,), beta=1, k=40))
    assert turned["key"].to_pylist().index(first) > 0
    assert sorted(turned["key"].to_pylist()) == sorted(plain["key"].to_pylist())


def test_of_several_queries_pages_follow_each_other(world: World) -> None:
    asked = searcher(world)
    question = Question(queries(world, 1, 2), queries(world, 3), k=5)
    pages = [asked.ask(replace(question, offset=offset)) for offset in (0, 5)]
    assert pa.concat_tables(pages) == asked.ask(replace(question, k=10))
    assert len(asked.ask(replace(question, k=50))) == 40
    assert len(asked.ask(replace(question, offset=50))) == 0


def test_queries_that_cancel_each_other_out_say_nothing(world: World) -> None:
    asked = searcher(world)
    one = queries(world, 1)
    question = Question(one, one, beta=1)
    if world.value == pa.uint16():  # scores of a kernel do not point anywhere
        assert asked.ask(question)["score"].to_pylist() == [0.0] * 10
        return
    with pytest.raises(ValueError, match="cancel each other out"):
        asked.ask(question)


def test_a_radius_has_all_rows_within_and_no_others(store: Store) -> None:
    world = World(store, pa.uint8(), width=2)
    world.write(pictures(60))
    world.describe_all()
    asked = searcher(world)
    one = queries(world, 5)
    for radius in (0, 4, 6, 8, 16):
        near = {
            key
            for key, (digest, _, _) in world.said.items()
            if apart(one[0].content, world.vector(digest)) <= radius
        }
        found = asked.ask(Question(one, k=60, radius=radius))
        assert set(found["key"].to_pylist()) == near
        assert len(asked.ask(Question(one, k=3, radius=radius))) == min(3, len(near))
        if len(near) > 2:
            page = asked.ask(Question(one, k=60, offset=2, radius=radius))
            assert page["key"].to_pylist() == found["key"].to_pylist()[2:]


def test_a_radius_is_for_bits_and_for_what_is_sought_alone(real_world: World) -> None:
    real_world.write(pictures(4))
    real_world.describe_all()
    asked = searcher(real_world)
    with pytest.raises(ValueError, match=r"compares by cosine: a radius counts differing bits"):
        asked.ask(Question(queries(real_world, 1), radius=3))
    with pytest.raises(ValueError, match="leave it out, or what is not wanted"):
        Question(queries(real_world, 1), queries(real_world, 2), radius=3)


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"k": 0}, "k must be at least 1, not 0"),
        ({"offset": -1}, "offset must not be negative, but is -1"),
        ({"radius": -1}, "radius must not be negative"),
        ({"apart": -0.5}, "apart must not be negative, but is -0.5"),
        ({"beta": math.nan}, "beta must not be negative, but is nan"),
        ({"apart": math.inf}, "apart must not be negative, but is inf"),
    ],
)
def test_numbers_out_of_range_are_refused(numbers: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Question((Query.of(b""),), **numbers)  # type: ignore[arg-type]


def test_a_question_without_a_query_is_none() -> None:
    with pytest.raises(ValueError, match="Nothing is asked with"):
        Question(())


def varied_by_loops(world: World, keys: list[str], bound: float) -> list[str]:
    """KEYS, gone through in their order, without those near to one that is left."""
    left: list[str] = []
    for key in keys:
        row = world.vector(world.said[key][0])
        if all(apart(world.vector(world.said[other][0]), row) > bound for other in left):
            left.append(key)
    return left


def test_no_two_rows_of_a_varied_answer_are_near(world: World) -> None:
    for number in range(6):  # the same six pictures again, and once more
        world.write({f"copy {number}": (f"content {number}", "a", "live")})
        world.write({f"more {number}": (f"content {number}", "a", "live")})
    asked = searcher(world)
    question = Question(queries(world, 1), k=60)
    order = asked.ask(question)["key"].to_pylist()
    bound = {"cosine": 0.8, "hamming": 55.0, "asmk": 0.9}[asked.metric]
    for near in (0.0, bound):
        left = varied_by_loops(world, order, near + (1e-6 if asked.metric != "hamming" else 0))
        assert len(left) < 52
        found = asked.ask(replace(question, apart=near))
        assert found["key"].to_pylist() == left
        assert found["rank"].to_pylist() == list(range(1, len(left) + 1))
        page = asked.ask(replace(question, apart=near, k=3, offset=2))
        assert page["key"].to_pylist() == left[2:5]


def test_variety_is_sought_farther_on_until_there_is_enough() -> None:
    codes = np.repeat(np.arange(5, dtype=np.uint8), 100)[:, None]  # 100 copies of each of five
    rows = pa.table({VECTOR: pa.FixedSizeListArray.from_arrays(pa.array(codes.ravel()), 1)})
    asked: list[int] = []

    def first(n: int) -> pa.Table:
        asked.append(n)
        return rows.slice(0, n)

    found = varied(first, 3, 0, "hamming")
    assert found[VECTOR].to_pylist() == [[0], [1], [2]]
    assert asked == [64, 256]
    assert len(varied(first, 9, 0, "hamming")) == 5


@given(st.data())
def test_what_is_left_is_far_apart_and_what_is_left_out_is_near(data: st.DataObject) -> None:
    metric: Metric = data.draw(st.sampled_from(("cosine", "hamming")))
    count, width = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 4))
    seed = data.draw(st.integers(0, 2**32 - 1))
    drawn = np.random.default_rng(seed).integers(0, 4, (count, width)).astype(np.uint8)
    if metric == "cosine":
        floats = drawn.astype(np.float32) + np.float32(0.5)
        rows = floats / np.linalg.norm(floats, axis=1, keepdims=True)
    else:
        rows = drawn
    bound = data.draw(st.sampled_from((0.0, 0.01, 0.3, 1.0, 3.0)))
    table = pa.table({VECTOR: pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), width)})
    kept = distinct(table, count, bound, metric)
    assert kept == sorted(kept)
    for place in range(count):
        before = [float(apart(rows[one], rows[place])) for one in kept if one < place]
        if place in kept:
            assert all(far > bound for far in before)
        else:
            assert any(far <= bound + 1e-5 for far in before)
