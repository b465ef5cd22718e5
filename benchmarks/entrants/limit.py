"""The limit: processes that fill all cores and do nothing but decode and encode.

Arguments: STORE ENCODER FOLDER PART HOW. Each process takes the next PART files at a time, so that
none waits for another at the end. Nothing is checked, kept or accounted for. HOW: "keep" has each
process keep the memory that it frees, as ours do; else the loop is as one writes it.
"""

import json
import multiprocessing
import sys
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from data import memory
from data.store import Store
from models.weights import Embedder
from tasks.crew import cores
from tasks.training.train import load_encoder

BATCH: Final = 64
"""Pictures a forward pass, as `tasks.extract.ExtractPlan` has it."""


def described(embedder: Embedder, contents: list[bytes]) -> np.ndarray[Any, Any]:
    """The rows of CONTENTS as they would be stored."""
    rows = []
    for start in range(0, len(contents), BATCH):
        pixels = torch.stack([embedder.pixels(c) for c in contents[start : start + BATCH]])
        rows.append(embedder.describe(embedder.features(pixels)))
    return np.concatenate(rows)


def _work(
    root: str,
    encoder: str,
    paths: list[str],
    part: int,
    how: str,
    next_part: Any,
    ready: Barrier,
    done: Any,
) -> None:
    """Describe a part of PATHS after the other, until there are no more."""
    torch.set_num_threads(1)
    if how == "keep":
        memory.keep()
    embedder = load_encoder(Store(root), encoder)
    ready.wait()
    finished = []
    while True:
        with next_part.get_lock():
            start = next_part.value
            next_part.value += part
        mine = paths[start : start + part]
        if not mine:
            break
        rows = described(embedder, [Path(path).read_bytes() for path in mine])
        finished.append((time.monotonic(), len(rows)))
    done.put(finished)


def main(root: str, encoder: str, folder: str, part: str, how: str) -> None:
    """Print when how many pictures were done."""
    paths = sorted(str(path) for path in Path(folder).rglob("*.jpg"))
    spawned = multiprocessing.get_context("spawn")
    ready, done = spawned.Barrier(cores()), spawned.Queue()
    counter = spawned.Value("q", 0)
    arguments = (root, encoder, paths, int(part), how, counter, ready, done)
    crew = [spawned.Process(target=_work, args=arguments) for _ in range(cores())]
    for one in crew:
        one.start()
    finished = sorted(_all(done, len(crew)))
    for one in crew:
        one.join()
    print(json.dumps({"completions": finished}))


def _all(done: "Queue[list[tuple[float, int]]]", processes: int) -> list[tuple[float, int]]:
    return [completion for _ in range(processes) for completion in done.get()]


if __name__ == "__main__":
    main(*sys.argv[1:])
