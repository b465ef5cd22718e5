"""The proof that every listed image is accounted for, from the tables and not from counters."""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import lance
import pyarrow as pa
import pyarrow.csv

from data.database import asking, number
from data.descriptors import SAID, DescriptorCache
from data.indexes import index_table
from data.lineage import Lineage, sealed_before
from data.manifest import LIVE, QUARANTINED, manifest
from data.store import Store
from tasks.ledger import Account, Missing

if TYPE_CHECKING:
    from tasks.plan import Change

INLINE: Final = 1000
"""Keys of missing images that a ledger names itself; all of them stand in a file beside it."""
MEMORY_MB: Final = 512

WRITTEN: Final = "('added', 'changed', 'moved', 'duplicate', 'relabelled')"
"""The classes of keys whose row in the index is new tonight; a touched one's stays as it is."""
NO_DESCRIPTOR: Final = "no descriptor yet"
LOST: Final = "described, yet not in the index"

NOTHING: Final = pa.schema([(name, pa.string()) for name in ("key", "digest", "state", "reason")])


def account(store: Store, change: "Change", lineage: Lineage, papers: str, run: str) -> Account:
    """Where every image of the listing is, by the manifest and the index that LINEAGE names.

    Cost follows the change: the keys that changed are looked up, the rest is proved by counting
    rows. Only where the counts say that live images are not in the index are all keys compared,
    within `MEMORY_MB`; `nightjar verify` always compares all.

    Args:
        store: where the tables lie.
        change: what the night found in the listing.
        lineage: of the index version that the night ends with.
        papers: the folder of the run's papers; a long list of missing images goes there.
        run: the run that asks.
    """
    images = manifest(store, lineage.dataset).open(lineage.dataset_version)
    index = index_table(store, lineage.table).open(lineage.version)
    live, bad = (images.count_rows(f"state = '{state}'") for state in (LIVE, QUARANTINED))
    rows = index.count_rows()
    listed = change.counts["listed"]
    if _quiet(change, lineage, run) and live == rows:
        parts = {"indexed": 0, "unchanged": rows, "quarantined": bad, "deferred": 0}
        return _told(store, papers, listed, parts, rows, _bad(images if bad else None))
    with asking(MEMORY_MB, kinds=[change.keys]) as ask:
        fates = _fates(ask, change, images, index)
        waiting, lost, extra = 0, 0, 0
        if live != rows or fates["wrong"]:
            cache = DescriptorCache(store, lineage.encoder)
            waiting, lost, extra = _gaps(ask, images, index, cache)
        indexed = fates["indexed"] + _late(ask, store, lineage, index, run, change.base, fates)
        parts = {
            "indexed": indexed,
            "unchanged": rows - extra - indexed - fates["unread, searchable"],
            "quarantined": bad - fates["unread, quarantined"],
            "deferred": change.counts.get("deferred", 0) + waiting,
        }
        missing = _missing(ask, _bad(images if bad else None))
    return _told(store, papers, listed, parts, rows - extra, missing, lost, extra)


def _quiet(change: "Change", lineage: Lineage, run: str) -> bool:
    """Whether the night wrote nothing, so that a version that was balanced before is as it was."""
    same = lineage.dataset_version == change.base and lineage.run != run
    return same and not change.counts.get("deferred")


def _told(
    store: Store,
    papers: str,
    listed: int,
    parts: Mapping[str, int],
    searchable: int,
    missing: pa.Table,
    lost: int = 0,
    extra: int = 0,
) -> Account:
    """The account; where it names too many missing images, they go to a file among PAPERS."""
    file = f"{papers}/missing.csv" if len(missing) > INLINE else ""
    if file:
        out = io.BytesIO()
        pyarrow.csv.write_csv(missing, out)
        store.write(file, out.getvalue())
    reasons: dict[str, dict[str, int]] = {}
    counts = missing.group_by(["state", "reason"]).aggregate([([], "count_all")])
    for row in counts.sort_by([("state", "ascending"), ("reason", "ascending")]).to_pylist():
        reasons.setdefault(row["state"], {})[row["reason"]] = row["count_all"]
    good = listed - parts["quarantined"]
    return Account(
        listed=listed,
        **parts,
        lost=lost,
        extra=extra,
        reasons=reasons,
        coverage=min(1.0, searchable / good) if good else 1.0,
        missing=tuple(Missing(**row) for row in missing.slice(0, INLINE).to_pylist()),
        missing_count=len(missing),
        missing_file=file,
        ok=listed == sum(parts.values()) and not lost and not extra,
    )


def _load(ask: Any, table: str, query: str, stream: pa.RecordBatchReader | None) -> None:
    """Make TABLE what QUERY says of the view ``stream``; an empty stream where there is none."""
    if stream is None:
        stream = pa.RecordBatchReader.from_batches(NOTHING, [])
    ask.register("stream", stream)
    ask.execute(f"CREATE TABLE {table} AS {query}")
    ask.unregister("stream")


