"""Index tables: one row an image under one encoder, and how one is asked for neighbours."""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import lance
import numpy as np
import pyarrow as pa

from data.probing import Probing
from data.store import Store
from data.tables import Table

Metric = Literal["cosine", "hamming", "asmk"]

VECTOR: Final = "vector"
"""The column of descriptors."""

_METRICS: Final[Mapping[pa.DataType, Metric]] = {
    pa.float16(): "cosine",
    pa.float32(): "cosine",
    pa.uint8(): "hamming",
    pa.uint16(): "asmk",
}
"""By what descriptors are compared whose values are of a type: real ones, packed bits, and visual
words with their bits."""

ANN: Final = "vector_ann"
"""The name of the one approximate nearest neighbour index of a table, where it has one."""

FOLDER: Final = "indexes"
ENCODER: Final = "nightjar.encoder"
METRIC: Final = "nightjar.metric"
LEARNED: Final = "nightjar.learned_codes"
"""Under it an index names the learned codes of its encoder, where it has some."""
QUANTISED: Final = "nightjar.quantised"
"""Under it an index says, by `PQ`, that its rows are words of its encoder's codebooks."""
PQ: Final = "pq"

NPROBES: Final = 32
"""Partitions a query visits: of 447, enough for a recall@10 of 0.98 on clustered unit vectors."""

REFINE: Final = 4
"""Candidates per answer whose distance is computed again, from the stored descriptor."""

ENCODER_LETTERS: Final = 12


def index_schema(
    value: pa.DataType,
    width: int,
    encoder: str = "",
    codes: str = "",
    *,
    quantised: bool = False,
) -> pa.Schema:
    """The columns of an index whose descriptors are WIDTH values of VALUE, made by ENCODER.

    The schema's metadata names the encoder and the metric, so that neither can be mistaken later,
    and says where the values are codes, which mean something by the encoder's codebooks alone.

    Args:
        value: float16 or float32 for vectors (compared by cosine), uint8 for packed bits (compared
            by Hamming distance), uint16 for visual words (compared by selective match kernels).
        width: values a row: D for vectors, bits / 8 for packed bits.
        encoder: the digest of the encoder (64 hex digits).
        codes: that of the codes of single pictures which the encoder has learned; empty: of none.
        quantised: whether uint8 values are words of the encoder's codebooks, a byte a part: queries
            stay real numbers, and are compared by cosine with what the words stand for.

    Raises:
        ValueError: VALUE or WIDTH is of no descriptor.
    """
    if value not in _METRICS:
        raise ValueError(
            f"A descriptor cannot be of {value}: choose from {', '.join(map(str, _METRICS))}."
        )
    if width < 1:
        raise ValueError(f"A descriptor has at least one value a row, not {width}.")
    if quantised and value != pa.uint8():
        raise ValueError(f"Codes of product quantisation are of uint8, not of {value}.")
    said = {ENCODER: encoder, METRIC: "cosine" if quantised else _METRICS[value]}
    more = {LEARNED: codes, QUANTISED: PQ if quantised else ""}
    strings = pa.list_(pa.string())
    return pa.schema(
        [
            pa.field("key", pa.string(), nullable=False),
            pa.field("digest", pa.string(), nullable=False),
            pa.field("uri", pa.string()),
            pa.field("labels", strings),
            pa.field("tags", strings),
            pa.field("captions", strings),
            pa.field("split", pa.string()),
            pa.field("meta", pa.string()),
            pa.field(VECTOR, pa.list_(value, width)),
        ],
        metadata=said | {name: word for name, word in more.items() if word},
    )


def index_name(recipe: str, encoder: str) -> str:
    """The name of the table that holds RECIPE's dataset under the encoder of digest ENCODER."""
    return f"{recipe}-{encoder[:ENCODER_LETTERS]}"


def index_names(store: Store, recipe: str | None = None) -> list[str]:
    """The names of the index tables in the store, or of RECIPE's alone, sorted.

    A table is there from its first commit on: what a killed run wrote before that is none.
    """
    return [name for name in _begun(store, recipe) if has_index(store, name)]


def has_index(store: Store, name: str) -> bool:
    """Whether there is an index table NAME; the others are not looked at."""
    return _table(store, name).exists()


def unborn_places(store: Store, recipe: str) -> dict[str, str]:
    """Where RECIPE's index tables lie that were written to and never committed, by name.

    Either a run is writing the first rows right now, which holds the recipe's lease, or one was
    killed while it did.
    """
    tables = {name: _table(store, name) for name in _begun(store, recipe)}
    return {name: table.name for name, table in tables.items() if not table.exists()}


def _begun(store: Store, recipe: str | None) -> list[str]:
    """The names of the index tables of which there is a folder, or of RECIPE's alone, sorted."""
    stems = (name.removesuffix(".lance") for name in store.names(FOLDER) if name.endswith(".lance"))
    if recipe is None:
        return list(stems)
    ours = re.compile(re.escape(recipe) + rf"-[0-9a-f]{{1,{ENCODER_LETTERS}}}")
    return [stem for stem in stems if ours.fullmatch(stem)]


