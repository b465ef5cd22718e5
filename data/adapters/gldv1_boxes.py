"""The boxes that Detect-to-Retrieve drew around landmarks of Google Landmarks v1.

Teichmann, Araujo, Zhu, Sim, Detect-to-Retrieve: Efficient Regional Aggregation for Image Search,
CVPR 2019: ``boxes_split1.csv`` and ``boxes_split2.csv`` (id, box), a box as shares of height and
width: top, left, bottom, right.
"""

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.columns import lists_by_row
from data.adapters.landmarks import Array, Ids, columns_of, numbers
from data.adapters.reading import place_of
from data.sample import BOX, LISTING

FILES: Final = ("boxes_split1.csv", "boxes_split2.csv")
BEGINNING: Final = 64 * 1024
"""Bytes of a picture in which it nearly always says how large it is."""

COLUMN: Final = LISTING.get_field_index("boxes")

Read = Callable[[Sequence[str]], Iterator[bytes | OSError]]

log = logging.getLogger(__name__)


class Boxes:
    """The boxes in the lists of ROOT, by the ids of their pictures.

    Raises:
        FileNotFoundError: neither list is there.
        ValueError: a list is broken; names it and the box.
    """

    def __init__(self, root: str) -> None:
        fs, path = fsspec.url_to_fs(root)
        there = [name for name in FILES if fs.exists(f"{path}/{name}")]
        if not there:
            raise FileNotFoundError(
                f"No {' or '.join(FILES)} in {root}: boxes: false does without."
            )
        ids, shares = [np.empty(0, np.uint64)], [np.empty((0, 4), np.float32)]
        for name in there:
            for some, batch in columns_of(f"{root}/{name}", {"box": pa.string()}):
                ids.append(some)
                shares.append(_shares(batch["box"], f"{root}/{name}"))
        self.ids = Ids(np.concatenate(ids), f"{root}/{there[0]}")
        self.shares = np.concatenate(shares)  # (N, 4): top, left, bottom, right

    def put_on(self, batch: pa.RecordBatch, read: Read) -> pa.RecordBatch:
        """The rows of BATCH with their boxes in pixels; pictures that have one are read for that.

        The box of a picture that says no size is left out; how many these are is logged.
        """
        names = pc.replace_substring_regex(batch["key"], "^.*/", "")
        places = self.ids.rows(numbers(names, self.ids.path))
        rows = np.flatnonzero(places >= 0)
        some = batch.take(pa.array(rows))
        sizes = _sizes(some["uri"].to_pylist(), some["size"].to_pylist(), read)
        if lost := int((sizes[:, 0] == 0).sum()):
            log.warning("%d pictures with boxes do not say how large they are", lost)
        known = sizes[:, 0] > 0
        rows, sizes = rows[known], sizes[known]
        width, height = sizes[:, 0], sizes[:, 1]
        top, left, bottom, right = self.shares[places[rows]].T
        corners = (left * width, top * height, (right - left) * width, (bottom - top) * height)
        boxes = pa.StructArray.from_arrays(
            [
                _landmarks(batch["labels"]).take(pa.array(rows)),
                *(pa.array(side.astype(np.float32)) for side in corners),
                pa.array(np.zeros(len(rows), np.bool_)),
            ],
            fields=list(BOX),
        )
        return batch.set_column(
            COLUMN, LISTING.field(COLUMN), lists_by_row(rows, boxes, len(batch))
        )


def _shares(texts: pa.Array, path: str) -> Array:
    """The four shares in each of TEXTS, (N, 4) float32."""
    parts = pc.split_pattern_regex(pc.utf8_trim_whitespace(texts), "[ ,]+")
    right = np.ones(len(texts), np.bool_)
    found = np.zeros((len(texts), 4), np.float32)
    for row, words in enumerate(parts.to_pylist()):
        try:
            top, left, bottom, end = map(float, words)
            found[row] = top, left, bottom, end
            right[row] = 0 <= top < bottom <= 1 and 0 <= left < end <= 1
        except ValueError:
            right[row] = False
    if not right.all():
        wrong = texts[int(np.argmin(right))].as_py()
        raise ValueError(f"{path}: {wrong!r} is no top, left, bottom and right between 0 and 1.")
    return found


def _landmarks(labels: pa.ListArray) -> pa.Array:
    """The first of LABELS of each picture; "landmark" where it has none."""
    return pa.array([row[0] if row else "landmark" for row in labels.to_pylist()], pa.string())


def _sizes(uris: Sequence[str], lengths: Sequence[int], read: Read) -> Array:
    """Width and height of each of URIS, whose files have LENGTHS bytes, (N, 2); 0 where unknown."""
    starts = []
    for uri, length in zip(uris, lengths, strict=True):
        place = place_of(uri)
        starts.append(f"{place.path}#{place.offset},{min(length, BEGINNING)}")
    sizes = [_size(content) for content in read(starts)]
    again = [row for row, (width, _) in enumerate(sizes) if not width]
    for row, content in zip(again, read([uris[row] for row in again]), strict=True):
        sizes[row] = _size(content)
    return np.array(sizes, np.int64).reshape(-1, 2)


def _size(content: bytes | OSError) -> tuple[int, int]:
    from PIL import Image  # a source that is not read needs no decoder

    if isinstance(content, OSError):
        return 0, 0
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.size
    except (OSError, ValueError):
        return 0, 0
