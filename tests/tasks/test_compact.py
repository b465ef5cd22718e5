"""Compact: dead bytes go, live ones only move, and no descriptor is lost by it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from data.manifest import manifest
from data.shards import CorruptShard
from data.store import Store
from tasks.compact import compact
from tasks.shard import ShardPlan
from tests.tasks.nights import Memory, Nights, Picture, memory_nights

Draw = Callable[..., bytes]
PLAN = ShardPlan(images=4, dead_share=0.5)


@pytest.fixture
def nights(store: Store, monkeypatch: pytest.MonkeyPatch) -> Nights:
    return replace(memory_nights(store, monkeypatch), shard=PLAN)


def fine() -> None:
    """The lease still holds."""


def without(*keys: str) -> None:
    for key in keys:
        del Memory.pictures[key]


def test_a_mostly_dead_shard_is_rewritten_and_says_the_same(nights: Nights, draw: Draw) -> None:
    Memory.pictures = {f"{i}": Picture(draw(i), labels=(f"{i}",)) for i in range(8)}
    nights.night("one")
    without("0", "1", "2")
    nights.night("two")
    before, tars = nights.rows(), nights.tars()
    report = compact(nights.store, nights.dataset, PLAN, "two", fine)
    assert report is not None
    assert (report.version, report.images, report.bytes) == (3, 1, len(draw(3)))
    assert report.retired == (before["3"]["shard"],)
    after = nights.rows()
    assert after["3"]["shard"] == report.written[0]
    moved = {name: (before["3"][name], after["3"][name]) for name in before["3"]}
    assert {name for name, (old, new) in moved.items() if old != new} == {
        "shard",
        "offset",
    }
    assert nights.bytes_of(after["3"]) == draw(3)
    assert {key: row for key, row in after.items() if key in "4567"} == {
        key: row for key, row in before.items() if key in "4567"
    }
    assert nights.bytes_of(nights.rows(2)["3"]) == draw(3)
    assert tars.items() <= nights.tars().items()
    assert compact(nights.store, nights.dataset, PLAN, "two", fine) is None


def test_a_shard_that_is_half_alive_stays(nights: Nights, draw: Draw) -> None:
    picture = draw(1, suffix="png")
    Memory.pictures = {f"{i}": Picture(picture + bytes([i])) for i in range(4)}
    nights.night()
    without("0", "1")
    nights.night()
    assert compact(nights.store, nights.dataset, PLAN, "a run", fine) is None
    without("2")
    nights.night()
    assert compact(nights.store, nights.dataset, PLAN, "a run", fine) is not None


def test_shards_that_are_mostly_dead_become_one(nights: Nights, draw: Draw) -> None:
    Memory.pictures = {f"{i}": Picture(draw(i)) for i in range(8)}
    nights.night()
    without("0", "1", "3", "4", "5", "6")
    nights.night()
    report = compact(nights.store, nights.dataset, PLAN, "a run", fine)
    assert report is not None
    assert (len(report.retired), len(report.written), report.images) == (2, 1, 2)
    rows = nights.rows()
    assert rows["2"]["shard"] == rows["7"]["shard"]
    assert [nights.bytes_of(rows[key]) for key in "27"] == [draw(2), draw(7)]


def test_a_removed_image_whose_bytes_went_is_read_again_when_it_comes_back(
    nights: Nights, draw: Draw
) -> None:
    Memory.pictures = {f"{i}": Picture(draw(i)) for i in range(4)}
    nights.night()
    without("0", "1", "2")
    nights.night()
    compact(nights.store, nights.dataset, PLAN, "a run", fine)
    row = nights.rows()["0"]
    assert (row["state"], row["shard"], row["offset"]) == ("removed", "", 0)
    Memory.pictures["0"] = Picture(draw(0))
    _, change = nights.night()
    assert change.bytes == len(draw(0))
    assert nights.bytes_of(nights.rows()["0"]) == draw(0)


def test_a_removed_copy_keeps_the_bytes_that_another_name_keeps(nights: Nights, draw: Draw) -> None:
    Memory.pictures = {"a": Picture(draw(1)), "b": Picture(draw(1))} | {
        f"{i}": Picture(draw(i)) for i in range(5, 7)
    }
    nights.night()
    without("b", "5", "6")
    nights.night()
    assert compact(nights.store, nights.dataset, PLAN, "a run", fine) is not None
    assert nights.bytes_of(nights.rows()["b"]) == draw(1)


def test_damaged_bytes_are_not_copied(nights: Nights, draw: Draw) -> None:
    Memory.pictures = {f"{i}": Picture(draw(i)) for i in range(4)}
    nights.night()
    without("0", "1", "2")
    version, _ = nights.night()
    row = nights.rows()["3"]
    name = f"shards/{nights.dataset}/{row['shard']}.tar"
    tar = bytearray(nights.store.read(name))
    tar[row["offset"] + 20] ^= 1
    nights.store.write(name, bytes(tar))
    with pytest.raises(CorruptShard, match="verify"):
        compact(nights.store, nights.dataset, PLAN, "a run", fine)
    assert manifest(nights.store, nights.dataset).open().version == version


def test_a_dataset_without_a_version_has_nothing_to_compact(nights: Nights) -> None:
    assert compact(nights.store, nights.dataset, PLAN, "a run", fine) is None


def test_who_may_write_no_longer_moves_nothing(nights: Nights, draw: Draw) -> None:
    def lost() -> None:
        raise PermissionError("the lease is another's")

    Memory.pictures = {f"{i}": Picture(draw(i)) for i in range(4)}
    nights.night()
    without("0", "1", "2")
    nights.night()
    before = nights.rows()
    with pytest.raises(PermissionError):
        compact(nights.store, nights.dataset, PLAN, "a run", lost)
    assert nights.rows() == before
