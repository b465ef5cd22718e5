"""Classify: the questions that put every listed key into one class, from the coarse to the fine.

They are asked of the views ``waves`` (the listing), ``held`` (the manifest as the night found it),
``found`` (what became of the candidates), ``compared`` (`tasks.compare`, of all waves) and
``unlisted`` (rows of ``held``). Almost all rows are as they were: `UNLIKE` leaves them behind, so
what follows costs no more than the change. Each answer is there for the next question to read: as a
table where the change is small, else as a file, so that the memory of one question is the most that
is needed, on the first night too.
"""

from pathlib import Path
from typing import Any, Final

from data.database import look, number
from tasks.compare import META, STALE

FEW: Final = 100_000
"""Keys that differ, up to which the answers are tables in memory: a file takes milliseconds."""

_OLD: Final = """
    h.address, struct_pack(h.digest, h.shard, h."offset", h.length, h.width, h.height,
                           h.state, h.reason, h.decoder) AS old
"""
UNLIKE: Final = """
SELECT position, row FROM compared WHERE differs
UNION ALL
SELECT NULL, row FROM unlisted JOIN held USING (row) WHERE state <> 'removed'
"""
"""The listed rows that differ in anything and the rows of images that are gone: as a rule few."""

SUSPECTS: Final = """
SELECT (SELECT count(*) FROM compared WHERE differs) + (SELECT count(*) FROM unlisted)
     + (SELECT count(*) FROM found)
"""
"""At most so many rows there are in ``delta``."""

DELTA: Final = f"""
SELECT r.key, r.position, {_OLD},
    struct_pack(r.digest, r.shard, r."offset", r.length, r.width, r.height,
                r.state, r.reason, r.decoder) AS now,
    true AS read, h.state IS NOT DISTINCT FROM 'live' AS stale, true AS written
FROM found r LEFT JOIN held h USING (key)
UNION ALL
SELECT coalesce(l.key, h.key), u.position, {_OLD},
    CASE
        WHEN l.key IS NOT NULL AND (h.key IS NULL OR h.state = 'removed' OR {STALE})
            THEN struct_update(old, digest := '', state := 'deferred', reason := 'not read')
        ELSE old
    END,
    false, false, h.meta IS DISTINCT FROM CASE WHEN l.key IS NOT NULL THEN {META} END
FROM (SELECT * FROM unlike ANTI JOIN found USING (position)) u
LEFT JOIN waves l ON l.position = u.position
LEFT JOIN held h ON h.row = u.row
"""
"""The keys of which anything differs, and the quarantined: as they were, and as they are now.

A key that was ``read`` is a candidate; one that was live before was read because it is ``stale``.
"""

REPEATED: Final = """
SELECT DISTINCT code FROM (
    SELECT hash(now.digest) AS code FROM delta WHERE position IS NOT NULL
    GROUP BY code HAVING count(*) > 1
    UNION ALL
    SELECT hash(old.digest) AS code FROM delta WHERE position IS NULL
    GROUP BY code HAVING count(*) > 1
)
"""
"""The (hashes of) digests that several keys have: as a rule few, and only they must be ranked."""

PLACES: Final = """
SELECT digest, min(place) AS place FROM (
    SELECT digest, {'turn': -1, 'shard': shard, 'offset': "offset", 'length': length,
                    'width': width, 'height': height} AS place
    FROM held
    WHERE shard <> ''
      AND digest IN (SELECT now.digest FROM delta WHERE read AND now.state = 'known')
    UNION ALL
    SELECT now.digest,
           {'turn': position, 'shard': now.shard, 'offset': now."offset", 'length': now.length,
            'width': now.width, 'height': now.height}
    FROM delta
    WHERE read AND now.state = 'live' AND hash(now.digest) IN (SELECT code FROM repeated)
) GROUP BY digest
"""
"""Where bytes lie, if not where they were found: in a shard of old, or in the first of tonight."""

REFUSED: Final = """
SELECT digest, min(reason) AS reason FROM held
WHERE state = 'quarantined' AND decoder = $decoder
  AND digest IN (SELECT now.digest FROM delta WHERE read)
GROUP BY digest
"""
"""The digests that the decoder at hand has refused before, under whatever key."""

