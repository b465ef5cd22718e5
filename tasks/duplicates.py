"""Images of an index that are there more than once: the same bytes, or descriptors that are near.

What is near is the encoder's word: one that was trained to tell classes apart puts different
pictures of a class close together too. Where no threshold is named it is measured, on copies.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from data.indexes import VECTOR, Metric, codes_of, index_table, metric_of
from data.lineage import lineage_of
from data.store import Store
from data.tables import STREAMED_ROWS, rows_at, streamed
from models.components import Components
from models.distances import between, prepared
from tasks.codebooks import rows_of
from tasks.copies import copy_distance
from tasks.health import has_ann
from tasks.measuring.queries import Array, Holding, holding
from tasks.pairs import Pairs, compared, proposed

SHOWN: Final = 20
"""Images that are named of a group; of all of them there may be as many as rows."""

Progress = Callable[[str, int, int, str], None]


@dataclass(frozen=True)
class Group:
    """Images that hang together: each is the same as or near to another of them.

    Args:
        size: how many.
        contents: how many different bytes they are.
        keys: of the first `SHOWN` of them, in the order of the index.
        splits: the words of all of them, sorted; more than one: the group crosses splits.
        apart: the greatest distance between two of those that are named. It may be more than the
            threshold, where a chain of near ones links them.
    """

    size: int
    contents: int
    keys: tuple[str, ...]
    splits: tuple[str, ...]
    apart: float


@dataclass(frozen=True)
class Crossing:
    """Images of one split that have a copy in another.

    Args:
        split: its word.
        images: how many it has.
        other: the other split's word.
        same: those of them whose bytes are there too.
        near: those of them whose bytes or a near descriptor are there.
    """

    split: str
    images: int
    other: str
    same: int
    near: int


@dataclass(frozen=True)
class Duplicates:
    """What one index version holds more than once.

    Args:
        table: the index table.
        version: of it.
        images: rows.
        metric: by which descriptors are compared.
        threshold: the greatest distance of a near pair: 1 - cos, bits that differ, or 1 - score.
        exact: whether every pair was compared; else an ANN index was asked.
        same_images: images whose bytes another has too.
        same_groups: groups of the same bytes that these are.
        near_images: images that have a near one of other bytes, or hang together with such.
        near_groups: groups that these are.
        crossings: for each ordered pair of splits that share something.
        groups: the first of all groups: those that cross splits first, then the larger ones.
    """

    table: str
    version: int
    images: int
    metric: Metric
    threshold: float
    exact: bool
    same_images: int
    same_groups: int
    near_images: int
    near_groups: int
    crossings: tuple[Crossing, ...]
    groups: tuple[Group, ...]


def duplicates(
    store: Store,
    table: str,
    version: int,
    threshold: float | None = None,
    limit: int = 20,
    *,
    exact: bool = False,
    progress: Progress = lambda *_: None,
) -> Duplicates:
    """What index VERSION of TABLE holds more than once.

    Args:
        store: where it lies.
        table: the index table's name.
        version: of it.
        threshold: the greatest distance of a near pair; None: `tasks.copies.copy_distance`.
        limit: groups that are handed out; all are counted.
        exact: compare every pair, whatever ANN index there is.
        progress: told how many rows have been compared.

    Raises:
        ValueError: the threshold is negative, or so large that any two descriptors would be near;
            or none is named and the version was never sealed; or rows were learned from labels.
        FileNotFoundError: there is no such table or version; or, where no threshold is named, what
            made it is not in the store any more.
    """
    dataset = index_table(store, table).open(version)
    if codes_of(dataset.schema):
        raise ValueError(
            f"Rows of {table} are codes that were learned from labels, and nearly the same for all "
            "pictures of a class: they tell no copies. Ask an index whose encoder was trained by "
            "another method than adsh."
        )
    metric = metric_of(dataset.schema)
    width: int = dataset.schema.field(VECTOR).type.list_size
    farthest = width * 4.0 if metric == "hamming" else 1.0
    if threshold is not None and not 0 <= threshold < farthest:
        raise ValueError(
            f"A threshold of {threshold:g} says nothing: by {metric} distance of {table} it is 0 "
            f"or more and less than {farthest:g}, where descriptors have nothing to do with each "
            "other."
        )
    held = holding(dataset, None)
    bound = _measured(store, held) if threshold is None else threshold
    exact = exact or not has_ann(dataset)
    rows = _met(held, (compared if exact else proposed)(held, bound), progress)
    copies = np.bincount(rows.contents)
    sizes, contents, _ = rows.sizes()
    return Duplicates(
        table=table,
        version=version,
        images=len(held.rows),
        metric=metric,
        threshold=bound,
        exact=exact,
        same_images=int(copies[copies > 1].sum()),
        same_groups=int((copies > 1).sum()),
        near_images=int(sizes[contents > 1].sum()),
        near_groups=int((contents > 1).sum()),
        crossings=tuple(rows.crossings()),
        groups=tuple(rows.first(limit)),
    )


def _measured(store: Store, held: Holding) -> float:
    lineage = lineage_of(held.dataset)
    if lineage is None:
        raise ValueError("This version was never sealed, so nothing made it: name a threshold.")
    return copy_distance(store, held, lineage)


def _met(held: Holding, pairs: Pairs, progress: Progress) -> "_Rows":
    """What is found of the rows of HELD where PAIRS of them are near, and those of the same bytes.

    Eight bytes a row for each number that is kept of it, and one for each split.
    """
    words, splits = _splits(held)
    total = len(splits)
    _, first, contents = np.unique(held.images, return_index=True, return_inverse=True)
    together = Components(total)
    together.join(np.arange(total), first[contents])
    there = np.zeros((len(first), len(words)), bool)
    there[contents, splits] = True
    same = there[contents]
    near = same.copy()
    for done, (a, b) in pairs:
        near[a, splits[b]] = True
        near[b, splits[a]] = True
        together.join(a, b)
        progress("compare", done, total, "")
    return _Rows(held, words, splits, contents, together.all(), same, near)


def _splits(held: Holding) -> tuple[list[str], Array]:
    """The words of the splits, sorted, and the place of each row's among them, (N,)."""
    said = [pa.array([], pa.string())]
    said += [batch["split"] for batch in streamed(held.dataset, ["split"], STREAMED_ROWS)]
    codes = pa.chunked_array(said).fill_null("").combine_chunks().dictionary_encode()
    words = np.array(codes.dictionary.to_pylist(), dtype=object)
    names, places = np.unique(words, return_inverse=True)
    return names.tolist(), places.reshape(-1)[codes.indices.to_numpy()]


