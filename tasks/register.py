"""Register: make a night's change of a dataset its next version, by one commit."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.manifest import LIVE, MANIFEST, QUARANTINED, manifest
from data.store import Store
from data.tables import RUN, Table
from tasks.plan import Change

STEP: Final = "step"
"""The transaction property that tells the commits of one run apart."""


def register(
    store: Store, dataset: str, change: Change, run: str, check: Callable[[], None]
) -> int:
    """The dataset version that holds CHANGE: one commit, or none where nothing changed.

    Called again for the same CHANGE and RUN (it was killed after its commit), it finds what it did.

    Args:
        store: where the manifest lies.
        dataset: whose manifest it is.
        change: what `tasks.plan.plan` found.
        run: written into the version and the rows.
        check: raises where this process may write no longer; called right before the commit.

    Raises:
        OSError: another run has changed the manifest since CHANGE was planned; plan again.
    """
    table = manifest(store, dataset)
    done = _committed(table, change.base, run, "register")
    if done is not None:
        return done
    doomed = np.load(change.doomed)
    with pq.ParquetFile(change.rows) as rows:
        if change.base and not rows.metadata.num_rows:
            return change.base
        staged = table.stage(_stamped(rows.iter_batches(), change.base + 1, run))
    base = table.open(change.base) if change.base else None
    check()
    return table.commit(base, staged, doomed, {RUN: run, STEP: "register"}).version


def quarantine(
    store: Store, dataset: str, bad: pa.Table, run: str, check: Callable[[], None]
) -> int:
    """The dataset version in which the live images of BAD are quarantined: one commit, or none.

    Their bytes stay where they are, for the day another decoder reads them.

    Args:
        store: where the manifest lies.
        dataset: whose manifest it is.
        bad: columns digest, reason, decoder; one row a digest.
        run: written into the version and the rows.
        check: as for `register`.

    Raises:
        FileNotFoundError: the dataset has no version yet.
        OSError: another run has changed the manifest in the meantime.
    """
    table = manifest(store, dataset)
    base = table.open()
    wanted = (pc.field("state") == LIVE) & pc.field("digest").isin(bad["digest"].to_pylist())
    rows = base.scanner(filter=wanted, with_row_address=True).to_table() if bad.num_rows else None
    if not rows:
        return base.version
    doomed = rows["_rowaddr"].to_numpy()
    refused = _refused(rows.drop_columns("_rowaddr"), bad).to_batches()
    staged = table.stage(_stamped(refused, base.version + 1, run))
    check()
    return table.commit(base, staged, doomed, {RUN: run, STEP: "quarantine"}).version


def _committed(table: Table, base: int, run: str, step: str) -> int | None:
    """The version above BASE that RUN has made in this STEP, if it has."""
    latest = table.latest()
    if latest is None:
        return None
    for version in range(base + 1, latest.version + 1):
        made = latest.read_transaction(version)
        properties = (made.transaction_properties if made else None) or {}
        if properties.get(RUN) == run and properties.get(STEP) == step:
            return version
    return None


def _stamped(batches: Iterable[pa.RecordBatch], since: int, run: str) -> Iterator[pa.RecordBatch]:
    """BATCHES with the `MANIFEST` columns: written first by version SINCE, by RUN."""
    for batch in batches:
        stamps = {
            "since": pa.repeat(pa.scalar(since, pa.int64()), batch.num_rows),
            "run": pa.repeat(pa.scalar(run, pa.string()), batch.num_rows),
        }
        columns = [stamps[name] if name in stamps else batch[name] for name in MANIFEST.names]
        rows = pa.table(columns, MANIFEST.names).cast(MANIFEST)
        yield from rows.to_batches()


def _refused(rows: pa.Table, bad: pa.Table) -> pa.Table:
    """ROWS, quarantined for the reasons that BAD gives."""
    which = pc.index_in(rows["digest"], value_set=bad["digest"].combine_chunks())
    says = {
        "state": pa.repeat(pa.scalar(QUARANTINED, pa.string()), rows.num_rows),
        "reason": bad["reason"].take(which),
        "decoder": bad["decoder"].take(which),
    }
    for name, column in says.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    return rows
