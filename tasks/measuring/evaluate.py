"""How well an index version searches: itself, and against production on the same queries."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow.compute as pc

from data.aliases import Pointer
from data.indexes import asks_anew, encoder_of, index_table
from data.lineage import lineage_of
from data.store import Store
from tasks.measuring import captioned, named
from tasks.measuring.collapsed import collapse_notes
from tasks.measuring.learned import learned_notes
from tasks.measuring.plan import EvaluatePlan
from tasks.measuring.queries import (
    Array,
    Holding,
    Protocol,
    Queries,
    copy_queries,
    holding,
    label_queries,
    network_queries,
    picked,
)
from tasks.measuring.ranking import Ranked, headline, rank
from tasks.measuring.scores import Asked, Example, Scores, scores_of
from tasks.worker import one_thread

if TYPE_CHECKING:
    from models.weights import Embedder
    from tasks.index import Candidate

__all__ = ["EvaluatePlan", "Example", "Scores", "check_asked", "evaluate"]


def evaluate(
    store: Store,
    candidate: "Candidate",
    production: Pointer | None,
    dataset: str,
    plan: EvaluatePlan,
    load: "Callable[[Store, str], Embedder] | None" = None,
    beside: Sequence[str] | None = None,
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
        beside: names of measures that are taken too, as far as the ranks go that are looked at;
            where given, the scores keep what single queries are worth.
    """
    started = time.perf_counter()
    plan.check_installed()
    if production and production.place == (candidate.table, candidate.version):
        return _as_production(store, candidate, production, dataset, plan, load, started)
    if plan.named:
        captions = plan.named.relevance == "caption"
        return (captioned.measured if captions else named.measured)(
            store,
            (candidate.table, candidate.version),
            candidate.dataset_version,
            production,
            dataset,
            plan,
            load or _load,
            started,
            beside,
            candidate.probing,
        )
    opened = index_table(store, candidate.table).open(candidate.version)
    held = [holding(opened, plan.split, candidate.probing)]
    notes: list[str] = []
    if production:
        try:
            opened = index_table(store, production.table).open(production.version)
            held.append(holding(opened, plan.split, production.probing))
        except FileNotFoundError as error:
            notes.append(f"Production could not be asked: {error}")
    protocols = _protocols(plan)
    embedded = 0
    for protocol in protocols:
        asking = _Asking(store, dataset, plan, protocol, load, beside or ())
        ranked = asking.ranked(held)
        embedded += asking.embedded
        if ranked:
            closer = beside is not None
            notes += learned_notes(store, held[0].dataset, held[0].images)
            notes += collapse_notes(asking.queries)
            name = headline(protocol, plan.k)
            asked = Asked(protocol, name, asking.queries.keys, plan.examples, embedded, closer)
            return scores_of(asked, ranked, production, notes, started)
        if protocol == protocols[-1]:  # that a dataset has no labels is nothing to report
            notes.append(f"{protocol}: no image that may ask has an answer.{_askless(held, plan)}")
    return Scores(
        protocol="",
        headline=headline(protocols[-1], plan.k),
        candidate={},
        against=str(production or ""),
        embedded=embedded,
        seconds=time.perf_counter() - started,
        notes=tuple(notes),
    )


def _askless(held: Sequence[Holding], plan: EvaluatePlan) -> str:
    """What to do where the split that PLAN says asks holds no image of the versions HELD."""
    if plan.split is None or all(one.split.any() for one in held):
        return ""
    there: set[str] = set()
    for batch in held[0].dataset.scanner(["split"]).to_batches():
        there.update(pc.unique(batch["split"]).drop_null().to_pylist())
    remedy = f"choose from {', '.join(sorted(there))}, or leave it out" if there else "leave it out"
    return f" evaluate.split is {plan.split!r}, and the index has no image of it: {remedy}."


def check_asked(
    store: Store,
    encoder: str,
    plan: EvaluatePlan,
    load: "Callable[[Store, str], Embedder] | None" = None,
) -> None:
    """Return if ENCODER can be asked as PLAN says: before it embeds a dataset, not after.

    Args:
        store: where it lies.
        encoder: its digest.
        plan: how it will be measured.
        load: gives an encoder by its digest; asked only where a look at the plan is not enough.

    Raises:
        ValueError: it takes no pictures of a size at which queries are to be embedded.
    """
    if plan.scales:
        (load or _load)(store, encoder).check_scales(plan.scales)


