"""Plan: what changed between the manifest and the listing, told without touching the store.

`candidates` names the rows of a wave whose bytes must be read; once they are resolved (`shard`),
`plan` puts every listed key into exactly one class and writes down what `register` shall commit.
Both are questions to DuckDB over files: memory is bounded, and no row is seen by Python.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.database import Numbered, asking, number
from data.manifest import LIVE, MANIFEST
from data.store import Store
from data.workspace import FOUND, LISTED, Snapshot, files, snapshot
from tasks import classify
from tasks.compare import COMPARED, compared, comparing, decoder_at_hand, unlisted
from tasks.scan import ScanPlan

CLASSES: Final = (
    "added",
    "changed",
    "moved",
    "duplicate",
    "touched",
    "relabelled",
    "unchanged",
    "quarantined",
    "deferred",
)
"""The classes of a listed key; each key is in one. Besides them `removed` counts keys gone."""

WRITTEN: Final = pa.schema([field for field in MANIFEST if field.name not in {"since", "run"}])
"""The columns of the rows that `plan` writes; `register` knows the others."""

EXAMPLES: Final = 5
PART: Final = 500_000
"""Listed rows that are put in order at a time."""
DEFAULT: Final = ScanPlan()


@dataclass(frozen=True)
class Change:
    """What a night is about to do to a dataset.

    Args:
        base: the manifest version it is told against; 0 before the first.
        counts: keys by class (`CLASSES`), which add up to ``listed``; and ``removed``.
        bytes: of new images, not held before.
        live_before: live rows of BASE.
        removed_live: how many of them are removed.
        examples: the first keys of each class.
        rows: a Parquet file of manifest rows to write, without ``since`` and ``run``.
        doomed: a ``.npy`` file of the addresses in BASE of the rows they replace.
        keys: a Parquet file (key, kind, reason, digest) of all that is not simply unchanged.
        digests: a Parquet file (digest) of the images that become live and were not before.
        held: the snapshot of BASE.
    """

    base: int
    counts: dict[str, int]
    bytes: int
    live_before: int
    removed_live: int
    examples: dict[str, list[str]]
    rows: Path
    doomed: Path
    keys: Path
    digests: Path
    held: Path

    @property
    def removed_share(self) -> float:
        """The share of live images that would go, 0 to 1: tells a source that is half mounted."""
        return self.removed_live / self.live_before if self.live_before else 0.0

    def without(self, bad: pa.Table) -> "Change":
        """The same, with the keys whose bytes turned out BAD (column digest) as quarantined."""
        if not bad.num_rows:
            return self
        refused = pc.field("digest").isin(bad["digest"].combine_chunks())
        found = pq.read_table(self.keys, columns=["key", "kind"], filters=refused)
        left = pc.field("state") == LIVE
        old = pq.read_table(self.held, columns=["key"], filters=refused & left)["key"]
        known = pq.read_table(
            self.keys, columns=["key"], filters=pc.field("key").isin(old.combine_chunks())
        )["key"]
        kinds = {"unchanged": len(old) - len(known)}  # a new encoder looks at old images too
        kinds |= {
            word["values"]: word["counts"] for word in found["kind"].value_counts().to_pylist()
        }
        counts = dict(self.counts)
        for kind in set(CLASSES) - {"deferred", "quarantined"}:
            counts[kind] -= kinds.get(kind, 0)
            counts["quarantined"] += kinds.get(kind, 0)
        return replace(self, counts=counts)


def candidates(
    store: Store, dataset: str, workspace: Path, wave: Path, settings: ScanPlan = DEFAULT
) -> Path:
    """The rows of WAVE whose bytes must be read, in order: a Parquet file of `LISTED` columns.

    Those are new keys, keys whose size or stamp differs (the etag where both have one, else the
    modification time), removed ones that came back, and quarantined ones that another decoder
    refused.
    """
    held = snapshot(store, dataset, workspace)
    path = workspace / "candidates" / wave.name
    path.parent.mkdir(exist_ok=True)
    with comparing(workspace, wave, held, settings.memory) as ask:
        ask.execute(
            """
            COPY (
                SELECT * FROM waves SEMI JOIN (SELECT position FROM compared WHERE unread)
                USING (position) ORDER BY position
            ) TO $path (FORMAT parquet, COMPRESSION lz4)
            """,
            {"path": str(path)},
        )
    return path


def plan(store: Store, dataset: str, workspace: Path, settings: ScanPlan = DEFAULT) -> Change:
    """How the whole listing of WORKSPACE differs from the manifest; nothing in the store changes.

    A listed key that should have been read and was not is deferred.
    """
    held = snapshot(store, dataset, workspace)
    folder = workspace / "change"
    folder.mkdir(exist_ok=True)
    waves = sorted((workspace / "listing").glob("*.parquet"))
    seen = [compared(workspace, wave, held, settings.memory) for wave in waves]
    tables = {
        "waves": waves or LISTED.empty_table(),
        "held": Numbered(held.path),
        "found": files(workspace / "resolved", FOUND),
        "compared": seen or COMPARED.empty_table(),
        "unlisted": unlisted(held, seen),
    }
    with asking(settings.memory, **tables) as ask:
        listed = number(ask, "SELECT count(*) FROM waves")
        differ = classify.compare(ask, folder)
        if not differ:
            return _nothing(held, listed, folder)
        classify.classify(ask, folder, differ, decoder_at_hand(ask))
        return Change(
            base=held.version,
            counts=_counts(ask, listed),
            bytes=number(ask, classify.BYTES),
            live_before=number(ask, "SELECT count(*) FROM held WHERE state = 'live'"),
            removed_live=number(ask, classify.REMOVED_LIVE),
            examples=dict(ask.execute(classify.FIRST_KEYS, {"first": EXAMPLES}).fetchall()),
            rows=_rows(ask, listed, folder / "rows.parquet"),
            doomed=_saved(
                np.sort(ask.execute(classify.DOOMED).fetchnumpy()["address"]),
                folder / "doomed.npy",
            ),
            keys=_copied(ask, classify.KEYS, folder / "keys.parquet"),
            digests=_copied(ask, classify.DIGESTS, folder / "digests.parquet"),
            held=held.path,
        )


def _nothing(held: Snapshot, listed: int, folder: Path) -> Change:
    """The change of most nights: all that is listed is live, and as it was."""
    keys = pa.schema([(name, pa.string()) for name in ("key", "kind", "reason", "digest")])
    return Change(
        base=held.version,
        counts=dict.fromkeys((*CLASSES, "removed"), 0) | {"unchanged": listed, "listed": listed},
        bytes=0,
        live_before=listed,
        removed_live=0,
        examples={},
        rows=_written(WRITTEN, folder / "rows.parquet"),
        doomed=_saved(np.empty(0, np.uint64), folder / "doomed.npy"),
        keys=_written(keys, folder / "keys.parquet"),
        digests=_written(pa.schema([("digest", pa.string())]), folder / "digests.parquet"),
        held=held.path,
    )


def _counts(ask: Any, listed: int) -> dict[str, int]:
    """Keys by class; most of the unchanged are those that the comparison left behind."""
    counts = dict.fromkeys((*CLASSES, "removed"), 0)
    counts |= dict(ask.execute(classify.COUNTS).fetchall())
    compared = sum(counts[kind] for kind in CLASSES)
    counts["unchanged"] += listed - compared
    return counts | {"listed": listed}


def _rows(ask: Any, listed: int, path: Path) -> Path:
    """Write the manifest rows to PATH: a part of the listing after the other, tombstones last."""
    parts = [
        ask.sql(classify.ROWS, params={"first": first, "last": first + PART})
        for first in range(0, listed, PART)
    ]
    with pq.ParquetWriter(path, WRITTEN, compression="lz4") as out:
        for part in (*parts, ask.sql(classify.TOMBSTONES)):
            for batch in part.to_arrow_reader(65_536):
                out.write_table(pa.Table.from_batches([batch]).select(WRITTEN.names).cast(WRITTEN))
    return path


def _copied(ask: Any, query: str, path: Path) -> Path:
    ask.execute(f"COPY ({query}) TO $path (FORMAT parquet, COMPRESSION lz4)", {"path": str(path)})
    return path


def _written(schema: pa.Schema, path: Path) -> Path:
    pq.write_table(schema.empty_table(), path)
    return path


def _saved(addresses: np.ndarray[Any, np.dtype[np.uint64]], path: Path) -> Path:
    np.save(path, addresses)
    return path
