"""What is said of the rows of a training set, as numbers: classes, or words of a vocabulary."""

from collections.abc import Sequence
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from data.adapters.columns import lists_by_row

Rows = NDArray[np.int64]

WORDS: Final = 4096
"""Words of a vocabulary; what is said more seldom than those is not learned from."""


SAY_NOTHING: Final = (
    "about above across against all along also an and another are around as at be behind being "
    "below beside between both by down each for from front has have her him his in inside into is "
    "it its itself next no not of off on onto one or other out outside over some several that the "
    "their them there these they this through to together too top two under up very was were what "
    "when where which while who with"
)
"""English words of captions that say nothing of what can be seen."""


class Marks:
    """Which names were said of each of N rows, as codes laid end to end: four bytes a mark.

    Args:
        names: what the codes stand for, in order.
        starts: (N + 1,) where each row's codes begin.
        codes: the codes of all rows.
    """

    def __init__(self, names: Sequence[str], starts: Rows, codes: NDArray[np.int32]) -> None:
        self.names, self._starts, self._codes = list(names), starts, codes

    @classmethod
    def of(cls, column: pa.ChunkedArray, most: int | None = None, least: int = 1) -> Self:
        """The marks in a COLUMN of lists of strings.

        Args:
            column: null is as good as empty.
            most: only so many names count, those of the most rows; None: all.
            least: only names of so many rows count.
        """
        lists = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
        said = pc.list_flatten(lists)
        row = np.repeat(np.arange(len(lengths)), lengths)
        order = sorted(_rows_of(said, row).items(), key=lambda pair: (-pair[1], pair[0]))
        names = sorted(name for name, count in order[:most] if count >= least)
        codes = pc.fill_null(pc.index_in(said, value_set=pa.array(names, pa.string())), -1)
        codes = codes.to_numpy(zero_copy_only=False).astype(np.int32)
        kept = codes >= 0
        row = row[kept]
        starts = np.searchsorted(row, np.arange(len(lengths) + 1))
        return cls(names, starts, codes[kept])

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def counts(self) -> Rows:
        """How many marks each row has, (N,)."""
        return np.diff(self._starts)

    @property
    def said(self) -> frozenset[int]:
        """The codes that any row has."""
        return frozenset(np.unique(self._codes).tolist())

    @property
    def first(self) -> Rows:
        """The first code of each row, (N,); -1 where there is none."""
        padded = np.append(self._codes, np.int32(-1)).astype(np.int64)
        return np.where(self.counts > 0, padded[self._starts[:-1]], -1)

    def only(self, seen: NDArray[np.bool_]) -> "Marks":
        """The same marks, but none on rows that are not SEEN (N,)."""
        kept = np.repeat(seen, self.counts)
        starts = np.concatenate([[0], np.cumsum(np.where(seen, self.counts, 0))])
        return Marks(self.names, starts, self._codes[kept])

    def at(self, kept: NDArray[np.bool_]) -> "Marks":
        """The marks of those rows that are KEPT (N,), which alone are left."""
        starts = np.concatenate([[0], np.cumsum(self.counts[kept])])
        return Marks(self.names, starts, self._codes[np.repeat(kept, self.counts)])

    def dense(self, rows: Rows) -> torch.Tensor:
        """How often each name was said of ROWS (B,), (B, C) float32."""
        places, codes = self._of(rows)
        found = torch.zeros(len(rows), len(self.names))
        ones = torch.ones(len(codes))
        where = torch.from_numpy(places), torch.from_numpy(codes)
        found.index_put_(where, ones, accumulate=True)
        return found

    def shared(self, rows: Rows, other: "Marks", others: Rows) -> NDArray[np.bool_]:
        """Which of ROWS (R,) shares a mark with which of OTHERS (O,) of OTHER, (R, O).

        The codes of both must stand for the same names.
        """
        places, codes = other._of(others)
        order = np.argsort(codes, kind="stable")
        places = places[order]
        starts = np.searchsorted(codes[order], np.arange(len(self.names) + 1))
        found = np.zeros((len(rows), len(others)), bool)
        for place, code in zip(*self._of(rows), strict=True):
            found[place, places[starts[code] : starts[code + 1]]] = True
        return found

    def _of(self, rows: Rows) -> tuple[Rows, Rows]:
        """The marks of ROWS, one after the other: of which of them each is, and its code."""
        counts = self._starts[rows + 1] - self._starts[rows]
        firsts = np.repeat(self._starts[rows] - np.cumsum(counts) + counts, counts)
        codes = self._codes[firsts + np.arange(len(firsts))].astype(np.int64)
        return np.repeat(np.arange(len(rows)), counts), codes

    def sparse(self) -> torch.Tensor:
        """The same of all rows, (N, C), sparse."""
        row = np.repeat(np.arange(len(self)), self.counts)
        places = torch.from_numpy(np.stack([row, self._codes.astype(np.int64)]))
        shape = (len(self), len(self.names))
        return torch.sparse_coo_tensor(
            places, torch.ones(places.shape[1]), shape, check_invariants=True
        ).coalesce()


def words_in(captions: pa.ChunkedArray) -> pa.ChunkedArray:
    """The words of each row's CAPTIONS (lists of sentences), small, as often as they stand there.

    Left out are those of one letter, and those that `SAY_NOTHING`.
    """
    lists = captions.combine_chunks() if captions.num_chunks != 1 else captions.chunk(0)
    sentences = pc.fill_null(pc.utf8_lower(pc.list_flatten(lists)), "")
    split = pc.split_pattern_regex(sentences, r"[^\p{L}\p{N}]+")
    words = pc.list_flatten(split)
    rows = pc.list_parent_indices(lists).take(pc.list_parent_indices(split))
    kept = pc.and_(
        pc.greater(pc.utf8_length(words), 1),
        pc.invert(pc.is_in(words, value_set=pa.array(SAY_NOTHING.split()))),
    )
    row = rows.filter(kept).to_numpy(zero_copy_only=False).astype(np.int64)
    return pa.chunked_array([lists_by_row(row, words.filter(kept), len(lists))])


def _rows_of(said: pa.Array, row: Rows) -> dict[str, int]:
    """Of how many rows each name was SAID, however often of one; ROW (M,) is that of each."""
    coded = said.dictionary_encode()
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    kinds = len(coded.dictionary)
    once = np.unique(row[codes >= 0] * kinds + codes[codes >= 0]) % max(kinds, 1)
    counts = np.bincount(once, minlength=kinds).tolist()
    return dict(zip(coded.dictionary.to_pylist(), counts, strict=True))


def seen_share(marks: Marks, digests: Sequence[str], share: float) -> NDArray[np.bool_]:
    """Of which rows the labels may be seen: SHARE of each class, those of the smallest digests.

    A digest is as good as a lot, and falls the same way whatever else is in the set. A class keeps
    one row at least; a row of several classes goes by its first.
    """
    seen: NDArray[np.bool_] = np.zeros(len(marks), bool)
    order = np.argsort(np.asarray(digests))
    first = marks.first[order]
    for code in range(len(marks.names)):
        mine = order[first == code]
        seen[mine[: max(1, round(share * len(mine)))]] = len(mine) > 0
    return seen
