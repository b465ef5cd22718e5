"""The pictures of a dataset version as batches to learn from, ordered by a seed alone."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from data.manifest import shard_name
from data.store import Store
from models.pixels import BadImage, Transform
from models.supervision import Batches
from tasks.training.orders import Mates, steps_of
from tasks.training.selection import Selected

Rows = NDArray[np.int64]

GAP_BYTES: Final = 1 << 16
"""Pictures of a shard that lie closer than this are read together."""
READ_BYTES: Final = 1 << 25
"""Until that many bytes have come together."""


@dataclass(frozen=True)
class Share:
    """Which worker of how many this is; each takes its share of every batch."""

    rank: int = 0
    world: int = 1


class Pictures(NamedTuple):
    """Some of a training set.

    Args:
        pixels: (B, 3, S, S) uint8.
        rows: (B,) which they are.
        targets: (B, C) float32 where labels are looked at.
        words: (B, T) float32 where tags are.
        sentences: (B, L) int64, the codes of a sentence of each, where sentences are read.
    """

    pixels: torch.Tensor
    rows: Rows
    targets: torch.Tensor | None
    words: torch.Tensor | None
    sentences: torch.Tensor | None = None


class TrainingSet:
    """Selected pictures of a dataset version, in batches and one after the other.

    They are decoded once into memory where they fit; else they stream, shard after shard in a
    random order, through a buffer of that size from which batches are drawn.

    Args:
        store: holds the shards.
        dataset: its name.
        chosen: which pictures, and what is said of them.
        transform: makes the pixels.
        memory: bytes that decoded pictures may take.
        threads: that decode.
        kind: how the pictures of a step are chosen.
        each: pictures of a class in a balanced step.
        codes: makes codes of sentences, where they are read.
    """

    def __init__(
        self,
        store: Store,
        dataset: str,
        chosen: Selected,
        *,
        transform: Transform,
        memory: int,
        threads: int = 1,
        kind: Batches = "shuffled",
        each: int = 4,
        codes: Callable[[Sequence[str]], torch.Tensor] | None = None,
    ) -> None:
        self._codes = codes
        self._store, self._dataset, self._transform = store, dataset, transform
        self._threads, self._kind, self._each = threads, kind, each
        self.chosen, self.labels, self.words = chosen, chosen.labels, chosen.words
        rows = chosen.rows
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
    def side(self) -> int:
        """S, of the pixels."""
        return self._transform.size

    @property
    def fits(self) -> bool:
        """Whether all pictures, decoded, fit the memory."""
        return len(self) <= self._room

    @property
    def taken(self) -> int:
        """Bytes that its decoded pictures take."""
        return 0 if self._cache is None else self._cache.numel()

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

    def batches(
        self,
        epoch: int,
        seed: int,
        batch: int,
        share: Share,
        skip: int = 0,
        mates: Mates | None = None,
    ) -> Iterator[Pictures]:
        """This worker's SHARE of the batches of EPOCH, each of about BATCH pictures in all.

        The first SKIP of them are left out. MATES says with which pictures others are shown where
        steps are paired; pairs stay together.

        Raises:
            ValueError: the steps are to be balanced, and there are no two classes, or the pictures
                do not fit the memory.
        """
        lots, draw = np.random.default_rng((seed, epoch)), (seed, epoch)
        if self._cache is None:
            yield from self._streamed(lots, batch, share, skip, draw)
            return
        steps = steps_of(
            self._cached,
            self._kind,
            batch,
            lots,
            classes=self._classes(self._cached),
            each=self._each,
            mates=mates,
        )
        for step in islice(steps, skip, None):
            parts = np.split(step, 2) if self._kind == "paired" else [step]
            mine = np.concatenate([part[share.rank :: share.world] for part in parts])
            places = torch.from_numpy(np.searchsorted(self._cached, mine))
            yield self._told(self._cache[places], mine, draw)

    def each_once(self, batch: int, rows: Rows | None = None) -> Iterator[Pictures]:
        """Those of ROWS (ascending; all if None) that can be decoded, in order, BATCH at a time."""
        rows = np.arange(len(self)) if rows is None else rows
        if self._cache is not None:
            rows = rows[np.isin(rows, self._cached)]
            places = torch.from_numpy(np.searchsorted(self._cached, rows))
            for start in range(0, len(rows), batch):
                part = slice(start, start + batch)
                yield self._told(self._cache[places[part]], rows[part])
            return
        stream = self._decoded(rows)
        while some := list(islice(stream, batch)):
            yield self._told(
                torch.stack([pixels for _, pixels in some]), np.array([row for row, _ in some])
            )

    def _streamed(
        self, lots: np.random.Generator, batch: int, share: Share, skip: int, draw: tuple[int, int]
    ) -> Iterator[Pictures]:
        """As `batches`, from the shards; every worker makes as many, whatever turns out bad."""
        if self._kind != "shuffled":
            raise ValueError(
                f"Steps that are {self._kind} are chosen among pictures in memory, and "
                f"{len(self)} of them do not fit: let memory_mb be more, size less, or choose a "
                "method, or a network, that learns from shuffled steps."
            )
        size = max(2, batch // share.world)
        stream = self._shuffled(lots, share)
        for _ in range(skip * size):
            next(stream)
        for _ in range(skip, self.steps(batch)):
            rows, pixels = zip(*(next(stream) for _ in range(size)), strict=True)
            yield self._told(torch.stack(pixels), np.array(rows), draw)

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

    def _told(
        self, pixels: torch.Tensor, rows: Rows, draw: tuple[int, int] | None = None
    ) -> Pictures:
        """PIXELS with what is said of their ROWS, a sentence of each that DRAW decides."""
        said, codes = self.chosen.sentences, self._codes
        return Pictures(
            pixels,
            rows,
            None if self.labels is None else self.labels.dense(rows).clamp_(max=1),
            None if self.words is None else self.words.dense(rows),
            None if said is None or codes is None else codes(said.drawn(rows, draw)),
        )

    def _classes(self, rows: Rows) -> Rows:
        """The first class of each of ROWS; -1 where there is none."""
        return np.full(len(rows), -1) if self.labels is None else self.labels.first[rows]


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
