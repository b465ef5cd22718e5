"""The descriptor cache: what an encoder made of an image's bytes, found by the digest of the bytes.

An encoder's cache is a folder of parts, Arrow files that appear whole. A digest may stand in
several parts (two workers raced, a merge was killed): the rows say the same, and the first counts.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.parts import (
    BATCH_ROWS,
    COLUMNS,
    SAID,
    SMALL_BYTES,
    DamagedPart,
    descriptor_schema,
    encoded,
    good,
    opened,
    taken,
    without_duplicates,
)
from data.store import Store

__all__ = ["SAID", "DamagedPart", "DescriptorCache", "descriptor_schema"]

SUFFIX: Final = ".arrow"
LOOKUP_ROWS: Final = 1_000_000
"""Rows looked up at once: the table of wanted digests is built anew for each such group."""
MERGED_BYTES: Final = 256 * 2**20
"""How much is folded at once, and so what a merge needs of memory."""


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
        self.store.write(self._name(part), encoded(rows))

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
                hit &= _array(pc.or_(good(said), pc.equal(said["decoder"], decoder)))
            rows.append(said.filter(pa.array(hit)))
            places.append(place[hit])
        found, place = pa.concat_tables(rows), np.concatenate(places)
        order = np.argsort(~_array(good(found)), kind="stable")
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
            rows = np.flatnonzero((place >= 0) & _array(good(said)))
            rows = rows[~given[place[rows]]]
            rows = np.sort(rows[np.unique(place[rows], return_index=True)[1]])
            try:
                vectors = opened(self.store, self._name(part), ["digest", "vector"])
            except FileNotFoundError:
                continue  # merged away since: its rows come with a part not yet seen
            given[place[rows]] = True
            for batch in taken(vectors, rows):
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
            rows = without_duplicates(
                pa.concat_tables([opened(self.store, self._name(part), COLUMNS) for part in fold])
            )
            name = hashlib.sha256("\n".join(fold).encode()).hexdigest()[:32]
            self.write(f"merged-{name}", rows)
            for part in fold:
                self.store.delete(self._name(part))
        return len(self.parts())

    def _name(self, part: str) -> str:
        return f"{self.folder}/{part}{SUFFIX}"

    def _groups(self) -> Iterator[list[tuple[str, pa.Table]]]:
        """All parts, what they say without vectors, in groups of about `LOOKUP_ROWS` rows."""
        seen: set[str] = set()
        while fresh := [part for part in self.parts() if part not in seen]:
            group: list[tuple[str, pa.Table]] = []
            for part in fresh:
                seen.add(part)
                try:
                    group.append((part, opened(self.store, self._name(part), SAID.names)))
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
            chunks = [chunk for _, said in group for chunk in said["digest"].chunks]
            digests = pa.chunked_array(
                chunks, pa.string()
            )  # a part may have no rows, thus no chunk
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


def _array(mask: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """MASK for numpy."""
    return mask.to_numpy()


def _distinct(digests: pa.Array | pa.ChunkedArray) -> pa.Array:
    """DIGESTS once each, without nulls."""
    return pc.drop_null(pc.unique(digests.cast(pa.string())))
