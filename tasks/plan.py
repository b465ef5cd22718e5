"""Plan: what changed between the manifest and the listing, told without touching the store.

`candidates` names the rows of a wave whose bytes must be read; once they are resolved (`shard`),
`plan` puts every listed key into exactly one class and writes down what `register` shall commit.
Both are questions to DuckDB over files: memory is bounded, and no row is seen by Python.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from data.manifest import RESOLVED
from data.store import Store
from data.workspace import LISTED, asking, files, snapshot
from tasks import classify as questions
from tasks.classify import classify
from tasks.scan import ScanPlan

CLASSES: Final = (
    "added",
    "changed",
    "moved",
    "duplicate",
    "touched",
    "relabelled",
    "unchanged",
    "quarantined",
    "deferred",
)
"""The classes of a listed key; each key is in one. Besides them `removed` counts keys gone."""

EXAMPLES: Final = 5


@dataclass(frozen=True)
class Change:
    """What a night is about to do to a dataset.

    Args:
        base: the manifest version it is told against; 0 before the first.
        counts: keys by class (`CLASSES`), which add up to ``listed``; and ``removed``.
        bytes: of new images, not held before.
        live_before: live rows of BASE.
        removed_live: how many of them are removed.
        rows: a Parquet file of manifest rows to write, without ``since`` and ``run``.
        doomed: a ``.npy`` file of the addresses in BASE of the rows they replace.
        keys: a Parquet file (key, kind, reason, digest) of all that is not simply unchanged.
        digests: a Parquet file (digest) of the images that become live and were not before.
        examples: the first keys of each class.
    """

    base: int
    counts: dict[str, int]
    bytes: int
    live_before: int
    removed_live: int
    rows: Path
    doomed: Path
    keys: Path
    digests: Path
    examples: dict[str, list[str]]

    @property
    def removed_share(self) -> float:
        """The share of live images that would go, 0 to 1: the gate against a half-mounted source."""
        return self.removed_live / self.live_before if self.live_before else 0.0


def candidates(
    store: Store, dataset: str, workspace: Path, wave: Path, settings: ScanPlan | None = None
) -> Path:
    """The rows of WAVE whose bytes must be read, in their order, as a Parquet file of `LISTED` columns.

    Those are new keys, keys whose size or stamp differs (the etag where both have one, else the
    modification time), removed ones that came back, and quarantined ones that another decoder
    refused.
    """
    settings = settings or ScanPlan()
    held = snapshot(store, dataset, workspace)
    path = workspace / "candidates" / wave.name
    path.parent.mkdir(exist_ok=True)
    with asking(workspace, settings.memory, listing=[wave], held=[held.path]) as ask:
        ask.execute(
            f"""
            COPY (
                SELECT l.* FROM listing l LEFT JOIN held h USING (key)
                WHERE h.key IS NULL OR h.state = 'removed' OR {questions.STALE}
                   OR (h.state = 'quarantined' AND h.decoder <> $decoder)
                ORDER BY l.position
            ) TO $path (FORMAT parquet, COMPRESSION lz4)
            """,
            {"decoder": _decoder(ask), "path": str(path)},
        )
    return path


def plan(store: Store, dataset: str, workspace: Path, settings: ScanPlan | None = None) -> Change:
    """How the whole listing of WORKSPACE differs from the manifest; nothing in the store changes.

    A listed key that should have been read and was not is deferred.
    """
    settings = settings or ScanPlan()
    held = snapshot(store, dataset, workspace)
    folder = workspace / "change"
    folder.mkdir(exist_ok=True)
    tables = {
        "waves": files(workspace / "listing", LISTED),
        "held": [held.path],
        "resolved": files(workspace / "resolved", RESOLVED),
    }
    with asking(workspace, settings.memory, **tables) as ask:
        classify(ask, _decoder(ask))
        _copy(ask, questions.ROWS, folder / "rows.parquet")
        _copy(ask, questions.KEYS, folder / "keys.parquet")
        _copy(ask, questions.DIGESTS, folder / "digests.parquet")
        np.save(folder / "doomed.npy", ask.execute(questions.DOOMED).fetchnumpy()["address"])
        return Change(
            base=held.version,
            counts=_counts(ask),
            bytes=_number(ask, questions.BYTES),
            live_before=_number(ask, "SELECT count(*) FROM held WHERE state = 'live'"),
            removed_live=_number(ask, questions.REMOVED_LIVE),
            rows=folder / "rows.parquet",
            doomed=folder / "doomed.npy",
            keys=folder / "keys.parquet",
            digests=folder / "digests.parquet",
            examples=dict(ask.execute(questions.FIRST_KEYS, {"first": EXAMPLES}).fetchall()),
        )


def _decoder(ask: Any) -> str:
    """The decoder at hand, if a quarantined image asks for it: importing it takes seconds."""
    if not ask.execute("SELECT count(*) FROM held WHERE state = 'quarantined'").fetchone()[0]:
        return ""
    from models.pixels import DECODER

    return DECODER


def _copy(ask: Any, query: str, path: Path) -> None:
    ask.execute(f"COPY ({query}) TO $path (FORMAT parquet, COMPRESSION lz4)", {"path": str(path)})


def _number(ask: Any, query: str) -> int:
    return int(ask.execute(query).fetchone()[0])


def _counts(ask: Any) -> dict[str, int]:
    """Keys by class; the unchanged are those listed that the comparison did not bring up."""
    counts = dict.fromkeys((*CLASSES, "removed"), 0)
    counts |= dict(ask.execute(questions.COUNTS).fetchall())
    counts.pop("left behind", 0)  # the old name of a moved image, which is counted once
    counts["listed"] = _number(ask, "SELECT count(*) FROM waves")
    counts["unchanged"] += counts["listed"] - _number(
        ask, "SELECT count(*) FROM kinds WHERE position IS NOT NULL"
    )
    return counts
