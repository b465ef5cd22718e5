"""A part of the descriptor cache: an Arrow file of rows by digest, mapped where it can be."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.store import Store

BATCH_ROWS: Final = 8192
SMALL_BYTES: Final = 64 * 2**20
"""A part under this size is fetched whole, and is worth folding into another."""


class DamagedPart(RuntimeError):
    """A part of the cache that Arrow cannot read."""


def descriptor_schema(value: pa.DataType, width: int) -> pa.Schema:
    """The columns of a part: WIDTH numbers of type VALUE an image, or why there are none."""
    return pa.schema(
        [
            pa.field("digest", pa.string(), nullable=False),
            pa.field("vector", pa.list_(value, width)),
            pa.field("reason", pa.string(), nullable=False),
            pa.field("decoder", pa.string(), nullable=False),
        ]
    )


SAID: Final = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("digest", "reason", "decoder")]
)
"""A part without its vectors."""
COLUMNS: Final = ("digest", "vector", "reason", "decoder")


def encoded(rows: pa.Table) -> bytes:
    """ROWS as the file of a part, uncompressed, so that it can be mapped.

    Raises:
        ValueError: the columns are not those of a part, or a row has both a vector and a reason, or
            neither.
    """
    _check(rows)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, rows.schema) as out:
        out.write_table(rows, max_chunksize=BATCH_ROWS)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def opened(store: Store, name: str, columns: Sequence[str]) -> pa.Table:
    """COLUMNS of the part NAME; mapped, not read, where the store is a folder.

    Raises:
        DamagedPart: Arrow cannot read it.
        FileNotFoundError: it is not there, or no more.
    """
    try:
        rows = _mapped(store, name, columns) if store.local else _fetched(store, name, columns)
        rows.validate()
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DamagedPart(
            f"{store.uri(name)} is damaged ({error}). Delete it and run again: the images in it "
            "are embedded anew, nothing else is lost."
        ) from error
    return rows


def _mapped(store: Store, name: str, columns: Sequence[str]) -> pa.Table:
    # Arrow, asked for some columns of a map, copies them; of the whole it reads what is touched
    with pa.memory_map(store.uri(name)) as source:
        return pa.ipc.open_file(source).read_all().select(list(columns))


def _fetched(store: Store, name: str, columns: Sequence[str]) -> pa.Table:
    with store.fs.open(store.uri(name), "rb") as remote:
        if remote.size <= SMALL_BYTES:  # one request instead of one a column
            return pa.ipc.open_file(remote.read()).read_all().select(list(columns))
        source = pa.PythonFile(remote, mode="r")
        fields = pa.ipc.open_file(source).schema
        chosen = [fields.get_field_index(column) for column in columns]
        options = pa.ipc.IpcReadOptions(included_fields=chosen)
        return pa.ipc.open_file(source, options=options).read_all()


def good(rows: pa.Table) -> pa.ChunkedArray:
    """Which of ROWS are of images that have a descriptor."""
    return pc.equal(rows["reason"], "")


def taken(table: pa.Table, rows: np.ndarray[Any, Any]) -> Iterator[pa.RecordBatch]:
    """ROWS (ascending) of TABLE, a batch at a time."""
    start = 0
    for batch in table.to_batches(BATCH_ROWS):
        here = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + len(batch))]
        if len(here):
            yield batch.take(pa.array(here - start))
        start += len(batch)


def without_duplicates(rows: pa.Table) -> pa.Table:
    """ROWS without those that repeat an earlier one, and without bad ones of images also good."""
    keys = pc.binary_join_element_wise(rows["digest"], rows["decoder"], "\n")
    codes = keys.combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.sort(np.unique(codes, return_index=True)[1])
    once = rows.take(pa.array(first))
    kept = good(once)
    covered = pc.is_in(once["digest"], value_set=once["digest"].filter(kept).combine_chunks())
    return once.filter(pc.or_(kept, pc.invert(covered)))


def _check(rows: pa.Table) -> None:
    """Refuse ROWS that are no part."""
    vector = rows.schema.field("vector").type if "vector" in rows.column_names else pa.null()
    if not pa.types.is_fixed_size_list(vector):
        raise ValueError(f"A part needs a vector column of fixed size, but has {vector}.")
    asked = descriptor_schema(vector.value_type, vector.list_size)
    if rows.schema != asked:
        raise ValueError(f"A part's columns must be {asked}, but are {rows.schema}.")
    if pc.any(pc.equal(pc.is_valid(rows["vector"]), pc.invert(good(rows)))).as_py():
        raise ValueError("A row of a part has a vector or a reason why there is none, never both.")
