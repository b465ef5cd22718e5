"""The descriptor cache: what an encoder made of an image's bytes, found by the digest of the bytes.

An encoder's cache is a folder of parts, Arrow files that appear whole. A digest may stand in
several parts (two workers raced, a merge was killed): the rows say the same, and the first counts.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.store import Store

SUFFIX: Final = ".arrow"
LOOKUP_ROWS: Final = 1_000_000
"""Rows looked up at once: the table of wanted digests is built anew for each such group."""
BATCH_ROWS: Final = 8192
SMALL_BYTES: Final = 64 * 2**20
"""A part under this size is worth folding into another."""
MERGED_BYTES: Final = 256 * 2**20
"""How much is folded at once, and so what a merge needs of memory."""


class DamagedPart(RuntimeError):
    """A part of the cache that Arrow cannot read."""


def descriptor_schema(value: pa.DataType, width: int) -> pa.Schema:
    """The columns of a part: WIDTH numbers of type VALUE an image, or why there are none."""
    return pa.schema(
        [
            pa.field("digest", pa.string(), nullable=False),
            pa.field("vector", pa.list_(value, width)),
            pa.field("reason", pa.string(), nullable=False),
            pa.field("decoder", pa.string(), nullable=False),
        ]
    )


SAID: Final = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("digest", "reason", "decoder")]
)
"""A part without its vectors."""


@dataclass(frozen=True)
class DescriptorCache:
    """The descriptors of all images an encoder has ever seen, and the images it could not take.

    Args:
        store: where they lie, under ``descriptors/ENCODER``.
        encoder: digest of the encoder with its transform.
    """

    store: Store
    encoder: str

    @property
    def folder(self) -> str:
        """Its name within the store."""
        return f"descriptors/{self.encoder}"

    def parts(self) -> list[str]:
        """The names of its parts, without folder and suffix, sorted."""
        names = self.store.names(self.folder)
        return [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]

    def write(self, part: str, rows: pa.Table) -> None:
        """Put ROWS (`descriptor_schema`) there as PART, whole or not at all.

        Raises:
            ValueError: PART is no plain name, the columns are not those of a part, or a row has
                both a vector and a reason, or neither.
        """
        if not re.fullmatch(r"[\w-]+", part):
            raise ValueError(f"A part cannot be named {part!r}: letters, digits and dashes only.")
        _check(rows)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, rows.schema) as out:  # uncompressed, so that it can be mapped
            out.write_table(rows, max_chunksize=BATCH_ROWS)
        self.store.write(self._name(part), sink.getvalue().to_pybytes())

    def known(self, digests: pa.Array, decoder: str | None = None) -> pa.Table:
        """What is known of DIGESTS: digest, reason and decoder, one row for each that is here.

        The vectors are not read. A good row counts before a bad one, then the first by part's name.

        Args:
            digests: image digests, in any order; duplicates and nulls do not matter.
            decoder: if given, a bad row counts only where this decoder refused the image.

        Raises:
            DamagedPart: a part cannot be read.
        """
        wanted = _distinct(digests)
        rows = [SAID.empty_table()]
        places = [np.empty(0, np.int64)]
        for _, said, place in self._hits(wanted):
            hit = place >= 0
            if decoder is not None:
                hit &= _array(pc.or_(_good(said), pc.equal(said["decoder"], decoder)))
            rows.append(said.filter(pa.array(hit)))
            places.append(place[hit])
        found, place = pa.concat_tables(rows), np.concatenate(places)
        order = np.argsort(~_array(_good(found)), kind="stable")
        _, first = np.unique(place[order], return_index=True)
        return found.take(pa.array(order[first])).combine_chunks()

    def read(self, digests: pa.Array) -> Iterator[pa.RecordBatch]:
        """The digest and vector of those of DIGESTS that have one, once each, in the parts' order.

        Memory holds a batch at a time, and the digests.

        Raises:
            DamagedPart: a part cannot be read.
        """
        wanted = _distinct(digests)
        given = np.zeros(len(wanted), bool)
        waiting: list[pa.RecordBatch] = []
        for part, said, place in self._hits(wanted):
            rows = np.flatnonzero((place >= 0) & _array(_good(said)))
            rows = rows[~given[place[rows]]]
            rows = np.sort(rows[np.unique(place[rows], return_index=True)[1]])
            try:
                vectors = self._open(part, ["digest", "vector"])
            except FileNotFoundError:
                continue  # merged away since: its rows come with a part not yet seen
            given[place[rows]] = True
            for batch in _taken(vectors, rows):
                waiting.append(batch)
                if sum(map(len, waiting)) >= BATCH_ROWS:
                    yield pa.concat_batches(waiting)
                    waiting = []
        if waiting:
            yield pa.concat_batches(waiting)

    def listing(self) -> Iterator[pa.RecordBatch]:
        """What is known of every image: digest, reason, decoder; duplicates are not taken out.

        Raises:
            DamagedPart: a part cannot be read.
        """
        for group in self._groups():
            for _, said in group:
                yield from said.to_batches()

    def merge(self, max_parts: int) -> int:
        """Fold small parts into few if there are more than MAX_PARTS; how many there are then.

        Killed at any instant it leaves every row in at least one part.

        Raises:
            DamagedPart: a part cannot be read.
        """
        parts = self.parts()
        if len(parts) <= max_parts:
            return len(parts)
        for fold in self._folds():
            rows = _without_duplicates(pa.concat_tables([self._open(part) for part in fold]))
            name = hashlib.sha256("\n".join(fold).encode()).hexdigest()[:32]
            self.write(f"merged-{name}", rows)
            for part in fold:
                self.store.delete(self._name(part))
        return len(self.parts())

    def _name(self, part: str) -> str:
        return f"{self.folder}/{part}{SUFFIX}"

    def _open(self, part: str, columns: Sequence[str] | None = None) -> pa.Table:
        """PART, or some columns of it; mapped, not read, where the store is a folder."""
        name = self._name(part)
        try:
            with self._source(name) as source:
                fields = pa.ipc.open_file(source).schema
                chosen = None if columns is None else [fields.get_field_index(c) for c in columns]
                options = pa.ipc.IpcReadOptions(included_fields=chosen)
                rows = pa.ipc.open_file(source, options=options).read_all()
                rows.validate()
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError) as error:
            raise DamagedPart(
                f"{self.store.uri(name)} is damaged ({error}). Delete it and run again: "
                "the images in it are embedded anew, nothing else is lost."
            ) from error
        return rows

    def _source(self, name: str) -> Any:
        """The bytes of NAME for Arrow: a map of a local file, the object itself from a bucket."""
        if self.store.local:
            return pa.memory_map(self.store.uri(name))
        remote = self.store.fs.open(self.store.uri(name), "rb")
        if remote.size > SMALL_BYTES:
            return pa.PythonFile(remote, mode="r")
        with remote:
            return pa.BufferReader(remote.read())  # one request instead of one a column

    def _groups(self) -> Iterator[list[tuple[str, pa.Table]]]:
        """All parts, what they say without vectors, in groups of about `LOOKUP_ROWS` rows."""
        seen: set[str] = set()
        while fresh := [part for part in self.parts() if part not in seen]:
            group: list[tuple[str, pa.Table]] = []
            for part in fresh:
                seen.add(part)
                try:
                    group.append((part, self._open(part, SAID.names)))
                except FileNotFoundError:
                    continue  # another run merged it away: its rows come with a part not yet seen
                if sum(len(said) for _, said in group) >= LOOKUP_ROWS:
                    yield group
                    group = []
            if group:
                yield group

    def _hits(self, wanted: pa.Array) -> Iterator[tuple[str, pa.Table, np.ndarray[Any, Any]]]:
        """Each part with some of WANTED, what it says, and each row's place in WANTED or -1."""
        if not len(wanted):
            return
        for group in self._groups():
            digests = pa.chunked_array([c for _, said in group for c in said["digest"].chunks])
            found = pc.fill_null(pc.index_in(digests, value_set=wanted), -1).to_numpy()
            ends = np.cumsum([len(said) for _, said in group])
            for (part, said), place in zip(group, np.split(found, ends[:-1]), strict=True):
                if (place >= 0).any():
                    yield part, said, place

    def _folds(self) -> list[list[str]]:
        """The small parts by name, in runs of at most `MERGED_BYTES`, two or more each."""
        found = self.store.fs.ls(self.store.uri(self.folder), detail=True, refresh=True)
        sizes = {str(info["name"]).rsplit("/", 1)[-1]: int(info["size"]) for info in found}
        folds: list[list[str]] = [[]]
        total = 0
        for part in self.parts():
            size = sizes.get(part + SUFFIX, SMALL_BYTES)
            if size >= SMALL_BYTES:
                continue
            if total + size > MERGED_BYTES:
                folds.append([])
                total = 0
            folds[-1].append(part)
            total += size
        return [fold for fold in folds if len(fold) > 1]


