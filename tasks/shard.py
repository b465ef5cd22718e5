"""Shard: read each candidate once, name it by its digest, keep bytes not yet held in new tars."""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field

from data.adapters.base import Dataset
from data.digests import Digests
from data.manifest import (
    DEFERRED,
    KNOWN,
    LIVE,
    QUARANTINED,
    RESOLVED,
    publish,
    shard_name,
    sidecar,
)
from data.plan import Plan, digest_of
from data.shards import ShardWriter
from data.store import Store
from data.workspace import FOUND, known_digests, snapshot
from models.pixels import DECODER, BadImage, header
from tasks.cluster import ClusterPlan, spread
from tasks.scan import SourcePlan

COLUMNS: Final = ("key", "uri", "size", "mtime", "etag")
POSITION: Final = "position"
IN_MEMORY: Final = 32 * 2**20
"""Bytes of a tar that wait in memory for its end; a larger one waits in a temporary file."""
LIMIT: Final = "night's limit"


class ShardPlan(Plan):
    """How large a shard is, and when it is rewritten."""

    images: int = Field(default=1000, gt=0, description="candidates a shard at most")
    megabytes: int = Field(default=256, gt=0, description="MB of listed bytes a shard at most")
    dead_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="share of a shard's bytes, no longer in use, that is too much",
    )


@dataclass(frozen=True)
class Chunk:
    """Some candidates, in listing order, whose new bytes go into one shard.

    Args:
        name: of the shard; it stands for the rows, the manifest version and the decoder.
        rows: their `COLUMNS`, and their ``position``.
    """

    name: str
    rows: pa.Table

    @classmethod
    def of(cls, rows: pa.Table, version: int) -> "Chunk":
        """The chunk of ROWS against manifest VERSION: the same again after a killed night."""
        says = [version, DECODER, *(rows[name].to_pylist() for name in COLUMNS)]
        return cls(digest_of(says)[:24], rows)


def shard(
    store: Store,
    dataset: str,
    source: SourcePlan,
    candidates: Path,
    plan: ShardPlan,
    cluster: ClusterPlan,
    workspace: Path,
    *,
    write: bool = True,
    deadline: float | None = None,
) -> Path:
    """What became of each row of CANDIDATES, as a Parquet file of the `FOUND` columns.

    New bytes lie in new tars afterwards, one a chunk, each with its sidecar; a chunk whose sidecar
    is there, from a night that was killed, is not read again. A picture that is none is
    quarantined, one that cannot be read is deferred; neither stops the others.

    Args:
        store: where the tars go.
        dataset: whose shards they are.
        source: reads the bytes.
        candidates: what `tasks.plan.candidates` returned.
        plan: where one chunk ends and the next begins.
        cluster: where the chunks are read; few candidates are read in this process.
        workspace: the answer goes to its folder ``resolved``.
        write: without it nothing is written to the store; rows say no place then.
        deadline: `time.monotonic` after which no further chunk is begun; its rows are deferred.

    Raises:
        tasks.cluster.WorkFailed: a chunk's worker failed other than on a picture.
    """
    path = workspace / "resolved" / candidates.name
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    with pq.ParquetFile(candidates) as listed, pq.ParquetWriter(part, FOUND) as out:
        total = listed.metadata.num_rows
        if total:
            version = snapshot(store, dataset, workspace).version
            known = workspace / "held" / "digests.npy"
            known_digests(store, dataset, version, known)
            chunks = _cut(listed, plan, version)
            make = partial(_reader, store, dataset, source, version, known, write)
            due = _until(deadline, chunks)
            here = cluster.here(total)
            for rows in spread(make, due, cluster, here=here, name=_name):
                out.write_table(rows)
            for chunk in chunks:
                out.write_table(_deferred(chunk.rows, LIMIT))
    part.replace(path)
    return path


def _name(chunk: Chunk) -> str:
    return f"shard {chunk.name}"