def _table(store: Store, name: str, schema: pa.Schema | None = None) -> Table:
    return Table(store, f"{FOLDER}/{name}.lance", schema or pa.schema([]))


def index_table(store: Store, name: str, schema: pa.Schema | None = None) -> Table:
    """The index table NAME; one that is not there yet needs its SCHEMA.

    Raises:
        FileNotFoundError: there is no such table and no SCHEMA was given.
        ValueError: the table holds descriptors of another encoder, width or type than SCHEMA says.
    """
    table = _table(store, name, schema)
    if not table.exists():
        if schema is None:
            known = ", ".join(index_names(store)) or "nothing yet"
            raise FileNotFoundError(f"No index {name!r} in {store.root}: choose from {known}.")
        return table
    stored = table.open().schema
    if schema is not None:
        _check_same_space(name, stored, schema)
    return Table(store, table.name, stored)


def encoder_of(schema: pa.Schema) -> str:
    """The digest of the encoder whose descriptors SCHEMA holds; empty where none is named."""
    return _said(schema, ENCODER)


def codes_of(schema: pa.Schema) -> str:
    """The digest of the learned codes among the rows of SCHEMA; empty where the network made all.

    Such a row is no query: what it says of its picture was learned from the picture's labels.
    """
    return _said(schema, LEARNED)


def metric_of(schema: pa.Schema) -> Metric:
    """The distance by which descriptors of SCHEMA are compared."""
    said = _said(schema, METRIC)
    return next((metric for metric in _METRICS.values() if metric == said), "cosine")


def quantised(schema: pa.Schema) -> bool:
    """Whether descriptors of SCHEMA are codes, which their encoder's codebooks explain."""
    return _said(schema, QUANTISED) == PQ


def asks_anew(schema: pa.Schema) -> bool:
    """Whether rows of SCHEMA ask nothing: they keep less than a query, or what labels say."""
    return quantised(schema) or bool(codes_of(schema))


def indexable(schema: pa.Schema) -> bool:
    """Whether Lance can compare descriptors of SCHEMA, and index them approximately."""
    return metric_of(schema) != "asmk" and not quantised(schema)


def like(schema: pa.Schema, encoder: str) -> pa.Schema:
    """The columns of an index whose descriptors are stored as those of SCHEMA, made by ENCODER."""
    kind = schema.field(VECTOR).type
    return index_schema(kind.value_type, kind.list_size, encoder, quantised=quantised(schema))


def vector_bytes(schema: pa.Schema) -> int:
    """Bytes that one descriptor of SCHEMA takes."""
    kind = schema.field(VECTOR).type
    return int(kind.list_size * kind.value_type.bit_width // 8)


def nearest(
    dataset: lance.LanceDataset,
    query: np.ndarray[Any, Any],
    k: int,
    exact: bool = False,
    probing: Probing | None = None,
) -> dict[str, Any]:
    """What a Lance scanner is told (``nearest=``) to find the K rows of DATASET nearest to QUERY.

    Everything that asks an index asks through this, so that the recall that is measured is the
    recall that is served. The metric is always the one of the table: with another, Lance would
    silently leave the index aside.

    Args:
        dataset: a version of an index.
        query: (width,) of the stored type, or floats for a real-valued index; (Q, width) for many
            at once, which adds a column `query_index`.
        k: how many.
        exact: compare with every row instead of those the index proposes.
        probing: how the index is asked; None for `NPROBES` and `REFINE`.

    Raises:
        ValueError: Lance knows no such distance.
    """
    metric = metric_of(dataset.schema)
    if not indexable(dataset.schema):
        held = "codes" if quantised(dataset.schema) else metric
        raise ValueError(f"Lance does not compare by {held}; tasks.searching.search does.")
    asked: dict[str, Any] = {"column": VECTOR, "q": query, "k": k, "metric": metric}
    if exact:
        return asked | {"use_index": False}
    asked |= {"use_index": True, "nprobes": probing.nprobes if probing else NPROBES}
    refine = probing.refine if probing else REFINE
    return asked | {"refine_factor": refine} if metric == "cosine" else asked


def vectors_of(column: pa.ChunkedArray | pa.FixedSizeListArray) -> np.ndarray[Any, Any]:
    """A column of descriptors, none null, as an array (rows, width) of the stored type."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), column.type.list_size)


def _said(schema: pa.Schema, key: str) -> str:
    return (schema.metadata or {}).get(key.encode(), b"").decode()


def _check_same_space(name: str, stored: pa.Schema, schema: pa.Schema) -> None:
    """Refuse rows of SCHEMA in a table of STORED: one index, one embedding space."""
    if encoder_of(stored) != encoder_of(schema):
        raise ValueError(
            f"Index {name} holds descriptors of encoder {encoder_of(stored)[:12]}, not of "
            f"{encoder_of(schema)[:12]}: distances between them mean nothing. "
            "Index the new encoder into a table of its own."
        )
    if stored.field(VECTOR).type != schema.field(VECTOR).type:
        raise ValueError(
            f"Index {name} holds descriptors of {stored.field(VECTOR).type}, not of "
            f"{schema.field(VECTOR).type}. Index them into a table of its own."
        )
