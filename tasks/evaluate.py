"""How well an index version searches: itself, and against production on the same queries."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from pydantic import Field

from data.aliases import Pointer
from data.indexes import encoder_of, index_table
from data.lineage import lineage_of
from data.plan import Plan
from data.store import Store
from models import metrics
from tasks.queries import (
    Array,
    Holding,
    Protocol,
    Queries,
    copy_queries,
    holding,
    label_queries,
    picked,
)
from tasks.ranking import TOP, Ranked, churn, headline, rank
from tasks.worker import one_thread

if TYPE_CHECKING:
    from models.weights import Embedder
    from tasks.index import Candidate

SHOWN: Final = 5
"""Answers of an example."""


class EvaluatePlan(Plan):
    """How the versions of an index are measured."""

    queries: int = Field(default=200, ge=1, description="queries, the same every night")
    split: str | None = Field(
        default=None, description="the split that asks, the others answer; none: a sample asks all"
    )
    protocol: Literal["auto", "labels", "known_item"] = Field(
        default="auto",
        description="labels where there are any; else altered copies look for their image",
    )
    k: int = Field(default=100, ge=TOP, description="ranks counted")
    examples: int = Field(default=12, ge=0, description="queries whose answers the report shows")


@dataclass(frozen=True)
class Example:
    """A query image's key, and the keys that candidate and production answer with, best first."""

    query: str
    candidate: tuple[str, ...]
    production: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scores:
    """How well a candidate searches, and production beside it.

    Args:
        protocol: "labels" or "known_item"; empty where nothing could be asked.
        headline: the metric that the gate looks at.
        candidate: metrics over all the candidate's images, by name.
        production: the same of production over all of its own; None without one to compare with.
        against: the production version, ``TABLE@VERSION``; empty where there is none.
        compared: the headline of candidate and production where both answer with images that both
            hold, so that only how they search tells them apart, and not what came or went.
        interval: of the difference of these two, at 95 % by bootstrap over the queries.
        queries: that were asked and have an answer.
        skipped: queries without a relevant image.
        embedded: altered copies that had to be embedded to be asked.
        seconds: wall time.
        notes: what could not be measured, and why.
        examples: for people.
    """

    protocol: str
    headline: str
    candidate: dict[str, float]
    production: dict[str, float] | None = None
    against: str = ""
    compared: tuple[float, float] | None = None
    interval: tuple[float, float] | None = None
    queries: int = 0
    skipped: int = 0
    embedded: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()

    @property
    def fall(self) -> float | None:
        """By how much the headline is below production's; None where it could not be compared."""
        return None if self.compared is None else self.compared[1] - self.compared[0]


def evaluate(
    store: Store,
    candidate: "Candidate",
    production: Pointer | None,
    dataset: str,
    plan: EvaluatePlan,
    load: "Callable[[Store, str], Embedder] | None" = None,
) -> Scores:
    """How well CANDIDATE searches, and PRODUCTION on the same queries with its own encoder.

    The queries are images that both hold. Exact search takes one pass over the descriptors of each
    table, a chunk of rows in memory. A candidate that is production costs nothing.

    Args:
        store: where both lie.
        candidate: the version in question; need not be sealed yet.
        production: where the alias points; None before the first promotion.
        dataset: the dataset's name; its shards hold the images that are altered.
        plan: which queries, which protocol.
        load: gives an encoder by its digest; asked only where a copy must be embedded.
    """
    started = time.perf_counter()
    if production and production.place == (candidate.table, candidate.version):
        return _as_production(store, production, started)
    held = [holding(index_table(store, candidate.table).open(candidate.version), plan.split)]
    notes: list[str] = []
    if production:
        try:
            opened = index_table(store, production.table).open(production.version)
            held.append(holding(opened, plan.split))
        except FileNotFoundError as error:
            notes.append(f"Production could not be asked: {error}")
    protocols: Sequence[Protocol] = (
        ("labels", "known_item") if plan.protocol == "auto" else (plan.protocol,)
    )
    embedded = 0
    for protocol in protocols:
        asking = _Asking(store, dataset, plan, protocol, load)
        ranked = asking.ranked(held)
        embedded += asking.embedded
        if ranked:
            return _scores(asking, ranked, production, notes, started)
        if protocol == protocols[-1]:  # that a dataset has no labels is nothing to report
            notes.append(f"{protocol}: no image that may ask has an answer.")
    return Scores(
        protocol="",
        headline=headline(protocols[-1], plan.k),
        candidate={},
        against=str(production or ""),
        embedded=embedded,
        seconds=time.perf_counter() - started,
        notes=tuple(notes),
    )


