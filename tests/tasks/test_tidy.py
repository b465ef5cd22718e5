"""A manifest that many nights have written to lies in few pieces, and says what it said."""

from typing import TYPE_CHECKING

import pytest

from data.manifest import manifest
from tasks import tidy as module
from tasks.tidy import tidy

if TYPE_CHECKING:
    from tests.tasks.conftest import World

LIVE, REMOVED = "live", "removed"


def written(world: "World", nights: int) -> None:
    """A dataset version a night: an image comes, and every third night one goes."""
    for night in range(nights):
        says = {f"new-{night}": (f"content {night}", "a", LIVE)}
        if night % 3 == 2:
            says[f"new-{night - 1}"] = ("", "a", REMOVED)
        world.write(says)


def test_many_small_pieces_become_one_and_say_the_same(
    world: "World", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECES", 3)
    checks: list[int] = []
    table = manifest(world.store, world.dataset)
    written(world, 3)
    assert tidy(world.store, world.dataset, lambda: checks.append(0)) == table.open().version == 3
    assert not checks
    written(world, 8)
    before = table.open()
    version = tidy(world.store, world.dataset, lambda: checks.append(0))
    after = table.open()
    assert checks == [0]
    assert version == after.version > before.version
    assert len(after.get_fragments()) == 1
    rows = [
        of.to_table().sort_by([("key", "ascending"), ("since", "ascending")])
        for of in (before, after)
    ]
    assert rows[0].equals(rows[1])
    assert table.open(before.version).count_rows() == before.count_rows()
    assert tidy(world.store, world.dataset, lambda: checks.append(0)) == version


def test_an_index_takes_no_notice(world: "World", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECES", 1)
    written(world, 6)
    world.describe_all()
    sealed = world.night("run-1")
    tidy(world.store, world.dataset, lambda: None)
    candidate = world.index("run-2")
    assert (candidate.upserted, candidate.deleted, candidate.rows) == (0, 0, sealed.rows)


def test_who_may_not_write_leaves_it_as_it_is(
    world: "World", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECES", 1)
    written(world, 4)

    def lost() -> None:
        raise RuntimeError("the lease is lost")

    with pytest.raises(RuntimeError, match="lease"):
        tidy(world.store, world.dataset, lost)
    assert manifest(world.store, world.dataset).open().version == 4
