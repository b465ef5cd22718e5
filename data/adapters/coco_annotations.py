"""What COCO's JSON files say, as columns: pictures, boxes, classes and captions by picture."""

from array import array
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.columns import lists_by_row
from data.adapters.jsons import items
from data.sample import BOX

Numbers = np.ndarray[Any, np.dtype[np.int64]]

FLUSH: Final = 50_000
"""Captions that are held as Python texts before they become a column."""


class Images:
    """The pictures that a file lists, by ascending id: ``ids`` (N,) int64 and their file names."""

    def __init__(self, path: str, found: dict[int, str]) -> None:
        self.path = path
        self.ids: Numbers = np.array(sorted(found), dtype=np.int64)
        self.names = pa.array([found[number] for number in self.ids.tolist()], pa.string())

    def rows(self, ids: Numbers, what: str) -> Numbers:
        """The row of each of IDS.

        Raises:
            ValueError: an id is not that of a picture; WHAT has it.
        """
        rows = np.searchsorted(self.ids, ids)
        lost = rows == len(self.ids)
        lost[~lost] = self.ids[rows[~lost]] != ids[~lost]
        if lost.any():
            raise ValueError(f"{self.path}: {what} of picture {ids[lost][0]}, which is not listed.")
        return rows


def read_instances(path: str) -> tuple[Images, dict[str, pa.Array]]:
    """The pictures of an ``instances_*.json``, and their columns ``labels`` and ``boxes``.

    A picture has each class once, in the order of the class ids; boxes come in the order of theirs.
    A picture without any box has neither. Outlines are read over.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is damaged, or an annotation is not of a picture and a class that it lists.
    """
    found: dict[int, str] = {}
    names: dict[int, str] = {}
    whose, what, crowd, order = array("q"), array("q"), array("b"), array("q")
    corners = array("f")
    for kind, item in items(path, "images", "annotations", "categories"):
        try:
            if kind == "images":
                _add(found, item)
            elif kind == "categories":
                names[int(item["id"])] = str(item["name"])
            else:
                left, top, width, height = item["bbox"]
                whose.append(item["image_id"])
                what.append(item["category_id"])
                order.append(item["id"])
                crowd.append(bool(item.get("iscrowd")))
                corners.extend((left, top, width, height))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(
                f"{path}: something in {kind!r} is not as it should be: {error!r}."
            ) from error
    images = Images(path, found)
    classes = np.array(sorted(names), dtype=np.int64)
    rows = images.rows(_numbers(whose), "an annotation")
    sort = np.lexsort((_numbers(order), rows))
    rows, kinds = rows[sort], _numbers(what)[sort]
    columns = np.searchsorted(classes, kinds)
    strange = kinds[~np.isin(kinds, classes)]
    if len(strange):
        raise ValueError(f"{path}: category_id {strange[0]} is none of its {len(classes)} classes.")
    words = pa.array([names[number] for number in classes.tolist()], pa.string())
    boxes = np.frombuffer(corners, np.float32).reshape(-1, 4)[sort]  # (M, 4)
    fields = [
        pc.take(words, pa.array(columns)),
        *(pa.array(np.ascontiguousarray(boxes[:, side])) for side in range(4)),
        pa.array(np.frombuffer(crowd, np.int8)[sort].astype(bool)),
    ]
    pairs = np.unique(rows * max(len(classes), 1) + columns)
    labelled, shown = np.divmod(pairs, max(len(classes), 1))
    return images, {
        "boxes": lists_by_row(
            rows, pa.StructArray.from_arrays(fields, fields=list(BOX)), len(images.ids)
        ),
        "labels": lists_by_row(labelled, pc.take(words, pa.array(shown)), len(images.ids)),
    }


def read_captions(path: str, images: Images | None = None) -> tuple[Images, dict[str, pa.Array]]:
    """The pictures of a ``captions_*.json`` and their column ``captions``; or those of IMAGES.

    The captions of a picture come in the order of their ids, so that its first five are the same
    everywhere, without the blanks and ends of lines around them. Where IMAGES are given, captions
    of other pictures are passed over.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is damaged, or has a caption of a picture that it does not list.
    """
    found: dict[int, str] = {}
    whose, order = array("q"), array("q")
    texts: list[str] = []
    pieces: list[pa.Array] = [pa.array([], pa.string())]
    for kind, item in items(path, "images", "annotations"):
        try:
            if kind == "images":
                _add(found, item)
                continue
            whose.append(item["image_id"])
            order.append(item["id"])
            texts.append(item["caption"].strip())
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise ValueError(
                f"{path}: something in {kind!r} is not as it should be: {error!r}."
            ) from error
        if len(texts) == FLUSH:
            pieces.append(pa.array(texts, pa.string()))
            texts = []
    captions = pa.concat_arrays([*pieces, pa.array(texts, pa.string())])
    listed = Images(path, found)
    ids = _numbers(whose)
    listed.rows(ids, "a caption")
    wanted = images or listed
    sort = np.lexsort((_numbers(order), ids))
    sort = sort[np.isin(ids[sort], wanted.ids)]
    rows = wanted.rows(ids[sort], "a caption")
    return wanted, {"captions": lists_by_row(rows, captions.take(pa.array(sort)), len(wanted.ids))}


def _add(found: dict[int, str], item: Any) -> None:
    number, name = int(item["id"]), str(item["file_name"])
    if number in found:
        raise ValueError(f"picture {number} is listed twice")
    found[number] = name


def _numbers(values: "array[int]") -> Numbers:
    return np.frombuffer(values, np.int64) if values else np.empty(0, np.int64)
