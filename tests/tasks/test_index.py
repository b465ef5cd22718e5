"""An index is brought to a dataset version by one commit, whatever happened before."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from data.delta import DuplicateKeys, changed_since, compare
from data.descriptors import DescriptorCache, descriptor_schema
from data.indexes import index_schema, index_table
from data.manifest import manifest
from data.tables import RUN
from tasks.cluster import ClusterPlan
from tasks.index import IndexPlan, index
from tasks.stage import MissingDescriptor, stage

if TYPE_CHECKING:
    from tests.tasks.conftest import World

LIVE, REMOVED, QUARANTINED = "live", "removed", "quarantined"


def pictures(*names: str, label: str = "a") -> dict[str, tuple[str, str, str]]:
    """Live images NAMES, each of its own content."""
    return {name: (f"content of {name}", label, LIVE) for name in names}


def test_the_first_night_indexes_every_live_image_in_one_commit(world: "World") -> None:
    world.write({**pictures("a", "b", "c"), "gone": ("x", "a", REMOVED)})
    world.describe_all()
    found = world.index("run-1")
    assert (found.version, found.rows, found.upserted, found.deleted) == (1, 3, 3, 0)
    assert world.held() == world.expected()


def test_upserts_deletes_and_inserts_are_one_commit_more(world: "World") -> None:
    world.write(pictures("same", "changed", "removed", "spoiled", "relabelled"))
    world.describe_all()
    first = world.night("run-1")
    world.write(
        {
            "changed": ("new content", "a", LIVE),
            "removed": ("content of removed", "a", REMOVED),
            "spoiled": ("broken", "a", QUARANTINED),
            "relabelled": ("content of relabelled", "b", LIVE),
            "new": ("content of new", "a", LIVE),
        }
    )
    world.describe_all()
    second = world.index("run-2", IndexPlan(deleted=1.0))
    assert second.version == first.version + 1
    assert (second.rows, second.upserted, second.deleted) == (4, 3, 2)
    assert world.held() == world.expected()


def test_nothing_is_committed_where_nothing_differs(world: "World") -> None:
    world.write(pictures("a", "b"))
    world.describe_all()
    sealed = world.night("run-1")
    assert world.index("run-2").version == sealed.version
    assert world.night("run-2") == sealed
    assert world.open().version == sealed.version


def test_a_row_that_was_written_again_but_says_the_same_is_left_alone(real_world: "World") -> None:
    real_world.write(pictures("a", "b"))
    real_world.describe_all()
    sealed = real_world.night("run-1")
    moved = real_world.write(pictures("a", "b"), run="the bytes moved to another shard")
    candidate = real_world.index("run-2")
    assert (candidate.version, candidate.upserted) == (sealed.version, 0)
    assert candidate.dataset_version == moved


def test_many_random_nights_leave_what_a_dictionary_would(world: "World") -> None:
    rng = np.random.default_rng(7)
    described: set[str] = set()
    for night in range(12):
        keys = [f"k{n}" for n in rng.choice(40, rng.integers(1, 15), replace=False)]
        world.write(
            {
                key: (
                    f"content {rng.integers(30)}",  # some keys share their bytes
                    str(rng.integers(2)),
                    str(rng.choice([LIVE, LIVE, LIVE, REMOVED, QUARANTINED])),
                )
                for key in keys
            }
        )
        late = {one for one, _, _ in world.said.values()} - described
        described |= {one for one in late if night % 3 != 2 or rng.random() < 0.5}
        world.describe(described)
        live = [key for key, (_, _, state) in world.said.items() if state == LIVE]
        waiting = sorted(key for key in live if world.said[key][0] not in described)
        candidate = world.index(f"run-{night}")
        assert world.held() == world.expected(described.__contains__)
        assert (candidate.deferred, sorted(candidate.waiting)) == (len(waiting), waiting)
        if night % 4 != 3:  # some nights are cut off before they seal
            world.seal(candidate)


def test_both_ways_of_comparing_find_the_same_delta(real_world: "World") -> None:
    rng = np.random.default_rng(3)
    real_world.write(pictures(*(f"k{n}" for n in range(50))))
    real_world.describe_all()
    sealed = real_world.night("run-1")
    real_world.write(
        {f"k{n}": (f"new {n}", "b", str(rng.choice([LIVE, REMOVED]))) for n in range(40, 60)}
    )
    real_world.describe(
        digest for key, (digest, _, _) in real_world.said.items() if key not in {"k41", "k59"}
    )
    target = manifest(real_world.store, real_world.dataset).open()
    cache = DescriptorCache(real_world.store, real_world.encoder)
    base = real_world.open()
    quick = changed_since(target, sealed.dataset_version, cache, base)
    full = compare(target, cache, base, 128)
    assert quick is not None
    assert quick.upserts.tolist() == full.upserts.tolist()
    assert quick.doomed.tolist() == full.doomed.tolist()
    assert (quick.deferred, sorted(quick.waiting)) == (full.deferred, sorted(full.waiting))
    assert quick.replaced == full.replaced > 0


def test_a_deferred_image_enters_on_the_night_its_descriptor_is_there(world: "World") -> None:
    world.write(pictures("early", "late"))
    late = world.said["late"][0]
    world.describe([world.said["early"][0]])
    first = world.night("run-1")
    assert (first.rows, first.deferred) == (1, 1)
    world.describe([late], "later")
    assert world.night("run-2").rows == 2  # the manifest did not change in between
    assert world.held() == world.expected()


def test_a_stale_descriptor_is_withdrawn_while_the_new_one_is_missing(world: "World") -> None:
    world.write(pictures("a", "b"))
    world.describe_all()
    world.night("run-1")
    world.write({"a": ("not yet embedded", "a", LIVE)})
    candidate = world.index("run-2")
    assert (candidate.deferred, candidate.waiting, list(world.held())) == (1, ("a",), ["b"])


def test_an_older_dataset_version_can_be_indexed_again(world: "World") -> None:
    first = world.write(pictures("a", "b"))
    world.describe_all()
    world.night("run-1")
    then = world.held()
    world.write({"a": ("other", "a", LIVE), "b": ("content of b", "a", REMOVED)})
    world.describe_all("other")
    world.night("run-2")
    world.seal(world.index("run-3", version=first))
    assert world.held() == then


def test_slices_are_staged_in_order_whatever_their_number(real_world: "World") -> None:
    real_world.width = 2048
    real_world.write(pictures(*(f"k{n:04d}" for n in range(2500))))
    real_world.describe_all()
    candidate = real_world.index("run-1", IndexPlan(fragment_mb=1))
    assert candidate.health["after"]["fragments"] == 3
    assert real_world.open().to_table(["key"])["key"].to_pylist() == sorted(real_world.said)


@pytest.mark.ray
def test_ray_workers_stage_what_this_process_would(real_world: "World") -> None:
    real_world.width = 2048
    real_world.write(pictures(*(f"k{n:04d}" for n in range(1500))))
    real_world.describe_all()
    places = np.arange(1500)
    table = index_table(
        real_world.store, real_world.table, index_schema(pa.float32(), 2048, real_world.encoder)
    )
    spread = ClusterPlan(workers=2, small=0)
    staged = stage(
        table, real_world.dataset, 1, real_world.encoder, places, 500, spread, here=False
    )
    assert len(staged) == 3
    table.commit(None, staged, np.empty(0, np.uint64), {RUN: "run-1"})
    assert real_world.open().to_table(["key"])["key"].to_pylist() == sorted(real_world.said)
    assert real_world.held() == real_world.expected()


def test_an_index_that_loses_every_image_is_empty_and_fills_again(world: "World") -> None:
    world.write(pictures("a", "b"))
    world.describe_all()
    world.night("run-1")
    world.write({key: ("", "a", REMOVED) for key in ("a", "b")})
    assert world.night("run-2").rows == 0
    world.write(pictures("a"))
    assert world.night("run-3").rows == 1
    assert world.held() == world.expected()


def test_an_index_without_one_descriptor_cannot_be_made(real_world: "World") -> None:
    real_world.write(pictures("a"))
    with pytest.raises(ValueError, match="no live image of dataset version 1 has a descriptor"):
        real_world.index("run-1")


def test_another_encoder_is_refused_by_the_table(real_world: "World") -> None:
    real_world.write(pictures("a"))
    real_world.describe_all()
    real_world.night("run-1")
    table = real_world.table
    other = "e" * 12 + "f" * 52  # the same in the table's name, not in the digest
    with pytest.raises(ValueError, match="distances between them mean nothing"):
        index(
            real_world.store,
            table,
            real_world.dataset,
            1,
            other,
            IndexPlan(),
            ClusterPlan(),
            "run-2",
            lambda: None,
        )


def test_a_descriptor_that_is_no_number_is_refused(real_world: "World") -> None:
    real_world.write(pictures("a"))
    broken = [
        {"digest": real_world.said["a"][0], "vector": [np.nan] * 16, "reason": "", "decoder": ""}
    ]
    schema = descriptor_schema(pa.float32(), 16)
    DescriptorCache(real_world.store, real_world.encoder).write(
        "part", pa.Table.from_pylist(broken, schema=schema)
    )
    with pytest.raises(Exception, match="hold a number that is none") as raised:
        real_world.index("run-1")
    assert isinstance(raised.value.__cause__ or raised.value, MissingDescriptor)
    assert not index_table(real_world.store, real_world.table, pa.schema([])).exists()


def test_a_key_that_is_there_twice_stops_the_night(world: "World") -> None:
    world.write(pictures("a", "b"))
    world.describe_all()
    world.night("run-1")
    world.write(pictures("c", "d"))
    table = manifest(world.store, world.dataset)
    base = table.open()
    rows = base.to_table(filter="since = 2")
    table.commit(base, table.stage(rows), np.empty(0, np.uint64), {RUN: "broken"})
    with pytest.raises(DuplicateKeys, match="manifest holds more than one row of 'c', 'd'"):
        world.index("run-2")
    with pytest.raises(DuplicateKeys, match="manifest holds more than one row"):
        compare(table.open(), DescriptorCache(world.store, world.encoder), None, 128)
