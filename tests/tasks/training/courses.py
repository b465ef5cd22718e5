"""Plans that take a second, and datasets to train on."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from data.manifest import LIVE, MANIFEST, manifest, shard_name
from data.shards import ShardWriter
from data.store import Store
from data.tables import RUN
from tasks.training.train import TrainPlan

Draw = Callable[..., bytes]

BAD = b"\xff\xd8\xff no picture"


def plan(**changes: Any) -> TrainPlan:
    """A plan that takes a second."""
    small = {"size": 28, "width": 8, "dimensions": 16, "epochs": 2, "batch": 16, "device": "cpu"}
    return TrainPlan.model_validate(small | changes)


def fill(
    store: Store,
    contents: Sequence[bytes],
    labels: Sequence[Sequence[str]],
    splits: Sequence[str] | None = None,
    dataset: str = "toy",
    said: Mapping[str, Sequence[Sequence[str]]] | None = None,
) -> int:
    """Put CONTENTS, 20 a shard, into DATASET; its version. SAID are other columns of theirs."""
    rows = []
    for first in range(0, len(contents), 20):
        with store.replacing(shard_name(dataset, f"s{first:03d}")) as out:
            writer, spans = ShardWriter(out), {}
            for number in range(first, min(first + 20, len(contents))):
                digest = hashlib.sha256(contents[number]).hexdigest()
                if digest not in spans:
                    spans[digest] = writer.add(f"{digest}.jpg", contents[number])
                span = spans[digest]
                row = {"key": f"{number:03d}", "uri": f"/{number}.jpg", "labels": labels[number]}
                place = {"shard": f"s{first:03d}", "offset": span.offset, "length": span.length}
                rest: dict[str, Any] = {
                    "split": splits[number] if splits else "",
                    "state": LIVE,
                    "digest": digest,
                }
                rest |= {"size": span.length, "mtime": 0, "etag": ""}
                rest |= {column: values[number] for column, values in (said or {}).items()}
                rows.append(row | place | rest)
            writer.close()
    table = manifest(store, dataset)
    base = table.latest()
    staged = table.stage(pa.Table.from_pylist(rows, schema=MANIFEST))
    return int(table.commit(base, staged, np.empty(0, np.uint64), {RUN: "test"}).version)
