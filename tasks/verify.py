"""Verify: recompute what an index version claims, from the bytes up, and name what differs.

Nothing is taken on trust: bytes are digested again, and every row of the index is compared with the
manifest of the dataset version that its lineage names.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import lance
import pyarrow as pa
from pydantic import computed_field

from data.database import asking
from data.descriptors import SAID, DescriptorCache
from data.indexes import index_table
from data.lineage import Lineage, lineage_of
from data.manifest import LIVE, manifest, shard_name
from data.plan import Plan
from data.protocols.kept import kept
from data.store import Store
from tasks.drift import described_again, learned, unlike

if TYPE_CHECKING:
    from models.weights import Embedder

MEMORY_MB: Final = 512
COMPARED: Final = ("key", "digest", "meta")


class Findings(Plan):
    """What is not as an index version says, by key; nothing of it where `ok`.

    Args:
        table: the index table.
        version: its version.
        dataset_version: the manifest version that its lineage names.
        missing: live images that are not in the index, though they have a descriptor.
        extra: rows of the index that are no live image of the dataset version.
        stale: rows whose digest, or what they say of the image, is not the manifest's.
        double: keys that stand in the index, or in the manifest, more than once.
        corrupt: images whose stored bytes are gone or do not match their digest.
        drifted: images whose descriptor, made again, is not the stored one.
        sets: the list of a protocol's drawn sets that is gone, or not as it was drawn.
        codes: the encoder's file of learned codes that is gone, or not as the index says.
        deferred: live images that wait for a descriptor, as the lineage says; not a fault.
        images: distinct images whose bytes were read.
        bytes: of these.
        rows: of the index.
        embedded: images that were embedded again.
    """

    table: str
    version: int
    dataset_version: int
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    double: tuple[str, ...] = ()
    corrupt: tuple[str, ...] = ()
    drifted: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    deferred: tuple[str, ...] = ()
    images: int = 0
    bytes: int = 0
    rows: int = 0
    embedded: int = 0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ok(self) -> bool:
        """Whether the version is what it says."""
        rows = (self.missing, self.extra, self.stale, self.double)
        return not any((*rows, self.corrupt, self.drifted, self.sets, self.codes))


def verify(
    store: Store,
    recipe: str,
    place: tuple[str, int],
    *,
    embed: int = 0,
    load: "Callable[[Store, str], Embedder] | None" = None,
) -> Findings:
    """What is not as the index version PLACE says.

    Reads every live image once, in the order in which they lie; memory does not grow with them.

    Args:
        store: where all lies.
        recipe: whose index it is.
        place: table and version.
        embed: how many images are embedded again; the same ones every time.
        load: gives an encoder by its digest.

    Raises:
        FileNotFoundError: the version, or the dataset version that it names, is not there.
        ValueError: the version was never sealed, or is another recipe's.
    """
    table, version = place
    index = index_table(store, table).open(version)
    lineage = lineage_of(index)
    if lineage is None:
        raise ValueError(f"{table}@{version} was never sealed: there is nothing that it claims.")
    if lineage.recipe != recipe:
        raise ValueError(f"{table}@{version} belongs to recipe {lineage.recipe}, not to {recipe}.")
    images = manifest(store, lineage.dataset).open(lineage.dataset_version)
    with _database(images, index) as ask:
        absent = _keys(ask, "SELECT key FROM live ANTI JOIN held USING (key)")
        deferred, missing = _told_apart(ask, store, lineage, absent)
        sizes = {"images": 0, "bytes": 0}
        corrupt = _corrupt(ask, store, lineage.dataset, sizes)
        known, codes = learned(store, index, lineage.encoder)
        drifted, embedded = unlike(index, known), 0
        if embed and not codes:
            again, embedded = described_again(ask, store, index, lineage, embed, known, load)
            drifted |= again
        return Findings(
            table=table,
            version=version,
            dataset_version=lineage.dataset_version,
            missing=missing,
            deferred=deferred,
            extra=_keys(ask, "SELECT DISTINCT key FROM held ANTI JOIN live USING (key)"),
            stale=_keys(
                ask,
                "SELECT DISTINCT key FROM held JOIN live USING (key) "
                "WHERE held.digest <> live.digest OR held.meta IS DISTINCT FROM live.meta",
            ),
            double=_keys(
                ask,
                "SELECT key FROM held GROUP BY key HAVING count(*) > 1 UNION "
                "SELECT key FROM live GROUP BY key HAVING count(*) > 1",
            ),
            corrupt=corrupt,
            drifted=tuple(sorted(drifted)),
            sets=_meddled(store, lineage),
            codes=codes,
            rows=index.count_rows(),
            embedded=embedded,
            **sizes,
        )


@contextmanager
def _database(images: lance.LanceDataset, index: lance.LanceDataset) -> Iterator[Any]:
    """A database with the tables ``live`` (of the manifest) and ``held`` (the index)."""
    with asking(MEMORY_MB) as ask:
        places = [*COMPARED, "shard", "offset", "length"]
        for name, rows in (
            ("live", images.scanner(places, filter=f"state = '{LIVE}'")),
            ("held", index.scanner(list(COMPARED))),
        ):
            ask.register("stream", rows.to_reader())
            ask.execute(f"CREATE TABLE {name} AS SELECT * FROM stream")
            ask.unregister("stream")
        yield ask


def _meddled(store: Store, lineage: Lineage) -> tuple[str, ...]:
    """The list of drawn sets that LINEAGE names, where it is not in the store as it was drawn."""
    if not lineage.sets:
        return ()
    try:
        kept(store, lineage.sets, lineage.sets_digest)
    except (FileNotFoundError, ValueError):
        return (lineage.sets,)
    return ()


def _keys(ask: Any, query: str) -> tuple[str, ...]:
    return tuple(sorted(key for (key,) in ask.execute(query).fetchall()))


def _told_apart(
    ask: Any, store: Store, lineage: Lineage, absent: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which of the ABSENT keys wait for a descriptor, and which are missing.

    The lineage says how many waited when the version was made; a descriptor may have come since.
    """
    if len(absent) <= lineage.deferred:
        return absent, ()
    said = DescriptorCache(store, lineage.encoder).listing()
    ask.register("stream", pa.RecordBatchReader.from_batches(SAID, said))
    described = "SELECT DISTINCT digest FROM stream WHERE reason = ''"
    ask.execute(f"CREATE TABLE described AS {described}")
    ask.unregister("stream")
    missing = _keys(
        ask,
        "SELECT key FROM live ANTI JOIN held USING (key) SEMI JOIN described USING (digest)",
    )
    return tuple(sorted(set(absent) - set(missing))), missing


