"""Compact: copy the images still in use out of shards that are mostly dead; no byte is re-encoded.

A digest does not change when its bytes move, so no descriptor is lost and no index row changes.
The old tars stay: older dataset versions name them, and `clean` knows which.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, Final, cast

import lance
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.database import asking
from data.manifest import (
    LIVE,
    MANIFEST,
    RESOLVED,
    manifest,
    publish,
    shard_name,
    sidecar,
)
from data.plan import digest_of
from data.shards import CorruptShard, ShardWriter, members
from data.store import Store
from data.tables import RUN
from tasks.register import STEP
from tasks.shard import IN_MEMORY, ShardPlan

MEMORY_MB: Final = 1024


@dataclass(frozen=True)
class CompactReport:
    """What a compaction did.

    Args:
        version: the dataset version that names the new places.
        retired: the shards that no row names any longer.
        written: the shards that hold their live images now.
        images: how many were copied.
        bytes: how much that was.
        freed: bytes that the retired tars take and the new ones do not.
    """

    version: int
    retired: tuple[str, ...]
    written: tuple[str, ...]
    images: int
    bytes: int
    freed: int


def compact(
    store: Store, dataset: str, plan: ShardPlan, run: str, check: Callable[[], None]
) -> CompactReport | None:
    """Rewrite the shards of DATASET that are mostly dead: one commit, or None if there are none.

    Mostly dead: 1 - (bytes of the live images that lie there) / (bytes stored there) is more than
    ``plan.dead_share``. Removed
    and quarantined images whose bytes lie nowhere else lose them: should they come back, they are
    read from the source again. Rows keep ``since`` and ``run``, for what they say is as it was.

    Args:
        store: where the shards and the manifest lie.
        dataset: whose they are.
        plan: the threshold, and the size of new shards.
        run: written into the version.
        check: raises where this process may write no longer; called right before the commit.

    Raises:
        CorruptShard: an image's bytes are not what its digest says; nothing is committed.
        OSError: another run has changed the manifest in the meantime.
    """
    table = manifest(store, dataset)
    base = table.latest()
    if base is None:
        return None
    retired = _mostly_dead(store, dataset, base, plan, _sizes(store, dataset))
    if not retired:
        return None
    wanted = pc.field("shard").isin(retired)
    with tempfile.TemporaryDirectory(prefix="nightjar-compact-") as room:
        written = list(_copy(store, dataset, _live(base, wanted, Path(room)), plan))
    staged = table.stage(_moved(base, wanted, written))
    doomed = base.scanner(columns=[], filter=wanted, with_row_address=True).to_table()
    check()
    made = table.commit(base, staged, doomed["_rowaddr"].to_numpy(), {RUN: run, STEP: "compact"})
    now = _sizes(store, dataset)
    new = tuple(rows["shard"][0].as_py() for rows in written)
    return CompactReport(
        version=made.version,
        retired=tuple(retired),
        written=new,
        images=sum(rows.num_rows for rows in written),
        bytes=sum(pc.sum(rows["length"]).as_py() for rows in written),
        freed=sum(now.get(name, 0) for name in retired) - sum(now[name] for name in new),
    )


def _sizes(store: Store, dataset: str) -> dict[str, int]:
    """Bytes of each tar of DATASET, by the shard's name."""
    folder = store.uri(f"shards/{dataset}")
    if not store.fs.exists(folder):
        return {}
    found = store.fs.ls(folder, detail=True, refresh=True)
    paths = ((Path(entry["name"]), int(entry["size"])) for entry in found)
    return {path.stem: size for path, size in paths if path.suffix == ".tar"}


def _mostly_dead(
    store: Store,
    dataset: str,
    base: lance.LanceDataset,
    plan: ShardPlan,
    sizes: dict[str, int],
) -> list[str]:
    """The shards that rows of BASE name and whose dead share is too much, sorted."""
    rows = base.scanner(columns=["shard", "digest", "length", "state"], filter=_stored())
    with asking(MEMORY_MB, rows=rows.to_reader()) as ask:
        alive = ask.execute(
            """
            SELECT shard, coalesce(sum(length) FILTER (live), 0) FROM (
                SELECT shard, digest, any_value(length) AS length, bool_or(state = 'live') AS live
                FROM rows GROUP BY shard, digest
            ) GROUP BY shard ORDER BY shard
            """
        ).fetchall()
    least = 1 - plan.dead_share
    # a tar is longer than its images, so most shards need no look into their sidecar
    suspects = [(shard, live) for shard, live in alive if live < least * sizes.get(shard, 0)]
    return [
        shard
        for shard, live in suspects
        if live < least * _stored_bytes(store, dataset, shard, sizes[shard])
    ]


