"""Cleaning lets go of what retention does not ask for, and of nothing else."""

import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from data.aliases import Alias, Pointer
from data.indexes import VECTOR, index_name, index_table, nearest
from data.lease import Lease, LeaseHeld
from data.lineage import Lineage, sealed_versions
from data.manifest import manifest
from tasks.clean import RetainPlan, clean, kept, pointers
from tasks.index import IndexPlan

if TYPE_CHECKING:
    from tests.tasks.conftest import World

ONLY_NEWEST = RetainPlan(versions=1, days=0, grace_minutes=0)


def live(*names: str, label: str = "a") -> dict[str, tuple[str, str, str]]:
    return {name: (f"content of {name}", label, "live") for name in names}


def nights(world: "World", number: int, plan: IndexPlan | None = None) -> list[Lineage]:
    """NUMBER nights that each add a picture, with a tar and its sidecar each, all published."""
    lineages = []
    for night in range(number):
        run = f"run-{night}"
        pictures = live(*(f"k{n}" for n in range(40))) if night == 0 else live(f"new{night}")
        world.write(pictures, run)
        for suffix in ("tar", "arrow"):
            world.store.write(f"shards/pictures/s-{run}.{suffix}", b"x" * 100)
        world.describe_all()
        lineages.append(world.night(run, plan or IndexPlan(exact_below=30)))
        promote(world, lineages[-1])
    return lineages


def promote(world: "World", lineage: Lineage, why: Any = "promoted") -> None:
    alias = Alias(world.store, world.recipe)
    alias.move(
        Pointer(
            table=lineage.table, version=lineage.version, run=lineage.run, moved="now", why=why
        ),
        alias.current(),
    )


def sealed(world: "World") -> list[int]:
    return [one.version for one in sealed_versions(index_table(world.store, world.table))]


def everything(world: "World") -> dict[str, int]:
    """Every file of the store but the leases, with its size."""
    root = world.store.root
    return {
        path: os.path.getsize(path)
        for folder, _, names in os.walk(root)
        for path in (os.path.join(folder, name) for name in names)
        if "/leases/" not in path
    }


def test_production_and_what_it_would_roll_back_to_always_stay(real_world: "World") -> None:
    lineages = nights(real_world, 5)
    done = clean(real_world.store, "pictures", "toy", ONLY_NEWEST)
    assert sealed(real_world) == [lineages[4].version, lineages[3].version]
    assert done.versions == [f"{one.table}@{one.version}" for one in lineages[:3]]
    assert manifest(real_world.store, "pictures").open(4).count_rows() == 43
    with pytest.raises(FileNotFoundError):
        manifest(real_world.store, "pictures").open(2)


def test_a_version_is_kept_for_its_rank_or_for_its_age(real_world: "World") -> None:
    now = datetime.now(UTC)
    lineages = [
        Lineage(
            table="toy-e",
            version=2 * night,
            recipe="toy",
            dataset="pictures",
            dataset_version=night,
            encoder="e",
            run=f"run-{night}",
            rows=1,
            created=(now - timedelta(days=10 - night)).isoformat(),
        )
        for night in range(10)
    ]

    def runs(plan: RetainPlan, *places: tuple[str, int]) -> set[str]:
        return {one.run for one in kept(lineages, set(places), plan, now)}

    assert runs(RetainPlan(versions=2, days=0)) == {"run-8", "run-9"}
    assert runs(RetainPlan(versions=1, days=3.5)) == {"run-7", "run-8", "run-9"}
    assert runs(RetainPlan(versions=1, days=0), ("toy-e", 4)) == {"run-2", "run-9"}
    assert runs(RetainPlan()) == {one.run for one in lineages}


def test_after_a_rollback_both_versions_stay(real_world: "World") -> None:
    lineages = nights(real_world, 4)
    promote(real_world, lineages[1], "rolled back")
    assert pointers(real_world.store, "toy") == {
        (lineages[1].table, lineages[1].version),
        (lineages[3].table, lineages[3].version),
    }
    clean(real_world.store, "pictures", "toy", ONLY_NEWEST)
    assert sealed(real_world) == [lineages[3].version, lineages[1].version]


