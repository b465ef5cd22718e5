"""Nightjar's extraction of all pictures of a dataset into an empty cache.

Arguments: STORE DATASET VERSION ENCODER PART WHERE ("here", "ray"). From shards, bytes checked
against their digests, bad pictures looked for, descriptors kept in the store: what `limit` leaves
out.
"""

import json
import sys
import time

from data.store import Store
from tasks.cluster import ClusterPlan, shutdown
from tasks.extract import ExtractPlan, Limits, extract, missing


def main(root: str, dataset: str, version: str, encoder: str, part: str, where: str) -> None:
    """Print when how many pictures were done."""
    store = Store(root)
    pictures = missing(store, dataset, int(version), encoder)
    totals = [(time.monotonic(), 0)]

    def progress(stage: str, done: int, total: int, note: str) -> None:
        totals.append((time.monotonic(), done))

    plan, cluster = ExtractPlan(part=int(part)), ClusterPlan(small={"here": None, "ray": 0}[where])
    extraction = extract(store, dataset, pictures, encoder, plan, cluster, Limits(), progress)
    shutdown()
    finished = [
        (at, done - before) for (at, done), (_, before) in zip(totals[1:], totals[:-1], strict=True)
    ]
    print(json.dumps({"completions": finished, "embedded": extraction.embedded}))


if __name__ == "__main__":
    main(*sys.argv[1:])
