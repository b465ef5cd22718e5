"""Arrow columns of a listing, made without an object a row."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.sample import LISTING


def listing_batch(rows: int, columns: Mapping[str, Any]) -> pa.RecordBatch:
    """A batch of `LISTING` of ROWS rows: COLUMNS by name (arrays or lists), the others empty."""
    arrays = []
    for field in LISTING:
        column = columns.get(field.name)
        if column is None:
            column = blank(field.type, rows)
        elif not isinstance(column, pa.Array):
            column = pa.array(column, field.type)
        arrays.append(column)
    return pa.RecordBatch.from_arrays(arrays, schema=LISTING)


def blank(kind: pa.DataType, rows: int) -> pa.Array:
    """A column of ROWS values that say nothing: empty texts, empty lists, zeros."""
    if pa.types.is_list(kind):
        offsets = pa.array(np.zeros(rows + 1, dtype=np.int32))
        return pa.ListArray.from_arrays(offsets, pa.array([], kind.value_type))
    return pa.repeat(pa.scalar("" if pa.types.is_string(kind) else 0, kind), rows)


def at_most_one(values: pa.Array | Sequence[str]) -> pa.ListArray:
    """VALUES as lists of one text each; an empty list where there is no text."""
    texts = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    texts = pc.fill_null(texts, "")
    return lists(texts, np.ones(len(texts), dtype=np.int64))


def lists(texts: pa.Array, lengths: "np.ndarray[Any, np.dtype[np.int64]]") -> pa.ListArray:
    """TEXTS cut into lists of LENGTHS, row by row, the empty texts left out."""
    kept = pc.not_equal(texts, "")
    rows = np.repeat(np.arange(len(lengths)), lengths)
    counts = np.bincount(rows[kept.to_numpy(zero_copy_only=False)], minlength=len(lengths))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), texts.filter(kept))


def lists_by_row(
    rows: "np.ndarray[Any, np.dtype[np.int64]]", values: pa.Array, count: int
) -> pa.ListArray:
    """VALUES, each of the row that ROWS (ascending) says, as COUNT lists."""
    ends = np.cumsum(np.bincount(rows, minlength=count))
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values)
