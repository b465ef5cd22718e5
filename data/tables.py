"""Lance tables that change by one commit: workers write fragments, one caller publishes them.

The manifest and every index are such tables. A commit holds new rows, replaced rows and deleted
rows together, so a reader sees all of a night or nothing of it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lance.fragment import write_fragments

from data.memory import one_heap
from data.store import Store

SCATTERED: Final = 50
"""Rows that are read in a row in the time in which one is looked up by its number."""
BATCH: Final = 8192

RUN: Final = "run"
"""The transaction property that names the run which made a version."""
STREAMED_ROWS: Final = 8192
"""Rows of a batch of a stream."""
STREAMED_BYTES: Final = 16 * 2**20
"""What a stream may read ahead."""


@dataclass(frozen=True)
class Table:
    """A Lance table of a store.

    Args:
        store: where it lies.
        name: its folder within the store, e.g. ``manifests/places.lance``.
        schema: its columns; the first is the key, unique among the live rows.
    """

    store: Store
    name: str
    schema: pa.Schema

    @property
    def uri(self) -> str:
        """Its full path or URL."""
        return self.store.uri(self.name)

    def exists(self) -> bool:
        """Whether a version has ever been committed."""
        beside = self.store.names(f"{self.name}/_versions")  # a killed commit leaves .manifest#1
        return any(name.endswith(".manifest") for name in beside)

    def open(self, version: int | str | None = None) -> lance.LanceDataset:
        """The table as it stood at VERSION (a number or a tag), or as it stands now.

        Raises:
            FileNotFoundError: the table or the version is not there.
        """
        one_heap()
        try:
            return lance.dataset(
                self.uri, version=version, storage_options=self.store.lance_options
            )
        except (ValueError, OSError) as error:
            what = self.name if version is None else f"version {version} of {self.name}"
            raise FileNotFoundError(f"{what} is not in the store {self.store.root}.") from error

    def stream(
        self,
        columns: Sequence[str],
        filter: str | pc.Expression | None = None,
        version: int | str | None = None,
        *,
        addresses: bool = False,
    ) -> Iterator[pa.RecordBatch]:
        """COLUMNS of the rows at VERSION that FILTER leaves, in order, in bounded memory.

        Args:
            columns: their names.
            filter: an expression, or SQL.
            version: number or tag; the table as it stands now by default.
            addresses: whether each row's address in Lance, ``_rowaddr``, comes last.

        Raises:
            FileNotFoundError: the table or the version is not there.
        """
        yield from streamed(self.open(version), columns, STREAMED_ROWS, filter, addresses=addresses)

    def latest(self) -> lance.LanceDataset | None:
        """The table as it stands now; None before its first commit."""
        return self.open() if self.exists() else None

    def stage(self, rows: pa.Table | pa.RecordBatchReader | Iterable[pa.RecordBatch]) -> list[str]:
        """Write ROWS as fragments that nobody sees until `commit`; their descriptions, as JSON.

        Any process may call it, several at once.
        """
        if not isinstance(rows, pa.Table | pa.RecordBatchReader):
            rows = pa.RecordBatchReader.from_batches(self.schema, rows)
        fragments = write_fragments(
            rows,
            self.uri,
            schema=self.schema,
            mode="append" if self.exists() else "create",
            enable_stable_row_ids=True,
            storage_options=self.store.lance_options,
        )
        return [json.dumps(fragment.to_json()) for fragment in fragments]

    def commit(
        self,
        base: lance.LanceDataset | None,
        staged: Sequence[str],
        doomed: np.ndarray[Any, np.dtype[np.uint64]],
        properties: Mapping[str, str],
    ) -> lance.LanceDataset:
        """Publish STAGED rows and remove the rows at addresses DOOMED, as one version above BASE.

        A changed row is its old address in DOOMED and its new content in STAGED.

        Args:
            base: the version that DOOMED speaks of; None for the first commit.
            staged: what `stage` returned, of all workers.
            doomed: `_rowaddr` values (uint64), in any order.
            properties: written into the version; `RUN` must be among them.

        Raises:
            OSError: another writer committed above BASE in the meantime (a conflict).
        """
        fragments = [lance.FragmentMetadata.from_json(text) for text in staged]
        if base is None:
            operation = lance.LanceOperation.Overwrite(self.schema, fragments)
        else:
            updated, emptied = _without(base, doomed)
            if not updated and not emptied and base.get_fragments():
                # Lance rebases a pure append onto whatever came in between; naming one fragment
                # as updated, though it is not, makes two writers of one base conflict
                updated = [base.get_fragments()[0].metadata]
            operation = lance.LanceOperation.Update(
                removed_fragment_ids=emptied,
                updated_fragments=updated,
                new_fragments=fragments,
                fields_modified=[],
            )
        transaction = lance.Transaction(
            read_version=0 if base is None else base.version,  # an empty table is false
            operation=operation,
            transaction_properties=dict(properties),
        )
        return lance.LanceDataset.commit(
            self.uri,
            transaction,
            enable_stable_row_ids=True,
            storage_options=self.store.lance_options,
            max_retries=0,
        )

    def run_of(self, version: int) -> str | None:
        """The run that made VERSION, where its transaction is still there and names one."""
        transaction = self.open().read_transaction(version)
        properties = transaction.transaction_properties if transaction else None
        return (properties or {}).get(RUN)


def streamed(
    dataset: lance.LanceDataset,
    columns: Sequence[str],
    rows: int,
    filter: str | pc.Expression | None = None,
    *,
    addresses: bool = False,
) -> Iterator[pa.RecordBatch]:
    """COLUMNS of the rows of DATASET that FILTER leaves, as `Table.stream`, ROWS at a time.

    Lance by itself reads gigabytes ahead of whoever asks for all rows.
    """
    scanner = dataset.scanner(
        list(columns),
        filter,
        with_row_address=addresses,
        batch_size=rows,
        io_buffer_size=STREAMED_BYTES,
        batch_readahead=2,
        fragment_readahead=1,
    )
    yield from scanner.to_batches()


def rows_at(dataset: lance.LanceDataset, places: Sequence[int], columns: list[str]) -> pa.Table:
    """COLUMNS of the rows of DATASET at PLACES (deleted rows do not count), in the order of PLACES.

    Looked up one by one where they are few; read in a row, a batch in memory, where that is less.
    """
    if len(places) * SCATTERED <= dataset.count_rows():
        return dataset.take(list(places), columns=columns)
    wanted, back = np.unique(np.asarray(places, np.int64), return_inverse=True)
    found: list[pa.RecordBatch] = []
    start = 0
    scan = dataset.scanner(columns, batch_size=BATCH)
    for batch in scan.to_batches():
        first, last = np.searchsorted(wanted, (start, start + len(batch)))
        found.append(batch.take(pa.array(wanted[first:last] - start)))
        start += len(batch)
    return pa.Table.from_batches(found, scan.projected_schema).take(pa.array(back))


def _without(
    base: lance.LanceDataset, doomed: np.ndarray[Any, np.dtype[np.uint64]]
) -> tuple[list[lance.FragmentMetadata], list[int]]:
    """The fragments of BASE that lose rows, with the loss written down, and those left empty."""
    updated: list[lance.FragmentMetadata] = []
    emptied: list[int] = []
    owners = doomed >> np.uint64(32)  # a row address is fragment << 32 | offset
    for owner in np.unique(owners):
        addresses = ",".join(str(address) for address in doomed[owners == owner])
        fragment = base.get_fragment(int(owner)).delete(f"_rowaddr IN ({addresses})")
        if fragment is None:
            emptied.append(int(owner))
        else:
            updated.append(fragment)
    return updated, emptied