def test_yesterdays_version_still_searches_with_its_own_ann_index(world: "World") -> None:
    """Also after a compaction of the newest version, and a cleaning with tags present."""
    lineages = nights(world, 4, IndexPlan(exact_below=30, fragments=1, unindexed=0))
    assert "compact" in [one.health["action"] for one in lineages]
    clean(world.store, "pictures", "toy", ONLY_NEWEST)
    for lineage in lineages[2:]:
        version = world.open(lineage.version)
        query = world.vector(world.said["k7"][0])
        asked = version.scanner(["key", "_distance"], nearest=nearest(version, query, 3))
        assert "ANNSubIndex" in asked.explain_plan()
        assert asked.to_table()["key"][0].as_py() == "k7"
        assert version.count_rows() == lineage.rows
        assert version.to_table([VECTOR]).num_rows == lineage.rows


def test_tars_that_no_kept_dataset_version_names_go_with_their_sidecars(
    real_world: "World",
) -> None:
    nights(real_world, 4)
    real_world.write(live("new1"), run="compacted")  # its row points into another tar from now on
    real_world.store.write("shards/pictures/s-compacted.tar", b"x")
    promote(real_world, real_world.night("run-4"))
    real_world.write({"new3": ("", "a", "removed")})
    real_world.describe_all()
    promote(real_world, real_world.night("run-5"))
    done = clean(real_world.store, "pictures", "toy", ONLY_NEWEST)
    assert done.shards == ["shards/pictures/s-run-1.arrow", "shards/pictures/s-run-1.tar"]
    assert real_world.store.exists("shards/pictures/s-run-0.tar")
    assert not real_world.store.exists("shards/pictures/s-run-1.tar")
    assert real_world.store.exists("shards/pictures/s-run-3.tar")  # the last version names it


def test_nothing_young_is_touched(real_world: "World") -> None:
    nights(real_world, 3)
    real_world.store.write("shards/pictures/of-a-running-night.tar", b"x")
    real_world.store.write(f"descriptors/{'d' * 64}/part.arrow", b"x")
    plan = RetainPlan(versions=1, days=0, grace_minutes=60)
    done = clean(real_world.store, "pictures", "toy", plan)
    assert (done.shards, done.caches, done.bytes) == ([], [], 0)
    done = clean(real_world.store, "pictures", "toy", ONLY_NEWEST)
    assert done.shards == ["shards/pictures/of-a-running-night.tar"]
    assert done.caches == ["d" * 64]


def test_the_state_of_a_training_that_nobody_went_on_with_goes(real_world: "World") -> None:
    nights(real_world, 1)
    store, month = real_world.store, time.time() - 30 * 86400
    for name, when in (("given-up", month - 60), ("in-hand", month + 60)):
        for file in ("state.json", "3/whole.pt"):
            store.write(f"encoders/training/{name}/{file}", b"state")
            os.utime(f"{store.root}/encoders/training/{name}/{file}", (when, when))
    # a state is whole: the old file beside a younger one is of a training in hand
    os.utime(f"{store.root}/encoders/training/in-hand/state.json", (month - 60, month - 60))
    store.write(f"encoders/{'e' * 64}/encoder.safetensors", b"the work of a training")
    told = clean(store, "pictures", "toy", RetainPlan(), dry_run=True)
    assert (told.trainings, told.bytes) == (["given-up"], 10)
    assert store.names("encoders/training") == ["given-up", "in-hand"]
    assert clean(store, "pictures", "toy", RetainPlan()).trainings == ["given-up"]
    assert store.names("encoders/training") == ["in-hand"]
    assert clean(store, "pictures", "toy", RetainPlan(days=29)).trainings == ["in-hand"]
    assert store.exists(f"encoders/{'e' * 64}/encoder.safetensors")


def test_tombstones_go_once_every_index_knows_of_them(real_world: "World") -> None:
    nights(real_world, 2)
    real_world.write({"k0": ("", "a", "removed")})  # no index was told yet
    assert clean(real_world.store, "pictures", "toy", ONLY_NEWEST).tombstones == 0
    for night in range(2, 4):
        real_world.describe_all()
        promote(real_world, real_world.night(f"run-{night}"))
        real_world.write(live(f"later{night}"))
    assert clean(real_world.store, "pictures", "toy", ONLY_NEWEST).tombstones == 1
    rows = manifest(real_world.store, "pictures").open()
    assert rows.count_rows(filter="state = 'removed'") == 0
    assert rows.count_rows() == 39 + 1 + 2
    real_world.said.pop("k0")
    real_world.describe_all()
    real_world.night("run-9")
    assert real_world.held() == real_world.expected()


