"""How well an index version searches, as one HTML page: figures, curves, classes and pictures.

`gather` asks the store for what the page says, `page` draws it with the templates of the reports.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from data.aliases import Pointer
from data.lineage import Lineage
from data.store import Store
from flows.charts import Plot, plot
from flows.classes import ClassRow, Labels, Mistaken, classes, labels_of, mistaken
from flows.gather import metric_of, older_versions, rows_of, thumbnail_of
from flows.recipe import Recipe
from flows.report import NO_PICTURE, Hit, Metric, Query, page_of
from models import metrics
from models.measures import measure
from tasks.measuring.plan import EvaluatePlan
from tasks.measuring.queries import Array
from tasks.measuring.ranking import Ranked, churn, measures_of
from tasks.measuring.scores import Each, Scores

RANKS: Final = tuple(
    digit * 10**power for power in range(6) for digit in (1, 2, 5) if digit * 10**power <= 100_000
)
BESIDE: Final = tuple(f"{name}@{k}" for k in RANKS for name in ("p", "recall"))
"""The measures of which the curves are drawn."""
SHOWN: Final = 6
"""Queries of each kind, and classes whose mistakes are told."""
CLASSES: Final = 40
"""Classes that the table lists, the worst first."""
ANSWERS: Final = 8
"""Answers that are shown of a query."""


@dataclass(frozen=True)
class Evaluation:
    """All that the page says; whatever is left out is not shown.

    Args:
        recipe: the recipe's name.
        version: what was measured, ``TABLE@VERSION``.
        against: what it is compared with, the same; empty for nothing.
        created: when the version was made, as people write it.
        protocol: names how the numbers were taken.
        facts: what else is to be known of that, by name.
        notes: what could not be measured.
        metrics: the headline first.
        definitions: what each of them is, by name.
        comparison: how the two versions compare, in a sentence.
        curves: (title, what goes across, plot).
        lines: names of the curves' lines, in the order of their colours.
        classes: the worst first.
        classes_count: how many there are.
        mistaken: of the worst classes.
        worst: queries with what they find.
        best: the same.
        changed: queries whose first answers changed most.
    """

    recipe: str
    version: str
    against: str
    created: str
    protocol: str
    facts: Mapping[str, object]
    notes: tuple[str, ...]
    metrics: tuple[Metric, ...]
    definitions: Mapping[str, str]
    comparison: str
    curves: tuple[tuple[str, str, Plot], ...]
    lines: tuple[str, ...]
    classes: tuple[ClassRow, ...] = ()
    classes_count: int = 0
    mistaken: tuple[Mistaken, ...] = ()
    worst: tuple[Query, ...] = ()
    best: tuple[Query, ...] = ()
    changed: tuple[Query, ...] = ()


def page(found: Evaluation) -> str:
    """FOUND as one HTML page that needs nothing beside itself."""
    queries = (*found.worst, *found.best, *found.changed)
    return page_of("evaluation.html.j2", found, queries)


def gather(
    store: Store, recipe: Recipe, lineage: Lineage, scores: Scores, against: Pointer | None
) -> Evaluation:
    """What the page says of the version of LINEAGE, which SCORES measured with `BESIDE`.

    Args:
        store: where pictures and older versions lie.
        recipe: the recipe.
        lineage: of the version.
        scores: measured with ``beside=BESIDE``.
        against: the version that it is compared with.
    """
    each = scores.each or Each((), ())
    told = told_of(recipe.evaluate, scores)
    older = older_versions(store, recipe.name, scores.protocol, lineage.run)
    names = (f"{lineage.table}@{lineage.version}", *([str(against)] if each.ranked[1:] else ()))
    values = each.ranked[0].values[scores.headline] if each.ranked else np.empty(0)
    keys = {*each.keys, *(key for one in each.ranked for key in one.keys.values())}
    labels = labels_of(store, recipe.dataset, lineage.dataset_version, keys)
    order = _worst_first(values, each.keys)
    sets = {
        "worst": order[:SHOWN],
        "best": [one for one in order[::-1][:SHOWN] if one not in order[:SHOWN]],
        "changed": _changed(each),
    }
    album = _Album(store, recipe.dataset, lineage.dataset_version, each, labels, scores.headline)
    shown = album.queries({query for some in sets.values() for query in some})
    rows = classes(each, scores.headline, labels)
    return Evaluation(
        recipe=recipe.name,
        version=names[0],
        against=names[1] if len(names) > 1 else "",
        created=lineage.created[:16].replace("T", " "),
        protocol=scores.protocol,
        facts=_facts(recipe, lineage, scores),
        notes=scores.notes,
        metrics=tuple(
            metric_of(name, scores.candidate, scores.production, scores.intervals, older)
            for name in sorted(told, key=lambda name: name != scores.headline)
        ),
        definitions={name: said for name in told if (said := _definition(name))},
        comparison=scores.comparison(names[-1]),
        curves=_curves(dict(zip(names, each.ranked, strict=True))),
        lines=names,
        classes=tuple(rows[:CLASSES]),
        classes_count=len(rows),
        mistaken=tuple(mistaken(each, labels, row.name) for row in rows[:SHOWN]),
        **{name: tuple(shown[query] for query in some) for name, some in sets.items()},
    )


def told_of(plan: EvaluatePlan, scores: Scores) -> list[str]:
    """The figures of SCORES that PLAN asks for, and not the curves alone."""
    named, own = plan.named, [one.name for one in measures_of(scores.protocol, plan.k)]
    if named:
        own = [*named.measures, *plan.measures]
    return [name for name in scores.candidate if name not in BESIDE or name in own]


def _facts(recipe: Recipe, lineage: Lineage, scores: Scores) -> dict[str, object]:
    """How the numbers were taken."""
    named = recipe.evaluate.named
    return {
        "protocol": scores.protocol,
        "queries with an answer": scores.queries,
        "queries without one, left out": scores.skipped,
        "images in the index": lineage.rows,
        "dataset": f"{lineage.dataset}@{lineage.dataset_version}",
        "encoder": lineage.encoder[:12],
        "relevant is": named.relevance.replace("_", " ") if named else "",
        "intervals": "95 %, bootstrap over the queries",
    }


def _definition(name: str) -> str:
    """What the measure NAME is; empty of figures that are none."""
    try:
        return measure(name).kind.definition
    except ValueError:  # churn, the recall of the ANN index
        return ""


def _curves(ranked: Mapping[str, Ranked]) -> tuple[tuple[str, str, Plot], ...]:
    """Precision by recall, and both by rank, of each version by its name."""
    points = {name: _points(one) for name, one in ranked.items()}
    drawn = (
        ("precision by recall", "recall", {n: [p[1:] for p in ps] for n, ps in points.items()}),
        ("precision among the first K", "K", {n: [p[::2] for p in ps] for n, ps in points.items()}),
        ("recall among the first K", "K", {n: [p[:2] for p in ps] for n, ps in points.items()}),
    )
    plots = ((title, across, plot(lines, across == "K")) for title, across, lines in drawn)
    return tuple((title, across, one) for title, across, one in plots if one)


def _points(ranked: Ranked) -> list[tuple[float, float, float]]:
    """(K, recall, precision), means over the queries, up to where everything is found."""
    found: list[tuple[float, float, float]] = []
    for k in RANKS:
        if f"recall@{k}" not in ranked.values:
            break
        recall, precision = (metrics.mean(ranked.values[f"{m}@{k}"]) for m in ("recall", "p"))
        if not recall.queries:
            break
        found.append((k, recall.value, precision.value))
        if recall.value > 1 - 1e-9:
            break
    return found


def _worst_first(values: Array, keys: Sequence[str]) -> list[int]:
    """The queries that have a value, the lowest first; of equal ones by their keys."""
    asked = np.flatnonzero(~np.isnan(values)).tolist()
    return sorted(asked, key=lambda query: (values[query], keys[query]))


def _changed(each: Each) -> list[int]:
    """The queries whose first answers changed most from one version to the other."""
    if len(each.ranked) < 2:
        return []
    other = churn(each.ranked[0], each.ranked[1])
    changed = np.flatnonzero(other > 0).tolist()  # NaN, where production answers nothing, is not
    return sorted(changed, key=lambda query: (-other[query], each.keys[query]))[:SHOWN]


@dataclass(frozen=True)
class _Album:
    """Makes pictures of queries and their answers, each image read once."""

    store: Store
    dataset: str
    version: int
    each: Each
    labels: Labels
    headline: str

    def queries(self, wanted: set[int]) -> dict[int, Query]:
        """The queries WANTED with the answers of each version, by number."""
        keys = {self.each.keys[query] for query in wanted}
        for one in self.each.ranked:
            shown = one.answers[sorted(wanted), :ANSWERS]
            keys |= {one.keys[row] for row in shown[shown >= 0].tolist()}
        rows = rows_of(self.store, self.dataset, self.version, keys) if keys else {}
        pictures = {key: thumbnail_of(self.store, self.dataset, row) for key, row in rows.items()}
        return {query: self._query(query, pictures) for query in wanted}

    def _query(self, query: int, pictures: Mapping[str, str]) -> Query:
        key = self.each.keys[query]
        values = [one.values.get(self.headline) for one in self.each.ranked]
        told = [f"{value[query]:.3f}" for value in values if value is not None]
        ours, *others = (_hits(one, query, pictures) for one in self.each.ranked)
        return Query(
            key,
            pictures.get(key, NO_PICTURE),
            ", ".join(self.labels.get(key, ())),
            ours,
            others[0] if others else (),
            f"{self.headline} {' against '.join(told)}",
        )


def _hits(ranked: Ranked, query: int, pictures: Mapping[str, str]) -> tuple[Hit, ...]:
    """The first answers to QUERY."""
    answers = ranked.answers[query, :ANSWERS].tolist()
    return tuple(
        Hit(ranked.keys[row], pictures.get(ranked.keys[row], NO_PICTURE), right=bool(right))
        for row, right in zip(answers, ranked.right[query].tolist(), strict=False)
        if row >= 0
    )
