"""One picture of a source, before its bytes are read, and the columns of a listing of many."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Final

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Box:
    """A labelled rectangle in an image: left, top, width, height in pixels of the stored image."""

    label: str
    x: float
    y: float
    width: float
    height: float
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture of a source: who it is, where its bytes lie, what is known of it. No bytes.

    Args:
        key: names the picture within its source, unique and stable from night to night.
        uri: where its bytes lie: a path or URL, with ``#OFFSET,LENGTH`` for a range of an archive,
            or whatever else the adapter's own ``read`` understands.
        size: bytes; with mtime and etag it decides whether the bytes are read again.
        mtime: time stamp in nanoseconds since 1970; 0 where the source has none.
        etag: the source's own mark of a content; preferred to mtime where it is not empty.
        labels: classes, in the dataset's own names; several for a multi-label dataset.
        tags: words that users gave, noisy; one that was given often may stand there several times.
        captions: sentences.
        boxes: labelled regions.
        split: the dataset's word ("train", "test", ...); empty where it has none.
    """

    key: str
    uri: str
    size: int
    mtime: int = 0
    etag: str = ""
    labels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()
    split: str = ""


BOX: Final = pa.struct(
    [
        pa.field("label", pa.string()),
        pa.field("x", pa.float32()),
        pa.field("y", pa.float32()),
        pa.field("width", pa.float32()),
        pa.field("height", pa.float32()),
        pa.field("crowd", pa.bool_()),
    ]
)

LISTING: Final = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("mtime", pa.int64(), nullable=False),
        pa.field("etag", pa.string(), nullable=False),
        pa.field("labels", pa.list_(pa.string())),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("captions", pa.list_(pa.string())),
        pa.field("boxes", pa.list_(BOX)),
        pa.field("split", pa.string()),
    ]
)
"""The columns of a listing: one row a `Sample`."""


def listing_batches(samples: Iterable[Sample], rows: int = 10_000) -> Iterator[pa.RecordBatch]:
    """SAMPLES as record batches of the `LISTING` schema, at most ROWS each, in their order."""
    stream = iter(samples)
    while chunk := list(islice(stream, rows)):
        yield pa.RecordBatch.from_pylist([asdict(sample) for sample in chunk], schema=LISTING)
