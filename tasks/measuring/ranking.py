"""What index versions answer to the same queries by exact search, and what that is worth."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from data.indexes import nearest
from models import metrics
from models.levels import Levels
from models.measures import Measure, measure
from tasks.health import has_ann
from tasks.measuring.queries import Array, Holding, Queries
from tasks.measuring.sweep import Found, Gallery, sweep

TOP: Final = 10
"""Ranks among which churn and the recall of the ANN index are taken."""
TIE: Final = 1e-4
"""Distances no further apart are the same: Lance computes them in another order than we do."""

ANN_RECALL: Final = f"ann_recall@{TOP}"


@dataclass(frozen=True)
class Ranked:
    """One version's answers to the queries.

    Args:
        values: each metric, (Q,), over all rows that may answer.
        shared: the same over the rows of images that another version holds too.
        answers: (Q, TOP) the row numbers of the nearest, -1 for none.
        keys: of the rows in `answers`, by row number.
        right: (Q, TOP) whether they are relevant.
        plain: `values` without a re-ranking; empty where there is none.
    """

    values: dict[str, Array]
    shared: dict[str, Array]
    answers: Array
    keys: dict[int, str]
    right: Array
    plain: dict[str, Array] = field(default_factory=dict)


def headline(protocol: str, k: int) -> str:
    """The name of the metric by which PROTOCOL is judged at K ranks."""
    return f"map@{k}[min]" if protocol == "labels" else f"mrr@{k}"


def rank(
    held: Sequence[Holding],
    queries: Queries,
    k: int,
    split: str | None,
    shared: Array | None,
    beside: Sequence[str] = (),
) -> list[Ranked]:
    """What each index version of HELD answers to QUERIES, measured at K ranks; one pass for all.

    Where distances tie, as those of binary codes do, a metric is its expectation over the orders of
    the ties.

    Args:
        held: one version, or two of the same table.
        queries: with descriptors of the table's encoder.
        k: ranks.
        split: rows of this split ask and do not answer.
        shared: (M,) sorted fingerprints of the images that two compared versions hold both; None
            where there is no other version.
        beside: names of measures that are taken too, if they look at no more than K ranks.
    """
    measures = [*measures_of(queries.protocol, k), *_within(k, beside)]
    gallery = Gallery.of(*held)
    whole = gallery.views
    common = whole
    if shared is not None:
        both = np.isin(gallery.images, shared)
        common = tuple(view & both for view in whole)
    ann = [number for number, one in enumerate(held) if has_ann(one.dataset)]
    views = _distinct([*whole, *common])
    found, near = sweep(
        gallery,
        queries,
        k,
        split,
        [view for view, _ in views],
        [(whole[number], TOP) for number in ann],
    )
    by_view = {
        place: one for one, (_, places) in zip(found, views, strict=True) for place in places
    }
    exact = dict(zip(ann, near, strict=True))
    ranked = []
    for number, one in enumerate(held):
        everywhere, within = by_view[number], by_view[number + len(held)]
        values = _values(everywhere, measures)
        values[ANN_RECALL] = np.ones(len(queries.keys))
        if number in exact:
            approximate = _approximate(one, queries)
            values[ANN_RECALL] = metrics.recall_within(approximate, exact[number], TIE)
        answers = everywhere.rows[:, :TOP]
        ranked.append(
            Ranked(
                values,
                values if within is everywhere else _values(within, measures),
                answers,
                gallery.keys(np.unique(answers[answers >= 0])),
                everywhere.hits[:, :TOP],
            )
        )
    return ranked


def churn(ours: Ranked, theirs: Ranked) -> Array:
    """Share of their answers that are not among ours, (Q,), as keys: 1 - overlap of the two."""
    numbers = {key: n for n, key in enumerate({*ours.keys.values(), *theirs.keys.values()})}

    def numbered(ranked: Ranked) -> Array:
        of_row = {row: numbers[key] for row, key in ranked.keys.items()} | {-1: -1}
        return np.vectorize(of_row.__getitem__, otypes=[np.int64])(ranked.answers)

    return np.asarray(1 - metrics.overlap(numbered(ours), numbered(theirs)))


def _distinct(views: Sequence[Array]) -> list[tuple[Array, list[int]]]:
    """VIEWS without repetitions, each with the places in which it stands."""
    found: list[tuple[Array, list[int]]] = []
    for place, view in enumerate(views):
        for other, places in found:
            if np.array_equal(other, view):
                places.append(place)
                break
        else:
            found.append((view, [place]))
    return found


def measures_of(protocol: str, k: int) -> list[Measure]:
    """What is measured at K ranks by PROTOCOL, the headline first."""
    beside = ("p@10", "cmc@1") if protocol == "labels" else ("cmc@1", "cmc@10")
    return [measure(name) for name in (headline(protocol, k), *beside)]


def _within(k: int, names: Sequence[str]) -> list[Measure]:
    """The measures of NAMES that look at no more than K ranks."""
    return [one for one in map(measure, names) if one.depth is not None and one.depth <= k]


def _values(found: Found, measures: Sequence[Measure]) -> dict[str, Array]:
    """Each of MEASURES by its name, (Q,)."""
    if found.levels.size:
        wrong = found.levels - found.relevant_levels
        levels = Levels(
            np.stack([wrong, found.relevant_levels], axis=1), np.full(len(wrong), np.nan)
        )
    else:
        levels = Levels.of_ranks(found.rows >= 0, found.hits, found.relevant)
    return {one.name: one.of(levels) for one in measures}


def _approximate(held: Holding, queries: Queries) -> Array:
    """Distances (Q, TOP) of what the ANN index, asked as search asks it, finds; inf for none."""
    found = held.dataset.scanner(
        ["_distance"], nearest=nearest(held.dataset, queries.vectors, TOP, probing=held.probing)
    ).to_table()
    distances = np.full((len(queries.vectors), TOP), np.inf, np.float32)
    asked = found["query_index"].to_numpy()
    order = np.argsort(asked, kind="stable")
    place = np.arange(len(asked)) - np.searchsorted(asked[order], asked[order])
    distances[asked[order], place] = found["_distance"].to_numpy()[order]
    return distances
