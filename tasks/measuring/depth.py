"""All ranks of a database for each query, exact, a block of queries at a time in flat memory.

A measure such as ``map[all]`` looks at every rank, of a million rows as of ten. A block is so many
queries that its distances to all rows fit `PAIRS`; of binary codes they are counted by Hamming
distance, of real-valued descriptors sorted. Nothing of a block is kept but the measures.
"""

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from data.relevance import Judged
from models.distances import Metric, between, differing, prepared, words_of
from models.levels import Levels
from models.measures import Measure
from tasks.crew import cores
from tasks.measuring.queries import Array
from tasks.measuring.ranking import TOP
from tasks.measuring.reranked import Reranked
from tasks.searching.parts import Parts
from tasks.worker import one_thread

PAIRS: Final = 2**25
"""Pairs of query and row that a thread compares at once: 128 MB of distances."""
CODES: Final = 32
"""Queries of a block of binary codes at most: their distances stay near the processor."""
LEVELS: Final = 2**20
"""Levels of equal distance that are measured at once: some ten arrays of 8 MB."""
HELD: Final = 2**30
"""Bytes of descriptors up to which they are held in memory; more lie in a file that is mapped."""


class Rows:
    """The descriptors of a database as they are compared: filled in the order of the rows.

    Args:
        rows: N at most.
        width: values a row as they are stored.
        bits: 8 times as many, where rows are packed binary codes; else 0.
        metric: by which real vectors, or visual words, are compared.
    """

    def __init__(self, rows: int, width: int, bits: int, metric: Metric = "cosine") -> None:
        self.bits, self.metric = bits, metric
        self.count = 0
        shape = rows, -(-width // 8) if bits else width
        kind = np.dtype("uint64" if bits else "uint16" if metric == "asmk" else "float32")
        if shape[0] * shape[1] * kind.itemsize <= HELD:
            self._held: Array = np.empty(shape, kind)
        else:
            with tempfile.TemporaryFile(prefix="nightjar-rows-") as file:
                self._held = np.memmap(file, kind, "w+", shape=shape)

    def add(self, vectors: Array) -> None:
        """Take up VECTORS (C, width), as they are stored."""
        self._held[self.count : self.count + len(vectors)] = self.prepared(vectors)
        self.count += len(vectors)

    def prepared(self, vectors: Array) -> Array:
        """VECTORS as they are compared: unit rows, or words of bits."""
        return words_of(vectors) if self.bits else prepared(vectors, self.metric)

    def stored(self, numbers: Array) -> Array:
        """The rows of NUMBERS (n,) as they are stored, or at unit length."""
        found = np.ascontiguousarray(self.vectors[numbers])
        return found.view(np.uint8)[:, : self.bits // 8] if self.bits else found

    def only(self, mask: Array) -> "Rows":
        """The rows of MASK (N,) bool, in the same order."""
        kept = Rows(0, 0, self.bits, self.metric)
        kept._held, kept.count = self.vectors[mask], int(mask.sum())
        return kept

    @property
    def vectors(self) -> Array:
        """What was taken up, (N, width)."""
        return self._held[: self.count]


@dataclass(frozen=True)
class Depth:
    """What all ranks of a database are worth to Q queries.

    Args:
        values: each measure by its name, (Q,).
        answers: (Q, TOP) the numbers of the nearest rows that may answer, -1 for none.
        right: (Q, TOP) whether they are relevant.
        plain: what the measures would be without a re-ranking; empty where there is none.
    """

    values: dict[str, Array]
    answers: Array
    right: Array
    plain: dict[str, Array] = field(default_factory=dict)


def depth(
    rows: Rows,
    images: Array,
    asked: Array,
    judged: Judged,
    measures: Sequence[Measure],
    again: Reranked | None = None,
    parts: Parts | None = None,
) -> Depth:
    """The MEASURES of the queries ASKED over all ranks of ROWS.

    Args:
        rows: N descriptors.
        images: (N,) uint64, fingerprints: of equally near rows the smallest is shown first.
        asked: (Q, width) the queries' descriptors, as they are stored.
        judged: which rows answer which query.
        measures: what is computed.
        again: what puts the first answers of each query into another order; None: nothing.
        parts: which rows are parts of one picture, and so one answer; None: each is its own.
    """
    size = max(1, PAIRS // max(1, rows.count))
    size = min(size, CODES) if rows.bits else size
    queries = rows.prepared(asked)
    blocks = [slice(start, start + size) for start in range(0, len(queries), size)]
    first = images if parts is None else parts.first(images)

    def block(here: slice) -> tuple[list[list[Array]], list[list[Array]], Array, Array]:
        grades, top = judged.grades(here), judged.truth.top
        may = grades <= top
        if rows.bits:
            apart = differing(queries[here], rows.vectors)
        else:
            apart = between(queries[here], rows.vectors, rows.metric)
        of, good = parts.of_pictures(apart, grades) if parts else (apart, grades)
        if rows.bits:
            levels = [Levels.of_codes(of, good, top, rows.bits)]
            bounds = (np.cumsum(levels[0].counts, axis=1) < TOP).sum(axis=1)
        else:
            levels = _levels(of, good, top)
            bounds = _bounds(of, good <= top)
        told = plain = [[one.part(some) for one in measures] for some in levels]
        if again is not None:
            numbers = range(len(queries))[here]
            apart = np.stack(
                [
                    again.apart(number, asked[number], rows, distances, those, images)
                    for number, distances, those in zip(numbers, apart, may, strict=True)
                ]
            )
            of = parts.of_pictures(apart, grades)[0] if parts else apart
            bounds = _bounds(of, good <= top)
            told = [[one.part(some) for one in measures] for some in _levels(of, good, top)]
        answers = _nearest(of, good <= top, bounds, first)
        right = (answers >= 0) & (np.take_along_axis(good, np.maximum(answers, 0), axis=1) > 0)
        return told, plain, parts.rows_of(answers, apart) if parts else answers, right

    with one_thread(), ThreadPoolExecutor(cores()) as pool:
        done = list(pool.map(block, blocks))

    def joined(told: list[list[Array]]) -> dict[str, Array]:
        return {
            one.name: one.joined([part[number] for part in told])
            for number, one in enumerate(measures)
        }

    return Depth(
        joined([part for found, *_ in done for part in found]),
        np.concatenate([answers for *_, answers, _ in done]),
        np.concatenate([right for *_, right in done]),
        joined([part for _, found, *_ in done for part in found]) if again else {},
    )


def _levels(apart: Array, grades: Array, top: int) -> list[Levels]:
    """The rankings of a block by real distance, in groups of not too many levels together."""
    most = int((grades > 0).sum(axis=1).max(initial=0)) * 2 + 1
    group = max(1, LEVELS // (most * (top + 1)))
    return [
        Levels.of_distances(apart[start : start + group], grades[start : start + group], top)
        for start in range(0, len(apart), group)
    ]


def _bounds(apart: Array, may: Array) -> Array:
    """The distance of the last of the `TOP` nearest that MAY answer, (B,); inf where all do."""
    found = np.full(len(apart), np.inf, np.float32)
    for query, (distances, allowed) in enumerate(zip(apart, may, strict=True)):
        among = distances if allowed.all() else distances[allowed]
        if len(among) > TOP:
            found[query] = np.partition(among, TOP - 1)[TOP - 1]
    return found


def _nearest(apart: Array, may: Array, bounds: Array, images: Array) -> Array:
    """The numbers of the nearest rows that MAY answer, (B, TOP); -1 where there are no more."""
    found = np.full((len(apart), TOP), -1)
    near = may & (apart <= bounds.astype(apart.dtype)[:, None])
    for query, (distances, those) in enumerate(zip(apart, near, strict=True)):
        among = np.flatnonzero(those)
        first = np.lexsort((images[among], distances[among]))[:TOP]
        found[query, : len(first)] = among[first]
    return found
