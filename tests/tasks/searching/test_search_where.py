"""Search among the rows that satisfy a condition: as a loop over all rows has it."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from data.manifest import manifest
from data.store import Store
from data.where import labelled, where
from tasks.searching import finding
from tasks.searching.among import unheld
from tasks.searching.question import Query, Question
from tasks.searching.search import ANSWER, SCORED, Searcher
from tests.tasks.conftest import World
from tests.tasks.rows import apart, pictures, similar

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = {"float32": pa.float32(), "float16": pa.float16(), "uint8": pa.uint8(), "asmk": pa.uint16()}
CONDITIONS: "dict[str, Callable[[dict[str, Any]], bool]]" = {
    "label = 'class 1'": lambda row: row["labels"] == ["class 1"],
    "not label in ('class 0', 'class 2') or key = '000'": lambda row: (
        row["labels"] == ["class 1"] or row["key"] == "000"
    ),
    "bytes < 10": lambda row: row["size"] < 10,
    "since = 2 and label != 'class 2'": lambda row: (
        row["since"] == 2 and row["labels"] != ["class 2"]
    ),
    "bytes > 1 and split = train": lambda row: True,
    "time > 1999": lambda row: False,
}


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, store: Store) -> World:
    """A world of each kind of descriptor: forty pictures of one night, and twenty of the next."""
    world = World(store, KINDS[request.param])
    world.write(pictures(40))
    more = {key: (f"more {c}", a, s) for key, (c, a, s) in pictures(60).items() if key >= "040"}
    world.write(more)
    world.describe_all()
    return world


def searcher(world: World, run: str = "run-1") -> Searcher:
    lineage = world.night(run)
    return Searcher(world.store, lineage.table, lineage.version)


def satisfying(world: World, text: str) -> set[str]:
    """The keys of the rows that satisfy TEXT, by a loop."""
    rows = manifest(world.store, "pictures").open().to_table().to_pylist()
    return {row["key"] for row in rows if CONDITIONS[text](row)}


def ordered(world: World, keys: set[str], query: np.ndarray) -> list[tuple[str, float]]:
    """KEYS with their distance from QUERY, nearest first."""
    far = {key: apart(query, world.vector(world.said[key][0])) for key in keys}
    return sorted(far.items(), key=lambda one: (one[1], one[0]))


@pytest.mark.parametrize("text", CONDITIONS)
@pytest.mark.parametrize("listed", [finding.LISTED, 3])
def test_answers_are_the_nearest_of_those_that_satisfy_it(
    world: World, text: str, listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "LISTED", listed)
    asked, query = searcher(world), world.vector("0123456789abcdef")
    truth = ordered(world, satisfying(world, text), query)
    for exact in (True, False):
        question = Question((Query.of(query),), k=12, exact=exact, among=where(text))
        found = asked.ask(question)
        assert found.schema == ANSWER
        assert found["distance"].to_pylist() == pytest.approx(
            [far for _, far in truth[:12]], abs=4e-3
        )
        near = dict(truth)
        for row in found.to_pylist():
            assert row["distance"] == pytest.approx(near[row["key"]], abs=4e-3)


@pytest.mark.parametrize("listed", [finding.LISTED, 3])
def test_real_numbers_ask_codes_among_those_that_satisfy_it(
    store: Store, listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "LISTED", listed)
    world = World(store, pa.uint8())
    world.write(pictures(40))
    world.describe_all()
    query = np.random.default_rng(3).standard_normal(128).astype(np.float32)
    among = searcher(world).among(where("bytes < 10"))
    found = among.nearest(query[None], 5)[0]
    alike = {
        key: (np.unpackbits(world.vector(digest)).astype(np.float32) * 2 - 1) @ query
        for key, (digest, _, _) in world.said.items()
        if int(key) < 10
    }
    nearest = sorted(alike, key=lambda key: -alike[key])
    assert found["key"].to_pylist() == nearest[:5]


@pytest.mark.parametrize("text", ["label = 'class 1'", "bytes < 10"])
@pytest.mark.parametrize("listed", [finding.LISTED, 3])
def test_several_queries_go_together_with_a_condition(
    world: World, text: str, listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "LISTED", listed)
    like = [world.vector(f"{seed:012x}") for seed in (1, 2)]
    away = world.vector(f"{3:012x}")
    found = searcher(world).ask(
        Question(tuple(map(Query.of, like)), (Query.of(away),), k=7, among=where(text))
    )

    def score(key: str) -> float:
        row = world.vector(world.said[key][0])
        return sum(similar(one, row) for one in like) / 2 - similar(away, row) / 2

    truth = {key: score(key) for key in satisfying(world, text)}
    assert set(found["key"].to_pylist()) <= set(truth)
    assert found["score"].to_pylist() == pytest.approx(
        sorted(truth.values(), reverse=True)[:7], abs=2e-3
    )


@pytest.mark.parametrize("listed", [finding.LISTED, 3])
@pytest.mark.parametrize("text", ["label = 'class 1'", "bytes < 10"])
def test_without_a_query_rows_stand_by_how_typical_they_are(
    world: World, text: str, listed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "LISTED", listed)
    found = searcher(world).ask(Question(k=60, among=where(text)))
    keys = satisfying(world, text)
    rows = [world.vector(world.said[key][0]) for key in keys]
    truth = {}
    for key in keys:
        row = world.vector(world.said[key][0])
        truth[key] = (
            sum(similar(one, row) for one in rows) / len(rows),
            sum(apart(one, row) for one in rows) / len(rows),
        )
    assert found.schema == SCORED
    assert set(found["key"].to_pylist()) == keys
    told = found.to_pylist()
    assert [row["score"] for row in told] == sorted((row["score"] for row in told), reverse=True)
    for row in told:
        score, mean = truth[row["key"]]
        assert row["score"] == pytest.approx(score, abs=2e-3)
        assert row["distance"] == pytest.approx(mean, abs=4e-3)


def test_of_many_sets_of_words_some_speak_for_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "SPOKESMEN", 4)
    world = World(store, pa.uint16())
    world.write(pictures(21))
    world.describe_all()
    found = searcher(world).ask(Question(k=21, among=where("label = 'class 0'"))).to_pylist()
    speak = [world.vector(world.said[key][0]) for key in ("000", "006", "012", "018")]
    for row in found:
        own = world.vector(world.said[row["key"]][0])
        mean = sum(similar(one, own) for one in speak) / 4
        assert row["score"] == pytest.approx(mean, abs=1e-5)


def test_labels_alone_ask_by_the_set_that_they_name(real_world: World) -> None:
    real_world.write(pictures(30))
    real_world.describe_all()
    asked = searcher(real_world)
    among = labelled("'class 1' or 'class 2' and not 'class 2'")
    found = asked.ask(Question(k=30, among=among))
    assert {row["labels"][0] for row in found.to_pylist()} == {"class 1"}
    assert len(found) == 10
    with pytest.raises(ValueError, match="Nothing is asked with"):
        Question()


def test_an_approximate_index_is_asked_with_a_condition(real_world: World) -> None:
    real_world.write(pictures(300))
    real_world.describe_all()
    real_world.night("run-1")
    real_world.open().create_index(
        "vector", "IVF_FLAT", name="vector_ann", metric="cosine", num_partitions=64
    )
    real_world.write({"more": ("more", "class 1", "live")})
    real_world.describe_all("second")
    asked = searcher(real_world, "run-2")
    query = real_world.vector("0" * 12)
    for text, size in (("label = 'class 1'", 101), ("since > 1", 1), ("bytes > 4", 300)):
        found = asked.ask(Question((Query.of(query),), k=1000, among=where(text)))
        assert len(found) == size, text
        near = asked.ask(Question((Query.of(query),), k=5, exact=True, among=where(text)))
        assert found.slice(0, min(5, size)) == near


def test_what_nothing_satisfies_is_answered_with_nothing(world: World) -> None:
    asked = searcher(world)
    query = Query.of(world.vector("0" * 12))
    for text in ("label = nobody", "bytes > 1G"):
        assert asked.ask(Question((query,), among=where(text))) == ANSWER.empty_table()
        assert asked.ask(Question((query, query), among=where(text))) == SCORED.empty_table()
        assert asked.ask(Question(among=where(text))) == SCORED.empty_table()


def test_values_that_no_row_has_are_named_with_the_nearest(real_world: World) -> None:
    real_world.write(pictures(6))
    real_world.describe_all()
    asked = searcher(real_world)
    told = unheld(asked.dataset, where("label = 'clas 1' and split = tran and tag = x"))
    assert told == [
        "None has the label 'clas 1'. Did you mean 'class 1'?",
        "None has the split 'tran'. Did you mean 'train'?",
        "None has the tag 'x'.",
    ]
    assert unheld(asked.dataset, where("not label = a and label != b and label ~ c")) == []


def test_a_dataset_version_that_is_gone_is_missed_where_it_is_needed_alone(world: World) -> None:
    asked = searcher(world)
    query = Query.of(world.vector("0" * 12))
    shutil.rmtree(Path(world.store.root) / "manifests" / "pictures.lance")
    assert len(asked.ask(Question((query,), k=3, among=where("label = 'class 1'")))) == 3
    with pytest.raises(FileNotFoundError, match=r"is not kept any more, and it alone knows width"):
        asked.ask(Question((query,), among=where("width > 3 and label = 'class 1'")))
