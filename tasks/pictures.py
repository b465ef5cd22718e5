"""Pictures that wait for a descriptor: which they are, where they lie, in what parts they go."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.database import asking
from data.descriptors import SAID, DescriptorCache
from data.digests import Buckets, Digests, halves_of
from data.manifest import LIVE, MANIFEST, QUARANTINED, manifest
from data.store import Store
from models.pixels import DECODER

PICTURES: Final = pa.schema(
    [MANIFEST.field(name) for name in ("digest", "shard", "offset", "length")]
)
"""The columns of pictures that wait for a descriptor."""

PART_BYTES: Final = 256 * 2**20
"""What a part's pictures may take of a worker's memory, as they are stored."""

MEMORY_MB: Final = 512
"""What putting the waiting images in order may take; the rest is spilled."""

HELD: Final = f"state = '{LIVE}' AND shard != ''"
"""Which rows of a manifest are images that can be described."""

_ONCE: Final = """
    WITH once AS (
        SELECT digest, min({'shard': shard, 'offset': "offset", 'length': length}) AS place
        FROM waiting GROUP BY digest
    )
    SELECT digest, place.shard AS shard, place."offset" AS "offset", place.length AS length
    FROM once ORDER BY shard, "offset"
"""


@dataclass(frozen=True)
class Part:
    """Pictures of one shard that one worker takes at once, in the order of their offsets.

    Args:
        dataset: whose shard.
        shard: its name without folder and suffix.
        digests: of the pictures' bytes.
        offsets: int64, where each picture begins within the tar.
        lengths: int64, in bytes.
    """

    dataset: str
    shard: str
    digests: tuple[str, ...]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def name(self) -> str:
        """How it is called in errors."""
        return f"{self.shard}[{self.offsets[0]}:{self.offsets[-1] + self.lengths[-1]}]"

    @property
    def descriptors(self) -> str:
        """The name its descriptors go by in the cache: the same pictures make the same file."""
        said = "\n".join((DECODER, *self.digests))  # another decoder may take what this one refused
        return hashlib.sha256(said.encode()).hexdigest()[:40]


def missing(store: Store, dataset: str, version: int, encoder: str, *, since: int = 0) -> pa.Table:
    """The live images of DATASET at VERSION without a descriptor by ENCODER, one row a digest.

    An image that the cache knows to be bad is among them as long as the manifest holds it live:
    `extract` says so again, without another try, until it is quarantined.

    Args:
        store: where manifest and cache lie.
        dataset: whose images.
        version: the dataset version.
        encoder: whose descriptors.
        since: a dataset version all of whose live images are known to have one: only what was
            written after it is looked at.

    Returns:
        `PICTURES`, ordered by shard and offset.

    Raises:
        FileNotFoundError: the dataset or version is not in the store.
    """
    wanted = f"{HELD} AND since > {int(since)}" if since else HELD
    waiting = _waiting(store, dataset, version, encoder, wanted)
    if not len(waiting):
        return PICTURES.empty_table()
    rows = _rows_of(manifest(store, dataset).stream(PICTURES.names, wanted, version), waiting)
    reader = pa.RecordBatchReader.from_batches(PICTURES, rows)
    with asking(MEMORY_MB, waiting=reader) as ask:
        found = ask.sql(_ONCE).to_arrow_table()
    return found.cast(PICTURES)


def _waiting(store: Store, dataset: str, version: int, encoder: str, wanted: str) -> Digests:
    """The digests of WANTED rows without a descriptor; a bucket of them is compared at a time."""
    table = manifest(store, dataset)
    rows = table.open(version).count_rows()
    with Buckets(rows) as live, Buckets(rows) as good, Buckets(rows) as waiting:
        for batch in table.stream(["digest"], wanted, version):
            live.add(batch["digest"])
        for said in DescriptorCache(store, encoder).listing():
            good.add(said.filter(pc.equal(said["reason"], ""))["digest"])
        for asked, there in zip(live, good, strict=True):
            waiting.add_halves(asked.halves[:, ~there.holds(asked.halves)])
        return waiting.digests()


def _rows_of(batches: Iterable[pa.RecordBatch], digests: Digests) -> Iterator[pa.RecordBatch]:
    """The rows of BATCHES that have one of DIGESTS."""
    for batch in batches:
        yield batch.filter(pa.array(digests.holds(halves_of(batch["digest"]))))


def pictures_in(resolved: Path) -> pa.Table:
    """Those among the RESOLVED rows of a wave (Parquet) that lie in shards, as `PICTURES`."""
    rows = pq.read_table(resolved, columns=[*PICTURES.names, "state"])
    live = pc.and_(pc.equal(rows["state"], LIVE), pc.not_equal(rows["shard"], ""))
    return rows.filter(live).select(PICTURES.names).cast(PICTURES)


def refused_in(resolved: Path) -> pa.Table:
    """Those among the RESOLVED rows of a wave (Parquet) whose bytes are no picture, as `SAID`."""
    rows = pq.read_table(resolved, columns=[*SAID.names, "state"])
    bad = rows.filter(pc.equal(rows["state"], QUARANTINED))
    return bad.select(SAID.names).cast(SAID)


def distinct(pictures: pa.Table) -> pa.Table:
    """PICTURES once a digest: the first of each, in their order."""
    codes = pc.dictionary_encode(pictures["digest"].combine_chunks()).indices.to_numpy()
    first = np.unique(codes, return_index=True)[1]
    return pictures if len(first) == len(codes) else pictures.take(pa.array(np.sort(first)))


def parts_of(pictures: pa.Table, dataset: str, size: int) -> Iterator[Part]:
    """PICTURES, ordered by shard and offset, as parts of at most SIZE pictures of one shard."""
    if not len(pictures):
        return
    shards = pc.dictionary_encode(pictures["shard"].combine_chunks())
    offsets, lengths = pictures["offset"].to_numpy(), pictures["length"].to_numpy()
    for first, last in pairwise(_cuts(shards.indices.to_numpy(), lengths, size).tolist()):
        yield Part(
            dataset=dataset,
            shard=shards[first].as_py(),
            digests=tuple(pictures["digest"].slice(first, last - first).to_pylist()),
            offsets=offsets[first:last].copy(),
            lengths=lengths[first:last].copy(),
        )


def _cuts(shards: NDArray[np.int32], lengths: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The rows at which a part begins, and the end.

    Counted within each shard: when finished parts are taken away, the others stay what they were.
    """
    rows = np.arange(len(shards))
    starts = np.flatnonzero(np.diff(shards, prepend=shards[0] - 1))
    start = np.repeat(starts, np.diff(starts, append=len(shards)))  # of each row's shard
    before = np.cumsum(lengths) - lengths
    weight = (before - before[start]) // PART_BYTES
    place = (rows - start) // size
    new = np.zeros(len(rows), np.bool_)
    new[starts] = True
    new[1:] |= (np.diff(weight) != 0) | (np.diff(place) != 0)
    return np.append(np.flatnonzero(new), len(rows))
