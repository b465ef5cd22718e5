"""Verify finds every kind of lie that an index version can tell, and names the images."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from data.indexes import VECTOR, index_table
from data.lineage import KEY, Lineage, lineage_of
from data.manifest import manifest, row, shard_name
from data.tables import RUN
from tasks.extract import Limits
from tasks.verify import Findings, verify

if TYPE_CHECKING:
    from tests.tasks.conftest import Life


def keys(life: "Life") -> list[str]:
    return sorted(path.relative_to(life.root).as_posix() for path in life.root.rglob("*.jpg"))


def forged(life: "Life", change: Any, doomed: list[str], added: pa.Table | None) -> Findings:
    """What verify says of production after its rows DOOMED gave way to ADDED, lineage and all."""
    production = life.alias.current()
    assert production
    table = index_table(life.store, production.table)
    base = table.open()
    lineage = lineage_of(base)
    assert lineage
    rows = base.scanner(["key"], with_row_address=True).to_table()
    gone = rows["_rowaddr"].to_numpy()[np.isin(rows["key"].to_pylist(), doomed)]
    after = table.commit(base, table.stage(added) if added else [], gone, {RUN: "a forger"})
    told = lineage.model_copy(update={"version": after.version + 1, **change})
    after.update_metadata({KEY: told.model_dump_json()})
    return verify(life.store, life.recipe, (production.table, after.version), embed=24)


def rows_of(life: "Life", some: list[str]) -> pa.Table:
    production = life.alias.current()
    assert production
    held = index_table(life.store, production.table).open().to_table()
    return held.filter(pa.compute.is_in(held["key"], pa.array(some)))


def place(life: "Life") -> tuple[str, int]:
    production = life.alias.current()
    assert production
    return production.place


def test_a_true_version_has_nothing_against_it(life: "Life") -> None:
    life.night()
    found = verify(life.store, life.recipe, place(life), embed=5)
    assert found.ok
    assert (found.images, found.rows, found.embedded) == (24, 24, 5)
    assert found.bytes == sum(path.stat().st_size for path in life.root.rglob("*.jpg"))
    told = found.model_dump(mode="json")
    assert told["ok"] is True
    assert told["missing"] == told["extra"] == told["stale"] == told["corrupt"] == []


def test_copies_are_read_once(life: "Life") -> None:
    first = sorted(life.root.rglob("*.jpg"))[0]
    (life.root / "copy.jpg").write_bytes(first.read_bytes())
    life.night()
    found = verify(life.store, life.recipe, place(life))
    assert (found.ok, found.images, found.rows) == (True, 24, 25)


def test_an_old_version_is_held_to_its_own_dataset_version(life: "Life", draw: Any) -> None:
    life.night()
    before = place(life)
    sorted(life.root.rglob("*.jpg"))[0].unlink()
    (life.root / "class0" / "new.jpg").write_bytes(draw(900))
    life.night()
    assert place(life) != before
    assert verify(life.store, life.recipe, before).ok
    assert verify(life.store, life.recipe, place(life)).ok


def test_bytes_that_changed_in_a_shard_are_found_by_every_key_they_have(life: "Life") -> None:
    first = keys(life)[0]
    (life.root / "copy.jpg").write_bytes((life.root / first).read_bytes())
    life.night()
    told = row(life.store, life.dataset, first)
    assert told
    name = shard_name(life.dataset, told["shard"])
    tar = bytearray(life.store.read(name))
    tar[told["offset"] + 100] ^= 1
    life.store.write(name, bytes(tar))
    found = verify(life.store, life.recipe, place(life))
    assert not found.ok
    assert found.corrupt == (first, "copy.jpg")
    assert found.missing == found.extra == found.stale == ()


@pytest.mark.parametrize("how", ["gone", "cut short"])
def test_a_shard_that_is_not_whole_makes_its_images_corrupt(life: "Life", how: str) -> None:
    life.night()
    told = row(life.store, life.dataset, keys(life)[12])
    assert told
    name = shard_name(life.dataset, told["shard"])
    if how == "gone":
        life.store.delete(name)
    else:
        life.store.write(name, life.store.read(name)[: told["offset"]])
    found = verify(life.store, life.recipe, place(life))
    assert found.corrupt == tuple(keys(life) if how == "gone" else keys(life)[12:])


def test_a_row_that_is_not_there_is_missing(life: "Life") -> None:
    life.night()
    found = forged(life, {}, keys(life)[:2], None)
    assert not found.ok
    assert found.missing == tuple(keys(life)[:2])
    assert found.extra == found.stale == found.double == found.drifted == ()


def test_a_row_of_no_image_is_extra(life: "Life") -> None:
    life.night()
    stranger = rows_of(life, keys(life)[:1]).set_column(0, "key", pa.array(["stranger.jpg"]))
    assert forged(life, {}, [], stranger).extra == ("stranger.jpg",)


def test_a_row_that_is_there_twice_is_double(life: "Life") -> None:
    life.night()
    assert forged(life, {}, [], rows_of(life, keys(life)[:1])).double == tuple(keys(life)[:1])


@pytest.mark.parametrize("column", ["digest", "meta"])
def test_a_row_that_says_something_else_is_stale(life: "Life", column: str) -> None:
    life.night()
    some = keys(life)[:1]
    rows = rows_of(life, some)
    place = rows.schema.get_field_index(column)
    found = forged(life, {}, some, rows.set_column(place, column, pa.array(["0" * 64])))
    assert (found.stale, found.missing, found.extra) == (tuple(some), (), ())


def test_a_vector_that_is_not_the_images_own_has_drifted(life: "Life") -> None:
    life.night()
    row = rows_of(life, keys(life)[:1])
    column = row.schema.field(VECTOR)
    other = pa.array([[-value for value in row[VECTOR][0].as_py()]], column.type)
    at = row.schema.get_field_index(VECTOR)
    found = forged(life, {}, keys(life)[:1], row.set_column(at, column, other))
    assert found.drifted == tuple(keys(life)[:1])
    assert found.embedded == 24
    assert not found.ok


def test_images_that_wait_are_no_fault(life: "Life") -> None:
    life.limits = Limits(max_embeds=20)
    life.gates = life.gates.model_copy(update={"coverage": 0.0})
    life.night()
    early = place(life)
    found = verify(life.store, life.recipe, early)
    assert found.ok
    assert len(found.deferred) == 4
    life.night()
    assert verify(life.store, life.recipe, early).deferred == found.deferred  # though described now
    assert verify(life.store, life.recipe, place(life)).deferred == ()


def test_what_nothing_is_claimed_of_is_not_verified(life: "Life") -> None:
    life.night()
    table, version = place(life)
    with pytest.raises(ValueError, match="was never sealed"):
        verify(life.store, life.recipe, (table, 1))
    with pytest.raises(ValueError, match="belongs to recipe toy, not to another"):
        verify(life.store, "another", (table, version))
    with pytest.raises(FileNotFoundError):
        verify(life.store, life.recipe, (table, 99))


def test_verify_changes_nothing(life: "Life") -> None:
    life.night()

    def state() -> dict[Path, int]:
        root = Path(life.store.root)
        return {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}

    before = state()
    verify(life.store, life.recipe, place(life), embed=3)
    assert state() == before
    assert manifest(life.store, life.dataset).open().version == 1


def test_a_lineage_is_all_it_takes(life: "Life") -> None:
    """A version names its dataset version itself; the newest is not assumed."""
    life.night()
    lineage = lineage_of(index_table(life.store, place(life)[0]).open())
    assert isinstance(lineage, Lineage)
    sorted(life.root.rglob("*.jpg"))[0].unlink()
    life.change()
    assert verify(life.store, life.recipe, place(life)).dataset_version == lineage.dataset_version
