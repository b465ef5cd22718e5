"""Tables: one commit holds a night; of two writers of one version, one is refused."""

import tempfile
from collections.abc import Mapping

import lance
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import tables
from data.store import Store
from data.tables import RUN, Table

SCHEMA = pa.schema([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.int64())])
NOTHING = np.empty(0, np.uint64)


@pytest.fixture
def table(store: Store) -> Table:
    return Table(store, "tables/t.lance", SCHEMA)


def rows(says: Mapping[str, int]) -> pa.Table:
    return pa.table({"key": list(says), "value": list(says.values())}, schema=SCHEMA)


def held(table: Table, version: int | None = None) -> dict[str, int]:
    found = table.open(version).to_table()
    keys = found["key"].to_pylist()
    assert len(keys) == len(set(keys))
    return dict(zip(keys, found["value"].to_pylist(), strict=True))


def addresses(table: Table, keys: set[str]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    found = table.open().scanner(columns=["key"], with_row_address=True).to_table()
    mine = [key in keys for key in found["key"].to_pylist()]
    picked: np.ndarray[tuple[int], np.dtype[np.uint64]] = found["_rowaddr"].to_numpy()[mine]
    return picked


change = st.dictionaries(st.sampled_from("abcdef"), st.one_of(st.none(), st.integers(0, 9)))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(change, max_size=4))
def test_commits_do_what_a_dict_would(
    tmp_path_factory: pytest.TempPathFactory, nights: list[dict[str, int | None]]
) -> None:
    table = Table(Store(str(tmp_path_factory.mktemp("store"))), "t.lance", SCHEMA)
    table.commit(None, table.stage(rows({"a": 0, "b": 0})), NOTHING, {RUN: "first"})
    oracle = [{"a": 0, "b": 0}]
    for number, night in enumerate(nights):
        new = {key: value for key, value in night.items() if value is not None}
        doomed = addresses(table, set(night))
        after = table.commit(table.open(), table.stage(rows(new)), doomed, {RUN: f"{number}"})
        gone = {key: value for key, value in oracle[-1].items() if key not in night}
        oracle.append(gone | new)
        assert after.version == len(oracle)
        assert table.run_of(after.version) == f"{number}"
    for version, says in enumerate(oracle, start=1):
        assert held(table, version) == says


def test_staged_rows_are_seen_by_nobody(table: Table) -> None:
    table.commit(None, table.stage(rows({"a": 1})), NOTHING, {RUN: "one"})
    table.stage(rows({"b": 2}))
    assert held(table) == {"a": 1}


def test_fragments_of_several_workers_become_one_version(table: Table) -> None:
    table.commit(None, table.stage(rows({"a": 1})), NOTHING, {RUN: "one"})
    staged = [*table.stage(rows({"b": 2})), *table.stage(iter(rows({"c": 3}).to_batches()))]
    made = table.commit(table.open(), staged, addresses(table, {"a"}), {RUN: "two"})
    assert (made.version, held(table)) == (2, {"b": 2, "c": 3})


@pytest.mark.parametrize("dooms", [True, False])
def test_of_two_writers_of_one_version_the_second_is_refused(table: Table, dooms: bool) -> None:
    table.commit(None, table.stage(rows({"a": 1})), NOTHING, {RUN: "one"})
    base = table.open()
    doomed = addresses(table, {"a"}) if dooms else NOTHING
    table.commit(base, table.stage(rows({"b": 2})), doomed, {RUN: "two"})
    with pytest.raises(OSError, match="conflict"):
        table.commit(base, table.stage(rows({"b": 3})), doomed, {RUN: "three"})
    assert held(table)["b"] == 2


def test_a_commit_above_an_empty_version_keeps_its_rows(table: Table) -> None:
    table.commit(None, table.stage(rows({})), NOTHING, {RUN: "one"})
    made = table.commit(table.latest(), table.stage(rows({"a": 1})), NOTHING, {RUN: "two"})
    assert (made.version, held(table)) == (2, {"a": 1})


def test_a_table_may_lose_all_its_rows_and_gain_new_ones(table: Table) -> None:
    table.commit(None, table.stage(rows({"a": 1, "b": 2})), NOTHING, {RUN: "one"})
    table.commit(table.open(), [], addresses(table, {"a", "b"}), {RUN: "two"})
    assert held(table) == {}
    table.commit(table.latest(), table.stage(rows({"c": 3})), NOTHING, {RUN: "three"})
    assert held(table) == {"c": 3}


def test_what_is_not_there_is_said_by_name(table: Table) -> None:
    assert table.latest() is None
    with pytest.raises(FileNotFoundError, match=r"tables/t\.lance is not in the store"):
        table.open()
    table.commit(None, table.stage(rows({"a": 1})), NOTHING, {RUN: "one"})
    with pytest.raises(FileNotFoundError, match=r"version 7 of tables/t\.lance"):
        table.open(7)


@given(st.integers(1, 40), st.integers(0, 10), st.data())
def test_rows_are_found_at_their_places_however_they_are_read(
    rows: int, deleted: int, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as home:
        dataset = lance.write_dataset(
            pa.table({"key": [f"k{n}" for n in range(rows + deleted)]}), f"{home}/t.lance"
        )
        gone = [f"k{n}" for n in range(0, 2 * deleted, 2) if n < rows + deleted]
        if gone:
            dataset.delete(f"key IN ({', '.join(map(repr, gone))})")
        left = [f"k{n}" for n in range(rows + deleted) if f"k{n}" not in gone]
        places = data.draw(st.lists(st.integers(0, len(left) - 1), max_size=60)) if left else []
        with pytest.MonkeyPatch.context() as patch:
            for scattered in (0, 10**9):  # one by one; all in a row
                patch.setattr(tables, "SCATTERED", scattered)
                found = tables.rows_at(dataset, places, ["key"])
                assert found["key"].to_pylist() == [left[place] for place in places]


def test_a_stream_says_what_a_table_of_it_says(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.tables.STREAMED_ROWS", 7)
    for night in range(3):
        says = {f"{night}-{number}": number for number in range(20)}
        table.commit(table.latest(), table.stage(rows(says)), NOTHING, {RUN: "a run"})
    table.commit(table.open(), [], addresses(table, {"0-3", "2-9"}), {RUN: "another"})
    first, latest = table.open(1).to_table(), table.open().to_table()
    assert pa.Table.from_batches(table.stream(["key", "value"], version=1)).equals(first)
    batches = list(table.stream(["key"], "value < 10", addresses=True))
    assert max(len(batch) for batch in batches) <= 7
    streamed = pa.Table.from_batches(batches)
    few = latest.filter(pa.compute.less(latest["value"], 10))
    assert streamed["key"].equals(few["key"])
    whole = table.open().scanner(filter="value < 10", with_row_address=True).to_table()
    assert streamed["_rowaddr"].equals(whole["_rowaddr"])
    with pytest.raises(FileNotFoundError, match="version 9"):
        next(table.stream(["key"], version=9))
