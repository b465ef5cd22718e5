"""The pictures of a dataset version as batches to learn from, ordered by a seed alone."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from data.manifest import LIVE, manifest, shard_name
from data.store import Store
from models.pixels import BadImage, Transform

Rows = NDArray[np.int64]
Pictures = tuple[torch.Tensor, torch.Tensor | None]
"""Pixels (B, 3, S, S) uint8, and targets (B, C) float32 where there are labels."""

COLUMNS: Final = ("key", "digest", "shard", "offset", "length", "labels", "split")
GAP_BYTES: Final = 1 << 16
"""Pictures of a shard that lie closer than this are read together."""
READ_BYTES: Final = 1 << 25
"""Until that many bytes have come together."""


@dataclass(frozen=True)
class Share:
    """Which worker of how many this is; each takes its share of every batch."""

    rank: int = 0
    world: int = 1


class TrainingSet:
    """The live pictures of a dataset version, each once however often it was copied.

    They are decoded once into memory where they fit; else they stream, shard after shard in a
    random order, through a buffer of that size from which batches are drawn.

    Args:
        store: holds manifest and shards.
        dataset: its name.
        version: of the manifest.
        split: the dataset's word; None: "train" where there is such a split, else everything.
        transform: makes the pixels.
        labelled: whether pictures without labels are left out.
        memory: bytes that decoded pictures may take.
        threads: that decode.

    Raises:
        ValueError: no picture is left; says which splits there are.
    """

    def __init__(
        self,
        store: Store,
        dataset: str,
        version: int,
        *,
        split: str | None,
        transform: Transform,
        labelled: bool,
        memory: int,
        threads: int = 1,
    ) -> None:
        self._store, self._dataset, self._transform = store, dataset, transform
        self._threads = threads
        rows = _live(store, dataset, version)
        self.split = _split(rows, split, f"{dataset} version {version}")
        if self.split is not None:
            rows = rows.filter(pc.equal(rows["split"], self.split))
        if labelled:
            counts = pc.list_value_length(rows["labels"])
            rows = rows.filter(pc.fill_null(pc.greater(counts, 0), False))
        self._labels: list[list[str]] = rows["labels"].to_pylist() if labelled else []
        self.classes = sorted({label for labels in self._labels for label in labels})
        self._shards = rows["shard"].to_numpy(zero_copy_only=False)
        self._offsets = rows["offset"].to_numpy()
        self._lengths = rows["length"].to_numpy()
        self.bad: set[int] = set()
        """Rows that could not be decoded, as far as they have been read."""
        self._room = max(1, memory // (3 * transform.size**2))
        self._cache: torch.Tensor | None = None
        self._cached: Rows = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._offsets)

    @property
    def fits(self) -> bool:
        """Whether all pictures, decoded, fit the memory."""
        return len(self) <= self._room

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Decode everything that fits, telling PROGRESS how many of how many are done."""
        if not self.fits or self._cache is not None:
            return
        size = self._transform.size
        cache = torch.empty((len(self), 3, size, size), dtype=torch.uint8)
        kept: list[int] = []
        for done, (row, pixels) in enumerate(self._decoded(np.arange(len(self))), 1):
            cache[len(kept)] = pixels
            kept.append(row)
            if done % 1000 == 0:
                progress(done, len(self))
        self._some_good(len(kept))
        self._cache, self._cached = cache[: len(kept)], np.array(kept, np.int64)
        progress(len(self), len(self))

    def steps(self, batch: int) -> int:
        """Batches an epoch: whole ones; which pictures are left over differs every time."""
        return max(1, (len(self._cached) if self._cache is not None else len(self)) // batch)

    def batches(self, epoch: int, seed: int, batch: int, share: Share) -> Iterator[Pictures]:
        """This worker's SHARE of the batches of EPOCH, each of about BATCH pictures in all."""
        order = np.random.default_rng((seed, epoch))
        if self._cache is None:
            yield from self._streamed(order, batch, share)
            return
        drawn = order.permutation(len(self._cached))
        for step in range(self.steps(batch)):
            mine = drawn[step * batch : (step + 1) * batch][share.rank :: share.world]
            yield self._cache[torch.from_numpy(mine)], self._targets(self._cached[mine])

    def _streamed(self, order: np.random.Generator, batch: int, share: Share) -> Iterator[Pictures]:
        """As `batches`, from the shards; every worker makes as many, whatever turns out bad."""
        size = max(2, batch // share.world)
        stream = self._shuffled(order, share)
        for _ in range(self.steps(batch)):
            rows, pixels = zip(*(next(stream) for _ in range(size)), strict=True)
            yield torch.stack(pixels), self._targets(np.array(rows))

    def _shuffled(
        self, order: np.random.Generator, share: Share
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """This worker's pictures without end, drawn from a buffer that is filled shard by shard."""
        room = max(1, self._room // share.world)
        buffer: list[tuple[int, torch.Tensor]] = []
        while True:
            good = 0
            shards = np.unique(self._shards)
            for shard in order.permutation(len(shards)):
                mine = np.flatnonzero(self._shards == shards[shard])[share.rank :: share.world]
                for picture in self._decoded(mine):
                    good += 1
                    if len(buffer) < room:
                        buffer.append(picture)
                        continue
                    place = int(order.integers(room))
                    yield buffer[place]
                    buffer[place] = picture
            self._some_good(good)
            order.shuffle(buffer)
            yield from buffer
            buffer.clear()

    def _decoded(self, rows: Rows) -> Iterator[tuple[int, torch.Tensor]]:
        """(row, pixels) of those of ROWS that are good, in order; the others are noted in `bad`."""
        with ThreadPoolExecutor(self._threads) as pool:
            for run in _runs(rows, self._shards, self._offsets, self._lengths):
                for row, pixels in zip(run, pool.map(self._pixels, self._read(run)), strict=True):
                    if pixels is None:
                        self.bad.add(int(row))
                    else:
                        yield int(row), pixels

    def _some_good(self, good: int) -> None:
        """Return unless no picture at all could be decoded."""
        if not good:
            raise ValueError(
                f"None of the {len(self)} pictures of {self._dataset} can be decoded: there is "
                "nothing to train on."
            )

    def _read(self, run: Rows) -> list[bytes]:
        """The bytes of each row of RUN, which lie close together in one shard."""
        start = int(self._offsets[run[0]])
        end = int((self._offsets[run] + self._lengths[run]).max())
        name = shard_name(self._dataset, self._shards[run[0]])
        block = self._store.read_range(name, start, end - start)
        spans = zip(self._offsets[run] - start, self._lengths[run], strict=True)
        return [block[offset : offset + length] for offset, length in spans]

    def _pixels(self, content: bytes) -> torch.Tensor | None:
        try:
            return self._transform(content)
        except BadImage:
            return None

    def _targets(self, rows: Rows) -> torch.Tensor | None:
        """Targets (B, C) of ROWS; None without labels."""
        if not self.classes:
            return None
        columns = {name: column for column, name in enumerate(self.classes)}
        targets = torch.zeros(len(rows), len(columns))
        for place, row in enumerate(rows):
            targets[place, [columns[name] for name in self._labels[row]]] = 1
        return targets


def _live(store: Store, dataset: str, version: int) -> pa.Table:
    """The `COLUMNS` of the live rows, one a digest (the first key's), by shard and offset."""
    rows = (
        manifest(store, dataset).open(version).to_table(list(COLUMNS), filter=f"state = '{LIVE}'")
    )
    rows = rows.sort_by("key")
    first = np.unique(rows["digest"].to_numpy(zero_copy_only=False), return_index=True)[1]
    return rows.take(first).sort_by([("shard", "ascending"), ("offset", "ascending")])


def _split(rows: pa.Table, wanted: str | None, what: str) -> str | None:
    """The split to train on: WANTED, else "train" where ROWS have it, else None for all."""
    there = sorted({split or "" for split in pc.unique(rows["split"]).to_pylist()})
    if wanted is None:
        wanted = "train" if "train" in there else None
    if not len(rows) or (wanted is not None and wanted not in there):
        raise ValueError(
            f"There is nothing to train on: {what} has {len(rows)} pictures, in the splits "
            f"{', '.join(repr(name) for name in there) or 'none'}; asked for: {wanted!r}."
        )
    return wanted


def _runs(
    rows: Rows, shards: Sequence[Any], offsets: Rows, lengths: Rows
) -> Iterator[NDArray[np.int64]]:
    """ROWS, ordered by shard and offset, cut into runs that are worth one read each."""
    start = 0
    for place in range(1, len(rows) + 1):
        if place < len(rows):
            before, row = rows[place - 1], rows[place]
            end = offsets[before] + lengths[before]
            together = (
                shards[before] == shards[row]
                and offsets[row] - end <= GAP_BYTES
                and offsets[row] + lengths[row] - offsets[rows[start]] <= READ_BYTES
            )
            if together:
                continue
        yield rows[start:place]
        start = place