class _Asking:
    """One protocol put to one version, or to two on the same queries."""

    def __init__(
        self,
        store: Store,
        dataset: str,
        plan: EvaluatePlan,
        protocol: Protocol,
        load: "Callable[[Store, str], Embedder] | None",
        beside: Sequence[str],
    ) -> None:
        self.store, self.dataset, self.plan, self.protocol = store, dataset, plan, protocol
        self.load, self.beside = load, beside
        self.embedded = 0
        self.queries = Queries(protocol, (), np.empty(0, np.uint64), (), np.empty((0, 0)))

    def ranked(self, held: Sequence[Holding]) -> list[Ranked]:
        """What each of HELD answers; empty where nothing can be asked or nothing is relevant."""
        ours, *others = held
        shared = np.intersect1d(ours.images, others[0].images) if others else None
        may = ours.images if shared is None else shared
        if self.protocol == "labels":
            may = np.intersect1d(may, ours.images[ours.labelled])
        images = picked(ours, may, self.plan.split, self.plan.limit)
        if not len(images):
            return []
        truth = self._queries(ours, images)
        self.queries = truth
        asked: list[tuple[list[Holding], Queries]] = [([ours], truth)]
        for other in others:
            if other.dataset.uri == ours.dataset.uri:
                asked[0][0].append(other)
            else:  # its own descriptors, and tonight's labels
                theirs = replace(truth, vectors=self._queries(other, images).vectors)
                asked.append(([other], theirs))

        def answers(asked: tuple[list[Holding], Queries]) -> list[Ranked]:
            return rank(*asked, self.plan.k, self.plan.split, shared, self.beside)

        with one_thread(), ThreadPoolExecutor(len(asked)) as pool:
            ranked = list(chain.from_iterable(pool.map(answers, asked)))
        relevant = ~np.isnan(ranked[0].values[headline(self.protocol, self.plan.k)])
        return ranked if relevant.any() else []

    def _queries(self, held: Holding, images: Array) -> Queries:
        load, schema = self.load or _load, held.dataset.schema
        if self.protocol == "known_item":
            embedder = load(self.store, encoder_of(schema))
            queries, fresh = copy_queries(self.store, self.dataset, held, images, embedder)
        elif asks_anew(schema):
            queries, fresh = network_queries(self.store, self.dataset, held, images, load)
        else:
            return label_queries(held, images)
        self.embedded += fresh
        return queries


def _protocols(plan: EvaluatePlan) -> Sequence[Protocol]:
    """What is tried in turn where no protocol of the field is named."""
    if plan.protocol == "auto":
        return "labels", "known_item"
    return (cast(Protocol, plan.protocol),)


def _as_production(
    store: Store,
    candidate: "Candidate",
    production: Pointer,
    dataset: str,
    plan: EvaluatePlan,
    load: "Callable[[Store, str], Embedder] | None",
    started: float,
) -> Scores:
    """What was measured when the version became production: it is the candidate, unchanged.

    Where its lineage says no number of the protocol that is asked for, it is measured now.
    """
    lineage = lineage_of(index_table(store, production.table).open(production.version))
    wanted = {plan.title} if plan.named else set(_protocols(plan))
    if lineage and lineage.protocol in wanted:
        found = Scores(
            lineage.protocol,
            lineage.headline,
            dict(lineage.metrics),
            intervals=dict(lineage.intervals),
            notes=("The candidate is production: measured when it was made.",),
            sets=lineage.sets,
            sets_digest=lineage.sets_digest,
        )
    else:
        found = evaluate(store, candidate, None, dataset, plan, load)
    value = found.candidate.get(found.headline)
    return replace(
        found,
        production=found.candidate,
        against=str(production),
        compared=None if value is None else (value, value),
        interval=None if value is None else (0.0, 0.0),
        p=None if value is None else 1.0,
        seconds=time.perf_counter() - started,
    )


def _load(store: Store, encoder: str) -> "Embedder":
    from tasks.training.train import load_encoder

    return load_encoder(store, encoder)