@dataclass(frozen=True)
class _Rows:
    """What was found of each row of an index, numbered in its order.

    Args:
        held: the rows.
        words: of the splits.
        splits: (N,) the place of each row's split among them.
        contents: (N,) which bytes it has.
        groups: (N,) what it hangs together with: the least row of that.
        same: (N, S) the splits that hold its bytes.
        near: (N, S) the splits that hold its bytes or what is near to it.
    """

    held: Holding
    words: list[str]
    splits: Array
    contents: Array
    groups: Array
    same: Array
    near: Array

    def crossings(self) -> Iterator[Crossing]:
        """What each split shares with each other one."""
        for place, word in enumerate(self.words):
            own = self.splits == place
            same, near = self.same[own].sum(axis=0), self.near[own].sum(axis=0)
            for there in np.flatnonzero(near):
                if there != place:
                    counts = int(same[there]), int(near[there])
                    yield Crossing(word, int(own.sum()), self.words[there], *counts)

    def sizes(self) -> tuple[Array, Array, Array]:
        """Of each group, (N,) by its least row: images, different bytes, splits; 0 for no group."""
        return (
            np.bincount(self.groups, minlength=len(self.groups)),
            _different(self.groups, self.contents),
            _different(self.groups, self.splits),
        )

    def first(self, limit: int) -> Iterator[Group]:
        """The LIMIT groups of two images and more that come first."""
        sizes, contents, splits = self.sizes()
        order = np.lexsort((-sizes, splits < 2))  # stable: else in the order of the index
        for group in order[sizes[order] > 1][:limit].tolist():
            members = np.flatnonzero(self.groups == group)
            shown = members[:SHOWN].tolist()
            rows = rows_at(self.held.dataset, shown, ["key", VECTOR])
            metric = metric_of(self.held.dataset.schema)
            vectors = prepared(rows_of(self.held.dataset, rows[VECTOR]), metric)
            yield Group(
                size=len(members),
                contents=int(contents[group]),
                keys=tuple(rows["key"].to_pylist()),
                splits=tuple(self.words[one] for one in np.unique(self.splits[members])),
                apart=float(between(vectors, vectors, metric).max()),
            )


def _different(groups: Array, values: Array) -> Array:
    """How many different VALUES (N,) each of GROUPS (N,) has, (N,) by its number."""
    order = np.lexsort((values, groups))
    groups, values = groups[order], values[order]
    fresh = np.ones(len(groups), bool)
    fresh[1:] = (groups[1:] != groups[:-1]) | (values[1:] != values[:-1])
    return np.bincount(groups[fresh], minlength=len(groups))
