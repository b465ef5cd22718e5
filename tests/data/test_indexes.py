"""Index tables say what they hold, refuse what they do not, and are asked in one way."""

from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from data.indexes import (
    ANN,
    VECTOR,
    encoder_of,
    index_name,
    index_names,
    index_schema,
    index_table,
    indexable,
    metric_of,
    nearest,
    unborn_places,
    vector_bytes,
    vectors_of,
)
from data.store import Store
from data.tables import RUN

FLOATS = arrays.from_dtype(np.dtype(np.float32))
ENCODER = "0123456789abcdef" * 4


def committed(store: Store, schema: pa.Schema, vectors: np.ndarray[Any, Any]) -> lance.LanceDataset:
    table = index_table(store, index_name("toy", encoder_of(schema)), schema)
    rows = [
        {"key": f"k{n}", "digest": f"d{n}", "labels": ["a"], "vector": vector}
        for n, vector in enumerate(vectors)
    ]
    staged = table.stage(pa.Table.from_pylist(rows, schema=schema))
    return table.commit(None, staged, np.empty(0, np.uint64), {RUN: "r"})


@pytest.mark.parametrize(
    ("value", "width", "metric", "row_bytes"),
    [
        (pa.float32(), 8, "cosine", 32),
        (pa.float16(), 8, "cosine", 16),
        (pa.uint8(), 8, "hamming", 8),
        (pa.uint16(), 7, "asmk", 14),
    ],
)
def test_the_schema_names_encoder_and_metric_and_keeps_them_in_the_table(
    store: Store, value: pa.DataType, width: int, metric: str, row_bytes: int
) -> None:
    schema = index_schema(value, width, ENCODER)
    vectors = np.ones((3, width), value.to_pandas_dtype())
    for said in (schema, committed(store, schema, vectors).schema):
        assert (encoder_of(said), metric_of(said), vector_bytes(said)) == (
            ENCODER,
            metric,
            row_bytes,
        )
    assert schema.names[0] == "key"
    assert not schema.field("key").nullable


@pytest.mark.parametrize("value", [pa.float64(), pa.int8(), pa.string()])
def test_a_descriptor_of_another_type_is_refused(value: pa.DataType) -> None:
    with pytest.raises(ValueError, match="choose from halffloat, float, uint8, uint16"):
        index_schema(value, 8)


def test_lance_is_not_asked_for_a_distance_that_it_does_not_know(store: Store) -> None:
    rows = np.array([[2, 0, 5], [2, 0, 7]], np.uint16)
    dataset = committed(store, index_schema(pa.uint16(), 3, ENCODER), rows)
    with pytest.raises(ValueError, match="Lance does not compare by asmk"):
        nearest(dataset, rows[0], 1)
    assert not indexable(dataset.schema)
    assert indexable(index_schema(pa.float16(), 3))


def test_a_descriptor_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one value a row, not 0"):
        index_schema(pa.float32(), 0)


def test_the_tables_of_a_recipe_are_told_from_those_of_one_with_a_longer_name(
    store: Store,
) -> None:
    for recipe in ("toy", "toy-two"):
        schema = index_schema(pa.float32(), 2, ENCODER)
        table = index_table(store, index_name(recipe, ENCODER), schema)
        staged = table.stage(pa.Table.from_pylist([], schema=schema))
        table.commit(None, staged, np.empty(0, np.uint64), {RUN: "r"})
    assert index_names(store) == ["toy-0123456789ab", "toy-two-0123456789ab"]
    assert index_names(store, "toy") == ["toy-0123456789ab"]
    assert index_names(store, "to") == []


def test_a_table_that_was_never_committed_is_none_yet(store: Store) -> None:
    schema = index_schema(pa.float32(), 2, ENCODER)
    name = index_name("toy", ENCODER)
    table = index_table(store, name, schema)
    row = {"key": "k", "digest": "d", "vector": [0.0, 1.0]}
    staged = table.stage(pa.Table.from_pylist([row], schema=schema))
    assert store.names(f"indexes/{name}.lance")
    assert index_names(store) == []
    store.write(f"indexes/{name}.lance/_versions/18446744073709551614.manifest#1", b"cut")
    assert index_names(store) == []
    assert unborn_places(store, "toy") == {name: f"indexes/{name}.lance"}
    table.commit(None, staged, np.empty(0, np.uint64), {RUN: "r"})
    assert index_names(store) == [name]
    assert unborn_places(store, "toy") == {}


def test_a_table_that_is_not_there_names_those_that_are(store: Store) -> None:
    with pytest.raises(FileNotFoundError, match=r"No index 'toy' in .*: choose from nothing yet"):
        index_table(store, "toy")
    committed(store, index_schema(pa.float32(), 2, ENCODER), np.ones((1, 2)))
    with pytest.raises(FileNotFoundError, match="choose from toy-0123456789ab"):
        index_table(store, "toy")


def test_rows_of_another_encoder_or_width_are_refused(store: Store) -> None:
    committed(store, index_schema(pa.float32(), 2, ENCODER), np.ones((1, 2)))
    name = index_name("toy", ENCODER)
    with pytest.raises(ValueError, match="holds descriptors of encoder 0123456789ab, not of ffff"):
        index_table(store, name, index_schema(pa.float32(), 2, "f" * 64))
    with pytest.raises(ValueError, match=r"not of fixed_size_list<.*>\[3\]"):
        index_table(store, name, index_schema(pa.float32(), 3, ENCODER))


def test_the_ann_index_is_used_unless_the_answer_must_be_exact(store: Store) -> None:
    vectors = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
    dataset = committed(store, index_schema(pa.float32(), 8, ENCODER), vectors)
    dataset.create_index(VECTOR, "IVF_SQ", name=ANN, metric="cosine", num_partitions=4)

    def plan(exact: bool) -> str:
        asked = nearest(dataset, vectors[0], 3, exact)
        return str(dataset.scanner(["key", "_distance"], nearest=asked).explain_plan())

    assert "ANNSubIndex" in plan(False)
    assert "ANN" not in plan(True)


def test_packed_bits_are_compared_by_hamming_distance(store: Store) -> None:
    vectors = np.random.default_rng(0).integers(0, 256, (50, 4), dtype=np.uint8)
    dataset = committed(store, index_schema(pa.uint8(), 4, ENCODER), vectors)
    asked = nearest(dataset, vectors[7], 50)
    answer = dataset.scanner(["key", "_distance"], nearest=asked).to_table().to_pydict()
    for key, distance in zip(answer["key"], answer["_distance"], strict=True):
        row = vectors[int(key[1:])]
        assert distance == sum(
            int(a ^ b).bit_count() for a, b in zip(vectors[7].tolist(), row.tolist(), strict=True)
        )


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(0, 9), st.just(3)),
        elements=arrays.from_dtype(np.dtype(np.float32)),
    ),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_vectors_come_back_as_they_were_given_also_in_slices_and_chunks(
    vectors: np.ndarray[Any, Any], start: int, cut: int
) -> None:
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), 3)
    sliced = column.slice(start)
    chunked = pa.chunked_array([column.slice(0, cut), column.slice(cut)], column.type)
    np.testing.assert_array_equal(vectors_of(sliced), vectors[start:])
    np.testing.assert_array_equal(vectors_of(chunked), vectors)