def _until(deadline: float | None, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The CHUNKS that can be begun before DEADLINE; the others stay in the iterator."""
    while deadline is None or time.monotonic() < deadline:
        chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


def _cut(listed: pq.ParquetFile, plan: ShardPlan, version: int) -> Iterator[Chunk]:
    """The rows of LISTED in chunks of at most PLAN's images and bytes, one image at least."""
    most = plan.megabytes * 10**6
    pending: list[pa.RecordBatch] = []
    for batch in listed.iter_batches(batch_size=plan.images, columns=[*COLUMNS, POSITION]):
        rows = pa.Table.from_batches([*pending, batch])
        while (fitting := _room(rows, plan.images, most)) < rows.num_rows:
            yield Chunk.of(rows.slice(0, fitting), version)
            rows = rows.slice(fitting)
        pending = rows.to_batches()
    if pending:
        yield Chunk.of(pa.Table.from_batches(pending), version)


def _room(rows: pa.Table, images: int, most: int) -> int:
    """How many of the first ROWS fit into one chunk."""
    ends = np.cumsum(rows["size"].to_numpy()[:images])
    return max(1, int(np.searchsorted(ends, most, "right")))


def _reader(
    store: Store, dataset: str, source: SourcePlan, version: int, known: Path, write: bool
) -> Callable[[Chunk], pa.Table]:
    """The work of one worker: what became of a chunk's rows."""
    return Reader(
        store,
        dataset,
        source.opened(),
        known_digests(store, dataset, version, known),
        write,
    ).resolve


@dataclass(frozen=True)
class Reader:
    """Reads chunks from SOURCE; bytes that are not KNOWN go to tars in STORE if it may WRITE."""

    store: Store
    dataset: str
    source: Dataset
    known: Digests
    write: bool

    def resolve(self, chunk: Chunk) -> pa.Table:
        """What became of the rows of CHUNK, in their order (`FOUND`)."""
        rows = self._resolved(chunk)
        order = pc.index_in(chunk.rows["key"], value_set=rows["key"].combine_chunks())
        return rows.take(order).append_column(FOUND.field(POSITION), chunk.rows[POSITION])

    def _resolved(self, chunk: Chunk) -> pa.Table:
        done = self._finished(chunk)
        if done is None:
            return self._read(chunk)
        waiting = pc.equal(done["state"], DEFERRED)
        if not pc.any(waiting).as_py():
            return done
        # they could not be read on the night that was killed; perhaps they can be now
        keys = done.filter(waiting)["key"].combine_chunks()
        rest = chunk.rows.filter(pc.is_in(chunk.rows["key"], value_set=keys))
        again = Chunk(digest_of([chunk.name, keys.to_pylist()])[:24], rest)
        return pa.concat_tables([done.filter(pc.invert(waiting)), self._read(again)])

    def _finished(self, chunk: Chunk) -> pa.Table | None:
        """The sidecar of CHUNK, where it and its tar are in the store."""
        rows = sidecar(self.store, self.dataset, chunk.name)
        if rows is None or not pc.any(pc.not_equal(rows["shard"], "")).as_py():
            return rows
        return rows if self.store.exists(shard_name(self.dataset, chunk.name)) else None

    def _read(self, chunk: Chunk) -> pa.Table:
        """Read the rows of CHUNK; its tar and its sidecar are in the store afterwards."""
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as waiting:
            tar = cast(IO[bytes], waiting)
            rows = self._rows(chunk, ShardWriter(tar))
            unread = pc.all(pc.equal(rows["state"], DEFERRED)).as_py()
            if self.write and not unread:
                publish(self.store, self.dataset, chunk.name, tar, rows)
        return rows

    def _rows(self, chunk: Chunk, tar: ShardWriter) -> pa.Table:
        keys, uris = chunk.rows["key"].to_pylist(), chunk.rows["uri"].to_pylist()
        seen: dict[str, dict[str, Any]] = {}
        rows = []
        for key, content in zip(keys, self.source.read(uris), strict=True):
            if isinstance(content, OSError):
                rows.append(_row(key=key, state=DEFERRED, reason=_unreadable(content)))
                continue
            digest = hashlib.sha256(content).hexdigest()
            if digest not in seen:
                seen[digest] = self._first(digest, content, chunk.name, tar)
            rows.append({**seen[digest], "key": key})
        tar.close()
        return pa.Table.from_pylist(rows, RESOLVED)

    def _first(self, digest: str, content: bytes, name: str, tar: ShardWriter) -> dict[str, Any]:
        """What becomes of CONTENT, which no other row of the shard NAME has had."""
        if digest in self.known:
            return _row(digest=digest, length=len(content), state=KNOWN)
        row = _row(digest=digest, length=len(content), state=LIVE)
        try:
            head = header(content)
        except BadImage as error:
            return row | {"state": QUARANTINED, "reason": error.reason, "decoder": DECODER}
        row |= {"width": head.width, "height": head.height}
        if self.write:
            span = tar.add(f"{digest}.{head.suffix}", content)
            row |= {"shard": name, "offset": span.offset}
        return row


def _unreadable(error: OSError) -> str:
    return f"unreadable: {error.strerror or str(error) or type(error).__name__}"


def _row(**says: Any) -> dict[str, Any]:
    """A row of `RESOLVED` that says SAYS and nothing else."""
    empty = {field.name: "" if pa.types.is_string(field.type) else 0 for field in RESOLVED}
    return empty | says


def _deferred(rows: pa.Table, reason: str) -> pa.Table:
    """ROWS of a chunk that nobody has read."""
    says = _row(state=DEFERRED, reason=reason)
    said = [
        rows[field.name]
        if field.name in rows.column_names
        else pa.repeat(pa.scalar(says[field.name], field.type), rows.num_rows)
        for field in FOUND
    ]
    return pa.table(said, schema=FOUND)
