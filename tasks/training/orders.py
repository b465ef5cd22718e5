"""Which rows come together in each step of an epoch, as lots decide; the same for the same seed."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from models.supervision import Batches

Rows = NDArray[np.int64]
Mates = Callable[[Rows, np.random.Generator], Rows]
"""Rows (n,) and what draws -> the mate of each, (n,)."""


def steps_of(
    rows: Rows,
    kind: Batches,
    batch: int,
    lots: np.random.Generator,
    *,
    classes: Rows,
    each: int,
    mates: Mates | None = None,
) -> Iterator[Rows]:
    """The rows of each step of an epoch, BATCH of ROWS at a time; what is left over varies.

    Args:
        rows: (N,) to choose from.
        kind: how; "balanced" takes BATCH / EACH classes a step and EACH rows of each, or all
            classes and evenly more rows of each where there are not so many, drawn again from the
            start where a class has fewer; "mixed" takes a quarter of each step from rows with a
            class, and the rest from all others; "paired" takes half of each step by lot, and then
            the mate of each.
        batch: rows a step.
        lots: draws.
        classes: (N,) the class of each of ROWS, -1 where there is none.
        each: rows of a class in a balanced step, at least.
        mates: of rows, in a paired step; each is its own if None.

    Raises:
        ValueError: there are no two classes to balance.
    """
    steps = max(1, len(rows) // batch)
    if kind == "balanced":
        yield from _balanced(rows, classes, steps, batch, each, lots)
    elif kind == "mixed":
        yield from _mixed(rows, classes >= 0, steps, batch, lots)
    else:
        drawn, size = rows[lots.permutation(len(rows))], batch // 2 if kind == "paired" else batch
        for step in range(steps):
            some = drawn[step * size : (step + 1) * size]
            if kind == "paired":
                some = np.concatenate([some, mates(some, lots) if mates else some])
            yield some


def _balanced(
    rows: Rows, classes: Rows, steps: int, batch: int, each: int, lots: np.random.Generator
) -> Iterator[Rows]:
    """BATCH rows a step, of as many classes as leaves EACH rows to a class, or of all."""
    there = np.unique(classes[classes >= 0])
    if len(there) < 2:
        raise ValueError(
            f"A balanced step takes two classes at least, and there are {len(there)}: choose a "
            "method, or a network, that learns from shuffled steps."
        )
    several = min(batch // each, len(there))
    counts = [batch // several + (place < batch % several) for place in range(several)]
    decks = {int(code): _Deck(rows[classes == code], lots) for code in there}
    order = _Deck(there, lots)
    for _ in range(steps):
        dealt = zip(order.deal(several), counts, strict=True)
        yield np.concatenate([decks[int(code)].deal(count) for code, count in dealt])


def _mixed(
    rows: Rows, known: NDArray[np.bool_], steps: int, batch: int, lots: np.random.Generator
) -> Iterator[Rows]:
    """A quarter of each step of rows that are KNOWN (N,), as far as there are both kinds."""
    if known.all() or not known.any():
        known = np.ones(len(rows), bool)
        some = batch
    else:
        some = max(1, batch // 4)
    told, others = _Deck(rows[known], lots), _Deck(rows[~known], lots)
    for _ in range(steps):
        mine = told.deal(some)
        yield mine if some == batch else np.concatenate([mine, others.deal(batch - some)])


class _Deck:
    """Rows that are dealt one after the other, and shuffled anew when all have been."""

    def __init__(self, rows: Rows, lots: np.random.Generator) -> None:
        self._rows, self._lots = rows, lots
        self._left: Rows = rows[:0]

    def deal(self, count: int) -> Rows:
        """The next COUNT rows; none of them twice as long as there are enough."""
        dealt = self._left[:count]
        self._left = self._left[count:]
        while len(dealt) < count and len(self._rows):
            fresh = self._rows[self._lots.permutation(len(self._rows))]
            late = np.isin(fresh, dealt)  # what was just dealt comes last
            fresh = np.concatenate([fresh[~late], fresh[late]])
            more = count - len(dealt)
            dealt, self._left = np.concatenate([dealt, fresh[:more]]), fresh[more:]
        return dealt