def _stored() -> pc.Expression:
    return pc.field("shard") != ""


def _stored_bytes(store: Store, dataset: str, shard: str, size: int) -> int:
    """Bytes of the images in SHARD; the SIZE of its tar where it has lost its sidecar."""
    rows = sidecar(store, dataset, shard)
    if rows is None:
        return size
    mine = rows.filter(pc.equal(rows["shard"], shard))
    lengths = mine.group_by("digest").aggregate([("length", "max")])["length_max"]
    return int(pc.sum(lengths).as_py() or 0)


def _live(base: lance.LanceDataset, wanted: pc.Expression, room: Path) -> Path:
    """The live images in WANTED shards, once each, in the order in which they lie (`RESOLVED`)."""
    path = room / "live.parquet"
    rows = base.scanner(columns=RESOLVED.names, filter=wanted & (pc.field("state") == LIVE))
    with asking(MEMORY_MB, rows=rows.to_reader()) as ask:
        ask.execute(
            """
            COPY (
                SELECT * FROM (
                    SELECT unnest(first(rows ORDER BY shard, "offset", key))
                    FROM rows GROUP BY digest
                ) ORDER BY shard, "offset"
            ) TO $path (FORMAT parquet)
            """,
            {"path": str(path)},
        )
    return path


def _copy(store: Store, dataset: str, live: Path, plan: ShardPlan) -> Iterator[pa.Table]:
    """Copy the images of LIVE into new tars; the sidecar of each of them (`RESOLVED`)."""
    images = _images(store, dataset, live)
    while True:
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as waiting:
            tar = ShardWriter(cast(IO[bytes], waiting))
            rows: list[dict[str, Any]] = []
            for row, member, content in images:
                rows.append(row | {"offset": tar.add(member, content).offset})
                if len(rows) >= plan.images or tar.size >= plan.megabytes * 10**6:
                    break
            if not rows:
                return
            tar.close()
            name = digest_of(["compact", *(row["digest"] for row in rows)])[:24]
            copied = pa.Table.from_pylist([row | {"shard": name} for row in rows], RESOLVED)
            publish(store, dataset, name, cast(IO[bytes], waiting), copied)
        yield copied


def _images(store: Store, dataset: str, live: Path) -> Iterator[tuple[dict[str, Any], str, bytes]]:
    """The rows of LIVE, each with the name and bytes of its member; tars are read forwards."""
    with pq.ParquetFile(live) as file:
        rows = (row for batch in file.iter_batches(4096) for row in batch.to_pylist())
        for shard, wanted in groupby(rows, itemgetter("shard")):
            left = {row["offset"]: row for row in wanted}
            with store.fs.open(store.uri(shard_name(dataset, shard)), "rb") as tar:
                for member, span, content in members(tar):
                    row = left.pop(span.offset, None)
                    if row is None:
                        continue
                    if hashlib.sha256(content).hexdigest() != row["digest"]:
                        raise CorruptShard(
                            f"{shard_name(dataset, shard)} holds other bytes at offset "
                            f"{span.offset} than image {row['digest']}: run `nightjar verify`."
                        )
                    yield row, member, content
            if left:
                raise CorruptShard(
                    f"{shard_name(dataset, shard)} has no image at offset {min(left)}, though the "
                    f"manifest says so: run `nightjar verify`."
                )


def _moved(
    base: lance.LanceDataset, wanted: pc.Expression, written: list[pa.Table]
) -> Iterator[pa.RecordBatch]:
    """The rows of BASE in WANTED shards, naming the places that WRITTEN gives them, or none."""
    rows = base.scanner(filter=wanted, with_row_address=True).to_reader()
    places = pa.concat_tables(written) if written else RESOLVED.empty_table()
    with asking(MEMORY_MB, rows=rows, places=places) as ask:
        moved = ask.sql(
            """
            SELECT r.* REPLACE (coalesce(p.shard, '') AS shard, coalesce(p."offset", 0) AS "offset")
            FROM rows r LEFT JOIN places p ON p.digest = r.digest ORDER BY r._rowaddr
            """
        ).to_arrow_reader(65_536)
        for batch in moved:
            yield from (
                pa.Table.from_batches([batch]).select(MANIFEST.names).cast(MANIFEST).to_batches()
            )
