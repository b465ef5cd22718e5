"""Let go of what retention no longer asks for: versions, tables, tars, tombstones, descriptors.

And of the states of trainings that nobody went on with.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow.compute as pc
from pydantic import Field

from data.aliases import Alias
from data.indexes import encoder_of, index_names, index_table, unborn_places
from data.lease import Lease, dataset_lease
from data.lineage import RUN_TAG, Lineage, last_lineage, run_tags, sealed_versions
from data.manifest import REMOVED, manifest
from data.plan import Plan
from data.protocols.kept import FOLDER as SETS
from data.store import Store
from data.tables import RUN, Table
from data.versions import drop, made, staying
from tasks.encoders import TRAININGS
from tasks.seal import DATASET_TAG

CACHES: Final = "descriptors"


class RetainPlan(Plan):
    """How long what can be gone back to is kept: the newest versions, and those not old yet."""

    versions: int = Field(default=14, ge=1, description="newest sealed versions that always stay")
    days: float = Field(default=30.0, ge=0, description="age in days up to which all versions stay")
    grace_minutes: float = Field(
        default=60.0, ge=0, description="nothing younger is touched: a night may be writing it"
    )


@dataclass(frozen=True)
class Cleaned:
    """What was removed, or would be.

    Args:
        versions: index versions that can no longer be searched, as TABLE@VERSION.
        tables: index tables that are gone as a whole.
        shards: names of tars and their sidecars.
        caches: encoders whose descriptors are gone.
        sets: lists of drawn sets that no kept version was measured by.
        trainings: states of trainings that were killed, or failed, and not taken up again.
        tombstones: manifest rows of images that were removed long ago.
        bytes: what all these took in the store.
        dry_run: nothing was changed.
    """

    versions: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    shards: list[str] = field(default_factory=list)
    caches: list[str] = field(default_factory=list)
    sets: list[str] = field(default_factory=list)
    trainings: list[str] = field(default_factory=list)
    tombstones: int = 0
    bytes: int = 0
    dry_run: bool = False

    def __add__(self, other: "Cleaned") -> "Cleaned":
        ours, theirs = vars(self), vars(other)
        both = {name: ours[name] + theirs[name] for name in ours if name != "dry_run"}
        return Cleaned(**both, dry_run=self.dry_run or other.dry_run)


def clean(
    store: Store, dataset: str, recipe: str, plan: RetainPlan, dry_run: bool = False
) -> Cleaned:
    """What RECIPE and DATASET no longer need, removed; or only named, where DRY_RUN.

    Production's version and the one it would roll back to always stay, with the dataset versions
    that they and every other kept version name, and all shards these point into.

    Args:
        store: what is cleaned.
        dataset: the dataset's name; other recipes' indexes of it keep what they name.
        recipe: the recipe's name; only its index tables lose versions.
        plan: what is kept.
        dry_run: change nothing.

    Raises:
        LeaseHeld: a run of this recipe, or of another over the same dataset, is under way.
    """
    with ExitStack() as held:
        users = {*_users(store, dataset), recipe, dataset_lease(dataset)}
        for user in sorted(users) if not dry_run else []:
            held.enter_context(Lease(store, user))
        now = datetime.now(UTC)
        young = now - timedelta(minutes=plan.grace_minutes)
        stay = _stay(store, recipe, plan, now)
        found = Cleaned(dry_run=dry_run)
        for name in index_names(store, recipe):
            found += _clean_index(index_table(store, name), name, stay[name], young, dry_run)
        for name, place in unborn_places(store, recipe).items():
            if (size := _swept(store, place, young, dry_run)) is not None:
                found += Cleaned(tables=[name], bytes=size)
        remaining = [name for name in stay if name not in found.tables]
        encoders = {encoder_of(index_table(store, name).schema) for name in remaining}
        caches, size = _clean_folders(store, CACHES, encoders, young, dry_run)
        found += Cleaned(caches=caches, bytes=size)
        old = now - timedelta(days=plan.days)
        trainings, size = _clean_folders(store, TRAININGS, set(), min(young, old), dry_run)
        found += Cleaned(trainings=trainings, bytes=size)
        kept_lines = [
            one
            for name in remaining
            for one in _lineages(store, name)
            if one.dataset == dataset and one.version in stay[name]
        ]
        found += _clean_sets(store, dataset, {one.sets for one in kept_lines}, young, dry_run)
        table = manifest(store, dataset)
        if table.exists():
            named = {one.dataset_version for one in kept_lines}
            found += _clean_dataset(table, dataset, named, young, dry_run)
            found += _bury(table, named, old, dry_run)
        return found


def kept(
    sealed: Iterable[Lineage], places: set[tuple[str, int]], plan: RetainPlan, now: datetime
) -> list[Lineage]:
    """Those of the SEALED versions that stay: the newest, the young, and those at PLACES."""
    limit = now - timedelta(days=plan.days)
    newest = sorted(sealed, key=lambda one: (_time(one), one.version), reverse=True)
    return [
        one
        for rank, one in enumerate(newest)
        if rank < plan.versions or _time(one) >= limit or (one.table, one.version) in places
    ]


def pointers(store: Store, recipe: str) -> set[tuple[str, int]]:
    """Where RECIPE's production alias points, and where it pointed before that."""
    places = [(pointer.table, pointer.version) for pointer in Alias(store, recipe).history()]
    before = [place for place in places if place != places[-1]]
    return {*places[-1:], *before[-1:]}