def _corrupt(ask: Any, store: Store, dataset: str, sizes: dict[str, int]) -> tuple[str, ...]:
    """The keys of images whose bytes do not match their digest; SIZES counts what is read."""
    ask.execute('CREATE TABLE broken (shard VARCHAR, "offset" BIGINT, digest VARCHAR)')
    places = ask.execute(
        'SELECT DISTINCT shard, "offset", length, digest FROM live ORDER BY shard, "offset"'
    )
    opened, shard = None, None
    broken = []
    while rows := places.fetchmany(1000):
        for name, offset, length, digest in rows:
            if name != shard:
                if opened:
                    opened.close()
                shard, opened = name, _opened(store, dataset, name)
            content = b""
            if opened:
                opened.seek(offset)
                content = opened.read(length)
            sizes["images"] += 1
            sizes["bytes"] += len(content)
            if hashlib.sha256(content).hexdigest() != digest:
                broken.append((name, offset, digest))
    if opened:
        opened.close()
    if broken:
        ask.executemany("INSERT INTO broken VALUES (?, ?, ?)", broken)
    return _keys(
        ask, 'SELECT DISTINCT key FROM live SEMI JOIN broken USING (shard, "offset", digest)'
    )


def _opened(store: Store, dataset: str, shard: str) -> Any | None:
    """The tar of SHARD, open for reading; None where it is not there."""
    name = shard_name(dataset, shard)
    if not shard or not store.exists(name):
        return None
    return store.fs.open(store.uri(name), "rb")
