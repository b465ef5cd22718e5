"""Rows that are parts of pictures as answers: those of one picture count as one, its best."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from data.regions import image_keys, parted
from tasks.measuring.queries import Array
from tasks.searching.question import Question

if TYPE_CHECKING:
    from tasks.searching.search import Searcher

MORE: Final = 4
"""Times as many rows are asked for as answers are wanted, and as were asked for before."""

_BOX: Final = pa.struct(
    [
        *(pa.field(side, pa.float32()) for side in ("x", "y", "width", "height")),
        pa.field("unit", pa.string()),
    ]
)


@dataclass(frozen=True)
class Parts:
    """Which of N rows are parts of the same picture, of G pictures.

    Args:
        order: (N,) the rows, those of a picture together.
        starts: (G,) where in it each picture's begin.
    """

    order: Array
    starts: Array

    @classmethod
    def of(cls, keys: pa.Array) -> "Parts":
        """The pictures of the rows of KEYS (N), in the order in which each comes first."""
        codes = np.asarray(image_keys(keys).dictionary_encode().indices)
        order = np.argsort(codes, kind="stable")
        return cls(order, np.flatnonzero(np.diff(codes[order], prepend=-1)))

    def first(self, values: Array) -> Array:
        """That of VALUES (N,) which the first row of each picture has, (G,)."""
        return np.asarray(values[self.order[self.starts]])

    def of_pictures(self, apart: Array, grades: Array) -> tuple[Array, Array]:
        """Each picture's nearest and best part, (B, G) each, of rows APART and GRADES (B, N).

        What is no answer is so with all its parts, and stays so.
        """
        if not len(self.starts):
            return apart, grades
        return (
            np.minimum.reduceat(apart[:, self.order], self.starts, axis=1),
            np.maximum.reduceat(grades[:, self.order], self.starts, axis=1),
        )

    def rows_of(self, pictures: Array, apart: Array) -> Array:
        """The nearest row of each of PICTURES (B, K) where rows are APART (B, N); -1 of -1."""
        ends = np.append(self.starts[1:], len(self.order))
        found = np.full(pictures.shape, -1)
        for query, place in np.argwhere(pictures >= 0):
            picture = pictures[query, place]
            rows = self.order[self.starts[picture] : ends[picture]]
            found[query, place] = rows[apart[query, rows].argmin()]
        return found


def by_image(ask: Callable[[int], pa.Table], k: int, rows: int) -> pa.Table:
    """The K pictures of which a part is nearest, each with that part, ranks anew from 1.

    Args:
        ask: gives the so many nearest of the rows, nearest first.
        k: how many pictures.
        rows: how many rows there are.
    """
    wanted = k
    while True:
        wanted = max(1, min(wanted * MORE, rows))
        found = ask(wanted)
        pictures = image_keys(found["key"].combine_chunks())
        kept = Parts.of(pictures).first(np.arange(len(found)))
        if len(kept) >= k or wanted >= rows:
            break
    best = found.take(pa.array(kept[:k]))
    ranks = pa.array(np.arange(1, len(best) + 1), pa.int32())
    return best.set_column(best.schema.get_field_index("rank"), best.schema.field("rank"), ranks)


def images_found(searcher: "Searcher", question: Question) -> pa.Table:
    """The pictures of which SEARCHER finds a part for QUESTION, its k after the first offset.

    As many rows are asked for as it takes, where rows are re-ranked those alone. Raises what
    `tasks.searching.search.Searcher.ask` does.
    """
    most = min(searcher.rows, question.depth) if question.rerank else searcher.rows

    def ask(rows: int) -> pa.Table:
        return searcher.ask(replace(question, k=rows, offset=0))

    return by_image(ask, question.offset + question.k, most).slice(question.offset)


def located(answer: pa.Table) -> pa.Table:
    """ANSWER with the columns ``image`` and ``box`` where its rows are parts of pictures.

    The image is the key of the picture; the box has x, y, width, height and their unit, pixel or
    percent. An answer of whole pictures stays as it is.
    """
    keys = answer["key"].to_pylist()
    taken = [parted(key) for key in keys]
    if not any(region for _, region in taken):
        return answer
    images = pa.array([image for image, _ in taken], pa.string())
    boxes = pa.array([region and region.facts() for _, region in taken], _BOX)
    return answer.append_column("image", images).append_column("box", boxes)
