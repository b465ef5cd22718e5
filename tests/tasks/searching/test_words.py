"""An index of visual words is searched exactly, in the order of the kernel, never approximately."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from data.store import Store
from tasks.duplicates import duplicates
from tasks.health import has_ann
from tasks.index import IndexPlan
from tasks.searching.search import Searcher
from tests.tasks.conftest import World
from tests.tasks.rows import kernel, words_of

if TYPE_CHECKING:
    from data.lineage import Lineage


@pytest.fixture
def world(store: Store) -> World:
    return World(store, pa.uint16())


def pictures(start: int, stop: int) -> dict[str, tuple[str, str, str]]:
    return {f"{i:03d}": (f"content {i}", f"class {i % 3}", "live") for i in range(start, stop)}


def night(world: World, run: str, plan: IndexPlan | None = None) -> "Lineage":
    world.describe_all(f"of {run}".replace(" ", "-"))
    return world.night(run, plan) if plan else world.night(run)


def searcher(world: World, lineage: "Lineage") -> Searcher:
    return Searcher(world.store, lineage.table, lineage.version)


def ordered(world: World, query: np.ndarray) -> list[tuple[str, float]]:
    """Every live key with its distance from QUERY, nearest first, by loops."""
    asked = words_of(query)
    apart = {
        key: 1 - kernel(asked, words_of(world.vector(digest)))
        for key, (digest, _, state) in world.said.items()
        if state == "live"
    }
    return sorted(((key, far) for key, far in apart.items()), key=lambda one: (one[1], one[0]))


def test_search_answers_in_the_order_of_the_kernel(world: World) -> None:
    world.write(pictures(0, 90))
    asked = searcher(world, night(world, "run-1"))
    queries = np.stack([world.vector(f"{n:012x}") for n in range(6)])
    for query, found in zip(queries, asked.search_rows(queries, 90), strict=True):
        expected = ordered(world, query)
        apart = [far for _, far in expected]
        assert found["distance"].to_pylist() == pytest.approx(apart, abs=1e-6)
        places = {key: far for key, far in expected}
        assert [places[key] for key in found["key"].to_pylist()] == pytest.approx(apart, abs=1e-6)
        assert found["rank"].to_pylist() == list(range(1, 91))
        few = asked.search(query, 4)
        assert few["distance"].to_pylist() == found["distance"].to_pylist()[:4]
        assert asked.search(query, 4, exact=True) == few


def test_a_picture_finds_itself_first_at_no_distance(world: World) -> None:
    world.write(pictures(0, 30))
    asked = searcher(world, night(world, "run-1"))
    for key in ("000", "017", "029"):
        found = asked.search(world.vector(world.said[key][0]), 2).to_pylist()
        assert (found[0]["key"], found[0]["distance"]) == (key, pytest.approx(0, abs=1e-6))
        assert found[1]["distance"] > 0.01


def test_what_came_and_went_is_searched_as_it_stands(world: World) -> None:
    world.write(pictures(0, 40))
    night(world, "run-1")
    gone = {k: (c, a, "removed") for k, (c, a, _) in pictures(5, 9).items()}
    world.write(pictures(40, 60) | gone)
    asked = searcher(world, night(world, "run-2"))
    query = world.vector("abcdef012345")
    assert asked.rows == 56
    found = asked.search(query, 100)
    expected = ordered(world, query)
    assert found["distance"].to_pylist() == pytest.approx([far for _, far in expected], abs=1e-6)
    assert sorted(found["key"].to_pylist()) == sorted(key for key, _ in expected)


def test_it_is_never_indexed_however_large(world: World) -> None:
    plan = IndexPlan(exact_below=10, fragments=1)
    for run in range(4):
        world.write(pictures(30 * run, 30 * run + 30))
        lineage = night(world, f"run-{run}", plan)
        assert lineage.health["action"] in ("none", "compact")
        assert not has_ann(world.open())
    assert world.held() == world.expected()


def test_a_query_that_does_not_fit_is_refused(world: World) -> None:
    world.write(pictures(0, 5))
    asked = searcher(world, night(world, "run-1"))
    row = world.vector("0" * 12)
    with pytest.raises(ValueError, match="holds visual words: a query must be uint16, not float"):
        asked.search(row.astype(np.float32))
    other = row.copy()
    other[0] = 5
    with pytest.raises(ValueError, match="has slots of 3 values, and the query of 5"):
        asked.search(other)


def test_an_index_without_rows_says_so(world: World) -> None:
    world.write(pictures(0, 2))
    night(world, "run-1")
    world.write({k: (c, a, "removed") for k, (c, a, _) in pictures(0, 2).items()})
    with pytest.raises(ValueError, match="is empty: index images first"):
        searcher(world, night(world, "run-2")).search(world.vector("0" * 12))


def test_near_pairs_are_those_of_the_kernel(world: World) -> None:
    world.write(pictures(0, 60))
    lineage = night(world, "run-1")
    found = duplicates(world.store, lineage.table, lineage.version, 0.85, limit=100)
    rows = {key: words_of(world.vector(digest)) for key, (digest, *_) in world.said.items()}
    near = {
        key
        for key, words in rows.items()
        if any(other != key and 1 - kernel(words, rows[other]) <= 0.85 for other in rows)
    }
    assert 0 < len(near) < 60
    assert found.near_images == len(near)
    assert (found.metric, found.exact) == ("asmk", True)
    with pytest.raises(ValueError, match="0 or more and less than 1"):
        duplicates(world.store, lineage.table, lineage.version, 1.0)
