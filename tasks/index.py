"""Bring an index to a dataset version by one commit; what comes out is a candidate to seal."""

from collections.abc import Callable
from typing import Any, Final

import lance
import numpy as np
import pyarrow as pa
from pydantic import Field

from data.delta import Delta, changed_since, compare, places_of
from data.descriptors import DescriptorCache
from data.indexes import VECTOR, has_index, index_schema, index_table, like, vector_bytes
from data.lineage import last_lineage, lineage_of
from data.manifest import manifest
from data.probing import Probing
from data.store import Store
from data.tables import RUN, Table
from tasks.cluster import ClusterPlan
from tasks.encoders import spec_at, weights_name
from tasks.health import HealthPlan, maintain, rows_in
from tasks.seal import Candidate, seal
from tasks.stage import stage

__all__ = ["Candidate", "IndexPlan", "index", "seal"]

COUNTS: Final = ("upserted", "deleted")
VERSIONS: Final = 8
"""More versions than one run makes."""


class IndexPlan(HealthPlan):
    """How an index is written, and when it is repaired."""

    join_mb: int = Field(default=512, ge=64, description="MB in which whole tables are compared")
    here: int = Field(default=500_000, ge=0, description="rows up to which this process writes")


def index(
    store: Store,
    name: str,
    dataset: str,
    version: int,
    encoder: str,
    plan: IndexPlan,
    cluster: ClusterPlan,
    run: str,
    check: Callable[[], None],
    probing: Probing | None = None,
) -> Candidate:
    """The index NAME, brought to hold exactly the described live images of a dataset version.

    All that changed is published by one commit, and nothing where nothing did. A run that was
    killed anywhere in here is taken up by calling again: what is staged and not committed is
    nobody's, and what is committed is found to be right.

    Args:
        store: where it all lies.
        name: the index table's name.
        dataset: the dataset's name.
        version: the manifest version.
        encoder: digest of the encoder whose descriptors are taken from the cache.
        plan: how it is written and repaired.
        cluster: who writes, where there are more than ``plan.here`` rows to write.
        run: names the run; letters, digits, dashes and dots, for it becomes part of a tag.
        check: raises if this run may no longer write; called right before each commit.
        probing: how the ANN index is asked, where that was tuned: by it its recall is measured.

    Raises:
        ValueError: there is no index and not one descriptor, so its columns are not known; or the
            table holds another encoder's descriptors.
        DuplicateKeys: the manifest or the index holds a key twice.
        FileNotFoundError: the dataset version is not there.
    """
    target = manifest(store, dataset).open(version)
    cache = DescriptorCache(store, encoder)
    base = _base(store, name, encoder)
    delta = _delta(target, dataset, cache, base, plan)
    counts = _counts_of(base, run)
    if base is None or not delta.empty:
        places = places_of(target, delta.upserts)
        table = _table(store, name, cache, base, target, places)
        rows = rows_in(plan.fragment_mb, vector_bytes(table.schema))
        here = len(places) <= max(plan.here, rows)  # one slice needs no company
        staged = stage(table, dataset, version, encoder, places, rows, cluster, here)
        counts["upserted"] += len(delta.upserts)
        counts["deleted"] += len(delta.doomed) - delta.replaced
        said = {"dataset": dataset, "dataset_version": version, "encoder": encoder, **counts}
        check()
        base = table.commit(
            base,
            staged,
            delta.doomed,
            {RUN: run} | {key: str(value) for key, value in said.items()},
        )
    current, health = _healthy(index_table(store, name), base, delta, plan, check, probing)
    return Candidate(
        table=name,
        version=current.version,
        rows=current.count_rows(),
        upserted=counts["upserted"],
        deleted=counts["deleted"],
        deferred=delta.deferred,
        health=health,
        dataset=dataset,
        dataset_version=version,
        encoder=encoder,
        run=run,
        waiting=delta.waiting,
        probing=probing,
    )


def _base(store: Store, name: str, encoder: str) -> lance.LanceDataset | None:
    """The newest version of index NAME; None where there is none.

    Raises:
        ValueError: it holds another encoder's descriptors.
    """
    if not has_index(store, name):
        return None
    base = index_table(store, name).open()
    index_table(store, name, like(base.schema, encoder))
    return base


def _delta(
    target: lance.LanceDataset,
    dataset: str,
    cache: DescriptorCache,
    base: lance.LanceDataset | None,
    plan: IndexPlan,
) -> Delta:
    """What separates BASE from TARGET, found the cheap way where BASE says what it holds."""
    sealed = lineage_of(base) if base is not None else None
    if (
        sealed
        and sealed.dataset == dataset
        and sealed.dataset_version <= target.version
        and not sealed.deferred
    ):
        delta = changed_since(target, sealed.dataset_version, cache, base)
        if delta is not None:
            return delta
    return compare(target, cache, base, plan.join_mb)


def _table(
    store: Store,
    name: str,
    cache: DescriptorCache,
    base: lance.LanceDataset | None,
    target: lance.LanceDataset,
    places: np.ndarray[Any, Any],
) -> Table:
    """The index table NAME with its columns, which the descriptor of the first of PLACES tells.

    Raises:
        ValueError: there is no descriptor to tell; or it is not like those in the table.
    """
    if not len(places):
        if base is None:
            raise ValueError(
                f"Index {name} cannot be made: no live image of dataset version {target.version} "
                f"has a descriptor of encoder {cache.encoder[:12]}. Either no image is good, or "
                "the limits of the run left none to be embedded."
            )
        return index_table(store, name)
    digest = target.take(places[:1].tolist(), columns=["digest"])["digest"].combine_chunks()
    vector = next(iter(cache.read(digest))).schema.field(VECTOR).type
    kept = store.exists(weights_name(cache.encoder))  # or it was put away since
    spec = spec_at(store, cache.encoder) if kept else None
    if spec and spec.pq_parts:
        schema = index_schema(pa.uint8(), spec.pq_parts, cache.encoder, quantised=True)
    else:
        codes = spec.codes if spec else ""
        schema = index_schema(vector.value_type, vector.list_size, cache.encoder, codes)
    return index_table(store, name, schema)


def _counts_of(base: lance.LanceDataset | None, run: str) -> dict[str, int]:
    """What RUN itself wrote before it was called again: it counts as this run's work."""
    for transaction in base.get_transactions(VERSIONS) if base is not None else []:
        said = (transaction.transaction_properties if transaction else None) or {}
        if said.get(RUN) == run:
            return {name: int(said.get(name, 0)) for name in COUNTS}
        if RUN in said:
            break
    return dict.fromkeys(COUNTS, 0)


def _healthy(
    table: Table,
    base: lance.LanceDataset,
    delta: Delta,
    plan: IndexPlan,
    check: Callable[[], None],
    probing: Probing | None,
) -> tuple[lance.LanceDataset, dict[str, Any]]:
    """BASE after its repair; as it is where it is sealed, unchanged, and nothing was postponed."""
    last = last_lineage(base)
    if delta.empty and last and lineage_of(base) and not last.health.get("postponed"):
        now = last.health.get("after", {})
        unchanged = {"before": now, "after": now, "action": "none", "why": "nothing changed"}
        return base, {**last.health, **unchanged, "seconds": 0.0}
    return maintain(table, plan, check, last.health if last else None, probing)
