"""What a run left behind, row by row and byte by byte, so that two runs can be compared."""

import hashlib
import json
from dataclasses import dataclass, fields
from typing import Any, Final

import pyarrow as pa

from data.indexes import VECTOR, index_table, vectors_of
from data.manifest import LIVE, manifest, shard_name
from data.store import Store
from flows.recipe import Recipe
from tasks.balance import Ledger

OF_THE_RUN: Final = frozenset(("since", "run"))
"""Columns that say when a row was written and by whom, not what it says."""
NAMED: Final = 3
"""Differences that are named."""


@dataclass(frozen=True)
class Imprint:
    """Digests of what a run left: rows of index and manifest by key, tars by name; single facts."""

    index: dict[str, str]
    manifest: dict[str, str]
    shards: dict[str, str]
    facts: dict[str, str]


def imprint(store: Store, recipe: Recipe, ledger: Ledger) -> Imprint:
    """The imprint of the night that ended in LEDGER."""
    rows = manifest(store, recipe.dataset).open(ledger.dataset_version).to_table()
    live = {
        name
        for name, state in zip(rows["shard"].to_pylist(), rows["state"].to_pylist(), strict=True)
        if state == LIVE and name
    }
    index: dict[str, str] = {}
    if ledger.index_version is not None:
        index = _digests(index_table(store, ledger.table).open(ledger.index_version).to_table())
    return Imprint(
        index=index,
        manifest=_digests(rows),
        shards={
            name: hashlib.sha256(store.read(shard_name(recipe.dataset, name))).hexdigest()
            for name in sorted(live)
        },
        facts={
            "encoder": ledger.encoder,
            "promoted": str(ledger.promoted),
            "held by": ", ".join(ledger.held_by),
        },
    )


def differences(wanted: Imprint, found: Imprint) -> tuple[str, ...]:
    """What of FOUND is not as in WANTED, a sentence a part; nothing where all is the same."""
    sentences = []
    for part in (field.name for field in fields(Imprint)):
        old, new = getattr(wanted, part), getattr(found, part)
        names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        if names:
            shown = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
            sentences.append(f"{part}: {len(names)} differ ({shown})")
    return tuple(sentences)


def _digests(rows: pa.Table) -> dict[str, str]:
    """The digest of each of ROWS, of what it says and its vector's bytes, by key and occurrence."""
    vectors: Any = None
    if VECTOR in rows.column_names:
        vectors = vectors_of(rows[VECTOR])
    said = rows.drop_columns([name for name in rows.column_names if name in {VECTOR, *OF_THE_RUN}])
    found: dict[str, str] = {}
    for number, row in enumerate(said.to_pylist()):
        digest = hashlib.sha256(json.dumps(row, sort_keys=True).encode())
        if vectors is not None:
            digest.update(vectors[number].tobytes())
        key = row["key"] if row["key"] not in found else f"{row['key']} (row {number})"
        found[key] = digest.hexdigest()
    return found
