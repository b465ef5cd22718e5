"""Two ways to an index: made-up rows and descriptors, and nights over a folder of real pictures."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pytest
import torch

from data.aliases import Alias, Pointer
from data.descriptors import DescriptorCache, descriptor_schema
from data.indexes import VECTOR, index_name, index_table, vectors_of
from data.lineage import Lineage
from data.manifest import MANIFEST, manifest
from data.plan import digest_of
from data.store import Store
from data.tables import RUN
from models.aggregation.rows import EMPTY
from tasks.balance import Ledger, balance
from tasks.cluster import ClusterPlan
from tasks.extract import ExtractPlan, Limits, extract, missing
from tasks.gates import GatesPlan, judge
from tasks.index import Candidate, IndexPlan, index, seal
from tasks.measuring.evaluate import EvaluatePlan, evaluate
from tasks.plan import Change, candidates
from tasks.plan import plan as plan_change
from tasks.promote import now, promote
from tasks.register import quarantine, register
from tasks.scan import ScanPlan, SourcePlan, scan
from tasks.shard import ShardPlan, shard
from tasks.training.plan import TrainPlan
from tasks.training.train import train

FLOAT = pa.float32()


def digest(content: str) -> str:
    """The digest of what stands for an image's bytes."""
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass
class World:
    """A manifest that is written a night at a time, its descriptors, and its index.

    `said` is the oracle: what the manifest says of each key, as (digest, label, state).
    """

    store: Store
    value: Any = FLOAT
    width: int = 16
    encoder: str = "e" * 64
    recipe: str = "toy"
    dataset: str = "pictures"
    said: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    @property
    def table(self) -> str:
        return index_name(self.recipe, self.encoder)

    @property
    def version(self) -> int:
        return int(manifest(self.store, self.dataset).open().version)

    def write(self, changes: Mapping[str, tuple[str, str, str]], run: str = "a run") -> int:
        """Commit CHANGES, key: (content, label, state), to the manifest; the version it makes."""
        table = manifest(self.store, self.dataset)
        base = table.latest()
        doomed = np.empty(0, np.uint64)
        if base is not None:
            held = base.scanner(["key"], with_row_address=True).to_table()
            doomed = held["_rowaddr"].to_numpy()[np.isin(held["key"].to_pylist(), list(changes))]
        since = base.version + 1 if base else 1
        rows = pa.Table.from_pylist(
            [_row(key, *what, since, run) for key, what in changes.items()], schema=MANIFEST
        )
        self.said |= {key: (digest(c), label, state) for key, (c, label, state) in changes.items()}
        return int(table.commit(base, table.stage(rows), doomed, {RUN: run}).version)

    def vector(self, of: str) -> np.ndarray[Any, Any]:
        """The descriptor of the image of digest OF, drawn from it."""
        rng = np.random.default_rng(int(of[:12], 16))
        if self.value == pa.uint8():
            return rng.integers(0, 256, self.width, dtype=np.uint8)
        if self.value == pa.uint16():
            return self._words(rng)
        drawn = rng.standard_normal(self.width)
        return (drawn / np.linalg.norm(drawn)).astype(self.value.to_pandas_dtype())

    def _words(self, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """As a row: up to five of twelve visual words, their bits alike more often than not."""
        row = np.full(self.width, EMPTY, np.uint16)
        row[0] = 3
        words = np.sort(rng.choice(12, rng.integers(1, 6), replace=False))
        row[1 : 1 + 3 * len(words)].reshape(-1, 3)[:] = np.stack(
            [words, *rng.integers(0, 2**8, (2, len(words)))], axis=1
        )
        return row

    def describe(self, digests: Iterable[str], part: str = "part") -> None:
        """Put descriptors of DIGESTS into the cache."""
        rows = [
            {"digest": one, "vector": self.vector(one), "reason": "", "decoder": ""}
            for one in sorted(set(digests))
        ]
        schema = descriptor_schema(self.value, self.width)
        DescriptorCache(self.store, self.encoder).write(
            part, pa.Table.from_pylist(rows, schema=schema)
        )

    def describe_all(self, part: str = "part") -> None:
        self.describe((one for one, _, _ in self.said.values()), part)

    def index(
        self,
        run: str,
        plan: IndexPlan | None = None,
        check: Callable[[], None] = lambda: None,
        version: int | None = None,
    ) -> Candidate:
        return index(
            self.store,
            self.table,
            self.dataset,
            version or self.version,
            self.encoder,
            plan or IndexPlan(),
            ClusterPlan(),
            run,
            check,
        )

    def seal(self, candidate: Candidate, **fields: Any) -> Lineage:
        return seal(self.store, candidate, {"recipe": self.recipe, **fields}, lambda: None)

    def night(self, run: str, plan: IndexPlan | None = None) -> Lineage:
        return self.seal(self.index(run, plan))

    def open(self, version: int | None = None) -> lance.LanceDataset:
        return index_table(self.store, self.table).open(version)

    def expected(self, described: Callable[[str], bool] = lambda _: True) -> dict[str, Any]:
        """What the index must hold: key: (digest, labels, descriptor's bytes)."""
        return {
            key: (one, [label], self.vector(one).tobytes())
            for key, (one, label, state) in self.said.items()
            if state == "live" and described(one)
        }

    def held(self, version: int | None = None) -> dict[str, Any]:
        """What the index holds, in the same shape; a key that is there twice fails."""
        rows = self.open(version).to_table(["key", "digest", "labels", VECTOR])
        vectors = vectors_of(rows[VECTOR])
        keys, digests, labels = (rows[name].to_pylist() for name in ("key", "digest", "labels"))
        assert len(set(keys)) == len(keys)
        return {
            key: (one, label, vector.tobytes())
            for key, one, label, vector in zip(keys, digests, labels, vectors, strict=True)
        }


def _row(key: str, content: str, label: str, state: str, since: int, run: str) -> dict[str, Any]:
    said = {"uri": f"/{key}.jpg", "labels": [label], "split": "train"}
    stamps = {"key": key, "size": len(content), "mtime": 0, "etag": ""}
    place = {"digest": digest(content), "shard": f"s-{run}", "offset": 0, "length": 1}
    return {**stamps, **said, **place, "state": state, "reason": "", "decoder": ""} | {
        "meta": digest_of(said),
        "since": since,
        "run": run,
    }


@pytest.fixture(params=["float32", "float16", "uint8"])
def world(request: pytest.FixtureRequest, store: Store) -> World:
    """A world of each kind of descriptor."""
    value = {"float32": pa.float32(), "float16": pa.float16(), "uint8": pa.uint8()}[request.param]
    return World(store, value)


@pytest.fixture
def real_world(store: Store) -> World:
    """A world of real-valued descriptors."""
    return World(store)


@dataclass
class Life:
    """A folder of real pictures and the nights that index it, stage by stage, without the flow."""

    store: Store
    root: Path
    workspace: Path
    train: TrainPlan
    evaluate: EvaluatePlan = field(default_factory=lambda: EvaluatePlan(queries=20, k=10))
    gates: GatesPlan = field(default_factory=GatesPlan)
    recipe: str = "toy"
    dataset: str = "pictures"
    nights: int = 0
    limits: Limits = field(default_factory=Limits)
    deadline: float | None = None

    @property
    def alias(self) -> Alias:
        return Alias(self.store, self.recipe)

    def change(self) -> Change:
        """What tonight's listing changes; its images are in shards afterwards."""
        self.nights += 1
        room = self.workspace / f"night-{self.nights}"
        source = SourcePlan(dataset="folder", root=str(self.root))
        for wave in scan(source, ScanPlan(), room):
            wanted = candidates(self.store, self.dataset, room, wave)
            shard(
                self.store,
                self.dataset,
                source,
                wanted,
                ShardPlan(),
                ClusterPlan(),
                room,
                deadline=self.deadline,
            )
        return plan_change(self.store, self.dataset, room)

    def night(self, accept: tuple[str, ...] = ()) -> Ledger:
        """One whole night; what it ends with."""
        change, store, dataset = self.change(), self.store, self.dataset
        run, check = f"run-{self.nights}", lambda: None
        before = self.alias.current()
        version = register(store, dataset, change, run, check)
        encoder = train(store, dataset, version, self.train, ClusterPlan(), lambda *_: None)
        extraction = extract(
            store,
            dataset,
            missing(store, dataset, version, encoder),
            encoder,
            ExtractPlan(device="cpu"),
            ClusterPlan(),
            self.limits,
            lambda *_: None,
        )
        version = quarantine(store, dataset, extraction.bad, run, check)
        name = index_name(self.recipe, encoder)
        found = index(
            store, name, dataset, version, encoder, IndexPlan(), ClusterPlan(), run, check
        )
        scores = evaluate(store, found, before, dataset, self.evaluate)
        verdict = judge(self.gates, change, extraction, scores, found, accept)
        told = {
            "recipe": self.recipe,
            "protocol": scores.protocol,
            "headline": scores.headline,
            "metrics": scores.candidate,
        }
        lineage = seal(store, found, told, check)
        pointer = Pointer(
            table=lineage.table,
            version=lineage.version,
            run=lineage.run,
            moved=now(),
            why="promoted",
            accepted=verdict.accepted,
        )
        ledger = balance(
            store,
            self.recipe,
            change,
            lineage,
            scores,
            verdict,
            run=run,
            embedded=extraction.embedded,
            waiting=extraction.deferred,
            production=pointer if verdict.promote else before,
            before=before,
            papers=f"runs/{self.recipe}/{run}",
            rates={},
            seconds={},
        )
        if verdict.promote:
            promote(store, self.recipe, pointer, check, before)
        return ledger


@pytest.fixture
def life(store: Store, picture_folder: Callable[..., Path], tmp_path: Path) -> Life:
    """Twenty-four pictures of four classes, and an encoder with weights as they are drawn."""
    torch.set_num_threads(1)
    plan = TrainPlan(epochs=0, size=32, width=8, dimensions=16, device="cpu")
    return Life(store, picture_folder(24), tmp_path / "work", plan)
