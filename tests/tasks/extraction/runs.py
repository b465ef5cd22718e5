"""Extraction of a few pictures, in this process unless told otherwise, and what it leaves."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from data.descriptors import DescriptorCache
from data.store import Store
from models.pixels import Transform
from models.spec import EncoderSpec
from tasks.cluster import ClusterPlan
from tasks.extract import Extraction, ExtractPlan, Limits, extract

SPEC = EncoderSpec(dimensions=16, transform=Transform(size=32), arguments={"width": 4})
PLAN = ExtractPlan(batch=4, part=8)
HERE = ClusterPlan(workers=1)


class Progress:
    """Keeps what a run tells of its progress."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int, str]] = []

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:
        self.told.append((stage, done, total, note))


def run(
    store: Store,
    pictures: pa.Table,
    encoder: str,
    plan: ExtractPlan = PLAN,
    where: ClusterPlan = HERE,
    progress: Callable[[str, int, int, str], None] | None = None,
    **limits: float,
) -> Extraction:
    """What extraction of PICTURES, which lie in shards of dataset d, answers."""
    bounds = Limits.model_validate(limits)
    return extract(store, "d", pictures, encoder, plan, where, bounds, progress or Progress())


def vectors(store: Store, encoder: str, digests: pa.ChunkedArray) -> dict[str, Any]:
    """The good descriptors that are kept of DIGESTS."""
    found: dict[str, Any] = {}
    for batch in DescriptorCache(store, encoder).read(digests):
        for digest, vector in zip(batch["digest"].to_pylist(), batch["vector"], strict=True):
            found[digest] = vector.values.to_numpy()
    return found
