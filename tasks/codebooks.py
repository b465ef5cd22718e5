"""What the rows of an index stand for, where they are codes that its encoder's codebooks explain.

An index of codes names its encoder, and the codebooks are a part of that one's weights: they are
read from the store in which the index lies, and nothing else of the weights is.
"""

from functools import lru_cache
from typing import Any, Final

import lance
import numpy as np
import pyarrow as pa

from data.indexes import FOLDER, VECTOR, encoder_of, quantised, vectors_of
from data.store import Store
from models.codebooks import TENSOR, Codebooks
from models.header import header_of
from tasks.encoders import header_at, weights_name

Array = np.ndarray[Any, np.dtype[Any]]

HELD: Final = 16
"""Encoders whose codebooks a process keeps in memory: half a megabyte each, say."""


def codebooks_of(dataset: lance.LanceDataset) -> Codebooks | None:
    """The codebooks by which the rows of an index version are read; None where they are no codes.

    Raises:
        FileNotFoundError: the encoder is not in the store any more.
        ValueError: it has no codebooks of that many parts.
    """
    if not quantised(dataset.schema):
        return None
    root, encoder = str(dataset.uri).rpartition(f"/{FOLDER}/")[0], encoder_of(dataset.schema)
    books, parts = _kept(root, encoder), dataset.schema.field(VECTOR).type.list_size
    if books.parts != parts:
        raise ValueError(
            f"Encoder {encoder[:12]} has codebooks of {books.parts} parts, and rows of its index "
            f"have {parts}: one of them is damaged."
        )
    return books


def codebooks_in(store: Store, encoder: str) -> Codebooks | None:
    """The codebooks of ENCODER; None where it has none, or is not in STORE.

    Raises:
        ValueError: its file is damaged.
    """
    try:
        head = header_at(store, encoder)
    except FileNotFoundError:
        return None
    try:
        said = header_of(head).get(TENSOR)
        if said is None:
            return None
        low, high = (int(place) for place in said["data_offsets"])
        content = store.read_range(weights_name(encoder), len(head) + low, high - low)
        if said["dtype"] != "F32":
            raise ValueError(f"its codebooks are of {said['dtype']}, not of F32")
        words = np.frombuffer(content, "<f4").reshape(said["shape"]).astype(np.float32)
        return Codebooks(words)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"The weights of encoder {encoder[:12]} are damaged: {error}.") from error


def rows_of(dataset: lance.LanceDataset, column: pa.ChunkedArray | pa.FixedSizeListArray) -> Array:
    """The descriptors in a COLUMN of DATASET, as they are compared: (rows, width), codes decoded.

    Raises:
        FileNotFoundError: the encoder of an index of codes is not in the store any more.
    """
    books, rows = codebooks_of(dataset), vectors_of(column)
    return rows if books is None else books.decoded(rows)


def width_of(dataset: lance.LanceDataset) -> int:
    """Values of a descriptor that DATASET is asked with."""
    books = codebooks_of(dataset)
    return dataset.schema.field(VECTOR).type.list_size if books is None else books.dimensions


def type_of(dataset: lance.LanceDataset) -> Any:
    """The numpy type of a descriptor that DATASET is asked with."""
    if quantised(dataset.schema):
        return np.float32
    return dataset.schema.field(VECTOR).type.value_type.to_pandas_dtype()


def told(dataset: lance.LanceDataset, rows: pa.Table) -> pa.Table:
    """ROWS of DATASET with their descriptors, if they are among the columns, as `rows_of` has them.

    Raises:
        FileNotFoundError: the encoder of an index of codes is not in the store any more.
    """
    if VECTOR not in rows.column_names or not quantised(dataset.schema):
        return rows
    stood = rows_of(dataset, rows[VECTOR])
    column = pa.FixedSizeListArray.from_arrays(pa.array(stood.ravel()), stood.shape[1])
    return rows.set_column(rows.column_names.index(VECTOR), VECTOR, column)


@lru_cache(maxsize=HELD)
def _kept(root: str, encoder: str) -> Codebooks:
    """The codebooks of ENCODER in the store ROOT: what a digest names does not change."""
    found = codebooks_in(Store(root), encoder)
    if found is None:
        raise FileNotFoundError(
            f"The rows of this index are codes, and encoder {encoder[:12]}, whose codebooks say "
            f"what they stand for, is not in the store {root}: bring its folder encoders/DIGEST "
            "back, or index anew."
        )
    return found
