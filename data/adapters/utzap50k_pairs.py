"""UT-Zap50K's pairs of shoes: which of the two is more open, pointy, sporty or comfortable.

The columns of each matrix (N, 6), by the readme of ut-zap50k-data: the numbers of both pictures in
image-path.mat, counted from 1; the attribute, 1 to 4; 1 where the first shows more of it, 2 where
the second does, 3 where they show as much; confidence; agreement.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.matlab import load
from data.adapters.unpacked import Unpacked

PAIRS: Final = pa.schema(
    [
        pa.field("first", pa.string(), nullable=False),
        pa.field("second", pa.string(), nullable=False),
        pa.field("attribute", pa.string(), nullable=False),
        pa.field("more", pa.string(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("agreement", pa.float32(), nullable=False),
        pa.field("set", pa.string(), nullable=False),
    ]
)
"""Keys of two pictures, an attribute, and which of the two shows more of it: first, second or
neither; mean confidence of five people from 1 (very) to 3 (not at all), the share of them that
agreed, and the set of pairs."""

ATTRIBUTES: Final = ("open", "pointy", "sporty", "comfort")
MORE: Final = ("first", "second", "neither")
SETS: Final = {
    "ordered": ("zappos-labels.mat", "mturkOrder"),
    "equal": ("zappos-labels.mat", "mturkEqual"),
    "fine-grained": ("zappos-labels-fg.mat", "mturkHard"),
}
"""The sets of pairs, each a matrix an attribute, and the variable that has them."""

FOLDS: Final = {"train": "trainPairsAll", "test": "testPairsAll"}
"""The same pairs divided ten times, in train-test-splits-pairs.mat."""

WIDTH: Final = 6

Matrix = np.ndarray[Any, np.dtype[Any]]

log = logging.getLogger(__name__)


def pair_batches(
    files: Unpacked, keys: Sequence[str], spelt: Callable[[str], str], fold: int
) -> Iterator[pa.RecordBatch]:
    """The pairs of FILES as batches of `PAIRS`, one an attribute and set.

    Args:
        files: the contents of ut-zap50k-data.
        keys: of the pictures that are there; pairs of others are counted, logged and left out.
        spelt: what makes a name of image-path.mat one that is spelt as keys are.
        fold: 0: all pairs, in the sets ``ordered``, ``equal`` and ``fine-grained``; 1 to 10: those
            of an official division, in the sets ``train`` and ``test``.

    Raises:
        FileNotFoundError: a file is missing; names it.
        ValueError: a matrix is not as the readme says; names file, variable and row.
    """
    path = files.find("image-path.mat")
    names = load(path, "imagepath")["imagepath"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{path}: imagepath should be a list of names.")
    pictures = pa.array(_keys_of([spelt(name) for name in names], keys), pa.string())
    lost = 0
    for name, number, matrix in _matrices(files, fold, len(names)):
        first, second = (
            pictures.take(pa.array(matrix[:, side] - 1, pa.int64())) for side in (0, 1)
        )
        more = pa.array(MORE).take(pa.array(matrix[:, 3] - 1, pa.int64()))
        there = pc.and_(pc.not_equal(first, ""), pc.not_equal(second, ""))
        batch = pa.RecordBatch.from_arrays(
            [
                first,
                second,
                pa.repeat(ATTRIBUTES[number], len(matrix)),
                more,
                pa.array(matrix[:, 4], pa.float32()),
                pa.array(matrix[:, 5], pa.float32()),
                pa.repeat(name, len(matrix)),
            ],
            schema=PAIRS,
        ).filter(there)
        lost += len(matrix) - batch.num_rows
        yield batch
    if lost:
        log.warning("%s: %d pairs are of pictures that are not there", files.root, lost)


def _keys_of(names: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Which of KEYS each of NAMES is; by its CID where a brand is spelt otherwise; else empty."""
    there = set(keys)
    by_cid: dict[str, str] = {}
    for key in keys:
        cid = _cid(key)
        by_cid[cid] = "" if cid in by_cid else key  # two: do not guess
    return [name if name in there else by_cid.get(_cid(name), "") for name in names]


def _cid(name: str) -> str:
    """The part of NAME that a brand cannot change."""
    return name.rpartition("/")[2]


def _matrices(files: Unpacked, fold: int, count: int) -> Iterator[tuple[str, int, Matrix]]:
    """The name of each set, the number of an attribute, and its pairs among COUNT pictures."""
    if not fold:
        for name, (file, variable) in SETS.items():
            path = files.find(file)
            cells = _cells(load(path, variable)[variable], ATTRIBUTES, f"{path}: {variable}")
            for number, matrix in enumerate(cells):
                yield name, number, _checked(matrix, number, count, f"{path}: {variable}")
        return
    path = files.find("train-test-splits-pairs.mat")
    for name, variable in FOLDS.items():
        cells = _cells(load(path, variable)[variable], ATTRIBUTES, f"{path}: {variable}")
        for number, divisions in enumerate(cells):
            some = _cells(divisions, range(10), f"{path}: {variable}, {ATTRIBUTES[number]}")
            yield name, number, _checked(some[fold - 1], number, count, f"{path}: {variable}")


def _cells(value: Any, each: Sequence[Any], where: str) -> list[Any]:
    if not isinstance(value, list) or len(value) != len(each):
        raise ValueError(f"{where} should have {len(each)} cells.")
    return value


def _checked(value: Any, number: int, count: int, where: str) -> Matrix:
    """VALUE as the pairs of attribute NUMBER, (N, 6)."""
    where = f"{where}, {ATTRIBUTES[number]}"
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.shape[1] != WIDTH:
        raise ValueError(f"{where} should be a matrix of {WIDTH} columns.")
    pictures = value[:, :2]
    good = (pictures == np.round(pictures)) & (pictures >= 1) & (pictures <= count)
    good = good.all(axis=1) & (value[:, 2] == number + 1) & np.isin(value[:, 3], (1, 2, 3))
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(
            f"{where}: row {row + 1} is {value[row].tolist()}: it should be two of {count} "
            f"pictures counted from 1, attribute {number + 1}, and 1, 2 or 3."
        )
    return value
