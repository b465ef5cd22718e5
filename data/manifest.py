"""The manifest: one row an image of a dataset; its Lance version is the dataset version."""

import shutil
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from data.digests import Buckets
from data.sample import LISTING
from data.store import Store
from data.tables import Table

LIVE: Final = "live"
QUARANTINED: Final = "quarantined"
REMOVED: Final = "removed"
DEFERRED: Final = "deferred"
"""Not a state of a manifest's row: what a candidate is that was not read this night."""
KNOWN: Final = "known"
"""Nor this: what a candidate is whose bytes are held already, wherever the manifest says."""

RESOLVED: Final = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("digest", pa.string()),
        pa.field("shard", pa.string()),
        pa.field("offset", pa.int64()),
        pa.field("length", pa.int64()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("state", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("decoder", pa.string()),
    ]
)
"""What became of a candidate once its bytes were asked for; the columns of a sidecar."""

MANIFEST: Final = pa.schema(
    [
        *LISTING,
        *(field for field in RESOLVED if field.name != "key"),
        pa.field("meta", pa.string()),
        pa.field("since", pa.int64()),
        pa.field("run", pa.string()),
    ]
)
"""The columns of a manifest.

Those of a listing, then: digest (SHA-256 of the stored bytes, hex); shard, offset, length (where
they lie; shard empty where none are kept); width, height (pixels as stored); state (`LIVE`,
`QUARANTINED`, `REMOVED`); reason (empty when live); decoder (which one refused a quarantined
image); meta (digest of what is said of the image); since (the manifest version that last wrote what
the row says; a compaction, which only moves bytes, leaves it); run (that wrote it).
"""


def manifest(store: Store, dataset: str) -> Table:
    """The manifest of DATASET as a table that changes by one commit."""
    return Table(store, f"manifests/{dataset}.lance", MANIFEST)


def shard_name(dataset: str, shard: str) -> str:
    """Where SHARD of DATASET lies in a store."""
    return f"shards/{dataset}/{shard}.tar"


def sidecar_name(dataset: str, shard: str) -> str:
    """Where the sidecar of SHARD lies: what became of each candidate that was read for it."""
    return f"shards/{dataset}/{shard}.arrow"


def publish(store: Store, dataset: str, shard: str, tar: IO[bytes], sidecar: pa.Table) -> None:
    """Put TAR into the store as SHARD, if its SIDECAR names an image in it, and the sidecar last.

    Args:
        store: where to.
        dataset: whose shard it is.
        shard: its name.
        tar: the whole archive, seekable.
        sidecar: `RESOLVED` rows; that it is there says that the shard is finished.
    """
    if pc.any(pc.equal(sidecar["shard"], shard)).as_py():
        tar.seek(0)
        with store.replacing(shard_name(dataset, shard)) as out:
            shutil.copyfileobj(tar, out, 2**20)
    rows = pa.BufferOutputStream()
    with pa.ipc.new_file(rows, RESOLVED) as writer:
        writer.write_table(sidecar)
    store.write(sidecar_name(dataset, shard), rows.getvalue().to_pybytes())


def sidecar(store: Store, dataset: str, shard: str) -> pa.Table | None:
    """What became of the candidates of SHARD (`RESOLVED`); None where it is not finished."""
    try:
        return pa.ipc.open_file(store.read(sidecar_name(dataset, shard))).read_all()
    except FileNotFoundError:
        return None


def row(store: Store, dataset: str, key: str, version: int | None = None) -> dict[str, Any] | None:
    """All that the manifest says of image KEY at VERSION (default: now); None if it is not there.

    Raises:
        FileNotFoundError: VERSION is not in the store.
    """
    table = manifest(store, dataset)
    if version is None and not table.exists():
        return None
    # an expression, not a text: a key may hold quotes
    found = table.open(version).scanner(filter=pc.field("key") == key).to_table()
    return found.to_pylist()[0] if found.num_rows else None


def held_digests(store: Store, dataset: str, version: int) -> Buckets:
    """The digests whose bytes a shard holds at VERSION, whatever their state; none at version 0."""
    if not version:
        return Buckets(0)
    table = manifest(store, dataset)
    held = Buckets(table.open(version).count_rows())
    for batch in table.stream(["digest"], pc.field("shard") != "", version):
        held.add(batch["digest"])
    return held