class _Asking:
    """One protocol put to one version, or to two on the same queries."""

    def __init__(
        self,
        store: Store,
        dataset: str,
        plan: EvaluatePlan,
        protocol: Protocol,
        load: "Callable[[Store, str], Embedder] | None",
    ) -> None:
        self.store, self.dataset, self.plan, self.protocol = store, dataset, plan, protocol
        self.load = load
        self.embedded = 0
        self.keys: tuple[str, ...] = ()

    def ranked(self, held: Sequence[Holding]) -> list[Ranked]:
        """What each of HELD answers; empty where nothing can be asked or nothing is relevant."""
        ours, *others = held
        shared = np.intersect1d(ours.images, others[0].images) if others else None
        may = ours.images if shared is None else shared
        if self.protocol == "labels":
            may = np.intersect1d(may, ours.images[ours.labelled])
        images = picked(ours, may, self.plan.split, self.plan.queries)
        if not len(images):
            return []
        truth = self._queries(ours, images)
        self.keys = truth.keys
        asked: list[tuple[list[Holding], Queries]] = [([ours], truth)]
        for other in others:
            if other.dataset.uri == ours.dataset.uri:
                asked[0][0].append(other)
            else:  # its own descriptors, and tonight's labels
                theirs = replace(truth, vectors=self._queries(other, images).vectors)
                asked.append(([other], theirs))

        def answers(asked: tuple[list[Holding], Queries]) -> list[Ranked]:
            return rank(*asked, self.plan.k, self.plan.split, shared)

        with one_thread(), ThreadPoolExecutor(len(asked)) as pool:
            ranked = list(chain.from_iterable(pool.map(answers, asked)))
        relevant = ~np.isnan(ranked[0].values[headline(self.protocol, self.plan.k)])
        return ranked if relevant.any() else []

    def _queries(self, held: Holding, images: Array) -> Queries:
        if self.protocol == "labels":
            return label_queries(held, images)
        load = self.load or _load
        embedder = load(self.store, encoder_of(held.dataset.schema))
        queries, fresh = copy_queries(self.store, self.dataset, held, images, embedder)
        self.embedded += fresh
        return queries


def _scores(
    asking: _Asking,
    ranked: Sequence[Ranked],
    production: Pointer | None,
    notes: Sequence[str],
    started: float,
) -> Scores:
    """The figures of what one version answered, or two."""
    ours, *others = ranked
    name = headline(asking.protocol, asking.plan.k)
    means = {metric: metrics.mean(values) for metric, values in ours.values.items()}
    candidate = {metric: mean.value for metric, mean in means.items() if mean.queries}
    theirs, compared, interval = None, None, None
    for other in others:
        theirs = {metric: metrics.mean(values).value for metric, values in other.values.items()}
        theirs = {metric: value for metric, value in theirs.items() if not np.isnan(value)}
        candidate[f"churn@{TOP}"] = metrics.mean(churn(ours, other)).value
        differences = ours.shared[name] - other.shared[name]
        both = ~np.isnan(differences)
        if both.any():
            compared = (
                float(ours.shared[name][both].mean()),
                float(other.shared[name][both].mean()),
            )
            interval = metrics.bootstrap_interval(differences)
    return Scores(
        protocol=asking.protocol,
        headline=name,
        candidate=candidate,
        production=theirs,
        against=str(production or ""),
        compared=compared,
        interval=interval,
        queries=means[name].queries,
        skipped=means[name].skipped,
        embedded=asking.embedded,
        seconds=time.perf_counter() - started,
        notes=tuple(notes),
        examples=_examples(asking, ranked),
    )


def _examples(asking: _Asking, ranked: Sequence[Ranked]) -> tuple[Example, ...]:
    """The first queries with the keys of their nearest images in each version."""

    def keys(which: Ranked, query: int) -> tuple[str, ...]:
        return tuple(which.keys[row] for row in which.answers[query, :SHOWN].tolist() if row >= 0)

    return tuple(
        Example(key, *(keys(which, query) for which in ranked))
        for query, key in enumerate(asking.keys[: asking.plan.examples])
    )


def _as_production(store: Store, production: Pointer, started: float) -> Scores:
    """What was measured when the version became production: it is the candidate, unchanged."""
    lineage = lineage_of(index_table(store, production.table).open(production.version))
    measured = dict(lineage.metrics) if lineage else {}
    name = next((name for name in measured if name.startswith(("map@", "mrr@"))), "")
    value = measured.get(name)
    return Scores(
        protocol={"map@": "labels", "mrr@": "known_item"}.get(name[:4], ""),
        headline=name,
        candidate=measured,
        production=measured,
        against=str(production),
        compared=None if value is None else (value, value),
        interval=None if value is None else (0.0, 0.0),
        seconds=time.perf_counter() - started,
        notes=("The candidate is production: measured when it was made.",),
    )


def _load(store: Store, encoder: str) -> "Embedder":
    from tasks.train import load_encoder

    return load_encoder(store, encoder)
