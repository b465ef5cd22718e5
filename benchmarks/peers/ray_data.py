"""A plain Ray Data script: read files, describe them on actors, write Parquet.

Arguments: STORE ENCODER FOLDER OUT. As its guide to batch inference teaches; the encoder and the
decoding are Nightjar's, so that only what lies around them differs.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.entrants.limit import BATCH, described
from data.store import Store
from tasks.cluster import runtime
from tasks.crew import cores
from tasks.training.train import load_encoder


class Describe:
    """The callable of `map_batches`; an actor keeps its encoder."""

    def __init__(self, root: str, encoder: str) -> None:
        torch.set_num_threads(1)
        self._embedder = load_encoder(Store(root), encoder)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Paths, vectors, and when they were there."""
        vectors = described(self._embedder, list(batch["bytes"]))
        return {
            "path": batch["path"],
            "vector": vectors,
            "at": np.full(len(vectors), time.monotonic()),
        }


def main(root: str, encoder: str, folder: str, out: str) -> None:
    """Print when how many pictures were done."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init(
        address="local",
        num_cpus=cores(),
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        runtime_env=runtime(remote=False),
    )
    paths = sorted(str(path) for path in Path(folder).rglob("*.jpg"))
    pictures = ray.data.read_binary_files(paths, include_paths=True)
    rows = pictures.map_batches(
        Describe,
        fn_constructor_args=(root, encoder),
        batch_size=BATCH,
        concurrency=(1, cores()),
    )
    rows.write_parquet(out)
    kept = ray.data.read_parquet(out, columns=["at"]).to_pandas()["at"].to_numpy()
    ray.shutdown()
    instants, counts = np.unique(kept, return_counts=True)
    print(json.dumps({"completions": list(zip(instants.tolist(), counts.tolist(), strict=True))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