FATES: Final = """
SELECT d.* EXCLUDE (now),
    read AND now.state = 'live' AS fresh,
    fresh AND hash(now.digest) NOT IN (SELECT code FROM repeated) AS single,
    CASE
        WHEN NOT read OR now.state NOT IN ('known', 'live') THEN now
        WHEN now.state = 'known' AND p.digest IS NULL
            THEN struct_update(now, state := 'deferred', reason := 'its bytes are no longer held')
        ELSE struct_update(now,
            shard := coalesce(p.place.shard, now.shard),
            "offset" := coalesce(p.place."offset", now."offset"),
            length := coalesce(p.place.length, now.length),
            width := coalesce(p.place.width, now.width),
            height := coalesce(p.place.height, now.height),
            state := CASE WHEN x.digest IS NULL THEN 'live' ELSE 'quarantined' END,
            reason := coalesce(x.reason, ''),
            decoder := CASE WHEN x.digest IS NULL THEN '' ELSE $decoder END)
    END AS now
FROM delta d
LEFT JOIN places p ON p.digest = d.now.digest
LEFT JOIN refused x ON x.digest = d.now.digest
"""
"""What is to become of each key: ``now``; ``fresh`` where its bytes are new, ``single`` where no
other key of the night has them."""

NEWCOMERS: Final = """
WITH newcomers AS (
    SELECT key, position, now.digest AS digest,
           hash(now.digest) IN (SELECT code FROM repeated) AS several
    FROM fates
    WHERE position IS NOT NULL AND NOT single AND now.state = 'live'
      AND (old.state IS NULL OR old.state = 'removed')
)
SELECT key, position, digest, 1 AS turn FROM newcomers WHERE NOT several
UNION ALL
SELECT key, position, digest, row_number() OVER (PARTITION BY digest ORDER BY position)
FROM newcomers WHERE several
"""
"""The new keys whose bytes another key has or had, by their turn among those of the same bytes."""

MOVES: Final = """
WITH gone AS (
    SELECT key, old.digest AS digest, hash(old.digest) IN (SELECT code FROM repeated) AS several
    FROM fates WHERE position IS NULL AND old.state = 'live'
)
SELECT n.key AS key, n.position AS position, g.key AS origin
FROM newcomers n JOIN (
    SELECT key, digest, 1 AS turn FROM gone WHERE NOT several
    UNION ALL
    SELECT key, digest, row_number() OVER (PARTITION BY digest ORDER BY key)
    FROM gone WHERE several
) g USING (digest, turn)
"""
"""One new name for one that is gone, where both have the same bytes."""

KEPT: Final = """
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
SELECT f.* EXCLUDE (written), gone.key AS heir,
    f.written AND f.position IS NOT NULL AND f.now.state <> 'deferred' AS written,
    CASE
        WHEN f.position IS NULL AND gone.key IS NOT NULL THEN 'left behind'
        WHEN f.position IS NULL THEN 'removed'
        WHEN f.now.state = 'deferred' THEN 'deferred'
        WHEN f.now.state = 'quarantined' THEN 'quarantined'
        WHEN m.key IS NOT NULL THEN 'moved'
        WHEN n.turn > 1 OR k.digest IS NOT NULL THEN 'duplicate'
        WHEN f.old.state IS NULL OR f.old.state = 'removed' THEN 'added'
        WHEN f.old.state = 'quarantined' OR f.now.digest <> f.old.digest THEN 'changed'
        WHEN f.stale THEN 'touched'
        ELSE 'relabelled'
    END AS kind
FROM fates f
LEFT JOIN newcomers n ON n.position = f.position
LEFT JOIN moves m ON m.position = f.position
LEFT JOIN moves gone ON gone.origin = f.key
LEFT JOIN kept k ON k.digest = n.digest
"""
"""The class of each key, and whether its row is written anew."""

ROWS: Final = f"""
SELECT l.* EXCLUDE (position), unnest(k.now), {META} AS meta
FROM kinds k JOIN waves l USING (position)
WHERE k.written AND k.position >= $first AND k.position < $last
  AND l.position >= $first AND l.position < $last
ORDER BY position
"""
"""The manifest rows to write, in the listing's order."""

