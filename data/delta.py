"""What separates an index from a dataset version: which rows to write, which to take out.

Two ways lead to the same answer. Where the index is known to have held exactly an older version of
the dataset, only what the manifest wrote since is compared; else everything is, in bounded memory.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.database import asking
from data.descriptors import SAID, DescriptorCache
from data.tables import rows_at

Addresses = np.ndarray[Any, np.dtype[np.uint64]]

MANY: Final = 200_000
"""Manifest rows above which everything is compared, spilling to disk, and not these in memory."""

LISTED: Final = 1000
"""At most so many keys of images without a descriptor are named."""

ADDRESS: Final = "_rowaddr"
COMPARED: Final = ["key", "digest", "meta"]
LIVE: Final = "state = 'live'"


class DuplicateKeys(RuntimeError):
    """A table holds two rows of one key, which no night may write."""


@dataclass(frozen=True)
class Delta:
    """How to turn an index into the dataset version's image of it.

    Args:
        upserts: addresses of manifest rows to write, ascending.
        doomed: addresses of index rows to take out, ascending; those to be replaced among them.
        deferred: live rows of the manifest that have no descriptor yet.
        waiting: keys of the first of these, at most `LISTED`.
        replaced: how many of `doomed` give way to one of `upserts`; the others are gone for good.
    """

    upserts: Addresses
    doomed: Addresses
    deferred: int
    waiting: tuple[str, ...]
    replaced: int

    @property
    def empty(self) -> bool:
        """Whether the index is right as it is."""
        return not len(self.upserts) and not len(self.doomed)


def changed_since(
    manifest: lance.LanceDataset, version: int, cache: DescriptorCache, index: lance.LanceDataset
) -> Delta | None:
    """The delta, from the manifest rows written after VERSION alone; None where they are too many.

    Right only if INDEX holds exactly the live images of MANIFEST's VERSION, none deferred: an image
    whose row was not written since is then in INDEX as it should be.

    Args:
        manifest: the dataset version to arrive at.
        version: the dataset version that INDEX holds.
        cache: descriptors of the index's encoder.
        index: the version to start from.

    Raises:
        DuplicateKeys: the manifest or the index holds a key twice.
    """
    written = f"since > {int(version)}"
    if manifest.count_rows(filter=written) > MANY:
        return None
    rows = manifest.scanner([*COMPARED, "state"], filter=written, with_row_address=True).to_table()
    refuse_duplicates("manifest", rows["key"])
    live = rows.filter(pc.equal(rows["state"], "live"))
    known = cache.known(live["digest"].combine_chunks())
    good = known.filter(pc.equal(known["reason"], ""))["digest"]
    described = pc.is_in(live["digest"], value_set=good.combine_chunks())
    target, waiting = live.filter(described), live.filter(pc.invert(described))
    held = rows_of_keys(index, rows["key"].combine_chunks())
    refuse_duplicates("index", held["key"])
    upserts, doomed = _unlike(target, held), _unlike(held, target)
    return Delta(
        upserts=_addresses(upserts),
        doomed=_addresses(doomed),
        deferred=len(waiting),
        waiting=tuple(waiting["key"].slice(0, LISTED).to_pylist()),
        replaced=pc.sum(pc.is_in(upserts["key"], value_set=doomed["key"].combine_chunks())).as_py()
        or 0,
    )


def compare(
    manifest: lance.LanceDataset,
    cache: DescriptorCache,
    index: lance.LanceDataset | None,
    memory_mb: int,
) -> Delta:
    """The delta, from comparing every live row of MANIFEST with every row of INDEX.

    Args:
        manifest: the dataset version to arrive at.
        cache: descriptors of the index's encoder.
        index: the version to start from; None where there is none yet.
        memory_mb: what the join may hold in memory; beyond it spills to a temporary folder.

    Raises:
        DuplicateKeys: the manifest or the index holds a key twice.
    """
    with asking(memory_mb) as asked:
        _load(asked, "live", _rows(manifest, LIVE))
        _load(asked, "held", _rows(index))
        _load(asked, "described", pa.RecordBatchReader.from_batches(SAID, cache.listing()))
        for table, what in (("live", "manifest"), ("held", "index")):
            _refuse_duplicates_in(asked, table, what)
        return _joined(asked)


def rows_of_keys(index: lance.LanceDataset, keys: pa.Array) -> pa.Table:
    """The rows of INDEX with one of KEYS: what is compared, and their addresses.

    Streams the key column alone; the rest is read for the rows that are found.
    """
    places: list[np.ndarray[Any, Any]] = [np.empty(0, np.int64)]
    addresses: list[Addresses] = [np.empty(0, np.uint64)]
    start = 0
    for batch in index.scanner(["key"], with_row_address=True).to_batches():
        hits = np.flatnonzero(pc.is_in(batch["key"], value_set=keys).to_numpy(zero_copy_only=False))
        places.append(hits + start)
        addresses.append(batch[ADDRESS].to_numpy()[hits])
        start += len(batch)
    found = np.concatenate(places)
    if not len(found):
        return pa.table({name: pa.array([], pa.string()) for name in COMPARED}).append_column(
            ADDRESS, pa.array([], pa.uint64())
        )
    return rows_at(index, found.tolist(), COMPARED).append_column(
        ADDRESS, pa.array(np.concatenate(addresses))
    )


def places_of(dataset: lance.LanceDataset, addresses: Addresses) -> np.ndarray[Any, Any]:
    """Where the rows at ADDRESSES stand in DATASET's order, as `take` counts: rows not deleted."""
    found: list[np.ndarray[Any, Any]] = [np.empty(0, np.int64)]
    start = 0
    for batch in dataset.scanner(columns=[], with_row_address=True).to_batches():
        found.append(np.flatnonzero(np.isin(batch[ADDRESS].to_numpy(), addresses)) + start)
        start += len(batch)
    return np.concatenate(found)