def _check(rows: pa.Table) -> None:
    """Refuse ROWS that are no part."""
    vector = rows.schema.field("vector").type if "vector" in rows.column_names else pa.null()
    if not pa.types.is_fixed_size_list(vector):
        raise ValueError(f"A part needs a vector column of fixed size, but has {vector}.")
    asked = descriptor_schema(vector.value_type, vector.list_size)
    if rows.schema != asked:
        raise ValueError(f"A part's columns must be {asked}, but are {rows.schema}.")
    if pc.any(pc.equal(pc.is_valid(rows["vector"]), pc.invert(_good(rows)))).as_py():
        raise ValueError("A row of a part has a vector or a reason why there is none, never both.")


def _good(rows: pa.Table) -> pa.ChunkedArray:
    """Which of ROWS are of images that have a descriptor."""
    return pc.equal(rows["reason"], "")


def _array(mask: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """MASK for numpy."""
    return mask.to_numpy()


def _distinct(digests: pa.Array | pa.ChunkedArray) -> pa.Array:
    """DIGESTS once each, without nulls."""
    return pc.drop_null(pc.unique(digests.cast(pa.string())))


def _without_duplicates(rows: pa.Table) -> pa.Table:
    """ROWS without those that repeat an earlier one, and without bad ones of images also good."""
    keys = pc.binary_join_element_wise(rows["digest"], rows["decoder"], "\n")
    codes = keys.combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.sort(np.unique(codes, return_index=True)[1])
    once = rows.take(pa.array(first))
    good = _good(once)
    covered = pc.is_in(once["digest"], value_set=once["digest"].filter(good).combine_chunks())
    return once.filter(pc.or_(good, pc.invert(covered)))


def _taken(table: pa.Table, rows: np.ndarray[Any, Any]) -> Iterator[pa.RecordBatch]:
    """ROWS (ascending) of TABLE, a batch at a time."""
    start = 0
    for batch in table.to_batches(BATCH_ROWS):
        here = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + len(batch))]
        if len(here):
            yield batch.take(pa.array(here - start))
        start += len(batch)
