"""Two versions of a table, swept together, answer as each does alone."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.indexes import index_schema, index_table
from data.store import Store
from tasks.measuring import sweep
from tasks.measuring.queries import Holding, Protocol, holding, label_queries, picked
from tasks.measuring.ranking import Ranked, rank

WIDTH = 8
Row = tuple[int, int, int]
"""Of an image: which content, which label, which split."""

CONTENTS = 31
album = st.dictionaries(st.integers(0, 25), st.integers(0, CONTENTS - 1), min_size=1, max_size=25)
says = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=31, max_size=31)
"""Label and split of each content: of copies that differ in them no order would be right."""


def rows_of(images: dict[int, int], said: list[tuple[int, int]]) -> dict[int, Row]:
    return {key: (content, *said[content]) for key, content in images.items()}


def table_rows(images: dict[int, Row], schema: pa.Schema) -> pa.Table:
    digests = [
        hashlib.sha256(str(content).encode()).hexdigest() for content, _, _ in images.values()
    ]
    vectors = []
    for content, _, _ in images.values():
        draw = np.random.default_rng(content)
        kind = schema.field("vector").type
        values = (
            draw.integers(0, 4, WIDTH) if kind.value_type == pa.uint8() else draw.normal(size=WIDTH)
        )
        vectors.append(pa.array(values, kind.value_type))
    return pa.table(
        {
            "key": [f"k{key}" for key in images],
            "digest": digests,
            "uri": [""] * len(images),
            "labels": [[f"l{label}"] if label else [] for _, label, _ in images.values()],
            "tags": [[]] * len(images),
            "captions": [[]] * len(images),
            "split": [("train", "test")[split] for *_, split in images.values()],
            "meta": [""] * len(images),
            "vector": [vector.to_pylist() for vector in vectors],
        },
        schema=schema,
    )


def two_versions(
    home: Path, before: dict[int, Row], after: dict[int, Row], value: pa.DataType
) -> tuple[lance.LanceDataset, lance.LanceDataset]:
    """A table that held BEFORE, and the same one brought to AFTER by one commit."""
    schema = index_schema(value, WIDTH, "0" * 64)
    table = index_table(Store(str(home)), "d-000000000000", schema)
    none = np.empty(0, np.uint64)
    old = table.commit(None, table.stage(table_rows(before, schema)), none, {"run": "1"})
    rows = old.to_table(columns=["key"], with_row_address=True)
    doomed = [
        address
        for key, address in zip(rows["key"].to_pylist(), rows["_rowaddr"].to_pylist(), strict=True)
        if before[int(key[1:])] != after.get(int(key[1:]))
    ]
    fresh = {key: row for key, row in after.items() if before.get(key) != row}
    staged = table.stage(table_rows(fresh, schema)) if fresh else []
    new = table.commit(old, staged, np.array(doomed, np.uint64), {"run": "2"})
    return new, table.open(old.version)


def alike(ours: Sequence[Ranked], theirs: Sequence[Ranked]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        for values, wanted in ((one.values, other.values), (one.shared, other.shared)):
            assert values.keys() == wanted.keys()
            for name in wanted:
                np.testing.assert_allclose(values[name], wanted[name], atol=1e-12, err_msg=name)
        for mine, yours in zip(one.answers, other.answers, strict=True):
            # copies of one image tie in all: which of them comes first is nobody's promise
            assert sum(mine >= 0) == sum(yours >= 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    album,
    says,
    album,
    says,
    st.sampled_from([pa.float32(), pa.uint8()]),
    st.sampled_from([None, "test"]),
    st.integers(10, 12),
    st.integers(1, 9),
)
def test_two_versions_together_answer_as_each_alone(
    tmp_path_factory: pytest.TempPathFactory,
    before: dict[int, int],
    said: list[tuple[int, int]],
    after: dict[int, int],
    later: list[tuple[int, int]],
    value: pa.DataType,
    split: str | None,
    k: int,
    chunk: int,
) -> None:
    home = tmp_path_factory.mktemp("table")
    versions = two_versions(home, rows_of(before, said), rows_of(after, later), value)
    held: list[Holding] = [holding(version, split) for version in versions]
    shared = np.intersect1d(held[0].images, held[1].images)
    images = picked(held[0], np.intersect1d(shared, held[0].images[held[0].labelled]), split, 9)
    if not len(images):
        return
    queries = label_queries(held[0], images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "CHUNK", chunk)
        together = rank(held, queries, k, split, shared)
        apart = [rank([one], queries, k, split, shared)[0] for one in held]
    alike(together, apart)


@pytest.mark.parametrize("protocol", ["labels", "known_item"])
@pytest.mark.parametrize("kept", [0, 3, 40])
def test_a_version_that_shares_little_is_swept_for_itself(
    tmp_path: Path, kept: int, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 90 rows 40 at most are in both: the nearest 20 of all may hold no 10 of one version."""
    before = {key: (key, 1 + key % 2, 0) for key in range(50)}
    after = {key: before[key] for key in range(kept)}
    after |= {100 + key: (100 + key, 1 + key % 2, 0) for key in range(50 - kept)}
    after[0] = before[0]
    held = [
        holding(version, None) for version in two_versions(tmp_path, before, after, pa.float32())
    ]
    shared = np.intersect1d(held[0].images, held[1].images)
    asked = label_queries(held[0], picked(held[0], shared, None, 5))
    queries = type(asked)(protocol, asked.keys, asked.images, asked.labels, asked.vectors)
    swept: list[int] = []
    once = sweep.sweep

    def counted(*args: object, **kwargs: object) -> object:
        swept.append(len(args[4]))  # type: ignore[arg-type]
        return once(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(sweep, "sweep", counted)
    together = rank(held, queries, 10, None, shared)
    if kept < 40:
        assert swept, "nothing had to be swept for itself: the case is too easy to tell"
        assert set(swept) == {1}
    alike(together, [rank([one], queries, 10, None, shared)[0] for one in held])


def test_a_row_that_was_written_again_is_not_the_row_it_replaced(tmp_path: Path) -> None:
    before, after = {1: (1, 1, 0), 2: (2, 1, 0)}, {1: (1, 2, 0), 2: (2, 1, 0)}
    new, old = two_versions(tmp_path, before, after, pa.float32())
    ids = [set(holding(version, None).rows.tolist()) for version in (new, old)]
    assert len(ids[0] & ids[1]) == 1
