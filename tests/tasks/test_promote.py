"""The alias moves at once, to what was judged and to nothing else, and back."""

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from data.aliases import Alias, AliasMoved, Pointer
from data.lease import LeaseLost
from tasks.promote import now, promote, rollback

if TYPE_CHECKING:
    from tests.tasks.conftest import World


def versions(world: "World", n: int) -> list[Pointer]:
    """Pointers to N sealed versions of one table."""
    found = []
    for night in range(n):
        world.write({f"{night}": (f"content {night}", "a", "live")})
        world.describe_all(f"part-{night}")
        lineage = world.night(f"run-{night}")
        found.append(
            Pointer(table=lineage.table, version=lineage.version, run=lineage.run, moved=now(),
                    why="promoted")
        )  # fmt: skip
    return found


def free() -> None:
    """A lease that is held."""


def test_a_rollback_goes_back_and_the_next_one_further(real_world: "World") -> None:
    store = real_world.store
    first, second, third = versions(real_world, 3)
    assert promote(store, "toy", first, free) == first
    assert promote(store, "toy", second, free, after=first) == second
    promote(store, "toy", third, free)
    back = rollback(store, "toy")
    assert (back.place, back.run, back.why) == (second.place, second.run, "rolled back")
    assert Alias(store, "toy").current() == back
    assert rollback(store, "toy").place == first.place
    with pytest.raises(FileNotFoundError, match="no earlier"):
        rollback(store, "toy")
    assert [p.why for p in Alias(store, "toy").history()] == ["promoted"] * 3 + ["rolled back"] * 2


def test_after_a_rollback_and_another_promotion_it_goes_back_to_what_was_good(
    real_world: "World",
) -> None:
    store = real_world.store
    good, bad, new = versions(real_world, 3)
    for pointer in (good, bad):
        promote(store, "toy", pointer, free)
    rollback(store, "toy")
    promote(store, "toy", new, free)
    assert rollback(store, "toy").place == good.place


def test_promoting_what_is_in_production_moves_nothing(real_world: "World") -> None:
    (only,) = versions(real_world, 1)
    promote(real_world.store, "toy", only, free)
    again = only.model_copy(update={"moved": now(), "run": "another"})
    assert promote(real_world.store, "toy", again, free) == only
    assert len(Alias(real_world.store, "toy").history()) == 1


def test_what_was_judged_against_another_production_is_not_promoted(real_world: "World") -> None:
    first, second, third = versions(real_world, 3)
    promote(real_world.store, "toy", first, free)
    promote(real_world.store, "toy", second, free)
    with pytest.raises(AliasMoved):
        promote(real_world.store, "toy", third, free, after=first)
    assert Alias(real_world.store, "toy").current() == second


def test_a_version_that_is_not_there_is_not_promoted(real_world: "World") -> None:
    (only,) = versions(real_world, 1)
    lost = only.model_copy(update={"version": 99})
    with pytest.raises(FileNotFoundError, match="version 99"):
        promote(real_world.store, "toy", lost, free)
    assert Alias(real_world.store, "toy").current() is None


def test_a_run_that_lost_its_lease_moves_nothing(real_world: "World") -> None:
    def lost() -> None:
        raise LeaseLost("taken over")

    first, second = versions(real_world, 2)
    with pytest.raises(LeaseLost):
        promote(real_world.store, "toy", first, lost)
    promote(real_world.store, "toy", first, free)
    promote(real_world.store, "toy", second, free)
    with pytest.raises(LeaseLost):
        rollback(real_world.store, "toy", lost)
    assert Alias(real_world.store, "toy").current() == second


def test_a_rollback_passes_over_what_was_cleaned_away(real_world: "World") -> None:
    first, second, third = versions(real_world, 3)
    for pointer in (first, second, third):
        promote(real_world.store, "toy", pointer, free)
    table = real_world.open()
    table.tags.delete(f"run-{second.run}")
    table.cleanup_old_versions(older_than=timedelta(0), error_if_tagged_old_versions=False)
    assert rollback(real_world.store, "toy").place == first.place


def test_there_must_be_something_to_go_back_to(real_world: "World") -> None:
    (only,) = versions(real_world, 1)
    promote(real_world.store, "toy", only, free)
    with pytest.raises(FileNotFoundError, match="no earlier production version"):
        rollback(real_world.store, "toy")


def test_a_move_names_an_instant_of_its_own() -> None:
    first = now()
    time.sleep(0.002)
    assert first < now()
    assert first.endswith("+00:00")