TOMBSTONES: Final = """
SELECT h.key, h.uri, h.size, h.mtime, h.etag,
       []::VARCHAR[] AS labels, []::VARCHAR[] AS tags, []::VARCHAR[] AS captions, [] AS boxes,
       '' AS split, h.digest, h.shard, h."offset", h.length, h.width, h.height,
       'removed' AS state,
       CASE WHEN k.heir IS NULL THEN 'gone from the source' ELSE 'moved to ' || k.heir END
           AS reason,
       '' AS decoder, '' AS meta
FROM kinds k JOIN held h USING (key) WHERE k.position IS NULL ORDER BY key
"""
"""The rows of images that are gone; a tombstone forgets what was said of its image."""

DOOMED: Final = """
SELECT address FROM kinds WHERE address IS NOT NULL AND (written OR position IS NULL)
"""

KEYS: Final = """
SELECT key, kind, coalesce(now.reason, '') AS reason, coalesce(now.digest, '') AS digest
FROM kinds ORDER BY position NULLS LAST, key
"""

DIGESTS: Final = """
SELECT now.digest AS digest FROM kinds WHERE single AND now.state = 'live'
UNION ALL
SELECT DISTINCT now.digest FROM kinds
ANTI JOIN (SELECT digest FROM held WHERE state = 'live') h ON h.digest = now.digest
WHERE written AND NOT single AND now.state = 'live'
"""

COUNTS: Final = "SELECT kind, count(*) FROM kinds WHERE kind <> 'left behind' GROUP BY kind"

FIRST_KEYS: Final = """
SELECT kind, list_transform(min((coalesce(position, 0), key), $first), lambda row: row[2])
FROM kinds WHERE kind <> 'left behind' GROUP BY kind
"""

BYTES: Final = """
SELECT coalesce(sum(length), 0) FROM (
    SELECT now.length AS length FROM kinds WHERE fresh AND single
    UNION ALL
    SELECT min(now.length) FROM kinds WHERE fresh AND NOT single GROUP BY now.digest
)
"""

REMOVED_LIVE: Final = "SELECT count(*) FROM kinds WHERE kind = 'removed' AND old.state = 'live'"


def compare(ask: Any, folder: Path) -> int:
    """How many keys differ in anything or are quarantined; leaves them in the view ``delta``.

    Args:
        ask: has the views that this module's questions are asked of.
        folder: the answers go to files of it.
    """
    few = number(ask, SUSPECTS) <= FEW
    unlike = _answer(ask, folder, "unlike", UNLIKE, few)
    if not unlike and not number(ask, "SELECT count(*) FROM found"):
        return 0
    return _answer(ask, folder, "delta", DELTA, few)


def classify(ask: Any, folder: Path, differ: int, decoder: str) -> None:
    """Make of ``delta`` the table or view ``kinds``, in which every key has its class.

    Args:
        ask: the connection that has compared.
        folder: the answers go to files of it, where they are many.
        differ: how many keys there are in ``delta``.
        decoder: the decoder at hand; only a dataset with quarantined images asks for it.
    """
    steps = {
        "repeated": REPEATED,
        "places": PLACES,
        "refused": REFUSED,
        "fates": FATES,
        "newcomers": NEWCOMERS,
        "moves": MOVES,
        "kept": KEPT,
    }
    if differ <= FEW:  # in one breath: each question by itself takes milliseconds
        before = ", ".join(f"{name} AS MATERIALIZED ({query})" for name, query in steps.items())
        _answer(ask, folder, "kinds", f"WITH {before} {KINDS}", True, decoder)
        return
    for name, query in [*steps.items(), ("kinds", KINDS)]:
        _answer(ask, folder, name, query, False, decoder)


def _answer(
    ask: Any, folder: Path, name: str, query: str, few: bool, decoder: str | None = None
) -> int:
    """Make what QUERY says the table NAME, or a file of FOLDER that is the view; its rows."""
    says = {"decoder": decoder} if "$decoder" in query else {}
    if few:
        return int(ask.execute(f"CREATE TABLE {name} AS {query}", says).fetchone()[0])
    path = folder / f"{name}.parquet"
    rows = ask.execute(
        f"COPY ({query}) TO $path (FORMAT parquet, COMPRESSION lz4)", {**says, "path": str(path)}
    )
    count = int(rows.fetchone()[0])
    look(ask, name, [path])
    return count
