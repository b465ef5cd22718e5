"""What measuring an index version found: the figures of one version, or of two side by side."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from data.aliases import Pointer
from models import metrics
from models.measures import ACROSS
from models.significance import ALPHA, Array, bootstrap_interval, difference
from tasks.measuring.ranking import ANN_RECALL, TOP, Ranked, churn

SHOWN: Final = 5
"""Answers of an example."""


@dataclass(frozen=True)
class Example:
    """A query image's key, and the keys that candidate and production answer with, best first."""

    query: str
    candidate: tuple[str, ...]
    production: tuple[str, ...] = ()


@dataclass(frozen=True)
class Each:
    """What single queries are worth, for who looks closer; its size follows the queries.

    Args:
        keys: the queries' keys, Q.
        ranked: what each version answers: the candidate, then production where it was asked.
    """

    keys: tuple[str, ...]
    ranked: tuple[Ranked, ...]


@dataclass(frozen=True)
class Scores:
    """How well a candidate searches, and production beside it.

    Args:
        protocol: names with every number how it was taken: "labels", "known_item", or the protocol
            of the field; empty where nothing could be asked.
        headline: the metric that the gate looks at.
        candidate: metrics over all the candidate's images, by name.
        production: the same of production over all of its own; None without one to compare with.
        against: the production version, ``TABLE@VERSION``; empty where there is none.
        compared: the headline of candidate and production where both answer with images that both
            hold, so that only how they search tells them apart, and not what came or went.
        interval: of the difference of these two, at 95 % by bootstrap over the queries.
        p: the probability of such a difference, or a larger one, were the two no different: of the
            paired randomisation test over the queries.
        intervals: of the candidate's measures, at 95 % by bootstrap over the queries, by name.
        queries: that were asked and have an answer.
        skipped: queries without a relevant image.
        embedded: altered copies and cut-out boxes that had to be embedded to be asked.
        seconds: wall time.
        notes: what could not be measured, and why; in what it differs from the protocol as stated.
        examples: for people.
        sets: where in the store the protocol's drawn sets are kept; empty where nothing was drawn.
        sets_digest: of the protocol's sets, as they are written; empty of no named protocol.
        each: what single queries are worth, where that was asked for.
    """

    protocol: str
    headline: str
    candidate: dict[str, float]
    production: dict[str, float] | None = None
    against: str = ""
    compared: tuple[float, float] | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    queries: int = 0
    skipped: int = 0
    embedded: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    sets: str = ""
    sets_digest: str = ""
    each: Each | None = field(default=None, repr=False, compare=False)

    @property
    def fall(self) -> float | None:
        """By how much the headline is below production's; None where it could not be compared."""
        return None if self.compared is None else self.compared[1] - self.compared[0]

    @property
    def proven(self) -> bool:
        """Whether chance does not explain how far the two are apart."""
        return self.p is not None and self.p < ALPHA

    def comparison(self, other: str = "production") -> str:
        """How candidate and the OTHER compare, in a sentence; empty where they do not."""
        if self.compared is None or self.interval is None:
            return ""
        (ours, theirs), (low, high) = self.compared, self.interval
        apart = f"{ours - theirs:+.3f} ({low:+.3f} to {high:+.3f} at 95 %)"
        told = (
            f"{self.protocol} {self.headline} is {ours:.3f} against {theirs:.3f} of {other} on "
            f"the same queries and images: a difference of {apart}"
        )
        if self.p is None or ours == theirs:
            return f"{told}."
        chance = "does not explain" if self.proven else "may explain"
        return f"{told}, which chance {chance} (p = {self.p:.2g}, paired test)."


@dataclass(frozen=True)
class Asked:
    """What was asked, and how it is told.

    Args:
        protocol: its name, as `Scores` says it.
        headline: the metric that the gate looks at.
        keys: the queries' keys, Q.
        examples: how many are shown.
        embedded: pictures that had to be embedded to be asked.
        closer: whether what single queries are worth is kept.
    """

    protocol: str
    headline: str
    keys: Sequence[str]
    examples: int
    embedded: int = 0
    closer: bool = False


def scores_of(
    asked: Asked,
    ranked: Sequence[Ranked],
    production: Pointer | None,
    notes: Sequence[str],
    started: float,
) -> Scores:
    """The figures of what one version answered, or two: the candidate first, then production."""
    ours, *others = ranked
    name = asked.headline
    means = {metric: metrics.mean(values) for metric, values in ours.values.items()}
    candidate = {metric: mean.value for metric, mean in means.items() if mean.queries}
    theirs, compared, apart = None, None, None
    for other in others:
        theirs = {metric: metrics.mean(values).value for metric, values in other.values.items()}
        theirs = {metric: value for metric, value in theirs.items() if not np.isnan(value)}
        candidate[f"churn@{TOP}"] = metrics.mean(churn(ours, other)).value
        if name not in other.shared:  # codes are measured by what real vectors have not
            continue
        apart = difference(ours.shared[name], other.shared[name])
        if apart:
            compared = _means(ours.shared[name], other.shared[name])
    return Scores(
        protocol=asked.protocol,
        headline=name,
        candidate=candidate,
        production=theirs,
        against=str(production or ""),
        compared=compared,
        interval=(apart.low, apart.high) if apart else None,
        p=apart.p if apart else None,
        intervals={metric: ends for metric in means if (ends := _interval(metric, ours))},
        queries=means[name].queries,
        skipped=means[name].skipped,
        embedded=asked.embedded,
        seconds=time.perf_counter() - started,
        notes=tuple(notes),
        examples=_examples(asked, ranked),
        each=Each(tuple(asked.keys), tuple(ranked)) if asked.closer else None,
    )


def _means(ours: Array, theirs: Array) -> tuple[float, float]:
    """The means over the queries that both have a value of."""
    both = ~np.isnan(ours - theirs)
    return float(ours[both].mean()), float(theirs[both].mean())


def _interval(name: str, ranked: Ranked) -> tuple[float, float] | None:
    """The interval of the measure NAME; None of what no single query has."""
    values = ranked.values[name]
    if name in (ACROSS, ANN_RECALL) or np.isnan(values).all():
        return None
    return bootstrap_interval(values)


def _examples(asked: Asked, ranked: Sequence[Ranked]) -> tuple[Example, ...]:
    """The first queries with the keys of their nearest images in each version."""

    def keys(which: Ranked, query: int) -> tuple[str, ...]:
        return tuple(which.keys[row] for row in which.answers[query, :SHOWN].tolist() if row >= 0)

    return tuple(
        Example(key, *(keys(which, query) for which in ranked))
        for query, key in enumerate(asked.keys[: asked.examples])
    )