def test_the_table_and_descriptors_of_an_encoder_that_is_no_longer_used_go(
    real_world: "World",
) -> None:
    nights(real_world, 2)
    old, cache = real_world.table, real_world.encoder
    real_world.encoder = "f" * 64
    real_world.describe_all()
    for night in range(2, 4):
        real_world.write(live(f"other{night}"))
        real_world.describe_all()
        promote(real_world, real_world.night(f"run-{night}"))
    done = clean(real_world.store, "pictures", "toy", ONLY_NEWEST)
    assert (done.tables, done.caches) == ([old], [cache])
    assert not real_world.store.exists(f"indexes/{old}.lance")
    assert not real_world.store.exists(f"descriptors/{cache}")
    assert done.bytes > 0
    assert real_world.held() == real_world.expected()


def test_the_first_rows_of_a_night_that_was_killed_before_its_commit_go(
    real_world: "World",
) -> None:
    nights(real_world, 2)
    rows = real_world.open().to_table()
    for recipe in ("toy", "toy-two"):
        index_table(real_world.store, index_name(recipe, "d" * 64), rows.schema).stage(rows)
    place = f"indexes/{index_name('toy', 'd' * 64)}.lance"
    young = clean(real_world.store, "pictures", "toy", RetainPlan(versions=1, days=0))
    assert young.tables == []
    dry = clean(real_world.store, "pictures", "toy", ONLY_NEWEST, dry_run=True)
    assert real_world.store.exists(place)
    done = clean(real_world.store, "pictures", "toy", ONLY_NEWEST)
    assert dry.tables == done.tables == [index_name("toy", "d" * 64)]
    assert done.bytes > 0
    assert not real_world.store.exists(place)
    assert real_world.store.exists(f"indexes/{index_name('toy-two', 'd' * 64)}.lance")
    assert real_world.held() == real_world.expected()


def test_another_recipe_over_the_same_dataset_keeps_all_it_names(real_world: "World") -> None:
    nights(real_world, 2)
    real_world.recipe = "toy-two"  # its table's name begins like the other's
    theirs = real_world.night("their-run")
    real_world.recipe = "toy"
    for night in range(2, 5):
        real_world.write(live(f"other{night}"))
        real_world.describe_all()
        promote(real_world, real_world.night(f"run-{night}"))
    clean(real_world.store, "pictures", "toy", ONLY_NEWEST)
    there = index_table(real_world.store, theirs.table)
    assert sealed_versions(there) == [theirs]
    assert manifest(real_world.store, "pictures").open(theirs.dataset_version).count_rows() == 41


def test_a_dry_run_names_what_a_run_removes_and_changes_nothing(real_world: "World") -> None:
    nights(real_world, 5, IndexPlan(exact_below=30, fragments=1, unindexed=0))
    real_world.store.write("shards/pictures/orphan.tar", b"x" * 1000)
    before = everything(real_world)
    planned = clean(real_world.store, "pictures", "toy", ONLY_NEWEST, dry_run=True)
    assert everything(real_world) == before
    done = clean(real_world.store, "pictures", "toy", ONLY_NEWEST)
    assert planned.dry_run
    assert not done.dry_run
    assert (planned.versions, planned.shards, planned.bytes) == (
        done.versions,
        done.shards,
        done.bytes,
    )
    assert sum(before.values()) - sum(everything(real_world).values()) >= done.bytes > 1000
    again = clean(real_world.store, "pictures", "toy", ONLY_NEWEST)
    assert (again.versions, again.shards, again.bytes) == ([], [], 0)


def test_a_running_night_forbids_cleaning(real_world: "World") -> None:
    nights(real_world, 3)
    before = everything(real_world)
    with Lease(real_world.store, "toy"), pytest.raises(LeaseHeld):
        clean(real_world.store, "pictures", "toy", ONLY_NEWEST)
    assert everything(real_world) == before


def test_a_night_that_was_killed_between_seal_and_tag_keeps_its_version(
    real_world: "World",
) -> None:
    lineages = nights(real_world, 3)
    real_world.open().tags.delete("run-run-2")
    time.sleep(0.01)
    clean(real_world.store, "pictures", "toy", ONLY_NEWEST)
    assert real_world.open().version == lineages[2].version
    assert manifest(real_world.store, "pictures").open(lineages[2].dataset_version).version == 3
