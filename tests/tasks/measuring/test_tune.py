"""The cheapest setting that finds enough is found, kept with the alias, and used from then on."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from data.aliases import Alias, AliasMoved, Pointer
from data.indexes import nearest
from data.probing import Probing
from data.store import Store
from tasks.index import IndexPlan
from tasks.measuring.evaluate import EvaluatePlan, evaluate
from tasks.measuring.probe import exact_probe, recall
from tasks.measuring.tune import REFINES, OutOfReach, Tuning, keep, tune
from tasks.promote import now, promote, rollback
from tasks.searching.search import Searcher

if TYPE_CHECKING:
    from data.lineage import Lineage
    from tests.tasks.conftest import World

PLAN = IndexPlan(exact_below=100)
POOR = Probing(nprobes=1, refine=1, k=10, wanted=0.1, recall=0.1)


def filled(world: "World", rows: int) -> "Lineage":
    world.write({f"k{n:04d}": (f"content {n}", f"class {n % 3}", "live") for n in range(rows)})
    world.describe_all(f"part-{rows}")
    return world.night(f"run-{rows}", PLAN)


def pointer(lineage: "Lineage") -> Pointer:
    return Pointer(
        table=lineage.table, version=lineage.version, run=lineage.run, moved=now(), why="promoted"
    )


def by_hand(world: "World", tuning: Tuning, probing: Probing) -> float:
    """The share of the exact neighbours that PROBING finds, query by query and key by key."""
    dataset, found = world.open(), []
    for query in exact_probe(dataset, tuning.queries).queries:
        asked = [
            nearest(dataset, query, tuning.k + 1, exact, None if exact else probing)
            for exact in (True, False)
        ]
        keys = [
            set(dataset.scanner(["key", "_distance"], nearest=one).to_table()["key"].to_pylist())
            for one in asked
        ]
        found.append((len(keys[0] & keys[1]) - 1) / tuning.k)
    return float(np.mean(found))


def test_the_fewest_partitions_that_find_enough_are_found(world: "World") -> None:
    filled(world, 400)
    tuning = tune(world.open(), 0.8, queries=20)
    assert (tuning.k, tuning.queries, tuning.rows, tuning.partitions) == (10, 20, 400, 20)
    *fewest, used = tuning.enough
    assert (used.nprobes, used.refine) == (32, 4)  # finds enough too, and may be as fast
    for one in fewest:
        assert one.recall >= 0.8
        assert one.nprobes < 20
        fewer = [other for other in tuning.tried if other.refine == one.refine]
        assert all(other.recall < 0.8 for other in fewer if other.nprobes < one.nprobes)
    chosen = tuning.chosen
    assert chosen in tuning.enough
    assert chosen.milliseconds == min(one.milliseconds or 0 for one in tuning.enough)
    bits = world.value == pa.uint8()
    assert {one.refine for one in tuning.tried} >= ({1} if bits else set(REFINES))
    assert tuning.before.recall == 1  # 32 of 20 partitions are visited where nobody says more
    assert tuning.exact > 0
    again = recall(world.open(), exact_probe(world.open(), 20), tuning.probing)
    assert again == pytest.approx(chosen.recall, abs=1e-4)
    assert tuning.probing.wanted == 0.8


def test_its_recall_is_that_of_counting_keys(real_world: "World") -> None:
    filled(real_world, 400)
    tuning = tune(real_world.open(), 0.7, queries=20)
    counted = by_hand(real_world, tuning, tuning.probing)
    assert counted == pytest.approx(tuning.chosen.recall, abs=0.02)


def test_out_of_reach_says_the_best(real_world: "World") -> None:
    filled(real_world, 400)
    with pytest.raises(
        OutOfReach, match=r"No setting finds 0.999 of the 10 .* nprobes \d+.*recall"
    ):
        tune(real_world.open(), 0.999, queries=20, most=2, used=POOR)
    with pytest.raises(OutOfReach, match="or let a query visit more than 2"):
        tune(real_world.open(), 0.999, queries=20, most=2, used=POOR)


def test_an_index_without_an_ann_index_has_nothing_to_tune(real_world: "World") -> None:
    filled(real_world, 60)
    with pytest.raises(ValueError, match=r"no ANN index: its 60 rows are all compared"):
        tune(real_world.open(), 0.9)


def test_what_was_tuned_is_kept_with_the_alias_and_goes_on_with_its_table(
    real_world: "World",
) -> None:
    store = real_world.store
    first = pointer(filled(real_world, 300))
    promote(store, "toy", first, lambda: None)
    alias = Alias(store, "toy")
    assert b"probing" not in store.read("aliases/toy/000001.json")
    tuned = keep(store, "toy", first, POOR)
    assert (tuned.why, tuned.place, tuned.probing) == ("tuned", first.place, POOR)
    assert alias.current() == tuned
    assert alias.probing(first.place) == POOR
    with pytest.raises(AliasMoved):
        keep(store, "toy", first, POOR)
    second = pointer(filled(real_world, 320))
    assert promote(store, "toy", second, lambda: None).probing == POOR
    assert alias.probing(first.place) is None
    assert rollback(store, "toy").probing == POOR  # to what was tuned, not to what it was before
    with pytest.raises(FileNotFoundError, match="no earlier"):
        rollback(store, "toy")  # a tuning is no version to go back to
    elsewhere = pointer(second_table(store))
    assert promote(store, "toy", elsewhere, lambda: None).probing is None


def second_table(store: Store) -> "Lineage":
    from tests.tasks.conftest import World

    other = World(store, encoder="f" * 64, dataset="others")
    return filled(other, 60)


@pytest.mark.parametrize("value", [pa.float32(), pa.uint8()])
def test_search_and_the_gates_ask_as_was_tuned(store: Store, value: pa.DataType) -> None:
    from tests.tasks.conftest import World

    world = World(store, value)
    sealed = filled(world, 400)
    place = (sealed.table, sealed.version)
    queries = np.stack([world.vector(digest) for digest, _, _ in list(world.said.values())[:20]])

    def found(probing: Probing | None, exact: bool = False) -> list[float]:
        searcher = Searcher(store, *place, probing=probing)
        answers = searcher.search_rows(queries, 10, exact=exact)
        return [distance for rows in answers for distance in rows["distance"].to_pylist()]

    assert found(None) == pytest.approx(found(None, exact=True), abs=1e-5)
    assert sum(found(POOR)) > sum(found(None)) + 1e-3
    plan: dict[str, Any] = {"queries": 50, "k": 10, "protocol": "labels"}
    before = pointer(sealed)
    world.write({"new": ("new", "class 0", "live")})
    world.describe_all("second")
    candidate = world.index("run-2", PLAN)
    recalls = [
        evaluate(store, one, before, world.dataset, EvaluatePlan(**plan)).candidate["ann_recall@10"]
        for one in (candidate, replace(candidate, probing=POOR))
    ]
    assert recalls[0] == 1
    assert 0.1 < recalls[1] < 0.9


def test_the_health_of_an_index_is_measured_as_it_is_asked(real_world: "World") -> None:
    filled(real_world, 400)
    real_world.write({"new": ("new", "class 0", "live")})
    real_world.describe_all("second")
    plan = PLAN.model_copy(update={"recall": 0.0})
    from tasks.cluster import ClusterPlan
    from tasks.index import index

    made = index(
        real_world.store,
        real_world.table,
        real_world.dataset,
        real_world.version,
        real_world.encoder,
        plan,
        ClusterPlan(),
        "run-2",
        lambda: None,
        POOR,
    )
    assert made.health["before"]["recall"] < 0.9
    assert made.probing == POOR
