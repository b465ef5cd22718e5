"""The workspace: the temporary folder through which a night's stages hand each other tables.

Nothing in it outlives the night. It holds the listing in waves, what became of the candidates, and
the manifest as the night found it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.digests import Buckets, Digests
from data.manifest import MANIFEST, RESOLVED, held_digests, manifest
from data.memory import give_back
from data.sample import LISTING
from data.store import Store
from data.tables import Table

LISTED: Final = LISTING.append(pa.field("position", pa.int64(), nullable=False))
"""The columns of a wave: a listing's, and each row's place in the source's order."""

FOUND: Final = RESOLVED.append(LISTED.field("position"))
"""What became of the candidates of a wave, each with its place in the source's order."""

_ADDRESS: Final = pa.field("address", pa.uint64())
HELD: Final = pa.schema(
    [
        *(
            MANIFEST.field(name)
            for name in (
                *("key", "uri", "size", "mtime", "etag", "digest", "shard", "offset", "length"),
                *("width", "height", "state", "reason", "decoder", "meta"),
            )
        ),
        _ADDRESS,
    ]
)
"""The columns of a snapshot: what tells a change, and the row's address in its Lance version."""


GROUP: Final = 65_536
"""Rows that wait in memory to be written together."""


@dataclass(frozen=True)
class Snapshot:
    """The manifest as a night found it.

    Args:
        path: a Parquet file of the `HELD` columns.
        version: the manifest version it was taken of; 0 before the first.
    """

    path: Path
    version: int


def snapshot(store: Store, dataset: str, workspace: Path) -> Snapshot:
    """The manifest of DATASET as it stood when this was first asked in WORKSPACE."""
    folder = workspace / "held"
    for path in folder.glob("version-*.parquet"):
        return Snapshot(path, int(re.sub(r"\D", "", path.stem)))
    folder.mkdir(parents=True, exist_ok=True)
    table = manifest(store, dataset)
    latest = table.latest()
    version = 0 if latest is None else int(latest.version)
    path = folder / f"version-{version}.parquet"
    rows = _held(table, version) if version else ()
    coded = ["shard", "state", "reason", "decoder"]
    save(path, HELD, rows, use_dictionary=coded)
    return Snapshot(path, version)


def _held(table: Table, version: int) -> Iterator[pa.RecordBatch]:
    """All rows of manifest TABLE at VERSION, as of a snapshot."""
    columns = [name for name in HELD.names if name != _ADDRESS.name]
    for batch in table.stream(columns, version=version, addresses=True):
        yield pa.record_batch(batch.columns, schema=HELD)


def save(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch], **settings: Any) -> None:
    """Write BATCHES to the Parquet file PATH, which appears when it is whole.

    Args:
        path: where to.
        schema: of the batches.
        batches: as small as they come: `GROUP` rows or more are written together.
        settings: others of `pyarrow.parquet.ParquetWriter`.
    """
    part = path.with_suffix(".part")
    with pq.ParquetWriter(part, schema, compression="lz4", **settings) as out:
        _write(out, batches)
    part.replace(path)
    give_back()


def _write(out: pq.ParquetWriter, batches: Iterable[pa.RecordBatch]) -> None:
    pending: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        pending.append(batch)
        rows += batch.num_rows
        if rows >= GROUP:
            out.write_table(pa.Table.from_batches(pending))
            pending.clear()
            rows = 0
    if pending:
        out.write_table(pa.Table.from_batches(pending))


def known_digests(store: Store, dataset: str, version: int, path: Path) -> Digests:
    """The digests whose bytes are held at VERSION, mapped from file PATH, which is made if need be.

    Beside PATH lies the snapshot of VERSION, where there is one.
    A worker of another machine, where PATH is not, asks the manifest itself.
    """
    if not path.is_file():
        taken = path.with_name(f"version-{version}.parquet")
        here = taken.is_file()
        with _digests_of(taken) if here else held_digests(store, dataset, version) as held:
            if not path.parent.is_dir():
                return held.digests()
            held.save(path)
        give_back()
    return Digests(np.load(path, mmap_mode="r"))


def _digests_of(snapshot: Path) -> Buckets:
    """The digests that `held_digests` would find, from the file of a snapshot of the version."""
    with pq.ParquetFile(snapshot, pre_buffer=False) as rows:  # else all of a column at once
        held = Buckets(rows.metadata.num_rows)
        for batch in rows.iter_batches(columns=["digest", "shard"]):
            held.add(batch.filter(pc.not_equal(batch["shard"], ""))["digest"])
    return held


def files(folder: Path, schema: pa.Schema) -> list[Path] | pa.Table:
    """The Parquet files of FOLDER, in order; no rows of SCHEMA where there are none."""
    return sorted(folder.glob("*.parquet")) or schema.empty_table()
