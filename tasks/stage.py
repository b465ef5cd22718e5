"""Write index rows, manifest rows joined with descriptors, as fragments nobody sees yet."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.descriptors import DescriptorCache
from data.indexes import VECTOR, quantised, vectors_of
from data.manifest import manifest
from data.tables import Table
from models.codebooks import Codebooks
from tasks.cluster import ClusterPlan, spread
from tasks.codebooks import codebooks_in

COPIED: Final = ("key", "digest", "uri", "labels", "tags", "captions", "split", "meta")
"""The columns an index takes over from the manifest."""


class MissingDescriptor(RuntimeError):
    """A row that was to be written has no descriptor any more, or a broken one."""


@dataclass(frozen=True)
class Slice:
    """Some rows of a dataset version, by their places in it; `number` keeps the slices' order."""

    number: int
    places: np.ndarray[Any, Any]

    def __str__(self) -> str:
        return f"slice {self.number} of {len(self.places)} index rows"


def stage(
    table: Table,
    dataset: str,
    version: int,
    encoder: str,
    places: np.ndarray[Any, Any],
    rows: int,
    cluster: ClusterPlan,
    here: bool,
) -> list[str]:
    """The fragments of index rows for the manifest rows at PLACES, ready for `Table.commit`.

    Their order is that of PLACES, whichever worker was first.

    Args:
        table: the index; nothing of it changes.
        dataset: the dataset's name.
        version: the manifest version that PLACES speaks of.
        encoder: whose descriptors are joined to the rows.
        places: rows of the manifest as `take` counts them, ascending.
        rows: at most so many in a slice, and so in a fragment and in a worker's memory.
        cluster: who writes.
        here: this process alone writes, and no cluster is started.

    Raises:
        WorkFailed: a slice could not be written, caused for instance by `MissingDescriptor`.
    """
    slices = (
        Slice(number, places[start : start + rows])
        for number, start in enumerate(range(0, len(places), rows))
    )
    make = partial(_worker, table, dataset, version, encoder)
    written = sorted(spread(make, slices, cluster, here=here))
    return [fragment for _, fragments in written for fragment in fragments]


def index_rows(
    manifest_rows: pa.Table,
    cache: DescriptorCache,
    schema: pa.Schema,
    books: Codebooks | None = None,
) -> pa.Table:
    """MANIFEST_ROWS with their descriptors from CACHE, in the columns of SCHEMA and their order.

    Where SCHEMA stores codes, BOOKS make them of what the cache holds.

    Raises:
        MissingDescriptor: a digest has no good descriptor, or one with a number that is none.
    """
    digests = pc.unique(manifest_rows["digest"])
    kind = schema.field(VECTOR).type
    vectors = np.empty((len(digests), kind.list_size), kind.value_type.to_pandas_dtype())
    found = np.zeros(len(digests), bool)
    for batch in cache.read(digests):
        place = pc.index_in(batch["digest"], value_set=digests).to_numpy()
        made = vectors_of(batch[VECTOR])
        _refuse_broken(batch["digest"], made, cache.encoder)
        vectors[place] = books.encoded(made) if books else made
        found[place] = True
    _refuse_missing(digests, found, cache.encoder)
    place = pc.index_in(manifest_rows["digest"], value_set=digests).to_numpy()
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors[place].ravel()), type=kind)
    return manifest_rows.select(COPIED).append_column(VECTOR, column).cast(schema)


def _worker(
    table: Table, dataset: str, version: int, encoder: str
) -> Callable[[Slice], tuple[int, list[str]]]:
    """What writes slices: it opens the manifest once."""
    rows: lance.LanceDataset = manifest(table.store, dataset).open(version)
    cache = DescriptorCache(table.store, encoder)
    books = codebooks_in(table.store, encoder) if quantised(table.schema) else None

    def write(some: Slice) -> tuple[int, list[str]]:
        taken = rows.take(some.places.tolist(), columns=list(COPIED))
        return some.number, table.stage(index_rows(taken, cache, table.schema, books))

    return write


def _refuse_missing(digests: pa.Array, found: np.ndarray[Any, Any], encoder: str) -> None:
    if not found.all():
        lost = digests.filter(pa.array(~found)).slice(0, 3).to_pylist()
        raise MissingDescriptor(
            f"{(~found).sum()} images lost their descriptor of encoder {encoder[:12]} while they "
            f"were indexed (the first: {', '.join(lost)}). Nothing was published; run again."
        )


def _refuse_broken(digests: pa.Array, vectors: np.ndarray[Any, Any], encoder: str) -> None:
    if vectors.dtype.kind == "f" and not (finite := np.isfinite(vectors).all(axis=1)).all():
        broken = digests.filter(pa.array(~finite)).slice(0, 3).to_pylist()
        raise MissingDescriptor(
            f"{(~finite).sum()} descriptors of encoder {encoder[:12]} hold a number that is none "
            f"(NaN or infinite), the first of {', '.join(broken)}. Nothing was published; the "
            "encoder is broken: train it again."
        )