def refuse_duplicates(what: str, keys: pa.ChunkedArray) -> None:
    """Check that no two of KEYS are the same.

    Raises:
        DuplicateKeys: some are; names WHAT holds them, and a few.
    """
    if pc.count_distinct(keys).as_py() == len(keys):
        return
    counts = pc.value_counts(keys)
    twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    raise DuplicateKeys(_doubled(what, twice.slice(0, 5).to_pylist()))


def _unlike(rows: pa.Table, others: pa.Table) -> pa.Table:
    """Those of ROWS that have none of equal key, digest and meta in OTHERS."""
    place = pc.index_in(rows["key"], value_set=others["key"].combine_chunks())
    there = others.take(place)  # a null place takes nulls, which are equal to nothing
    same = pc.and_(pc.equal(rows["digest"], there["digest"]), pc.equal(rows["meta"], there["meta"]))
    return rows.filter(pc.invert(pc.fill_null(same, False)))


def _rows(dataset: lance.LanceDataset | None, filter: str | None = None) -> pa.RecordBatchReader:
    """The compared columns and addresses of the rows of DATASET, as a stream."""
    if dataset is None:
        schema = pa.schema([*((name, pa.string()) for name in COMPARED), (ADDRESS, pa.uint64())])
        return pa.RecordBatchReader.from_batches(schema, [])
    return dataset.scanner(COMPARED, filter=filter, with_row_address=True).to_reader()


def _load(database: Any, name: str, rows: pa.RecordBatchReader) -> None:
    """Make ROWS the table NAME of the database; two digests become one number of 128 bits."""
    database.register("stream", rows)
    columns = (
        "DISTINCT digest FROM stream WHERE reason = ''"
        if name == "described"
        else "key, digest, md5_number(digest || coalesce(meta, '')) AS said, "
        f"{ADDRESS} AS address FROM stream"
    )
    database.execute(f"CREATE TABLE {name} AS SELECT {columns}")
    database.unregister("stream")


def _joined(database: Any) -> Delta:
    """The delta between the loaded tables."""
    database.execute("CREATE VIEW target AS SELECT * FROM live SEMI JOIN described USING (digest)")
    unlike = (
        "SELECT {0}.address FROM {0} ANTI JOIN {1} ON {0}.key = {1}.key AND {0}.said = {1}.said "
        "ORDER BY 1"
    )
    late = "FROM live ANTI JOIN described USING (digest)"
    return Delta(
        upserts=_numbers(database, unlike.format("target", "held")),
        doomed=_numbers(database, unlike.format("held", "target")),
        deferred=database.execute(f"SELECT count(*) {late}").fetchone()[0],
        waiting=tuple(_keys(database, f"SELECT key {late} ORDER BY key LIMIT {LISTED}")),
        replaced=database.execute(
            "SELECT count(*) FROM target JOIN held USING (key) WHERE target.said <> held.said"
        ).fetchone()[0],
    )


def _refuse_duplicates_in(database: Any, table: str, what: str) -> None:
    query = f"SELECT key FROM {table} GROUP BY key HAVING count(*) > 1 ORDER BY key LIMIT 5"
    if twice := list(_keys(database, query)):
        raise DuplicateKeys(_doubled(what, twice))


def _keys(database: Any, query: str) -> Iterator[str]:
    return (key for (key,) in database.execute(query).fetchall())


def _numbers(database: Any, query: str) -> Addresses:
    return cast(Addresses, database.execute(query).fetchnumpy()["address"].astype(np.uint64))


def _addresses(rows: pa.Table) -> Addresses:
    return np.sort(rows[ADDRESS].to_numpy().astype(np.uint64))


def _doubled(what: str, keys: Iterable[str]) -> str:
    return (
        f"The {what} holds more than one row of {', '.join(map(repr, keys))}. Nothing was written: "
        "`nightjar verify` lists what is double; an index can be deleted and is made anew from the "
        "descriptor cache."
    )
