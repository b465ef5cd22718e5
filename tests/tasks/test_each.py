"""What single queries are worth stands beside the figures, where somebody looks closer."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from data.aliases import Pointer
from data.store import Store
from tasks.measuring.evaluate import EvaluatePlan, Scores, evaluate
from tasks.measuring.ranking import TOP

if TYPE_CHECKING:
    from tests.tasks.conftest import World

BESIDE = ("p@1", "p@5", "recall@5", "recall@10", "p@50")
PLAN: dict[str, Any] = {"queries": 100, "k": 20, "protocol": "labels"}


def filled(world: "World", rows: int = 40, part: str = "part") -> None:
    world.write({f"{n:03d}": (f"content {n}", f"class {n % 4}", "live") for n in range(rows)})
    world.describe_all(part)


def closer(world: "World", production: Pointer | None = None) -> Scores:
    found = world.index("run-2")
    plan = EvaluatePlan(**PLAN)
    return evaluate(world.store, found, production, world.dataset, plan, beside=BESIDE)


def test_values_answers_and_what_is_right_are_those_of_each_query(world: "World") -> None:
    filled(world)
    scores = closer(world)
    assert scores.each
    (ours,) = scores.each.ranked
    labels = {key: label for key, (_, label, _) in world.said.items()}
    assert len(scores.each.keys) == 40
    for query, key in enumerate(scores.each.keys):
        found = [ours.keys[row] for row in ours.answers[query].tolist()]
        right = [labels[one] == labels[key] for one in found]
        assert key not in found
        assert ours.right[query].tolist() == right
        if world.value != pa.uint8():  # of codes it is the mean over the orders of ties
            assert ours.values["p@5"][query] == pytest.approx(np.mean(right[:5]))
            assert ours.values["recall@10"][query] == pytest.approx(sum(right[:10]) / 9)
    for name in ("p@1", "p@5", "recall@5", "map@20[min]"):
        assert scores.candidate[name] == pytest.approx(ours.values[name].mean())
        low, high = scores.intervals[name]
        assert low <= scores.candidate[name] <= high
    assert "p@50" not in scores.candidate  # only 20 ranks are looked at
    assert "ann_recall@10" not in scores.intervals


def test_nothing_of_single_queries_is_kept_where_nobody_asks(real_world: "World") -> None:
    filled(real_world)
    found = real_world.index("run-1")
    scores = evaluate(real_world.store, found, None, real_world.dataset, EvaluatePlan(**PLAN))
    assert scores.each is None
    assert "p@5" not in scores.candidate
    assert scores.intervals["map@20[min]"][0] < scores.candidate["map@20[min]"]
    assert scores.p is None


def test_two_versions_are_compared_by_the_paired_test(store: Store) -> None:
    from tests.tasks.conftest import World

    class Seeing(World):
        """An encoder that knows the class of every image."""

        def vector(self, of: str) -> Any:
            label = next(int(said[-1]) for d, said, _ in self.said.values() if d == of)
            blurred = 0.05 * super().vector(of)
            return (np.eye(self.width)[label] + blurred).astype(np.float32)

    seeing, blind = Seeing(store, encoder="a" * 64), World(store, encoder="b" * 64)
    filled(seeing)
    blind.said = seeing.said
    blind.describe_all()
    line = seeing.night("run-1")
    before = Pointer(
        table=line.table, version=line.version, run=line.run, moved="m", why="promoted"
    )
    scores = closer(blind, before)
    assert scores.each
    assert len(scores.each.ranked) == 2
    assert scores.p is not None
    assert scores.p < 0.001
    assert scores.proven
    assert "which chance does not explain" in scores.comparison()
    assert f"of {line.table}@1 on" in scores.comparison(f"{line.table}@1")
    same = closer(seeing, before)
    assert same.p == 1
    assert not same.proven
    assert all(one.right.shape == (40, TOP) for one in scores.each.ranked)
