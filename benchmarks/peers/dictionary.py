"""A plan as a script makes it: the manifest in a dictionary, the list row by row.

Arguments: LIST MANIFEST, a Parquet file and a Lance table. It tells what is new, changed and gone
by size and time stamp, reads the bytes of what changed for their digests, and that is all.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

import lance
import pyarrow.parquet as pq


def main(listed: str, manifest: str) -> None:
    """Print how long it took, and the counts."""
    began = time.monotonic()
    held: dict[str, tuple[int, int]] = {}
    columns = ["key", "size", "mtime"]
    for batch in lance.dataset(manifest).to_batches(columns=columns):
        for row in batch.to_pylist():
            held[row["key"]] = (row["size"], row["mtime"])
    counts = {"listed": 0, "unchanged": 0, "changed": 0, "added": 0}
    digests = set()
    for batch in pq.ParquetFile(listed).iter_batches(columns=[*columns, "uri"]):
        for row in batch.to_pylist():
            counts["listed"] += 1
            stamp = held.pop(row["key"], None)
            if stamp == (row["size"], row["mtime"]):
                counts["unchanged"] += 1
                continue
            counts["added" if stamp is None else "changed"] += 1
            digests.add(hashlib.sha256(Path(row["uri"]).read_bytes()).digest())
    counts["removed"] = len(held)
    print(json.dumps({"seconds": time.monotonic() - began, **counts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
