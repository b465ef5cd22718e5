"""A sealed version says what it holds, once, and in its own name."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from data.indexes import index_table
from data.lineage import last_lineage, lineage_of, sealed_versions
from data.manifest import manifest

if TYPE_CHECKING:
    from tests.tasks.conftest import World

LIVE, REMOVED, QUARANTINED = "live", "removed", "quarantined"


def pictures(*names: str, label: str = "a") -> dict[str, tuple[str, str, str]]:
    """Live images NAMES, each of its own content."""
    return {name: (f"content of {name}", label, LIVE) for name in names}


def test_a_run_called_again_after_its_commit_finds_its_own_work(real_world: "World") -> None:
    real_world.write(pictures("a", "b"))
    real_world.describe_all()
    real_world.night("run-1")
    real_world.write({"a": ("new", "a", LIVE), "b": ("", "a", REMOVED), "c": ("c", "a", LIVE)})
    real_world.describe_all()
    first = real_world.index("run-2")
    again = real_world.index("run-2")
    assert replace(again, version=0, health={}) == replace(first, version=0, health={})
    assert (again.upserted, again.deleted) == (2, 1)
    sealed = real_world.seal(again)
    assert real_world.seal(again) == sealed


def test_the_lineage_is_in_the_version_it_speaks_of_and_in_no_other(world: "World") -> None:
    world.write(pictures("a"))
    world.describe_all()
    candidate = world.index("run-1")
    assert lineage_of(world.open(candidate.version)) is None
    sealed = world.seal(candidate, recipe_digest="f" * 64, metrics={"mAP": 0.5}, pin="12.dir")
    assert sealed.version == candidate.version + 1 == world.open().version
    assert lineage_of(world.open()) == sealed
    assert (sealed.rows, sealed.dataset_version, sealed.run) == (1, 1, "run-1")
    assert sealed.libraries["pylance"]
    assert sealed.code
    assert manifest(world.store, world.dataset).open("dataset-1").version == 1
    world.write(pictures("b"))
    world.describe_all()
    world.index("run-2")
    assert lineage_of(world.open()) is None
    assert last_lineage(world.open()) == sealed
    assert sealed_versions(index_table(world.store, world.table)) == [sealed]


def test_a_candidate_that_was_overtaken_is_not_sealed(real_world: "World") -> None:
    real_world.write(pictures("a"))
    real_world.describe_all()
    candidate = real_world.index("run-1")
    real_world.write(pictures("b"))
    real_world.describe_all()
    real_world.index("run-2")
    with pytest.raises(RuntimeError, match="somebody else wrote meanwhile"):
        real_world.seal(candidate)
