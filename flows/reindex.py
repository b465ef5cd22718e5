"""The nightly run: from what the source holds tonight to a published, searchable index version."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.aliases import Pointer
from data.indexes import has_index, index_name, index_table
from data.lineage import lineage_of
from data.parts import SAID
from data.store import Store
from flows.night import Night, Progress, Stage, call, night, quiet
from flows.recipe import Recipe
from tasks.balance import Ledger, balance, held_ledger
from tasks.compact import compact
from tasks.extract import (
    Extraction,
    Limits,
    check_refused,
    extract,
    missing,
    pictures_in,
    refused_in,
)
from tasks.gates import HeldByGate, check_accepted, check_listed, check_mass_deletion, judge
from tasks.index import index
from tasks.measuring.evaluate import Scores, check_asked, evaluate
from tasks.pictures import PICTURES
from tasks.pin import pin, pin_sets
from tasks.plan import Change, candidates, plan
from tasks.promote import now, promote, withdrawn
from tasks.register import quarantine, register
from tasks.scan import scan
from tasks.seal import seal
from tasks.shard import shard
from tasks.tidy import tidy
from tasks.training.train import train, trained


def reindex(
    recipe: Recipe,
    *,
    store: Store | None = None,
    accept: Sequence[str] = (),
    limits: Limits | None = None,
    progress: Progress = quiet,
    stage: Stage = call,
) -> Ledger:
    """Bring the index of RECIPE up to its source; publish it if it searches as well as before.

    Cost follows the change: a picture is read if its size or stamp is new, embedded if its bytes
    are.
    A killed run is taken up by the next; one that a gate holds leaves production where it is.

    Args:
        recipe: what to do.
        store: where; `NIGHTJAR_STORE` where it is left out.
        accept: gates that a person waves through tonight.
        limits: bounds of the night; what does not fit waits, counted, for the next.
        progress: who watches.
        stage: how stages are run: as they are, or as tasks of an orchestrator.

    Raises:
        ValueError: ACCEPT names an unknown gate, or the source or recipe is not as it should be.
        MissingExtra: what the recipe measures with is not installed here.
        LeaseHeld: another run of the recipe, or over the same dataset, is at work.
        FailureBudgetExceeded: more pictures could not be read than the recipe allows.
        UnbalancedLedger: an image is neither indexed nor accounted for; production stays.
    """
    check_accepted(accept)
    recipe.evaluate.check_installed()
    with night(recipe, store or Store(), limits or Limits(), progress, stage) as this:
        production = this.alias.current()
        early, refused = take_in(this)
        change = this(plan, this.store, recipe.dataset, this.workspace, recipe.scan)
        check_listed(change, recipe.source.root)
        try:
            check_mass_deletion(change, recipe.gates, accept)
        except HeldByGate as held:
            return this.keep(
                held_ledger(
                    recipe.name,
                    change,
                    held.verdict,
                    run=this.run,
                    production=production,
                    seconds=this.seconds,
                )
            )
        return publish(this, change, early, refused, production, accept)


def take_in(this: Night) -> tuple[int, pa.Table]:
    """Read what the source has new into shards, a wave at a time.

    Where there is an encoder already, a full wave is embedded before the next is listed: of a huge
    source the first images are embedded long before its listing has ended.

    Returns:
        How many images were embedded, and those whose bytes are no picture (`SAID`).

    Raises:
        FailureBudgetExceeded: too many are none. Nothing is committed: the next run says the same.
    """
    recipe, store, dataset = this.recipe, this.store, this.recipe.dataset
    encoder = trained(store, dataset, recipe.train)
    embedded, read, refused = 0, 0, []
    for wave in scan(recipe.source, recipe.scan, this.workspace):
        wanted = candidates(store, dataset, this.workspace, wave, recipe.scan)
        resolved = this(
            shard,
            store,
            dataset,
            recipe.source,
            wanted,
            recipe.shard,
            recipe.cluster,
            this.workspace,
            deadline=this.deadline,
        )
        read += pq.read_metadata(wanted).num_rows
        this.took_in(read)
        refused.append(refused_in(resolved))
        if encoder and pq.read_metadata(wave).num_rows == recipe.scan.wave:
            waiting = pictures_in(resolved)
            embedded += _extract(this, waiting, encoder, embedded, refused[-1]).embedded
    bad = pa.concat_tables(refused or [SAID.empty_table()])
    check_refused(recipe.extract, read, bad)
    return embedded, bad


def publish(
    this: Night,
    change: Change,
    early: int,
    refused: pa.Table,
    production: Pointer | None,
    accept: Sequence[str],
) -> Ledger:
    """Commit CHANGE, embed what lacks a descriptor, index it, move the alias if no gate objects.

    Args:
        this: the night.
        change: what the listing changed.
        early: images that `take_in` embedded.
        refused: files that it found to be no picture; they count against the failure budget.
        production: what search uses now.
        accept: gates that a person waves through.
    """
    recipe, store, dataset, check = this.recipe, this.store, this.recipe.dataset, this.check
    version = this(register, store, dataset, change, this.run, check)
    if version != change.base:  # what nothing touched is no more worn than last night
        this(compact, store, dataset, recipe.shard, this.run, check)
        version = this(tidy, store, dataset, check)
    encoder = this(train, store, dataset, version, recipe.train, recipe.cluster, this.progress)
    wanted = _wanted(this, version, encoder)
    if len(wanted):
        check_asked(store, encoder, recipe.evaluate)
    extraction = _extract(this, wanted, encoder, early, refused)
    version = this(quarantine, store, dataset, extraction.bad, this.run, check)
    change = change.without(extraction.bad)
    pinned = this(pin, store, dataset, version, encoder) if recipe.pin else ""

    name = index_name(recipe.name, encoder)
    candidate = this(
        index,
        store,
        name,
        dataset,
        version,
        encoder,
        recipe.index,
        recipe.cluster,
        this.run,
        check,
        production.probing_of(name) if production else None,
    )
    scores = this(evaluate, store, candidate, production, dataset, recipe.evaluate)
    if recipe.pin and scores.sets:
        this(pin_sets, store, dataset, scores.sets)
    left = withdrawn(store, recipe.name, (candidate.table, candidate.version))
    verdict = judge(recipe.gates, change, extraction, scores, candidate, accept, left)
    lineage = this(seal, store, candidate, _told(this, change, scores, pinned), check)
    pointer = Pointer(
        table=lineage.table,
        version=lineage.version,
        run=lineage.run,
        moved=now(),
        why="promoted",
        accepted=verdict.accepted,
    )
    ledger = this(
        balance,
        store,
        recipe.name,
        change,
        lineage,
        scores,
        verdict,
        run=this.run,
        embedded=early + extraction.embedded,
        waiting=extraction.deferred,
        production=pointer if verdict.promote else production,
        before=production,
        papers=this.papers,
        rates=this.rates,
        seconds=this.seconds,
    )
    if verdict.promote:
        this(promote, store, recipe.name, pointer, check, production)
    return this.keep(ledger)


def _wanted(this: Night, version: int, encoder: str) -> pa.Table:
    """The images of dataset VERSION that lack a descriptor (`PICTURES`).

    Where the index holds a dataset version whole, only what was written since is asked about, and
    nothing where nothing was.
    """
    store, dataset = this.store, this.recipe.dataset
    name = index_name(this.recipe.name, encoder)
    held = 0
    if has_index(store, name):
        sealed = lineage_of(index_table(store, name).open())
        if sealed and sealed.dataset == dataset and not sealed.deferred:
            held = sealed.dataset_version
    if held == version:
        return PICTURES.empty_table()
    return missing(store, dataset, version, encoder, since=held if held < version else 0)


def _extract(
    this: Night, pictures: pa.Table, encoder: str, already: int, refused: pa.Table
) -> Extraction:
    """Embed PICTURES within what ALREADY embedded images leave of the night's limits."""
    recipe = this.recipe
    extraction = this(
        extract,
        this.store,
        recipe.dataset,
        pictures,
        encoder,
        recipe.extract,
        recipe.cluster,
        this.left(already),
        this.progress,
        refused,
    )
    this.embedded(extraction)
    return extraction


def _told(this: Night, change: Change, scores: Scores, pinned: str) -> dict[str, Any]:
    """What the lineage is told besides what the candidate knows of itself."""
    return {
        "recipe": this.recipe.name,
        "recipe_digest": this.recipe.digest,
        "counts": change.counts,
        "protocol": scores.protocol,
        "headline": scores.headline,
        "metrics": scores.candidate,
        "intervals": scores.intervals,
        "sets": scores.sets,
        "sets_digest": scores.sets_digest,
        "pin": pinned,
        "seconds": {name: round(seconds, 4) for name, seconds in this.seconds.items()},
    }
