"""Sets of visual words as rows of an index, and how far apart two of them are. No torch here.

A row is (W,) uint16 and says itself how to read it: the first value is how long a slot is, and S
slots follow, each a visual word and D / 16 values of its code, the first bit of a code in the
highest bit of the first of them. Words ascend; slots that are left over are filled with `EMPTY`.
"""

from typing import Any, Final

import numpy as np

from models.aggregation.inverted_file import InvertedFile
from models.aggregation.match_kernel import Bags, Selectivity

Array = np.ndarray[Any, np.dtype[Any]]

EMPTY: Final = 0xFFFF
BITS: Final = 16
"""Of a value."""


def row_width(slots: int, bits: int) -> int:
    """Values of a row of SLOTS with codes of BITS each."""
    return 1 + slots * (1 + bits // BITS)


def packed(some: Bags, slots: int) -> Array:
    """SOME as rows (B, W) uint16 of SLOTS each.

    Raises:
        ValueError: an image has more words than that, or a code fills no whole values.
    """
    if some.codes.shape[1] % 2:
        raise ValueError(f"Codes of {some.codes.shape[1]} bytes fill no values of 16 bits.")
    sizes = some.sizes
    if len(sizes) and sizes.max() > slots:
        raise ValueError(f"An image has {sizes.max()} words, more than {slots} slots hold.")
    values = np.ascontiguousarray(some.codes).view(">u2").astype(np.uint16)  # (M, D / 16)
    rows = np.full((some.count, slots, 1 + values.shape[1]), EMPTY, np.uint16)
    place = np.arange(len(some.words)) - (np.cumsum(sizes) - sizes)[some.images]
    rows[some.images, place, 0] = some.words
    rows[some.images, place, 1:] = values
    length = np.full((some.count, 1), rows.shape[2], np.uint16)
    return np.concatenate([length, rows.reshape(some.count, -1)], axis=1)


def unpacked(rows: Array) -> Bags:
    """The sets of visual words that ROWS (B, W) stand for."""
    length = slot_length(rows)
    slots = rows[:, 1:].reshape(len(rows), (rows.shape[1] - 1) // length, length)  # (B, S, ...)
    images, places = np.nonzero(slots[:, :, 0] != EMPTY)
    taken = slots[images, places]  # (M, 1 + D / 16)
    codes = np.ascontiguousarray(taken[:, 1:].astype(">u2")).view(np.uint8)
    return Bags(len(rows), images.astype(np.int32), taken[:, 0].astype(np.int32), codes)


def slot_length(rows: Array) -> int:
    """How many values a slot of ROWS (B, W) has; 2 of none.

    Raises:
        ValueError: they are no rows of this kind, or not all of one kind.
    """
    if rows.ndim != 2 or rows.dtype != np.uint16:
        raise ValueError(f"Visual words must be (N, W) uint16 but are {rows.shape} {rows.dtype}.")
    lengths = np.unique(rows[:, 0])
    if len(lengths) > 1:
        raise ValueError(f"Slots must be of one length but are of {lengths.tolist()} values.")
    length = int(lengths[0]) if len(lengths) else 2
    if len(rows) and (length < 2 or (rows.shape[1] - 1) % length):
        raise ValueError(f"Rows of {rows.shape[1]} values hold no whole slots of {length}.")
    return length


def apart(queries: Array, rows: Array) -> Array:
    """Distances (Q, N) float32 of QUERIES from ROWS: 1 - their score, in [0, 1]."""
    if not len(queries) or not len(rows):  # nothing says how long their codes are
        return np.empty((len(queries), len(rows)), np.float32)
    some = unpacked(rows)
    held = InvertedFile(EMPTY, some.codes.shape[1])
    held.add(some)
    return distances(held.scores(unpacked(queries)))


def apart_in_pairs(one: Array, other: Array) -> Array:
    """Distances (N,) float32 between rows ONE and those in their places in OTHER."""
    ours, theirs = unpacked(one), unpacked(other)
    spots = ours.images.astype(np.int64) * EMPTY + ours.words
    others = theirs.images.astype(np.int64) * EMPTY + theirs.words
    shared, mine, its = np.intersect1d(spots, others, assume_unique=True, return_indices=True)
    different = np.bitwise_count(ours.codes[mine] ^ theirs.codes[its]).sum(axis=1)
    bits = 8 * ours.codes.shape[1]
    added = Selectivity().table(bits)[bits - different.astype(np.int64)]
    total = np.bincount(shared // EMPTY, added, minlength=len(one))
    scores = total / np.sqrt(np.maximum(ours.sizes, 1) * np.maximum(theirs.sizes, 1))
    return distances(scores)


def distances(scores: Array) -> Array:
    """SCORES in [0, 1], but for rounding, as distances: float32, none negative."""
    return np.clip(1 - scores, 0, 1).astype(np.float32)