def _fates(
    ask: Any, change: "Change", images: lance.LanceDataset, index: lance.LanceDataset
) -> dict[str, int]:
    """How many of the keys that changed ended in which way.

    ``wrong`` counts those whose row in the index is not what the manifest says: it is for a full
    comparison to tell why.
    """
    fates = dict.fromkeys(("indexed", "wrong", "unread, searchable", "unread, quarantined"), 0)
    mine = theirs = None
    if any(count for kind, count in change.counts.items() if kind not in ("listed", "unchanged")):
        # the row of a key that was not read tonight is as old as may be
        only = None if change.counts.get("deferred") else f"since > {int(change.base)}"
        mine = images.scanner(["key", "digest", "state"], filter=only).to_reader()
        theirs = index.scanner(["key", "digest"]).to_reader()
    _load(ask, "mine", "SELECT key, digest, state FROM stream SEMI JOIN kinds USING (key)", mine)
    _load(ask, "theirs", "SELECT key, digest FROM stream SEMI JOIN kinds USING (key)", theirs)
    ask.execute(
        f"""
        CREATE TABLE fates AS SELECT key, kind, CASE
            WHEN kind = 'deferred' AND mine.state = 'quarantined' THEN 'unread, quarantined'
            WHEN kind = 'deferred' AND theirs.digest IS NOT NULL THEN 'unread, searchable'
            WHEN kind = 'deferred' THEN 'unread'
            WHEN mine.state = 'live' AND theirs.digest IS DISTINCT FROM mine.digest THEN 'wrong'
            WHEN mine.state = 'live' AND kind IN {WRITTEN} THEN 'indexed'
            WHEN mine.state = 'live' THEN 'as it was'
            WHEN theirs.digest IS NOT NULL THEN 'wrong'
            ELSE 'not searchable' END AS fate
        FROM kinds LEFT JOIN mine USING (key) LEFT JOIN theirs USING (key)
        """
    )
    return fates | dict(ask.execute("SELECT fate, count(*) FROM fates GROUP BY fate").fetchall())


def _gaps(
    ask: Any, images: lance.LanceDataset, index: lance.LanceDataset, cache: DescriptorCache
) -> tuple[int, int, int]:
    """How many live images wait for a descriptor, are lost, and how many index rows are extra.

    The table ``absent`` names the first two. A key that was not read tonight is none of them.
    """
    live = images.scanner(["key", "digest"], filter=f"state = '{LIVE}'").to_reader()
    _load(ask, "live", "SELECT key, digest FROM stream", live)
    _load(
        ask, "held", "SELECT key, digest FROM stream", index.scanner(["key", "digest"]).to_reader()
    )
    ask.execute(
        """
        CREATE TABLE gone AS SELECT key, digest FROM live ANTI JOIN held USING (key, digest)
        WHERE key NOT IN (SELECT key FROM kinds WHERE kind = 'deferred')
        """
    )
    said = pa.RecordBatchReader.from_batches(SAID, cache.listing())
    described = "SELECT DISTINCT digest FROM stream SEMI JOIN gone USING (digest) WHERE reason = ''"
    _load(ask, "described", described, said)
    ask.execute(
        f"""
        CREATE TABLE absent AS
        SELECT key, CASE WHEN described.digest IS NULL THEN 'deferred' ELSE 'missing' END AS state,
               CASE WHEN described.digest IS NULL THEN '{NO_DESCRIPTOR}' ELSE '{LOST}' END AS reason
        FROM gone LEFT JOIN described USING (digest)
        """
    )
    states = dict(ask.execute("SELECT state, count(*) FROM absent GROUP BY state").fetchall())
    extra = number(ask, "SELECT count(*) FROM held ANTI JOIN live USING (key, digest)")
    return states.get("deferred", 0), states.get("missing", 0), extra


def _late(
    ask: Any,
    store: Store,
    lineage: Lineage,
    index: lance.LanceDataset,
    run: str,
    base: int,
    fates: Mapping[str, int],
) -> int:
    """Images that did not change since BASE and yet are new in the index: left over by others.

    They waited for a descriptor, or a night that was cut off (or one of another recipe) registered
    them and this index never saw them. All of them where the table is new, as under a new encoder.
    """
    if lineage.run != run:  # the night sealed nothing: the index is as it was
        return 0
    older = sealed_before(index_table(store, lineage.table), lineage.version)
    if older and not older.deferred and older.dataset_version == base:
        return 0
    said = ["key", "digest", "meta"]
    before = pa.RecordBatchReader.from_batches(pa.schema([(n, pa.string()) for n in said]), [])
    if older:
        last = index_table(store, lineage.table).open(older.version)
        before = last.scanner(said).to_reader()
    _load(ask, "before", "SELECT * FROM stream", before)
    _load(
        ask,
        "late",
        "SELECT key FROM stream ANTI JOIN before USING (key, digest, meta) ANTI JOIN "
        "(SELECT key FROM fates WHERE fate <> 'as it was') USING (key)",
        index.scanner(said).to_reader(),
    )
    return number(ask, "SELECT count(*) FROM late")


def _bad(images: lance.LanceDataset | None) -> pa.Table:
    """The quarantined keys of a dataset version, with their reasons, by key."""
    if images is None:
        return pa.table({name: pa.array([], pa.string()) for name in ("key", "state", "reason")})
    rows = images.scanner(["key", "state", "reason"], filter=f"state = '{QUARANTINED}'").to_table()
    return rows.sort_by("key")


def _missing(ask: Any, bad: pa.Table) -> pa.Table:
    """Every listed image that search does not find as it is listed: key, state, reason."""
    ask.register("bad", bad)
    ask.execute("CREATE TABLE IF NOT EXISTS absent (key VARCHAR, state VARCHAR, reason VARCHAR)")
    return ask.sql(
        """
        SELECT key, state, reason FROM bad
        WHERE key NOT IN (SELECT key FROM kinds WHERE kind = 'deferred')
        UNION ALL SELECT key, 'deferred', reason FROM kinds WHERE kind = 'deferred'
        UNION ALL SELECT key, state, reason FROM absent
        ORDER BY state, key
        """
    ).to_arrow_table()
