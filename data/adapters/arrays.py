"""Pictures that lie as rows of an array and have no image file: ``PATH#ROW``, handed out as PNG."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa

from data.adapters.columns import at_most_one, listing_batch
from data.adapters.png import png
from data.adapters.stamps import Stamp

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

ROWS: Final = 10_000
"""Rows in a batch of a listing."""


class Rows(Protocol):
    """The pictures of one file: an array (N, H, W) or (N, H, W, 3), or what reads like one."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, row: int, /) -> Pixels:
        """The picture in ROW, (H, W) grey or (H, W, 3) RGB."""


def read_rows(uris: Sequence[str], rows: Callable[[str], Rows]) -> Iterator[bytes | OSError]:
    """The pictures of URIS as PNG, in their order; ROWS gives those of a file by its path.

    A file is asked for once while the uris stay with it. An `OSError` or `ValueError` of ROWS is
    the answer for each picture of that file.
    """
    held, pictures = "", None
    for uri in uris:
        path, _, row = uri.rpartition("#")
        try:
            if path != held or pictures is None:
                held, pictures = "", None
                pictures = rows(path)
                held = path
            if not row.isdecimal() or int(row) >= len(pictures):
                raise OSError(f"{uri}: there are {len(pictures)} pictures, counted from 0.")
            content = png(pictures[int(row)])
        except OSError as error:
            yield error
        except ValueError as error:
            yield OSError(f"{uri}: {error}")
        else:
            yield content


def listed_rows(
    path: str, split: str, labels: pa.Array, size: int, stamped: Stamp, before: int = 0
) -> Iterator[pa.RecordBatch]:
    """The pictures of the file PATH as a listing: the keys are ``SPLIT/00000`` and so on.

    Args:
        path: the file, as the uris name it.
        split: of all of them.
        labels: one a picture, in their order.
        size: bytes of each as PNG.
        stamped: of the file, by which a change of it shows.
        before: pictures of this split that came in other files.
    """
    for start in range(0, len(labels), ROWS):
        rows = range(start, min(start + ROWS, len(labels)))
        columns = {
            "key": [f"{split}/{before + row:05d}" for row in rows],
            "uri": [f"{path}#{row}" for row in rows],
            "size": pa.repeat(size, len(rows)),
            "mtime": pa.repeat(stamped.mtime, len(rows)),
            "etag": pa.repeat(stamped.etag, len(rows)),
            "labels": at_most_one(labels[rows.start : rows.stop]),
            "split": pa.repeat(split, len(rows)),
        }
        yield listing_batch(len(rows), columns)
