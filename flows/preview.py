"""What the next run would do and cost, told without changing anything."""

import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.database import asking
from data.descriptors import DescriptorCache
from data.store import Store
from flows.night import RUNS, runs
from flows.recipe import Recipe
from tasks.balance import Ledger
from tasks.extract import missing
from tasks.gates import HeldByGate, check_mass_deletion
from tasks.plan import Change, candidates, plan
from tasks.scan import scan
from tasks.shard import shard
from tasks.training.train import trained

LOOKED_BACK: Final = 30
"""Runs that are asked for a rate: a quiet night measures none."""


def preview(recipe: Recipe, store: Store | None = None) -> dict[str, Any]:
    """The counts, bytes, embeds and time of the next run of RECIPE; nothing in the store changes.

    The pictures whose size or stamp is new are read for their digests, as the run itself will.

    Returns:
        The counts of a `Change`; "bytes" of new images; "embeds" needed, "train" (whether an
        encoder must be trained first); "seconds" by the rates of the last run that measured them
        (None where none did); "rates"; "held_by", gates that would hold the run at once;
        "examples", first keys by class.
    """
    recipe.evaluate.check_installed()
    store = store or Store()
    workspace = Path(tempfile.mkdtemp(prefix="nightjar-plan-"))
    try:
        read = 0
        for wave in scan(recipe.source, recipe.scan, workspace):
            wanted = candidates(store, recipe.dataset, workspace, wave, recipe.scan)
            read += pq.read_metadata(wanted).num_rows
            shard(
                store,
                recipe.dataset,
                recipe.source,
                wanted,
                recipe.shard,
                recipe.cluster,
                workspace,
                write=False,
            )
        change = plan(store, recipe.dataset, workspace, recipe.scan)
        encoder = trained(store, recipe.dataset, recipe.train)
        if encoder is None:
            embeds = _pictures(change, recipe.scan.memory)
        else:
            embeds = _embeds(store, recipe.dataset, change, encoder)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
    rates = _rates(store, recipe.name)
    return {
        "recipe": recipe.name,
        **change.counts,
        "bytes": change.bytes,
        "embeds": embeds,
        "train": encoder is None,
        "seconds": _seconds({"read": read, "embed": embeds}, rates),
        "rates": rates,
        "held_by": _held(change, recipe),
        "examples": change.examples,
    }


def _pictures(change: Change, memory: int) -> int:
    """How many images the run will encode with an encoder that is not there yet: all of them."""
    with asking(memory, new=[change.digests], held=[change.held]) as ask:
        row = ask.execute(
            """
            SELECT count(*) FROM (
                SELECT digest FROM new UNION SELECT digest FROM held WHERE state = 'live'
            )
            """
        ).fetchone()
    return int(row[0])


def _embeds(store: Store, dataset: str, change: Change, encoder: str) -> int:
    """How many images the run will encode: new ones, and live ones that still lack a descriptor."""
    wanted = pq.read_table(change.digests, columns=["digest"])["digest"].combine_chunks()
    known = DescriptorCache(store, encoder).known(wanted)["digest"].combine_chunks()
    new = pc.unique(wanted.filter(pc.invert(pc.is_in(wanted, value_set=known))))
    if not change.base:
        return len(new)
    waiting = missing(store, dataset, change.base, encoder)["digest"].combine_chunks()
    return len(pc.unique(pa.concat_arrays([new, waiting])))


def _rates(store: Store, recipe: str) -> dict[str, float]:
    """Images a second as the latest runs measured them."""
    found: dict[str, float] = {}
    for run in runs(store, recipe)[: -LOOKED_BACK - 1 : -1]:
        paper = f"{RUNS}/{recipe}/{run}/ledger.json"
        if store.exists(paper):
            found = Ledger.model_validate_json(store.read(paper)).rates | found
        if {"read", "embed"} <= found.keys():
            break
    return found


def _seconds(images: dict[str, int], rates: dict[str, float]) -> float | None:
    """How long reading and embedding IMAGES should take; None where a rate is not known yet."""
    if any(count and name not in rates for name, count in images.items()):
        return None
    return round(sum(count / rates[name] for name, count in images.items() if count), 2)


def _held(change: Change, recipe: Recipe) -> list[str]:
    """The gates that would stop the run before it writes anything."""
    try:
        check_mass_deletion(change, recipe.gates)
    except HeldByGate as held:
        return list(held.verdict.held_by)
    return []
