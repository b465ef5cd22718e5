"""An encoder that gives all pictures nearly one descriptor is named; one that learned is not."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tasks.measuring.collapsed import collapse_notes
from tasks.measuring.evaluate import EvaluatePlan, evaluate
from tasks.measuring.queries import Array, Protocol, Queries

if TYPE_CHECKING:
    from tests.tasks.conftest import World


def queries(protocol: Protocol, labels: list[str], vectors: Array) -> Queries:
    keys = tuple(str(number) for number in range(len(labels)))
    images = np.arange(len(labels), dtype=np.uint64)
    return Queries(protocol, keys, images, tuple((one,) for one in labels), vectors)


def codes(kinds: int, count: int = 20) -> Array:
    """COUNT codes of two bytes, of KINDS different ones in turn."""
    return np.array([[number % kinds, 7] for number in range(count)], np.uint8)


@pytest.mark.parametrize(
    ("protocol", "classes", "kinds", "collapsed"),
    [
        ("labels", 10, 10, False),  # a code for each class is what labels teach
        ("labels", 10, 5, False),
        ("labels", 10, 4, True),
        ("labels", 2, 2, False),
        ("labels", 2, 1, True),
        ("labels", 1, 1, False),  # nothing is to be told apart
        ("known_item", 10, 10, False),
        ("known_item", 10, 9, True),  # each of twenty pictures is to be found itself
        ("known_item", 10, 20, False),
    ],
)
def test_it_is_judged_by_what_is_to_be_told_apart(
    protocol: Protocol, classes: int, kinds: int, collapsed: bool
) -> None:
    labels = [f"class {number % classes}" for number in range(20)]
    found = collapse_notes(queries(protocol, labels, codes(kinds)))
    assert bool(found) == collapsed
    if collapsed:
        of = f", of {classes} different labels," if protocol == "labels" else ""
        assert f"20 queries{of} have {kinds} different descriptors" in found[0]


def test_it_stands_in_the_notes_of_what_is_measured(
    world: "World", monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = {f"{i:03d}": (f"content {i}", f"class {i % 4}", "live") for i in range(30)}
    world.write(pictures)
    one = world.vector("0" * 64)
    monkeypatch.setattr(type(world), "vector", lambda self, of: one)
    world.describe_all()
    plan = EvaluatePlan(queries=200, k=10, protocol="labels")
    scores = evaluate(world.store, world.index("run-1"), None, world.dataset, plan)
    assert scores.queries == 30
    (said,) = scores.notes
    assert said.startswith("The encoder collapsed: 30 queries, of 4 different labels, have 1 ")
