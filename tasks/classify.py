"""Classify: the questions that put every listed key into one class, from the coarse to the fine.

They are asked of the views ``waves`` (the listing), ``held`` (the manifest as the night found it)
and ``resolved`` (what became of the candidates). Almost all rows are as they were: `DELTA` leaves
them behind, so what follows costs no more than the change.
"""

from typing import Any, Final

STALE: Final = """(
    l.size <> h.size
    OR CASE WHEN l.etag <> '' AND h.etag <> '' THEN l.etag <> h.etag ELSE l.mtime <> h.mtime END
)"""
"""Whether the source's stamp of a listed row (l) differs from that of the manifest's row (h)."""

LISTING: Final = """
CREATE TEMP VIEW listing AS
SELECT *, md5(to_json(struct_pack(uri, labels, tags, captions, boxes, split))::VARCHAR) AS meta
FROM waves
"""

DELTA: Final = f"""
CREATE TEMP TABLE delta AS
SELECT
    coalesce(l.key, h.key) AS key, l.position, l.meta, h.address,
    {STALE} AS stale,
    h.meta IS DISTINCT FROM l.meta AS retold,
    struct_pack(h.digest, h.shard, h."offset", h.length, h.width, h.height,
                h.state, h.reason, h.decoder) AS old,
    struct_pack(r.digest, r.shard, r."offset", r.length, r.width, r.height,
                r.state, r.reason, r.decoder) AS found
FROM listing l
FULL JOIN held h ON l.key = h.key
LEFT JOIN resolved r ON r.key = l.key
WHERE CASE
    WHEN l.key IS NULL THEN h.state <> 'removed'
    ELSE h.key IS NULL OR h.state <> 'live' OR {STALE} OR h.meta <> l.meta OR r.key IS NOT NULL
END
"""
"""The keys of which anything differs, and the quarantined: as they were, and as they were found."""

PLACES: Final = """
CREATE TEMP TABLE places AS
SELECT digest, any_value(place) AS place FROM (
    SELECT digest, first(
        struct_pack(digest, shard, "offset", length, width, height,
                    state := 'live', reason := '', decoder := '')
        ORDER BY shard, "offset") AS place
    FROM held
    WHERE shard <> '' AND digest IN (SELECT found.digest FROM delta WHERE found.state = 'known')
    GROUP BY digest
    UNION ALL
    SELECT found.digest AS digest, first(found ORDER BY position) AS place
    FROM delta WHERE found.state = 'live'
    GROUP BY found.digest
) GROUP BY digest
"""
"""Where the bytes of a digest lie: in a shard of old, or in the first that was written tonight."""

REFUSED: Final = """
CREATE TEMP TABLE refused AS
SELECT digest, min(reason) AS reason FROM held
WHERE state = 'quarantined' AND decoder = $decoder
  AND digest IN (SELECT found.digest FROM delta)
GROUP BY digest
"""
"""The digests that the decoder at hand has refused before, under whatever key."""

FATES: Final = """
CREATE TEMP TABLE fates AS
SELECT d.*, CASE
    WHEN position IS NULL THEN old
    WHEN found.state IS NULL AND (old.state IS NULL OR old.state = 'removed' OR stale)
        THEN struct_update(found, state := 'deferred', reason := 'not read')
    WHEN found.state IS NULL THEN old
    WHEN found.state IN ('known', 'live') AND x.digest IS NOT NULL
        THEN struct_update(coalesce(p.place, found),
                           state := 'quarantined', reason := x.reason, decoder := $decoder)
    WHEN found.state = 'known' AND p.digest IS NULL
        THEN struct_update(found, state := 'deferred', reason := 'its bytes are no longer held')
    WHEN found.state IN ('known', 'live') THEN p.place
    ELSE found
END AS now
FROM delta d
LEFT JOIN places p ON p.digest = d.found.digest
LEFT JOIN refused x ON x.digest = d.found.digest
"""
"""What is to become of each of them: ``now``."""

NEWCOMERS: Final = """
CREATE TEMP TABLE newcomers AS
SELECT key, position, now.digest AS digest,
       row_number() OVER (PARTITION BY now.digest ORDER BY position) AS turn
FROM fates
WHERE position IS NOT NULL AND now.state = 'live' AND (old.state IS NULL OR old.state = 'removed')
"""

MOVES: Final = """
CREATE TEMP TABLE moves AS
SELECT n.key AS key, g.key AS origin
FROM newcomers n JOIN (
    SELECT key, old.digest AS digest,
           row_number() OVER (PARTITION BY old.digest ORDER BY key) AS turn
    FROM fates WHERE position IS NULL AND old.state = 'live'
) g USING (digest, turn)
"""
"""One new name for one that is gone, where both have the same bytes."""

