"""Who took the training pictures of Google Landmarks v2, and under which licence they are shown."""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.rows import row_batches

ATTRIBUTION: Final = pa.schema(
    [
        pa.field(name, pa.string(), nullable=False)
        for name in ("key", "author", "license", "title", "url")
    ]
)
"""Whom to name beside a picture, with the title of the work and the page that it is from."""


def attribution_batches(path: str) -> Iterator[pa.RecordBatch]:
    """The rows of ``train_attribution.csv`` (id, url, author, license, title) at PATH, by key.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is broken; names it.
    """
    names = ("id", *ATTRIBUTION.names[1:])
    for batch in row_batches(path, dict.fromkeys(names, pa.string())):
        columns = [pc.fill_null(batch[name], "") for name in names]
        columns[0] = pc.binary_join_element_wise("train", columns[0], "/")
        yield pa.RecordBatch.from_arrays(columns, schema=ATTRIBUTION)
