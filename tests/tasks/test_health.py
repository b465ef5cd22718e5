"""An index's figures, what they call for, and that one repair a night keeps within its budget."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from data.indexes import ANN, index_schema, index_table, nearest
from data.store import Store
from data.tables import RUN
from tasks.health import Figures, HealthPlan, maintain, measure, needs
from tasks.index import IndexPlan
from tasks.measuring.probe import K, exact_probe, recall

if TYPE_CHECKING:
    from tests.tasks.conftest import World

FINE = Figures(rows=10_000, fragments=1, small=1, deleted=0.0, partitions=100, balance=2.0)
PLAN = HealthPlan(exact_below=100, unindexed=20, fragments=8)


def live(numbers: range, content: str = "") -> dict[str, tuple[str, str, str]]:
    return {f"k{n:04d}": (f"content {content}{n}", "a", "live") for n in numbers}


@pytest.mark.parametrize(
    ("figures", "called_for"),
    [
        (FINE, []),
        (replace(FINE, partitions=0, rows=99), []),
        (replace(FINE, partitions=0, rows=100), ["retrain"]),
        (replace(FINE, unindexed=20), []),
        (replace(FINE, unindexed=21), ["append"]),
        (replace(FINE, small=9, unindexed=21), ["compact", "append"]),
        (replace(FINE, deleted=0.21), ["compact"]),
        (replace(FINE, rows=20_001, unindexed=10_001), ["retrain", "append"]),
        (replace(FINE, balance=12.1), ["retrain"]),
        (replace(FINE, recall=0.94), ["retrain"]),
        (replace(FINE, recall=0.95), []),
    ],
)
def test_figures_call_for_the_most_thorough_repair_first(
    figures: Figures, called_for: list[str]
) -> None:
    assert [action for action, _ in needs(figures, PLAN, None)] == called_for


def test_a_recall_that_training_could_not_lift_does_not_train_every_night() -> None:
    assert needs(replace(FINE, recall=0.80), PLAN, reached=0.81) == []
    assert [action for action, _ in needs(replace(FINE, recall=0.78), PLAN, 0.81)] == ["retrain"]


def test_small_tables_are_searched_exactly_and_grow_an_ann_index_later(world: "World") -> None:
    plan = IndexPlan(exact_below=100)
    world.write(live(range(60)))
    world.describe_all()
    assert world.night("run-1", plan).health["after"]["partitions"] == 0
    world.write(live(range(60, 160)))
    world.describe_all()
    health = world.night("run-2", plan).health
    assert (health["action"], health["after"]["partitions"]) == ("retrain", 13)  # sqrt(160)
    kind = world.open().stats.index_stats(ANN)["index_type"]
    assert kind == ("IVF_FLAT" if world.value == pa.uint8() else "IVF_SQ")


def test_the_tail_enters_the_ann_index_and_its_partitions_stay(world: "World") -> None:
    plan = IndexPlan(exact_below=100, unindexed=20)
    world.write(live(range(150)))
    world.describe_all()
    world.night("run-1", plan)
    world.write(live(range(150, 165)))
    world.describe_all()
    health = world.night("run-2", plan).health
    assert (health["action"], health["after"]["unindexed"]) == ("none", 15)
    world.write(live(range(165, 175)))
    world.describe_all()
    health = world.night("run-3", plan).health
    assert (health["action"], health["before"]["unindexed"]) == ("append", 25)
    assert (health["after"]["unindexed"], health["after"]["partitions"]) == (0, 12)
    assert world.held() == world.expected()


def test_an_index_that_doubled_is_trained_anew(world: "World") -> None:
    plan = IndexPlan(exact_below=100)
    world.write(live(range(100)))
    world.describe_all()
    world.night("run-1", plan)
    world.write(live(range(100, 250)))
    world.describe_all()
    health = world.night("run-2", plan).health
    assert (health["action"], health["after"]["partitions"]) == ("retrain", 16)


def test_no_night_makes_more_than_five_versions(world: "World") -> None:
    """The worst is a compaction that also takes up the tail: data, compaction (two), tail, seal."""
    plan = IndexPlan(exact_below=50, unindexed=0, fragments=2, deleted=0.1)
    rng = np.random.default_rng(5)
    made, actions, version = [], set(), 0
    for night in range(8):
        world.write(
            {
                f"k{n}": (f"content {night} {n}", "a", str(rng.choice(["live", "live", "removed"])))
                for n in rng.choice(300, 90, replace=False)
            }
        )
        world.describe_all()
        sealed = world.night(f"run-{night}", plan)
        made.append(sealed.version - version)
        version = sealed.version
        actions.add(sealed.health["action"])
        assert world.held() == world.expected()
        assert sealed.health["after"]["unindexed"] == 0
    assert max(made) == 5
    assert {"compact", "retrain"} <= actions


def test_a_compaction_leaves_no_deleted_rows_and_one_fragment(world: "World") -> None:
    world.write(live(range(60)))
    world.describe_all()
    world.night("run-1")
    world.write({f"k{n:04d}": ("", "a", "removed") for n in range(20)})
    health = world.night("run-2").health
    assert (health["action"], health["before"]["deleted"]) == ("compact", 0.3333)
    assert (health["after"]["deleted"], health["after"]["fragments"]) == (0.0, 1)
    assert world.held() == world.expected()


@pytest.mark.parametrize("short", [{"budget_minutes": 1e-9}, {"budget_mb": 64}])
def test_what_is_over_the_budget_is_postponed_and_said_so(
    real_world: "World", short: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.health.SAMPLE", 2**24)  # as if the index were a large one
    real_world.write(live(range(120)))
    real_world.describe_all()
    plan = IndexPlan(exact_below=100)
    sealed = real_world.night("run-1", plan.model_copy(update=short))
    assert sealed.health["action"] == "none"
    assert sealed.health["postponed"].startswith("retrain: 120 rows and no ANN index (needs about")
    monkeypatch.undo()
    later = real_world.night("run-2", plan)  # nothing changed, but something was left to do
    assert (later.health["action"], later.health["postponed"]) == ("retrain", "")


def test_the_lease_is_checked_before_every_repair(real_world: "World") -> None:
    real_world.write(live(range(120)))
    real_world.describe_all()
    real_world.index("run-1", IndexPlan(exact_below=1000))
    table = index_table(real_world.store, real_world.table)

    def lost() -> None:
        raise RuntimeError("another run holds the lease")

    with pytest.raises(RuntimeError, match="another run"):
        maintain(table, PLAN, lost)
    assert table.open().version == 1
    assert maintain(table, PLAN, lambda: None)[1]["action"] == "retrain"


def by_brute_force(world: "World", query: np.ndarray[Any, Any], k: int) -> float:
    """The distance to the K-th neighbour of QUERY, compared row by row."""
    found = []
    for one, _, _ in world.said.values():
        row = world.vector(one)
        if world.value == pa.uint8():
            found.append(float(sum(bin(a ^ b).count("1") for a, b in zip(query, row, strict=True))))
        else:
            a, b = query.astype(float), row.astype(float)
            found.append(1 - float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
    return sorted(found)[k]


def test_the_probes_reach_is_that_of_brute_force(world: "World") -> None:
    world.write(live(range(80)))
    world.describe_all()
    world.index("run-1")
    probe = exact_probe(world.open(), 7)
    assert probe.queries.shape == (7, 16)
    expected = [by_brute_force(world, query, K) for query in probe.queries]
    assert probe.reach == pytest.approx(expected, abs=2e-3)
    assert (exact_probe(world.open(), 7).queries == probe.queries).all()


def test_recall_is_one_where_search_is_exact(world: "World") -> None:
    world.write(live(range(80)))
    world.describe_all()
    world.index("run-1")
    for queries in (0, 1, 20):
        assert recall(world.open(), exact_probe(world.open(), queries)) == 1.0


def test_recall_falls_with_the_partitions_that_are_visited(
    real_world: "World", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against counting by hand which of the exact neighbours the index returns."""
    real_world.write(live(range(2000)))
    real_world.describe_all()
    real_world.index("run-1", IndexPlan(exact_below=100))
    dataset = real_world.open()
    probe = exact_probe(dataset, 30)
    monkeypatch.setattr("data.indexes.NPROBES", 1)
    poor = recall(dataset, probe)

    def keys(query: np.ndarray[Any, Any], exact: bool) -> set[str]:
        asked = nearest(dataset, query, K + 1, exact)
        return set(
            dataset.scanner(["key", "_distance"], nearest=asked).to_table()["key"].to_pylist()
        )

    found = [len(keys(q, True) & keys(q, False)) - 1 for q in probe.queries]
    assert poor == pytest.approx(np.mean(found) / K, abs=0.02)
    monkeypatch.undo()
    assert poor < 0.8 < recall(dataset, probe)


