"""A version is named as a person would name it, and production can go back to where it was."""

from typing import TYPE_CHECKING

import pytest

from data.aliases import Alias, Pointer
from data.store import Store
from tasks.searching.versions import previous, resolve
from tests.tasks.rows import pictures

if TYPE_CHECKING:
    from tests.tasks.conftest import World


def pointed(world: "World", version: int, run: str = "run") -> Pointer:
    alias = Alias(world.store, world.recipe)
    to = Pointer(table=world.table, version=version, run=run, moved=run, why="by hand")
    alias.move(to, alias.current())
    return to


def test_versions_are_named_in_five_ways(real_world: "World") -> None:
    world, store = real_world, real_world.store
    world.write(pictures(5))
    world.describe_all()
    first = world.night("run-1")
    world.write({"new": ("new", "a", "live")})
    world.describe_all("second")
    second = world.night("run-2")
    pointed(world, first.version)
    pointed(world, second.version)
    places = {
        at: resolve(store, world.recipe, at)
        for at in (
            None,
            "production",
            "@prev",
            str(first.version),
            "run-1",
            f"{world.table}@{first.version}",
        )
    }
    assert {at for at, place in places.items() if place == (world.table, second.version)} == {
        None,
        "production",
    }
    assert all(place[0] == world.table for place in places.values())
    with pytest.raises(ValueError, match=rf"'run-9' is no version of toy: .*{world.table}@"):
        resolve(store, world.recipe, "run-9")


def test_a_number_means_the_table_that_is_in_production(real_world: "World") -> None:
    from tests.tasks.conftest import World

    one, two = real_world, World(real_world.store, encoder="a" * 64)
    one.write(pictures(5))
    two.said = one.said
    one.describe_all()
    two.describe_all()
    assert one.night("run-1").version == two.night("run-1").version == 2
    with pytest.raises(ValueError, match=r"'2' could be any of toy-aaaaaaaaaaaa@2, toy-eeeee"):
        resolve(one.store, "toy", "2")
    pointed(two, 2)
    assert resolve(one.store, "toy", "2") == (two.table, 2)


def test_without_production_it_is_said_what_to_do(store: Store) -> None:
    with pytest.raises(FileNotFoundError, match="run `nightjar reindex` with its recipe"):
        resolve(store, "toy")
    with pytest.raises(FileNotFoundError, match="no earlier production version"):
        previous(store, "toy")
