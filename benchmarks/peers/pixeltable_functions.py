"""The function on images that the Pixeltable entrant declares, in a module as Pixeltable asks."""

import os
import time
from functools import cache
from typing import Any

import numpy as np
import pixeltable as pxt
import torch
from pixeltable.func import Batch
from torch.nn import functional

from benchmarks.entrants.limit import BATCH
from data.store import Store
from models.weights import Embedder
from tasks.training.train import load_encoder

finished: list[tuple[float, int]] = []
"""When how many pictures were done."""


@cache
def embedder() -> Embedder:
    """The encoder that the environment names, loaded once."""
    torch.set_num_threads(1)
    return load_encoder(Store(), os.environ["BENCHMARK_ENCODER"])


@pxt.udf(batch_size=BATCH)
def describe(images: Batch[pxt.Image]) -> Batch[pxt.Array[(128,), pxt.Float]]:
    """The descriptors of decoded IMAGES."""
    side = embedder().spec.transform.size
    pixels = torch.stack([_square(image, side) for image in images])
    rows = embedder().describe(embedder().features(pixels))
    finished.append((time.monotonic(), len(rows)))
    return list(rows)


def _square(image: Any, side: int) -> torch.Tensor:
    pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None]
    return functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)[0]
