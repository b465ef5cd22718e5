"""An index version put to a protocol of the field: its queries, its database, its measures."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Final

import lance
import numpy as np
import pyarrow as pa

from data.aliases import Pointer
from data.indexes import index_table
from data.probing import Probing
from data.store import Store
from models import metrics
from models.measures import Measure, measure
from tasks.health import has_ann
from tasks.measuring.answering import Answering, answering
from tasks.measuring.asymmetric import asked_otherwise
from tasks.measuring.depth import Depth, depth
from tasks.measuring.learned import learned_notes
from tasks.measuring.made import Load
from tasks.measuring.plan import EvaluatePlan, RerankPlan, lost
from tasks.measuring.probe import exact_probe, recall
from tasks.measuring.queries import Array
from tasks.measuring.ranking import ANN_RECALL, TOP, Ranked
from tasks.measuring.reranked import Reranked
from tasks.measuring.scores import Asked, Scores, scores_of
from tasks.measuring.sets import Questions, questions, sizes_note
from tasks.measuring.shown import Shown
from tasks.searching.parts import Parts
from tasks.searching.spaces import MixedEncoders

PROBES: Final = 200
"""Rows whose neighbours the ANN index is asked for."""


def measured(
    store: Store,
    place: tuple[str, int],
    version: int,
    production: Pointer | None,
    dataset: str,
    plan: EvaluatePlan,
    load: Load,
    started: float,
    beside: Sequence[str] | None = None,
    probing: Probing | None = None,
) -> Scores:
    """How well the index version PLACE searches by the named protocol of PLAN, and PRODUCTION.

    Both are asked by the sets that the protocol has in the candidate's dataset version; each has
    its own descriptors of the queries.

    Args:
        store: where all lies.
        place: table and version.
        version: the manifest version that it holds.
        production: the other version; None without one.
        dataset: the dataset's name.
        plan: names the protocol.
        load: gives an encoder by its digest, where a box is to be cut out and embedded.
        started: when the measuring began.
        beside: measures that are taken too; where given, what single queries are worth is kept.
        probing: how the ANN index of PLACE is asked, where that was tuned.

    What cannot be asked, such as sets that the dataset is too small for, is said in the notes.
    """
    protocol = plan.named
    if protocol is None:
        raise ValueError(f"{plan.name} is no named protocol.")
    nothing = Scores(plan.title, protocol.metric, {}, against=str(production or ""))
    try:
        asked = questions(store, dataset, version, plan.name, protocol, plan.queries)
    except ValueError as error:  # a gate holds what could not be computed
        return replace(nothing, notes=(f"{plan.name} could not be asked: {error}",))
    notes = []
    opened = index_table(store, place[0]).open(place[1])
    own = answering(store, dataset, opened, asked, load, plan.scales, probing)
    try:
        versions = [asked_otherwise(store, dataset, own, asked, plan, load)]
    except (FileNotFoundError, MixedEncoders) as error:
        return replace(nothing, notes=(f"{plan.name} could not be asked: {error}",))
    if production:
        try:
            opened = index_table(store, production.table).open(production.version)
            theirs = production.probing
            other = answering(store, dataset, opened, asked, load, plan.scales, theirs)
            other = asked_otherwise(store, dataset, other, asked, plan, load)
            if why := _unanswerable(other, plan):
                notes.append(f"Production could not be asked: {why}")
            else:
                versions.append(other)
        except (FileNotFoundError, MixedEncoders) as error:
            notes.append(f"Production could not be asked: {error}")
    ours = versions[0]
    measures, refused = _measures(plan, bool(ours.rows.bits), beside or ())
    notes += refused
    keys = asked.queries["key"].to_pylist()
    fresh = sum(one.embedded for one in versions)
    closer = beside is not None
    told = Asked(plan.title, protocol.metric, keys, plan.examples, fresh, closer)
    if why := _unanswerable(ours, plan):
        return replace(nothing, notes=(*notes, f"{plan.name} could not be asked: {why}"))
    both = reduce(np.intersect1d, [one.images for one in versions])
    together = np.logical_and.reduce([one.there for one in versions])
    shown = Shown(store, dataset, version, asked) if _looks(plan.rerank) else None
    again = [_reranked(one, plan.rerank, shown) for one in versions]
    ranked = [
        _ranked(one, asked, measures, both, together, how)
        for one, how in zip(versions, again, strict=True)
    ]
    scores = scores_of(told, ranked, production, notes, started)
    notes += _differences(plan, asked, ours, scores)
    notes += learned_notes(store, ours.dataset, ours.images)
    if plan.rerank:
        plain = ((name, of) for name, of in ranked[0].plain.items() if name not in (beside or ()))
        means = {name: metrics.mean(values) for name, values in plain}
        values = [f"{name} {one.value:.4f}" for name, one in means.items() if one.queries]
        notes.append(f"Without the re-ranking: {', '.join(values)}.")
    return replace(scores, notes=tuple(notes), sets=asked.kept, sets_digest=asked.digest)


def _measures(
    plan: EvaluatePlan, bits: bool, beside: Sequence[str]
) -> tuple[list[Measure], list[str]]:
    """What is measured of descriptors that are BITS or not, and why the rest is not."""
    told = plan.named
    names = dict.fromkeys((*(told.measures if told else ()), *plan.measures, *beside))
    found = [measure(name) for name in names]
    refused = [(one.name, one.refusal(bits) or (lost(one) if plan.rerank else "")) for one in found]
    return (
        [one for one, (_, why) in zip(found, refused, strict=True) if not why],
        [f"{name} is not measured: it {why}." for name, why in refused if why],
    )


def _ranked(
    version: Answering,
    asked: Questions,
    measures: Sequence[Measure],
    both: Array,
    together: Array,
    again: Reranked | None,
) -> Ranked:
    """What VERSION answers to all queries, and to those TOGETHER with rows of images of BOTH."""
    measures = [one for one in measures if not one.refusal(bool(version.rows.bits))]
    everything = np.ones(len(version.images), bool)
    whole = _depth(version, asked, measures, everything, version.there, again)
    held = np.isin(version.images, both)
    shared = whole.values
    if not held.all() or (together != version.there).any():
        headline = [one for one in measures if one.name == asked.protocol.metric]
        shared = _depth(version, asked, headline, held, together, again).values
    served = served_recall(version.dataset, version.probing)
    numbers = np.unique(whole.answers[whole.answers >= 0])
    keys = asked.database.take(pa.array(version.places[numbers])).to_pylist()
    return Ranked(
        {**whole.values, ANN_RECALL: np.full(len(version.there), served)},
        shared,
        whole.answers,
        dict(zip(numbers.tolist(), keys, strict=True)),
        whole.right,
        whole.plain,
    )


def served_recall(dataset: lance.LanceDataset, probing: Probing | None) -> float:
    """The recall of the ANN index of DATASET among its own rows, by PROBING; 1 without one."""
    if not has_ann(dataset):
        return 1.0
    return recall(dataset, exact_probe(dataset, PROBES), probing)


def _looks(plan: RerankPlan | None) -> bool:
    """Whether the re-ranking of PLAN looks at pictures."""
    return plan is not None and any(step.wants == "pictures" for step in plan.re_rankings)


def _reranked(version: Answering, plan: RerankPlan | None, shown: Shown | None) -> Reranked | None:
    """How PLAN re-ranks what VERSION answers; None where there is no plan."""
    if plan is None:
        return None
    pictures = shown.pictures if shown else None
    return Reranked(plan.re_rankings, plan.depth, version.rows.metric, pictures)


def _depth(
    version: Answering,
    asked: Questions,
    measures: Sequence[Measure],
    held: Array,
    asking: Array,
    again: Reranked | None,
) -> Depth:
    """The MEASURES of the queries ASKING among the rows HELD, (Q,) each; NaN of the others."""
    keys = asked.database.take(pa.array(version.places[held]))
    who = np.flatnonzero(asking)
    if not len(who) or not held.any():
        nothing, none = np.full(len(asking), np.nan), np.full((len(asking), TOP), -1)
        return Depth({one.name: nothing for one in measures}, none, none >= 0)
    labels = asked.labels.take(pa.array(version.places[held]))
    judged = asked.truth.of(who.tolist()).among(keys, labels)
    rows = version.rows if held.all() else version.rows.only(held)
    parts = Parts.of(keys) if asked.protocol.per_image else None
    again = again and again.of(who, labels)
    found = depth(rows, version.images[held], version.vectors[who], judged, measures, again, parts)
    numbers = np.append(np.flatnonzero(held), -1)  # of a row among all that the version holds
    answers = np.full((len(asking), TOP), -1)
    answers[who] = numbers[found.answers]
    right = np.zeros((len(asking), TOP), bool)
    right[who] = found.right
    plain = _of_all(found.plain, who, asking)
    return Depth(_of_all(found.values, who, asking), answers, right, plain)


def _of_all(values: Mapping[str, Array], who: Array, asking: Array) -> dict[str, Array]:
    """VALUES of the queries WHO as those of all, of which some are ASKING, (Q,); NaN of others."""
    found = {name: np.full(len(asking), np.nan) for name in values}
    for name, value in values.items():
        found[name][who] = value
    return found


def _unanswerable(ours: Answering, plan: EvaluatePlan) -> str:
    """Why OURS can answer nothing, or not as PLAN says; empty where it can."""
    if why := plan.refusal(ours.rows.metric):
        return why
    if not len(ours.there):
        return "the dataset has no picture that it asks with."
    if not ours.there.any():
        return "no picture that it asks with is in the index."
    return "" if ours.rows.count else "no picture of its database is in the index."


def _differences(
    plan: EvaluatePlan, asked: Questions, ours: Answering, scores: Scores
) -> list[str]:
    """In what these numbers differ from those of the protocol as it is stated."""
    notes = []
    if asked.queries.num_rows < asked.of:
        notes.append(
            f"{asked.queries.num_rows:,} of the {asked.of:,} queries of {plan.name} were asked, "
            f"for the recipe says evaluate.queries: {plan.queries}."
        )
    if lost := len(ours.there) - int(ours.there.sum()):
        notes.append(f"{lost:,} queries of {plan.name} are not in the index, and were not asked.")
    if lost := len(asked.database) - ours.rows.count:
        notes.append(f"{lost:,} pictures of the database of {plan.name} are not in the index.")
    if not scores.queries:
        notes.append(f"No query of {plan.name} has an answer in its database.")
    if note := sizes_note(plan.name, asked.protocol, asked.sets, scores.queries):
        notes.append(note)
    return notes
