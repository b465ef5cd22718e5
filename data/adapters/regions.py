"""The parts of another source's pictures, each an item of its own: its boxes, or a grid."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final, Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from data.adapters.base import Columnar, Dataset
from data.adapters.card import Card, Says
from data.adapters.columns import listing_batch, lists_by_row
from data.adapters.files import ROWS
from data.adapters.png import png_size
from data.plan import Plan
from data.regions import FRAGMENT, Region, grid, parted
from data.sample import LISTING

CUT: Final = "cut 1"
"""Names the way in which parts are cut out, in the mark by which a change of them is seen."""

log = logging.getLogger(__name__)


class Objects(Plan):
    """Which parts of the pictures are rows, in place of the pictures."""

    of: Literal["boxes", "grid"] = Field(
        description="boxes: those that the dataset knows; grid: regions of several sizes, of any"
    )
    least: int = Field(
        default=16, ge=8, description="pixels; boxes with a shorter side are left out"
    )
    scales: int = Field(
        default=3,
        ge=1,
        le=6,
        description="sizes of the regions of a grid: L give 1 + 4 + … + L x L",
    )
    most: int = Field(
        default=0, ge=0, description="pixels a side that are kept of a part; 0: all of them"
    )


class Regions(Columnar):
    """The parts of the pictures of WHOLE that TOLD says, each an item of its own.

    The key and the uri of a part are those of its picture with the rectangle behind them, in whole
    pixels of the stored picture: ``KEY#xywh=10,20,64,48``; of a grid in percent of it. A part stays
    the same for as long as its picture's bytes and its rectangle do, whatever becomes of others. It
    is handed out as a PNG whose bytes follow from the pixels alone, and marked by its picture's
    stamp, so that an unchanged picture is not read again.

    *Boxes*: crowds and boxes with a side under ``least`` are left out, and counted in the log.
    Boxes of the same pixels are one part. Its labels are theirs, or the picture's where a box has
    none, and the box itself is kept; tags and captions are said of whole pictures, so not of it.
    *Grid*: what is said of a picture is said of each of its regions, its boxes among it.

    Args:
        whole: the source of the pictures.
        told: which parts.

    Raises:
        ValueError: boxes are asked for, and WHOLE knows none.
    """

    card: Card  # type: ignore[misc]  # that of its pictures, but for what is known of a part

    def __init__(self, whole: Dataset, told: Objects) -> None:
        says: tuple[Says, ...] = whole.card.says
        if told.of == "boxes":
            if "boxes" not in says:
                raise ValueError(
                    f"{whole.card.name} knows no boxes of its pictures: say objects: grid, for "
                    "regions of any picture, or leave it out."
                )
            says = ("single", "boxes")
        self.whole, self.told = whole, told
        self.root, self.options = whole.root, whole.options
        self.card = Card(**{**dict(whole.card), "says": says})

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The parts, picture after picture; of a picture by left, top, width and height, or size.

        Raises:
            OSError, ValueError: as the listing of the pictures does.
        """
        left_out: Counter[str] = Counter()
        for batch in self.whole.listing():
            parts = self._boxes(batch, left_out) if self.told.of == "boxes" else self._grid(batch)
            for start in range(0, parts.num_rows, ROWS):
                yield parts.slice(start, ROWS)
        if left_out["crowds"] or left_out["small"]:
            log.warning(
                "%s: of %d boxes %d crowds and %d with a side under %d pixels are left out",
                self.root,
                *(left_out[word] for word in ("boxes", "crowds", "small")),
                self.told.least,
            )

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        """The parts of URIS as PNG files; a picture whose parts are asked for together, once."""
        from data.cutouts import cutouts  # deferred: it brings Pillow along

        runs = [
            (picture, [region for _, region in parts])
            for picture, parts in groupby(map(parted, uris), key=lambda part: part[0])
        ]
        contents = self.whole.read([picture for picture, _ in runs])
        for content, (_, regions) in zip(contents, runs, strict=True):
            if isinstance(content, OSError):
                yield from [content] * len(regions)
            else:
                yield from cutouts(content, cast(list[Region], regions), self.told.most)

    def tables(self) -> dict[str, Callable[[], Iterator[pa.RecordBatch]]]:
        """What the source says beside its pictures."""
        return dict(self.whole.tables())

    def __reduce__(self) -> tuple[Callable[..., Dataset], tuple[Any, ...]]:
        """Travel as the source of the pictures, and what was told."""
        return Regions, (self.whole, self.told)

    def _boxes(self, batch: pa.RecordBatch, left_out: Counter[str]) -> pa.RecordBatch:
        """The boxes of the pictures of BATCH, each a row; counts what is LEFT_OUT."""
        boxes = batch["boxes"].flatten()
        lengths = pc.fill_null(pc.list_value_length(batch["boxes"]), 0).to_numpy()
        pictures = np.repeat(np.arange(batch.num_rows), lengths)  # (M,) of each box
        corners = np.stack(
            [boxes.field(n).to_numpy(zero_copy_only=False).astype(float) for n in range(1, 5)],
            axis=1,
        )  # (M, 4)
        start = np.maximum(np.rint(corners[:, :2]), 0)
        shape = np.rint(corners[:, :2] + corners[:, 2:]) - start
        crowd = pc.fill_null(boxes.field(5), False).to_numpy(zero_copy_only=False)
        fit = np.isfinite(shape).all(axis=1) & (shape.min(axis=1) >= self.told.least)
        left_out.update(boxes=len(fit), crowds=int(crowd.sum()), small=int((~crowd & ~fit).sum()))
        kept = np.flatnonzero(~crowd & fit)
        places = np.column_stack([pictures, start, shape])[kept].astype(np.int64)  # (K, 5)
        parts, first, which = np.unique(places, axis=0, return_index=True, return_inverse=True)
        names = boxes.field(0).take(pa.array(kept))
        whose = pa.array(parts[:, 0])
        labels = _labels(names, which.reshape(-1), batch["labels"].take(whose))
        rectangles = [Region(*rectangle) for rectangle in parts[:, 1:].tolist()]
        return self._rows(
            batch,
            whose,
            rectangles,
            size=[png_size(int(one.height), int(one.width), 3) for one in rectangles],
            labels=labels,
            boxes=pa.ListArray.from_arrays(
                pa.array(np.arange(len(parts) + 1, dtype=np.int32)),
                boxes.take(pa.array(kept[first])),
            ),
            tags=None,
            captions=None,
        )

    def _grid(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The regions of the pictures of BATCH, each a row."""
        regions = grid(self.told.scales)
        whose = pa.array(np.repeat(np.arange(batch.num_rows), len(regions)))
        return self._rows(batch, whose, regions * batch.num_rows)

    def _rows(
        self, batch: pa.RecordBatch, whose: pa.Array, regions: list[Region], **columns: Any
    ) -> pa.RecordBatch:
        """A row a region: what its picture, the row of BATCH that WHOSE says, has, but COLUMNS."""
        ends = pa.array([f"{FRAGMENT}{region}" for region in regions], pa.string())
        of = {name: batch[name].take(whose) for name in LISTING.names}
        stamp = pc.binary_join_element_wise(
            of["size"].cast(pa.string()), of["mtime"].cast(pa.string()), "-"
        )
        stamp = pc.if_else(pc.equal(of["etag"], ""), stamp, of["etag"])
        how = f"{CUT}, {self.told.most} pixels at most, of "
        of |= {name: pc.binary_join_element_wise(of[name], ends, "") for name in ("key", "uri")}
        of["etag"] = pc.binary_join_element_wise(pa.scalar(how), stamp, "")
        return listing_batch(len(regions), of | columns)


def _labels(names: pa.Array, which: NDArray[np.int64], otherwise: pa.ListArray) -> pa.Array:
    """The NAMES (K) of each part, whose number WHICH (K,) says, as lists; else those OTHERWISE."""
    words = pa.array(sorted(set(names.to_pylist()) - {None, ""}), pa.string())
    codes = pc.fill_null(pc.index_in(names, value_set=words), -1).to_numpy(zero_copy_only=False)
    span = max(len(words), 1)
    pairs = np.unique(which[codes >= 0] * span + codes[codes >= 0])
    part, code = np.divmod(pairs, span)
    labels = lists_by_row(part, words.take(pa.array(code)), len(otherwise))
    return pc.if_else(pc.equal(pc.list_value_length(labels), 0), otherwise, labels)
