"""What one writes by hand: a SQLite manifest, a full scan of the folder, an exact index in a file.

Arguments: STORE ENCODER FOLDER HOME [COUNT ROUNDS]; with COUNT and ROUNDS it also runs quiet nights
and nights after a change of 1 %, as `benchmarks.entrants.nights` does. A night is one transaction:
it has no shards, no versions, no gates, no ledger, and a kill loses all of it.
"""

import hashlib
import json
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.entrants.limit import BATCH, described
from benchmarks.pictures import delta
from data.store import Store
from models.weights import Embedder
from tasks.training.train import load_encoder

TABLE = """
CREATE TABLE IF NOT EXISTS pictures
(path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, digest TEXT, vector BLOB)
"""


def listed(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time stamp of each file under FOLDER."""
    found: dict[str, tuple[int, int]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                found |= listed(Path(entry.path))
            else:
                stat = entry.stat()
                found[entry.path] = (stat.st_size, stat.st_mtime_ns)
    return found


def night(folder: Path, home: Path, embedder: Embedder) -> dict[str, Any]:
    """Seconds of one night and how many pictures it embedded."""
    began = time.monotonic()
    with sqlite3.connect(home / "manifest.sqlite") as manifest:
        manifest.execute(TABLE)
        rows = manifest.execute("SELECT path, size, mtime FROM pictures")
        known = {path: (size, mtime) for path, size, mtime in rows}
        found = listed(folder)
        fresh = [path for path, stamp in found.items() if known.get(path) != stamp]
        gone = [(path,) for path in known.keys() - found.keys()]
        manifest.executemany("DELETE FROM pictures WHERE path = ?", gone)
        for start in range(0, len(fresh), BATCH):
            paths = fresh[start : start + BATCH]
            contents = [Path(path).read_bytes() for path in paths]
            vectors = described(embedder, contents)
            manifest.executemany(
                "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?)",
                [
                    (path, *found[path], hashlib.sha256(content).hexdigest(), vector.tobytes())
                    for path, content, vector in zip(paths, contents, vectors, strict=True)
                ],
            )
            _tell(home, start + len(paths))
        if fresh or gone:
            kept = manifest.execute("SELECT vector FROM pictures ORDER BY path").fetchall()
            vectors = np.frombuffer(b"".join(blob for (blob,) in kept), np.float32)
            np.save(home / "index.npy", vectors.reshape(len(kept), -1))
    return {"seconds": time.monotonic() - began, "embedded": len(fresh)}


def _tell(home: Path, done: int) -> None:
    """Say for whoever watches how many pictures this night has embedded."""
    (home / "done").write_text(str(done))


def main(
    root: str, encoder: str, folder: str, home: str, count: str = "", rounds: str = "0"
) -> None:
    """Print what the nights took."""
    torch.set_num_threads(1)
    embedder = load_encoder(Store(root), encoder)
    source, place = Path(folder), Path(home)
    place.mkdir(parents=True, exist_ok=True)
    told: dict[str, Any] = {"full": night(source, place, embedder), "none": [], "delta": []}
    for turn in range(int(rounds)):
        told["none"].append(night(source, place, embedder))
        delta(source, int(count), turn)
        told["delta"].append(night(source, place, embedder))
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