KEPT: Final = """
CREATE TEMP TABLE kept AS
SELECT DISTINCT digest FROM (
    SELECT digest FROM held ANTI JOIN fates USING (key) WHERE state = 'live'
    UNION ALL
    SELECT CASE WHEN now.state = 'live' THEN now.digest ELSE old.digest END FROM fates
    WHERE position IS NOT NULL AND (
        (now.state = 'live' AND old.state IN ('live', 'quarantined'))
        OR (now.state = 'deferred' AND old.state = 'live')
    )
) SEMI JOIN newcomers USING (digest)
"""
"""The digests of newcomers that a key of old has too, after this night."""

KINDS: Final = """
CREATE TEMP TABLE kinds AS
SELECT f.*, m.origin, gone.key AS heir, CASE
    WHEN f.position IS NULL AND gone.key IS NOT NULL THEN 'left behind'
    WHEN f.position IS NULL THEN 'removed'
    WHEN f.now.state = 'deferred' THEN 'deferred'
    WHEN f.now.state = 'quarantined' THEN 'quarantined'
    WHEN m.key IS NOT NULL THEN 'moved'
    WHEN n.key IS NOT NULL AND (n.turn > 1 OR k.digest IS NOT NULL) THEN 'duplicate'
    WHEN n.key IS NOT NULL THEN 'added'
    WHEN f.old.state <> 'live' OR f.now.digest <> f.old.digest THEN 'changed'
    WHEN f.stale THEN 'touched'
    WHEN f.retold THEN 'relabelled'
    ELSE 'unchanged'
END AS kind,
f.position IS NOT NULL AND f.now.state <> 'deferred' AND (
    f.old.state IS NULL OR f.now IS DISTINCT FROM f.old OR f.stale OR f.retold
) AS written
FROM fates f
LEFT JOIN newcomers n USING (key)
LEFT JOIN moves m USING (key)
LEFT JOIN moves gone ON gone.origin = f.key
LEFT JOIN kept k ON k.digest = n.digest
"""
"""The class of each key, and whether its row is written anew."""

ROWS: Final = """
SELECT l.* EXCLUDE (position, meta),
       unnest(k.now), l.meta, l.position
FROM kinds k JOIN listing l USING (position) WHERE k.written
UNION ALL
SELECT h.key, h.uri, h.size, h.mtime, h.etag, [], [], [], [], '',
       h.digest, h.shard, h."offset", h.length, h.width, h.height, 'removed',
       CASE WHEN k.heir IS NULL THEN 'gone from the source' ELSE 'moved to ' || k.heir END,
       '', '', NULL
FROM kinds k JOIN held h USING (key) WHERE k.position IS NULL
ORDER BY position NULLS LAST, key
"""
"""The manifest rows to write, tombstones last; a tombstone forgets what was said of its image."""

DOOMED: Final = """
SELECT address FROM kinds
WHERE address IS NOT NULL AND (written OR position IS NULL) ORDER BY address
"""

KEYS: Final = """
SELECT key, kind, coalesce(now.reason, '') AS reason, coalesce(now.digest, '') AS digest
FROM kinds WHERE kind <> 'unchanged' ORDER BY position NULLS LAST, key
"""

DIGESTS: Final = """
SELECT DISTINCT now.digest AS digest FROM kinds
WHERE written AND now.state = 'live'
  AND now.digest NOT IN (SELECT digest FROM held WHERE state = 'live')
ORDER BY digest
"""

COUNTS: Final = "SELECT kind, count(*) FROM kinds WHERE kind <> 'left behind' GROUP BY kind"

FIRST_KEYS: Final = """
SELECT kind, list_transform(min((coalesce(position, 0), key), $first), lambda row: row[2])
FROM kinds WHERE kind NOT IN ('left behind', 'unchanged') GROUP BY kind
"""

BYTES: Final = """
SELECT coalesce(sum(length), 0) FROM (
    SELECT found.digest, any_value(found.length) AS length
    FROM kinds WHERE found.state = 'live' GROUP BY found.digest
)
"""

REMOVED_LIVE: Final = "SELECT count(*) FROM kinds WHERE kind = 'removed' AND old.state = 'live'"


def compare(ask: Any) -> int:
    """How many keys differ in anything or are quarantined; leaves them in the table ``delta``.

    Args:
        ask: has the views ``waves``, ``held`` and ``resolved``.
    """
    ask.execute(LISTING)
    return int(ask.execute(DELTA).fetchone()[0])


def classify(ask: Any, decoder: str) -> None:
    """Make of the table ``delta`` the table ``kinds``, in which every key has its class.

    Args:
        ask: the connection that has compared.
        decoder: the decoder at hand; only a dataset with quarantined images asks for it.
    """
    for statement in (PLACES, REFUSED, FATES, NEWCOMERS, MOVES, KEPT, KINDS):
        ask.execute(statement, {"decoder": decoder} if "$decoder" in statement else None)
