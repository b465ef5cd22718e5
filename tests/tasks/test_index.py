"""An index is brought to a dataset version by one commit, whatever happened before."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from data.delta import DuplicateKeys, changed_since, compare
from data.descriptors import DescriptorCache, descriptor_schema
from data.indexes import index_schema, index_table
from data.lineage import last_lineage, lineage_of, sealed_versions
from data.manifest import manifest
from data.store import Store
from data.tables import RUN
from tasks.cluster import ClusterPlan, shutdown
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
    try:
        staged = stage(
            table,
            real_world.dataset,
            1,
            real_world.encoder,
            places,
            500,
            ClusterPlan(workers=2),
            here=False,
        )
    finally:
        shutdown()
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


def test_a_lost_lease_leaves_the_index_as_it_was(real_world: "World") -> None:
    real_world.write(pictures("a"))
    real_world.describe_all()
    before = real_world.night("run-1")
    real_world.write(pictures("b"))
    real_world.describe_all()

    def lost() -> None:
        raise RuntimeError("another run holds the lease")

    with pytest.raises(RuntimeError, match="another run"):
        real_world.index("run-2", check=lost)
    assert real_world.open().version == before.version
    assert real_world.night("run-3").rows == 2


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


def test_a_reader_sees_all_of_a_night_or_nothing(real_world: "World") -> None:
    """Each night changes every label: a reader that saw two labels saw half a night."""
    keys = [f"k{n}" for n in range(30)]
    real_world.write(pictures(*keys, label="0"))
    real_world.describe_all()
    real_world.night("run-0")
    done, seen, torn = threading.Event(), set[str](), list[Any]()

    def read() -> None:
        while not done.is_set():
            rows = real_world.open().to_table(["key", "labels"])
            labels = {label for labels in rows["labels"].to_pylist() for label in labels}
            seen.update(labels)
            if len(labels) != 1 or len(rows) != 30 - int(min(labels)):
                torn.append((labels, len(rows)))

    reader = threading.Thread(target=read)
    reader.start()
    for night in range(1, 9):
        left = keys[: 30 - night]
        real_world.write(
            {**pictures(*left, label=str(night)), keys[30 - night]: ("", "a", REMOVED)}
        )
        real_world.describe_all()
        real_world.night(f"run-{night}")
    done.set()
    reader.join()
    assert torn == []
    assert len(seen) > 1


KILLED = """
    import os, signal, sys
    from data.store import Store
    from data.tables import Table
    from tasks.cluster import ClusterPlan
    from tasks.index import IndexPlan, index, seal
    from tasks import seal as sealing

    root, table, dataset, version, encoder, where = sys.argv[1:]
    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)
    if where == "sealed but not tagged":
        sealing._tag = lambda *arguments: die() if arguments[1].startswith("run-") else None
    store = Store(root)
    checks = iter([die] if where == "staged" else [lambda: None] * 9)
    candidate = index(store, table, dataset, int(version), encoder, IndexPlan(exact_below=20),
        ClusterPlan(), "night", lambda: next(checks)())
    if where == "committed":
        die()
    seal(store, candidate, {"recipe": "toy"}, die if where == "to be sealed" else lambda: None)
    die()
"""


@pytest.fixture
def two_worlds(tmp_path: Any) -> "list[World]":
    from tests.tasks.conftest import World

    worlds = [World(Store(str(tmp_path / name))) for name in ("killed", "undisturbed")]
    for world in worlds:
        world.write(pictures(*(f"k{n}" for n in range(40))))
        world.describe_all()
        world.night("first", IndexPlan(exact_below=20))
        world.write({**pictures("new"), "k1": ("other", "a", LIVE), "k2": ("", "a", REMOVED)})
        world.describe_all()
    return worlds


@pytest.mark.parametrize(
    "where", ["staged", "committed", "to be sealed", "sealed but not tagged", "sealed"]
)
def test_a_night_killed_and_run_again_ends_like_an_undisturbed_one(
    two_worlds: "list[World]", where: str
) -> None:
    killed, undisturbed = two_worlds
    before = killed.held()
    names = [killed.store.root, killed.table, killed.dataset, str(killed.version), killed.encoder]
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), *names, where],
        cwd=os.getcwd(),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert killed.held() == (before if where == "staged" else undisturbed.expected())
    again = killed.night("night", IndexPlan(exact_below=20))
    once = undisturbed.night("night", IndexPlan(exact_below=20))
    assert killed.held() == undisturbed.held() == undisturbed.expected()
    differing = {"code", "created", "seconds", "health", "version"}
    assert again.model_dump(exclude=differing) == once.model_dump(exclude=differing)
    assert killed.open("run-night").version == again.version  # type: ignore[arg-type]
    assert json.loads(killed.open().metadata["nightjar.lineage"])["run"] == "night"