def test_figures_are_taken_from_the_table_itself(real_world: "World") -> None:
    schema = index_schema(pa.float32(), 16, real_world.encoder)
    table = index_table(real_world.store, real_world.table, schema)
    dataset = None
    doomed = np.empty(0, np.uint64)
    for number in range(3):
        rows = pa.Table.from_pylist(
            [
                {"key": f"{number}-{n}", "digest": "d", "vector": np.ones(16, np.float32)}
                for n in range(4)
            ],
            schema=schema,
        )
        dataset = table.commit(dataset, table.stage(rows), doomed, {RUN: "r"})
        doomed = dataset.scanner([], with_row_address=True).to_table()["_rowaddr"].to_numpy()[:1]
    assert dataset is not None
    assert measure(dataset, PLAN) == Figures(rows=10, fragments=3, small=3, deleted=0.1667)


def test_codes_too_alike_to_be_parted_are_searched_exactly_and_not_tried_every_night(
    store: Store,
) -> None:
    """Lance parts more than 65,792 rows by k-means in steps, which leaves no partition empty."""
    lots = np.random.default_rng(0)
    codes = lots.integers(0, 256, (40, 6), dtype=np.uint8)

    def rows(first: int, count: int) -> pa.Table:
        vectors = pa.array(codes[lots.integers(0, 40, count)].reshape(-1))
        said = {"key": [f"k{n}" for n in range(first, first + count)]}
        said["digest"] = [f"{n:064x}" for n in range(first, first + count)]
        table = pa.table(said).append_column(
            "vector", pa.FixedSizeListArray.from_arrays(vectors, 6)
        )
        schema = index_schema(pa.uint8(), 6, "e" * 64)
        columns = [
            table[name] if name in table.column_names else pa.nulls(count, schema.field(name).type)
            for name in schema.names
        ]
        return pa.Table.from_arrays(columns, schema=schema)

    table = index_table(store, "toy-e", index_schema(pa.uint8(), 6, "e" * 64))
    table.commit(None, table.stage(rows(0, 67_000)), np.empty(0, np.uint64), {RUN: "first"})
    dataset, first = maintain(table, HealthPlan(), lambda: None)
    assert (first["action"], first["too_alike"]) == ("none", 67_000)
    assert "67000 descriptors are too alike to be parted into 259" in first["why"]
    assert first["after"]["partitions"] == 0
    assert recall(dataset, exact_probe(dataset, 8)) == 1
    _, second = maintain(table, HealthPlan(), lambda: None, first)
    assert second["why"].startswith("at 67000 rows the descriptors were too alike")
    _, third = maintain(table, HealthPlan(grew=1.0), lambda: None, second)
    assert "too alike to be parted into 259" in third["why"]  # tried again
