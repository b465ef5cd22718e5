"""A sealed version explains itself, and no other version does so in its name."""

import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from data.indexes import index_schema, index_table
from data.lineage import (
    KEY,
    Lineage,
    code_revision,
    last_lineage,
    library_versions,
    lineage_of,
    run_tags,
    sealed_versions,
)
from data.store import Store
from data.tables import RUN, Table

LINEAGE = Lineage(
    table="toy-eeeeeeeeeeee",
    version=2,
    recipe="toy",
    dataset="pictures",
    dataset_version=7,
    encoder="e" * 64,
    run="run-1",
    rows=3,
    counts={"added": 3},
    metrics={"mAP": 0.25},
    health={"before": {"recall": None}, "action": "none"},
    created="2026-01-02T03:04:05+00:00",
)


@pytest.fixture
def table(store: Store) -> Table:
    """An index table with one version, not sealed."""
    table = index_table(store, LINEAGE.table, index_schema(pa.float32(), 2, LINEAGE.encoder))
    rows = pa.Table.from_pylist([{"key": "k", "digest": "d"}], schema=table.schema)
    table.commit(None, table.stage(rows), np.empty(0, np.uint64), {RUN: "run-1"})
    return table


def test_a_lineage_survives_its_way_through_the_table(table: Table) -> None:
    dataset = table.open()
    assert (lineage_of(dataset), last_lineage(dataset)) == (None, None)
    dataset.update_metadata({KEY: LINEAGE.model_dump_json()})
    assert lineage_of(table.open()) == LINEAGE


def test_a_later_version_inherits_the_lineage_but_is_not_the_one_it_speaks_of(
    table: Table,
) -> None:
    dataset = table.open()
    dataset.update_metadata({KEY: LINEAGE.model_dump_json()})
    table.commit(dataset, [], np.array([0], np.uint64), {RUN: "run-2"})
    assert table.open().version == 3
    assert lineage_of(table.open()) is None
    assert last_lineage(table.open()) == LINEAGE
    assert lineage_of(table.open(2)) == LINEAGE


def test_sealed_versions_are_those_tagged_by_a_run_newest_first(table: Table) -> None:
    assert sealed_versions(table) == []
    later = LINEAGE.model_copy(update={"version": 3, "run": "run-2"})
    for lineage in (LINEAGE, later):
        dataset = table.open()
        dataset.update_metadata({KEY: lineage.model_dump_json()})
        dataset.tags.create(f"run-{lineage.run}", lineage.version)
    table.open().tags.create("a-persons-own", 1)
    assert sealed_versions(table) == [later, LINEAGE]
    assert run_tags(table.open()) == {"run-1": 2, "run-2": 3}


def test_a_table_that_is_not_there_has_no_sealed_versions(store: Store) -> None:
    assert sealed_versions(Table(store, "indexes/none.lance", pa.schema([]))) == []


def test_a_lineage_with_a_word_it_does_not_know_is_refused() -> None:
    with pytest.raises(ValidationError, match="datset"):
        Lineage.model_validate(LINEAGE.model_dump() | {"datset": "typo"})


def test_code_and_libraries_are_named_without_importing_them() -> None:
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|\d+\.\d+.*", code_revision())
    found = library_versions()
    assert found["numpy"] == np.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    script = (
        "import sys; from data.lineage import library_versions; library_versions(); "
        "sys.exit(sorted({'torch', 'ray', 'prefect'} & set(sys.modules)) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