def _users(store: Store, dataset: str) -> set[str]:
    """The recipes that have an index of DATASET."""
    return {
        one.recipe
        for name in index_names(store)
        for one in _lineages(store, name)
        if one.dataset == dataset
    }


def _lineages(store: Store, name: str) -> list[Lineage]:
    """What is sealed of index NAME; the newest also where its run was killed before its tag."""
    table = index_table(store, name)
    sealed = sealed_versions(table)
    last = last_lineage(table.open())
    return [last, *sealed] if last and last not in sealed else sealed


def _stay(store: Store, recipe: str, plan: RetainPlan, now: datetime) -> dict[str, set[int]]:
    """The sealed versions that stay, by index table: of RECIPE what is kept, of others all."""
    places = pointers(store, recipe)
    ours = index_names(store, recipe)
    line = [one for name in ours for one in _lineages(store, name)]
    stay = places | {(one.table, one.version) for one in kept(line, places, plan, now)}
    return {
        name: {version for table, version in stay if table == name}
        if name in ours
        else {one.version for one in _lineages(store, name)}
        for name in index_names(store)
    }


def _clean_index(
    table: Table, name: str, stay: set[int], young: datetime, dry_run: bool
) -> Cleaned:
    """The index TABLE without all versions but those that STAY; gone, where none does."""
    newest = table.open()
    tagged = run_tags(newest)
    gone = sorted((run for run in tagged if tagged[run] not in stay), key=tagged.__getitem__)
    if not stay and made(newest)[newest.version] < young:
        size = sum(part.size for part in _files(table.store, table.name))
        if not dry_run:
            table.store.delete(table.name)
        return Cleaned([f"{name}@{tagged[run]}" for run in gone], [name], bytes=size)
    size = drop(table, stay, [f"{RUN_TAG}{run}" for run in gone], young, dry_run)
    return Cleaned([f"{name}@{tagged[run]}" for run in gone], bytes=size)


def _clean_dataset(
    table: Table, dataset: str, named: set[int], young: datetime, dry_run: bool
) -> Cleaned:
    """The manifest without versions that no index names, and the shards none of the rest names."""
    tags = {
        tag: int(found["version"])
        for tag, found in table.open().tags.list().items()
        if tag.startswith(DATASET_TAG)
    }
    gone = [tag for tag, version in tags.items() if version not in named]
    rest = staying(table, named, gone, young)
    size = drop(table, named, gone, young, dry_run)
    used = {""}
    for version in rest:
        for batch in table.open(version).scanner(["shard"]).to_batches():
            used |= set(pc.unique(batch["shard"]).to_pylist())
    unused = [
        part
        for part in _files(table.store, f"shards/{dataset}")
        if part.name.rsplit("/", 1)[-1].rsplit(".", 1)[0] not in used and part.made < young
    ]
    if not dry_run:
        for part in unused:
            table.store.delete(part.name)
    return Cleaned(
        shards=[part.name for part in unused], bytes=size + sum(part.size for part in unused)
    )


def _clean_folders(
    store: Store, folder: str, stay: set[str], limit: datetime, dry_run: bool
) -> tuple[list[str], int]:
    """What is gone of FOLDER, by name, and its bytes: all but what shall STAY, or is in use."""
    gone, size = [], 0
    for name in set(store.names(folder)) - stay:
        if (its := _swept(store, f"{folder}/{name}", limit, dry_run)) is not None:
            gone.append(name)
            size += its
    return sorted(gone), size


def _clean_sets(
    store: Store, dataset: str, named: set[str], young: datetime, dry_run: bool
) -> Cleaned:
    """The lists of sets that were drawn from DATASET gone, but for those NAMED."""
    found = Cleaned()
    for part in _files(store, f"{SETS}/{dataset}"):
        if part.name in named or part.made >= young:
            continue
        found += Cleaned(sets=[part.name], bytes=part.size)
        if not dry_run:
            store.delete(part.name)
    return found


def _bury(table: Table, named: set[int], limit: datetime, dry_run: bool) -> Cleaned:
    """The manifest without tombstones that were set before LIMIT and that every index knows of.

    An index that holds an older dataset version than a tombstone still has to read it.
    """
    newest = table.open()
    old = [version for version, when in made(newest).items() if when < limit]
    known = min([max(old, default=0), *named])
    graves = newest.scanner(
        columns=[], filter=f"state = '{REMOVED}' AND since <= {known}", with_row_address=True
    ).to_table()
    if len(graves) and not dry_run:
        doomed = graves["_rowaddr"].to_numpy().astype(np.uint64)
        table.commit(newest, [], doomed, {RUN: "clean"})
    return Cleaned(tombstones=len(graves))


def _swept(store: Store, folder: str, young: datetime, dry_run: bool) -> int | None:
    """The bytes of FOLDER, which is gone; None where it stays, for somebody may be filling it."""
    parts = list(_files(store, folder))
    if any(part.made >= young for part in parts):
        return None
    if not dry_run:
        store.delete(folder)
    return sum(part.size for part in parts)


@dataclass(frozen=True)
class _File:
    name: str
    size: int
    made: datetime


def _files(store: Store, folder: str) -> Iterator[_File]:
    """The files under FOLDER."""
    try:
        found = store.fs.find(store.uri(folder), detail=True)
    except FileNotFoundError:
        return
    for path, info in found.items():
        stamp = info.get("mtime") or info.get("LastModified")
        when = datetime.fromtimestamp(stamp, UTC) if isinstance(stamp, float) else stamp
        yield _File(path[path.index(folder) :], int(info["size"]), when)


def _time(lineage: Lineage) -> datetime:
    return datetime.fromisoformat(lineage.created)
