"""What a named protocol asks of a dataset version: its sets, its queries, and what answers them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from data.hierarchy import check_known
from data.manifest import LIVE, manifest
from data.protocols import Picture, Protocol, Sets, labels_that_count, sets_of
from data.protocols.draw import lot
from data.protocols.kept import digest_of_sets, keep
from data.relevance import Question, Truth, truth_of
from data.store import Store

COLUMNS: Final = ("key", "labels", "split")
ASKED: Final = ("key", "digest", "labels", "tags", "boxes")
SAMPLE: Final = "nightjar sample 1"
"""The seed by which some of a protocol's queries are taken."""


@dataclass(frozen=True)
class Questions:
    """The queries of a protocol and the database that is to answer them.

    Args:
        protocol: whose they are.
        queries: rows of the manifest (`ASKED`), by key.
        of: queries of the protocol, of which these are some or all.
        database: keys (N,) of the pictures that answer, sorted.
        labels: (N,) their labels.
        truth: what answers each query.
        sets: the sets' sizes: queries, database, train.
        kept: where in the store they are kept; empty where nothing was drawn.
        digest: of the sets as they are written.
    """

    protocol: Protocol
    queries: pa.Table
    of: int
    database: pa.Array
    labels: pa.Array
    truth: Truth
    sets: tuple[int, int, int]
    kept: str
    digest: str


def drawn(store: Store, dataset: str, version: int, protocol: Protocol) -> tuple[Sets, pa.Table]:
    """The sets of PROTOCOL in DATASET at VERSION, and `COLUMNS` of the live images.

    Raises:
        ValueError: there are fewer pictures than are to be drawn; names the set, and the label.
    """
    rows = (
        manifest(store, dataset).open(version).to_table(list(COLUMNS), filter=f"state = '{LIVE}'")
    )
    return sets_of(_pictures(rows), protocol), rows


def questions(
    store: Store, dataset: str, version: int, name: str, protocol: Protocol, limit: int | None
) -> Questions:
    """What PROTOCOL asks of DATASET at VERSION; sets that lots decide are kept in the store.

    Args:
        store: holds the manifest.
        dataset: its name.
        version: of the manifest.
        name: what the protocol is called.
        protocol: what it says.
        limit: queries at most; all where None. They are those of the smallest lots, so that a
            query stays one for as long as its picture is there.

    Raises:
        ValueError: the sets cannot be drawn, or pictures cannot ask; says what would do.
    """
    sets, rows = drawn(store, dataset, version, protocol)
    keys: Sequence[str] = sets.queries
    if limit is not None and limit < len(keys):
        keys = sorted(sorted(keys, key=lambda key: lot(SAMPLE, key))[:limit])
    asked = _of_keys(store, dataset, version, keys)
    database = pa.array(sets.database, pa.string())
    places = pc.index_in(database, value_set=rows["key"].combine_chunks())
    labels = rows["labels"].combine_chunks().take(places)
    if protocol.tree:
        said = pa.concat_arrays([labels, asked["labels"].combine_chunks()]).flatten()
        check_known(pc.unique(said).to_pylist(), protocol.parents, protocol.tree)
    return Questions(
        protocol=protocol,
        queries=asked,
        of=len(sets.queries),
        database=database,
        labels=labels,
        truth=truth_of(
            protocol,
            [
                Question(row["key"], tuple(row["labels"] or ()), tuple(row["tags"] or ()))
                for row in asked.select(["key", "labels", "tags"]).to_pylist()
            ],
            labels_that_count(_pictures(rows), protocol) if protocol.frequent else None,
        ),
        sets=(len(sets.queries), len(sets.database), len(sets.train)),
        kept=keep(store, dataset, name, sets) if protocol.is_drawn else "",
        digest=digest_of_sets(sets),
    )


def sizes_note(name: str, protocol: Protocol, sets: tuple[int, int, int], answered: int) -> str:
    """In what the sets differ from those that papers state; empty where they do not.

    Args:
        name: what the protocol is called.
        protocol: what it says.
        sets: the sizes of its sets.
        answered: queries with an answer; some papers count these alone.
    """
    parts = []
    for what, stated, there in zip(
        ("queries", "in the database", "to learn from"),
        protocol.sizes,
        sets,
        strict=True,
    ):
        same = stated == there or (what == "queries" and stated == answered)
        if stated and not same:
            parts.append(f"{there:,} {what} instead of {stated:,}")
    if not parts:
        return ""
    return f"{name} is stated with other sizes: here are {', '.join(parts)}."


def _pictures(rows: pa.Table) -> list[Picture]:
    columns = (rows[name].to_pylist() for name in COLUMNS)
    return [
        Picture(key, tuple(labels or ()), split or "")
        for key, labels, split in zip(*columns, strict=True)
    ]


def _of_keys(store: Store, dataset: str, version: int, keys: Sequence[str]) -> pa.Table:
    """`ASKED` of the live images of KEYS, by key."""
    wanted = pa.array(keys, pa.string())
    opened = manifest(store, dataset).open(version)
    batches: list[Any] = [
        batch.filter(pc.is_in(batch["key"], value_set=wanted))
        for batch in opened.scanner(list(ASKED), filter=f"state = '{LIVE}'").to_batches()
    ]
    return pa.Table.from_batches(batches, opened.schema.empty_table().select(ASKED).schema).sort_by(
        "key"
    )
