"""An index is an ordinary LanceDB table: a service may ask it without Nightjar."""

import hashlib
from typing import TYPE_CHECKING

import lancedb
import numpy as np
import pytest

from data.lineage import RUN_TAG
from tasks.index import IndexPlan

if TYPE_CHECKING:
    from tests.tasks.conftest import World

LIVE, REMOVED = "live", "removed"
INDEXED = IndexPlan(exact_below=100)


@pytest.mark.filterwarnings("ignore:lance is not fork-safe")
def test_lancedb_searches_every_sealed_version_with_its_index(real_world: "World") -> None:
    names = [f"{number:03d}" for number in range(300)]
    real_world.write({name: (name, "a", LIVE) for name in names})
    real_world.describe_all()
    real_world.night("run-1", INDEXED)
    real_world.write({"007": ("007", "a", REMOVED), "new": ("new", "a", LIVE)})
    real_world.describe_all()
    real_world.night("run-2", INDEXED)

    tables = lancedb.connect(real_world.store.uri("indexes"))
    table = tables.open_table(real_world.table)
    query = np.asarray(real_world.vector(hashlib.sha256(b"007").hexdigest()))

    def nearest() -> list[str]:
        found = table.search(query).limit(3).select(["key", "_distance"]).to_arrow()
        return [str(key) for key in found["key"].to_pylist()]

    assert "007" not in nearest()
    assert [index.columns for index in table.list_indices()] == [["vector"]]
    table.checkout(f"{RUN_TAG}run-1")
    assert nearest()[0] == "007"
    assert [index.columns for index in table.list_indices()] == [["vector"]]
