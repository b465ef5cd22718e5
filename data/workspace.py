"""The workspace: the temporary folder through which a night's stages hand each other tables.

Nothing in it outlives the night. It holds the listing in waves, what became of the candidates, and
the manifest as the night found it.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.manifest import MANIFEST, RESOLVED, Digests, held_digests, manifest
from data.sample import LISTING
from data.store import Store

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
    latest = manifest(store, dataset).latest()
    version = 0 if latest is None else latest.version
    path = folder / f"version-{version}.parquet"
    part = path.with_suffix(".part")
    coded = ["shard", "state", "reason", "decoder"]
    with pq.ParquetWriter(part, HELD, compression="lz4", use_dictionary=coded) as out:
        if latest is not None:
            scan = latest.scanner(
                columns=[name for name in HELD.names if name != _ADDRESS.name],
                with_row_address=True,
                batch_size=65_536,
                batch_readahead=2,
                fragment_readahead=2,
            )
            for batch in scan.to_batches():
                out.write_batch(pa.record_batch(batch.columns, schema=HELD))
    part.replace(path)
    return Snapshot(path, version)


def known_digests(store: Store, dataset: str, version: int, path: Path) -> Digests:
    """The digests whose bytes are held at VERSION, mapped from file PATH, which is made if need be.

    A worker of another machine, where PATH is not, asks the manifest itself.
    """
    if path.is_file():
        return Digests(np.load(path, mmap_mode="r"))
    digests = held_digests(store, dataset, version)
    if path.parent.is_dir():
        part = path.with_suffix(".part.npy")
        np.save(part, digests.halves)
        part.replace(path)
    return digests


def files(folder: Path, schema: pa.Schema) -> list[Path] | pa.Table:
    """The Parquet files of FOLDER, in order; no rows of SCHEMA where there are none."""
    return sorted(folder.glob("*.parquet")) or schema.empty_table()
