"""A source in memory and the nights that read it: what the tests of scan to compact share."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.adapters import DATASETS
from data.adapters.base import Dataset
from data.adapters.card import Card
from data.manifest import manifest
from data.sample import Sample
from data.store import Store
from tasks.cluster import ClusterPlan
from tasks.plan import Change, candidates, plan
from tasks.register import register
from tasks.scan import ScanPlan, SourcePlan, scan
from tasks.shard import ShardPlan, shard

HERE = ClusterPlan(small=10**9)


@dataclass(frozen=True)
class Picture:
    """What the source holds under a key; an error for content is what reading it raises."""

    content: bytes | OSError
    mtime: int = 1
    etag: str = ""
    labels: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return 0 if isinstance(self.content, OSError) else len(self.content)


class Memory(Dataset):
    """The pictures of `Memory.pictures`, in their order; `Memory.asked` notes each read."""

    card = Card(name="memory", about="What a test puts there.", labels="as the test says")
    pictures: ClassVar[dict[str, Picture]] = {}
    asked: ClassVar[list[str]] = []
    slow: ClassVar[float] = 0.0

    def samples(self) -> Iterator[Sample]:
        for key, picture in self.pictures.items():
            yield Sample(
                key=key,
                uri=f"memory:{key}",
                size=picture.size,
                mtime=picture.mtime,
                etag=picture.etag,
                labels=picture.labels,
            )

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        for uri in uris:
            key = uri.removeprefix("memory:")
            self.asked.append(key)
            time.sleep(self.slow)
            yield self.pictures[key].content


@dataclass
class Nights:
    """A dataset in STORE that is brought up to `Memory.pictures`, a night at a time."""

    store: Store
    source: SourcePlan = field(default_factory=lambda: SourcePlan(dataset="memory", root="/"))
    dataset: str = "pictures"
    scan: ScanPlan = field(default_factory=ScanPlan)
    shard: ShardPlan = field(default_factory=ShardPlan)
    cluster: ClusterPlan = HERE

    def change(
        self, workspace: Path, *, write: bool = True, deadline: float | None = None
    ) -> Change:
        """What the night finds; with WRITE its new bytes are in the store."""
        for wave in scan(self.source, self.scan, workspace):
            wanted = candidates(self.store, self.dataset, workspace, wave, self.scan)
            shard(
                self.store,
                self.dataset,
                self.source,
                wanted,
                self.shard,
                self.cluster,
                workspace,
                write=write,
                deadline=deadline,
            )
        return plan(self.store, self.dataset, workspace, self.scan)

    def night(self, run: str = "a run", deadline: float | None = None) -> tuple[int, Change]:
        """The version that a whole night makes, and its change (whose files are gone by then)."""
        with tempfile.TemporaryDirectory() as folder:
            change = self.change(Path(folder), deadline=deadline)
            return register(self.store, self.dataset, change, run, lambda: None), change

    def rows(self, version: int | None = None) -> dict[str, dict[str, Any]]:
        """The manifest's rows by key; a key that is there twice is an error."""
        found = manifest(self.store, self.dataset).open(version).to_table().to_pylist()
        rows = {row["key"]: row for row in found}
        if len(rows) != len(found):
            raise AssertionError(f"{len(found)} rows have {len(rows)} keys")
        return rows

    def bytes_of(self, row: dict[str, Any]) -> bytes:
        """The bytes that a manifest's row points at."""
        name = f"shards/{self.dataset}/{row['shard']}.tar"
        return self.store.read_range(name, row["offset"], row["length"])

    def tars(self) -> dict[str, bytes]:
        """Every file under the dataset's shards, by name."""
        folder = f"shards/{self.dataset}"
        return {name: self.store.read(f"{folder}/{name}") for name in self.store.names(folder)}


def memory_nights(store: Store, monkeypatch: pytest.MonkeyPatch) -> Nights:
    """Nights of a source in memory, empty at first, that ends with the test."""
    monkeypatch.setitem(DATASETS, "memory", Memory)
    monkeypatch.setattr(Memory, "pictures", {})
    monkeypatch.setattr(Memory, "asked", [])
    return Nights(store)


def counted(change: Change) -> dict[str, int]:
    """The classes of CHANGE that are not empty."""
    return {kind: count for kind, count in change.counts.items() if count}


def rows_in(path: Path) -> list[dict[str, Any]]:
    """The rows of the Parquet file PATH."""
    table: pa.Table = pq.read_table(path)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
